"""Times the API over HTTP: full and unchanged (304) responses, for one client and for many."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

SECONDS = 2.0  # of a load test
ROUNDS = 20  # of each route


@dataclass(frozen=True)
class RouteTiming:
    """One route, requested by one client; milliseconds."""

    path: str
    p50_ms: float
    p95_ms: float
    unchanged_ms: float  # median of a 304 to the ETag of the first
    kilobytes: float


@dataclass(frozen=True)
class LoadResult:
    """The rate (requests per second) of `clients` threads on one route."""

    path: str
    clients: int
    per_second: float
    p50_ms: float
    p95_ms: float


def time_routes(url: str, paths: list[str]) -> list[RouteTiming]:
    """Time each route ROUNDS times, after one request to each. Raises ConnectionError if one fails."""
    with Client(url) as client:
        first = {path: client.get(path) for path in paths}
        return [_time_route(client, path, etag, length) for path, (etag, length) in first.items()]


def _time_route(client: Client, path: str, etag: str, length: int) -> RouteTiming:
    full = sorted(_times(lambda: client.get(path)))
    unchanged = statistics.median(_times(lambda: client.get(path, f"If-None-Match: {etag}\r\n")))
    return RouteTiming(path, statistics.median(full), full[int(ROUNDS * 0.95)], unchanged, length / 1024)


def _times(send: Callable[[], object]) -> list[float]:
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        send()
        times.append((time.perf_counter() - start) * 1000)
    return times


def time_load(url: str, path: str, clients: int) -> LoadResult:
    """Let `clients` threads request one route as fast as they can."""
    times: list[float] = []
    end = time.perf_counter() + SECONDS

    def client() -> None:
        own = []
        with Client(url) as connection:
            while (start := time.perf_counter()) < end:
                connection.get(path)
                own.append((time.perf_counter() - start) * 1000)
        times.extend(own)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times.sort()
    return LoadResult(path, clients, len(times) / SECONDS, times[len(times) // 2], times[int(len(times) * 0.95)])


class Client:
    """Bare HTTP over one socket: an HTTP library costs more than many of the responses."""

    def __init__(self, url: str) -> None:
        where = urlsplit(url)
        self._host, self._prefix = where.netloc, where.path
        self._socket = socket.create_connection((where.hostname, where.port), timeout=120)
        self._reader = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self._socket.close()

    def get(self, path: str, headers: str = "") -> tuple[str, int]:
        """Send a GET and read the whole response: its ETag and body size. Raises ConnectionError unless it is 200 or
        304."""
        self._socket.sendall(
            f"GET {self._prefix}{path} HTTP/1.1\r\nHost: {self._host}\r\n"
            f"Accept-Encoding: gzip\r\n{headers}\r\n".encode()
        )
        status, etag, length = self._reader.readline(), "", 0
        if status.split(b" ", 2)[1:2] not in ([b"200"], [b"304"]):
            raise ConnectionError(f"{path}: the server answered {status!r}")
        while (line := self._reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
            elif name.lower() == b"etag":
                etag = value.decode().strip()
        self._reader.read(length)
        return etag, length
