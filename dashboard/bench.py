"""How fast the API answers over HTTP: whole and unchanged (304), to one client and to many."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass

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
    """So many clients ask for one route as fast as they can."""
    times: list[float] = []
    end = time.perf_counter() + SECONDS

    def client() -> None:
        session, own = requests.Session(), []
        while time.perf_counter() < end:
            own.append(_get(session, url + path)[0])
        times.extend(own)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    return Load(path, clients, len(times) / SECONDS, times[len(times) // 2], times[int(len(times) * 0.95)])


def _get(session: requests.Session, url: str, headers: dict[str, str] | None = None) -> tuple[float, requests.Response]:
    start = time.perf_counter()
    answer = session.get(url, headers=headers, timeout=120)
    answer.raise_for_status()
    return (time.perf_counter() - start) * 1000, answer
