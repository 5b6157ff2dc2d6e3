"""Times the API while builds arrive: many clients on the main routes, without commits and with regular ones."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Self

from data.answers.operations import RequestPayload
from data.lake.store import Store
from data.settings import Settings
from data.write import raw_files
from ingest.clock import utc_now
from ingest.importer import read_upload, store_imports
from regtracker.bench.queries import percentile
from regtracker.bench.routes import Client

CLIENTS = 50
SECONDS = 20.0  # of each measurement
EVERY_S = 2.0  # between two commits
RELEASES = 3
TESTS = 40  # results of a build that arrives
OF_A_RELEASE = (
    "/releases/{0}",
    "/releases/{0}/modules",
    "/releases/{0}/matrix",
    "/runs?release={0}",
    "/trends?release={0}",
    "/verdicts?release={0}",
    "/failures?release={0}",
    "/grid?release={0}",
    "/gate?release={0}",
    "/builds?release={0}",
)
OF_ALL = ("/releases", "/runs", "/matrix", "/trends", "/verdicts", "/failures", "/builds")
READY = "/health/ready"


@dataclass(frozen=True)
class ArrivalResult:
    """Requests per second of all clients, and milliseconds: of a request, and of a look at the readiness."""

    commits: int
    per_second: float
    p50_ms: float
    p95_ms: float
    ready_p95_ms: float


def time_arrivals(url: str, settings: Settings) -> list[ArrivalResult]:
    """The load without commits, then with one every EVERY_S seconds to one of RELEASES releases of the store."""
    store = Store.open(settings)
    found = store.rows("SELECT release FROM releases ORDER BY release LIMIT ?", [RELEASES])
    store.close()
    releases = [row["release"] for row in found]
    paths = [path.format(release) for release in releases for path in OF_A_RELEASE] + list(OF_ALL)
    results = []
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as watcher:
        watcher.submit(_ready_times, url, 0.1).result()
        for every in (None, EVERY_S):
            with _Arrivals(settings, releases[0], every) as arrivals:
                watched = watcher.submit(_ready_times, url, SECONDS)
                times = _load(url, paths)
                ready = watched.result()
            results.append(
                ArrivalResult(
                    arrivals.commits,
                    len(times) / SECONDS,
                    percentile(times, 0.5),
                    percentile(times, 0.95),
                    percentile(ready, 0.95),
                )
            )
    return results


def _load(url: str, paths: list[str]) -> list[float]:
    """The times (milliseconds) of the requests of CLIENTS clients within SECONDS."""
    times: list[float] = []
    with Client(url) as client:
        for path in paths:
            client.get(path)
    end = time.perf_counter() + SECONDS

    def send(turn: int) -> None:
        own = []
        with Client(url) as client:
            for path in cycle(paths[turn % len(paths) :] + paths[: turn % len(paths)]):
                start = time.perf_counter()
                if start >= end:
                    break
                client.get(path)
                own.append((time.perf_counter() - start) * 1000)
        times.extend(own)

    threads = [threading.Thread(target=send, args=[turn]) for turn in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return times


def _ready_times(url: str, seconds: float) -> list[float]:
    """How long the server took (milliseconds) to say that it is ready, a few times a second."""
    times = []
    end = time.perf_counter() + seconds
    with Client(url) as client:
        while (start := time.perf_counter()) < end:
            client.get(READY)
            times.append((time.perf_counter() - start) * 1000)
            time.sleep(0.05)
    return times


class _Arrivals:
    """Small builds imported into the first release by another process, one every `every` seconds (None: none)."""

    def __init__(self, settings: Settings, release: str, every: float | None) -> None:
        context = multiprocessing.get_context("spawn")
        self._every = every
        self._ended, self._ready, self._count = context.Event(), context.Event(), context.Value("i", 0)
        arguments = (settings, release, every, self._ready, self._ended, self._count)
        self._process = context.Process(target=_import_builds, args=arguments, daemon=True)

    def __enter__(self) -> Self:
        if self._every is not None:
            self._process.start()
            self._ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._every is not None:
            self._process.join()

    @property
    def commits(self) -> int:
        return self._count.value


def _import_builds(
    settings: Settings, release: str, every: float, ready: Event, ended: Event, count: Synchronized[int]
) -> None:
    store = Store.open(settings)
    ready.set()
    due = time.monotonic() + every
    while not ended.wait(max(due - time.monotonic(), 0)):
        due += every
        number = 1_000_000_000 + int(time.time() * 10) % 1_000_000_000
        cases = "".join(f'<testcase classname="bench.arrivals" name="test_{n}" time="1"/>' for n in range(TESTS))
        report = f'<testsuite tests="{TESTS}" timestamp="{utc_now().isoformat()}">{cases}</testsuite>'
        metadata: RequestPayload = {"release": release, "module": "arrivals", "number": number}
        file = raw_files.pack("report.xml", "file", report.encode())
        store_imports(store, [read_upload(store, metadata, [file])])
        count.value += 1
    store.close()
