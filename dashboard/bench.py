"""How fast the API answers over HTTP: whole and unchanged (304), to one client and to many."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from dataclasses import dataclass
from typing import BinaryIO
from urllib.parse import urlsplit

import requests

SECONDS = 2.0  # of a load test
ROUNDS = 20  # of each route


@dataclass(frozen=True)
class Answer:
    """One route, asked by one client; milliseconds."""

    path: str
    p50_ms: float
    p95_ms: float
    unchanged_ms: float  # median of a 304 to the ETag of the first
    kilobytes: float


@dataclass(frozen=True)
class Load:
    """Requests a second of `clients` threads on one route."""

    path: str
    clients: int
    per_second: float
    p50_ms: float
    p95_ms: float


def answers(url: str, paths: list[str]) -> list[Answer]:
    """Each route ROUNDS times after a first one. Raises requests.HTTPError where one does not answer."""
    session = requests.Session()
    measured = []
    for path in paths:
        _, answer = _get(session, url + path)
        etag = {"If-None-Match": answer.headers["ETag"]}
        whole = sorted(_get(session, url + path)[0] for _ in range(ROUNDS))
        unchanged = statistics.median(_get(session, url + path, etag)[0] for _ in range(ROUNDS))
        p50, p95 = statistics.median(whole), whole[int(ROUNDS * 0.95)]
        measured.append(Answer(path, p50, p95, unchanged, len(answer.content) / 1024))
    return measured


def load(url: str, path: str, clients: int) -> Load:
    """So many clients ask for one route as fast as they can.

    They speak bare HTTP over sockets: a library's client costs more than the answers that it asks for.
    """
    where = urlsplit(url + path)
    asking = f"GET {where.path} HTTP/1.1\r\nHost: {where.netloc}\r\nAccept-Encoding: gzip\r\n\r\n".encode()
    times: list[float] = []
    end = time.perf_counter() + SECONDS

    def client() -> None:
        own = []
        with socket.create_connection((where.hostname, where.port), timeout=120) as connection:
            answers = connection.makefile("rb")
            while (start := time.perf_counter()) < end:
                connection.sendall(asking)
                _read(answers)
                own.append((time.perf_counter() - start) * 1000)
        times.extend(own)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    return Load(path, clients, len(times) / SECONDS, times[len(times) // 2], times[int(len(times) * 0.95)])


def _read(answers: BinaryIO) -> None:
    """Read one answer whole. Raises ConnectionError where it is not 200."""
    status, length = answers.readline(), 0
    if b" 200 " not in status:
        raise ConnectionError(f"the server answered {status!r}")
    while (line := answers.readline()) not in (b"\r\n", b""):
        if line.lower().startswith(b"content-length:"):
            length = int(line[15:])
    answers.read(length)


def _get(session: requests.Session, url: str, headers: dict[str, str] | None = None) -> tuple[float, requests.Response]:
    start = time.perf_counter()
    answer = session.get(url, headers=headers, timeout=120)
    answer.raise_for_status()
    return (time.perf_counter() - start) * 1000, answer
