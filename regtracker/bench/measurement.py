"""All measurements of the benchmark: ingest, then every store with its queries and the API over it."""

from __future__ import annotations

import json
import logging
import os
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from data.cli.common import load_settings
from data.lake.store import Store
from data.settings import SourceSettings, StoreSettings
from regtracker.bench import arrivals, queries, reading
from regtracker.bench import ingest as ingest_bench
from regtracker.bench.routes import time_load, time_routes
from regtracker.bench.synthetic import StoreShape, fill
from regtracker.processes import Children, free_port, wait_ready

ARRIVAL_RESULTS = {"tiny": 2_000, "small": 1_000_000, "medium": 1_000_000}  # of the store at which builds arrive
READ_BUILDS = {"tiny": 2, "small": 100, "medium": 400}  # of each dialect of JUnit XML, by the size of ingest


def measure(sizes: Sequence[int], ingest_size: str, home: Path | None) -> dict[str, Any]:
    """The figures of stores of these sizes, which are kept in `home`, and of ingest from a simulated Jenkins."""
    with tempfile.TemporaryDirectory() as scratch, Children() as children:
        return {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "ingest": _ingest(children, Path(scratch) / "ingest", ingest_size),
            "stores": [_store(children, (home or Path(scratch)) / str(size), size) for size in sizes],
            "arrivals": _arrivals(children, Path(scratch) / "arrivals", ARRIVAL_RESULTS[ingest_size]),
            "reading": _reading(Path(scratch) / "reading", READ_BUILDS[ingest_size]),
        }


def _store(children: Children, home: Path, size: int) -> dict:
    """Everything that is measured on one store."""
    figures = _time_queries(home, size)
    return figures | _http(children, home, [row["path"] for row in figures["questions"]])


def _reading(home: Path, builds: int) -> list[dict]:
    """Read reports of each dialect from memory."""
    click.echo("Reading JUnit XML ...", err=True)
    return [asdict(rates) for rates in reading.measure(home, builds)]


def _ingest(children: Children, home: Path, size: str) -> dict:
    """Poll a simulated Jenkins; twice if it is large, so that the measured poll does not wait for it to render."""
    click.echo(f"Ingest from a simulated Jenkins ({size}) ...", err=True)
    logging.getLogger("ingest").setLevel(logging.ERROR)  # its deleted builds are expected
    output = children.start("simulator", "simulator", "--size", size, "--no-live", "--exit-with-parent", read=True)
    assert output is not None
    sources = [SourceSettings(**source) for source in json.loads(output.readline())["sources"]]
    rates = []
    for turn in ("measured",) if size == "tiny" else ("warm-up", "measured"):
        settings = load_settings().model_copy(update={"home": home / turn, "store": StoreSettings(), "source": sources})
        rates.append(asdict(ingest_bench.measure(settings)))
    children.stop("simulator")
    return rates[-1]


def _time_queries(home: Path, size: int) -> dict:
    settings = load_settings().model_copy(update={"home": home, "store": StoreSettings(), "source": []})
    store = Store.open(settings, memory_tables=True)
    if not store.value("SELECT count(*) FROM releases"):
        click.echo(f"Filling a store with about {size:,} results ...", err=True)
        fill(store, StoreShape.of(size))
    results = store.value("SELECT count(*) FROM results")
    click.echo(f"Timing queries over {results:,} results ...", err=True)
    timings = [asdict(timing) for timing in queries.measure(store)]
    store.close()
    files = [
        file for file in home.rglob("*") if file.is_file() and (file.suffix == ".parquet" or "sqlite" in file.name)
    ]
    disk = sum(file.stat().st_size for file in files)
    return {"results": results, "bytes_per_result": disk / results, "questions": timings}


def _http(children: Children, home: Path, paths: list[str]) -> dict:
    """A server without its answer cache ("computed"), then one with it, as in production ("remembered")."""
    figures: dict[str, Any] = {}
    for name, megabytes in (("computed", "0"), ("remembered", "128")):
        click.echo(f"Timing the API over HTTP, answers {name} ...", err=True)
        url = _start_web(children, home, megabytes)
        run_view = next(path for path in paths if path.endswith("/modules") and path.startswith("/runs/"))
        figures[f"http_{name}"] = [asdict(answer) for answer in time_routes(url, paths)]
        figures[f"load_{name}"] = [asdict(time_load(url, run_view, clients)) for clients in (1, 8, 32)]
        figures[f"memory_mb_{name}"] = children.memory_mb("web")
        children.stop("web")
    return figures


def _arrivals(children: Children, home: Path, results: int) -> list[dict]:
    """The load of many clients, without commits and with one every few seconds, on a store of its own."""
    click.echo("Timing the API while builds arrive ...", err=True)
    settings = load_settings().model_copy(update={"home": home, "store": StoreSettings(), "source": []})
    store = Store.open(settings)
    fill(store, StoreShape.of(results))
    store.close()
    url = _start_web(children, home, "128")
    found = [asdict(result) for result in arrivals.time_arrivals(url, settings)]
    children.stop("web")
    return found


def _start_web(children: Children, home: Path, cache_mb: str) -> str:
    """Serve a store; the address of its API."""
    port = free_port()
    (home / "bench.toml").touch()
    environment = {
        "REGTRACKER_HOME": str(home),
        "REGTRACKER_WEB__CACHE_MB": cache_mb,
        "REGTRACKER_CONFIG": str(home / "bench.toml"),
    }
    children.start("web", "web", "--port", str(port), environment=environment)
    url = f"http://127.0.0.1:{port}/api/v1"
    wait_ready(children, f"{url}/health/ready")
    return url
