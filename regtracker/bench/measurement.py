"""All measurements of the benchmark: ingest, then every store with its queries and the API over it."""

from __future__ import annotations

import json
import logging
import os
import platform
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from data.cli.common import load_settings
from data.lake.store import Store
from data.settings import SourceSettings, StoreSettings
from regtracker.bench import arrivals, queries, reading
from regtracker.bench import ingest as ingest_bench
from regtracker.bench.arrivals import ArrivalResult
from regtracker.bench.figures import Figures, StoreFigures
from regtracker.bench.ingest import IngestRate
from regtracker.bench.queries import QueryTiming
from regtracker.bench.reading import ReadingRates
from regtracker.bench.routes import LoadResult, RouteTiming, time_load, time_routes
from regtracker.bench.synthetic import StoreShape, fill
from regtracker.processes import Children, free_port, wait_ready

ARRIVAL_RESULTS = {"tiny": 2_000, "small": 1_000_000, "medium": 1_000_000}  # of the store at which builds arrive
READ_BUILDS = {"tiny": 2, "small": 100, "medium": 400}  # of each dialect of JUnit XML, by the size of ingest


def measure(sizes: Sequence[int], ingest_size: str, home: Path | None) -> Figures:
    """The figures of stores of these sizes, which are kept in `home`, and of ingest from a simulated Jenkins."""
    with tempfile.TemporaryDirectory() as scratch, Children() as children:
        return Figures(
            machine=f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            ingest=_ingest(children, Path(scratch) / "ingest", ingest_size),
            stores=[_store(children, (home or Path(scratch)) / str(size), size) for size in sizes],
            arrivals=_arrivals(children, Path(scratch) / "arrivals", ARRIVAL_RESULTS[ingest_size]),
            reading=_reading(Path(scratch) / "reading", READ_BUILDS[ingest_size]),
        )


def _store(children: Children, home: Path, size: int) -> StoreFigures:
    """Everything that is measured on one store."""
    results, bytes_per_result, questions = _time_queries(home, size)
    paths = [timing.path for timing in questions]
    http_computed, load_computed, memory_mb_computed = _http(children, home, paths, "computed", cache_mb=0)
    http_remembered, load_remembered, memory_mb_remembered = _http(children, home, paths, "remembered", cache_mb=128)
    return StoreFigures(
        results=results,
        bytes_per_result=bytes_per_result,
        questions=questions,
        http_computed=http_computed,
        load_computed=load_computed,
        memory_mb_computed=memory_mb_computed,
        http_remembered=http_remembered,
        load_remembered=load_remembered,
        memory_mb_remembered=memory_mb_remembered,
    )


def _reading(home: Path, builds: int) -> list[ReadingRates]:
    """Read reports of each dialect from memory."""
    click.echo("Reading JUnit XML ...", err=True)
    return list(reading.measure(home, builds))


def _ingest(children: Children, home: Path, size: str) -> IngestRate:
    """Poll a simulated Jenkins; twice if it is large, so that the measured poll does not wait for it to render."""
    click.echo(f"Ingest from a simulated Jenkins ({size}) ...", err=True)
    logging.getLogger("ingest").setLevel(logging.ERROR)  # its deleted builds are expected
    output = children.start("simulator", "simulator", "--size", size, "--no-live", "--exit-with-parent", read=True)
    assert output is not None
    sources = [SourceSettings(**source) for source in json.loads(output.readline())["sources"]]
    rates = []
    for turn in ("measured",) if size == "tiny" else ("warm-up", "measured"):
        settings = load_settings().model_copy(update={"home": home / turn, "store": StoreSettings(), "source": sources})
        rates.append(ingest_bench.measure(settings))
    children.stop("simulator")
    return rates[-1]


def _time_queries(home: Path, size: int) -> tuple[int, float, list[QueryTiming]]:
    """The results of a store, its bytes per result, and its queries."""
    settings = load_settings().model_copy(update={"home": home, "store": StoreSettings(), "source": []})
    store = Store.open(settings, memory_tables=True)
    if not store.value("SELECT count(*) FROM releases"):
        click.echo(f"Filling a store with about {size:,} results ...", err=True)
        fill(store, StoreShape.of(size))
    results = store.value("SELECT count(*) FROM results")
    click.echo(f"Timing queries over {results:,} results ...", err=True)
    timings = queries.measure(store)
    store.close()
    files = [
        file for file in home.rglob("*") if file.is_file() and (file.suffix == ".parquet" or "sqlite" in file.name)
    ]
    disk = sum(file.stat().st_size for file in files)
    return results, disk / results, timings


def _http(
    children: Children, home: Path, paths: list[str], name: str, cache_mb: int
) -> tuple[list[RouteTiming], list[LoadResult], float]:
    """The routes, the load of several clients and the memory (MB) of a server with an answer cache of `cache_mb`."""
    click.echo(f"Timing the API over HTTP, answers {name} ...", err=True)
    url = _start_web(children, home, cache_mb)
    run_view = next(path for path in paths if path.endswith("/modules") and path.startswith("/runs/"))
    routes = time_routes(url, paths)
    loads = [time_load(url, run_view, clients) for clients in (1, 8, 32)]
    memory_mb = children.memory_mb("web")
    children.stop("web")
    return routes, loads, memory_mb


def _arrivals(children: Children, home: Path, results: int) -> list[ArrivalResult]:
    """The load of many clients, without commits and with one every few seconds, on a store of its own."""
    click.echo("Timing the API while builds arrive ...", err=True)
    settings = load_settings().model_copy(update={"home": home, "store": StoreSettings(), "source": []})
    store = Store.open(settings)
    fill(store, StoreShape.of(results))
    store.close()
    url = _start_web(children, home, 128)
    found = arrivals.time_arrivals(url, settings)
    children.stop("web")
    return found


def _start_web(children: Children, home: Path, cache_mb: int) -> str:
    """Serve a store; the address of its API."""
    port = free_port()
    (home / "bench.toml").touch()
    environment = {
        "REGTRACKER_HOME": str(home),
        "REGTRACKER_WEB__CACHE_MB": str(cache_mb),
        "REGTRACKER_CONFIG": str(home / "bench.toml"),
    }
    children.start("web", "web", "--port", str(port), environment=environment)
    url = f"http://127.0.0.1:{port}/api/v1"
    wait_ready(children, f"{url}/health/ready")
    return url
