"""`regtracker bench`: ingest from a simulated Jenkins, every question of a screen, and the API over HTTP, timed."""

from __future__ import annotations

import json
import logging
import os
import platform
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from dashboard.bench import answers, load
from data import bench as data_bench
from data.settings import SourceSettings, StoreSettings
from data.store import Store
from data.synthetic import Shape, fill
from data.terminal import JSON, load_settings
from ingest import bench as ingest_bench
from regtracker.processes import Children, free_port, wait_ready


@click.command()
@click.option("--size", type=click.IntRange(1_000), default=1_000_000, show_default=True, help="Results in the store.")
@click.option(
    "--ingest",
    "ingest_size",
    type=click.Choice(["tiny", "small", "medium"]),
    default="small",
    show_default=True,
    help="The simulated Jenkins that ingest is measured on.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the filled store there, or measure the one that is there (default: a temporary one).",
)
@JSON
def bench(size: int, ingest_size: str, home: Path | None, as_json: bool) -> None:
    """Fill a store and time ingest, every screen's question beside a bare query, and the API over HTTP.

    \b
    Example: regtracker bench --size 1000000
    """
    with tempfile.TemporaryDirectory() as scratch, Children() as children:
        store = home or Path(scratch) / "store"
        figures = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "ingest": _ingest(children, Path(scratch) / "ingest", ingest_size),
            **_questions(store, size),
        }
        figures |= _http(children, store, [row["path"] for row in figures["questions"]])
    click.echo(json.dumps(figures, indent=2) if as_json else _text(figures))


def _ingest(children: Children, home: Path, size: str) -> dict:
    """Poll a simulated Jenkins twice: what it has rendered for the first poll costs the second one no waiting."""
    click.echo(f"Ingest from a simulated Jenkins ({size}) ...", err=True)
    logging.getLogger("ingest").setLevel(logging.ERROR)  # the builds that it has deleted are no news here
    output = children.start("simulator", "simulator", "--size", size, "--no-live", "--exit-with-parent", read=True)
    sources = [SourceSettings(**source) for source in json.loads(output.readline())["sources"]]
    rates = []
    for turn in ("warm-up", "measured"):
        settings = load_settings().model_copy(update={"home": home / turn, "store": StoreSettings(), "source": sources})
        rates.append(asdict(ingest_bench.measure(settings)))
    children.stop("simulator")
    return rates[-1]


def _questions(home: Path, size: int) -> dict:
    settings = load_settings().model_copy(update={"home": home, "store": StoreSettings(), "source": []})
    store = Store.open(settings, mirrored=True)
    if not store.value("SELECT count(*) FROM releases"):
        click.echo(f"Filling a store with about {size:,} results ...", err=True)
        fill(store, Shape.of(size))
    results = store.value("SELECT count(*) FROM results")
    click.echo(f"Asking about {results:,} results ...", err=True)
    timings = [asdict(timing) for timing in data_bench.measure(store)]
    store.close()
    return {"results": results, "questions": timings}


def _http(children: Children, home: Path, paths: list[str]) -> dict:
    """One server that remembers nothing, then one that remembers answers, as in production."""
    figures = {}
    for name, megabytes in (("computed", "0"), ("remembered", "128")):
        click.echo(f"The API over HTTP, answers {name} ...", err=True)
        port = free_port()
        (home / "bench.toml").touch()
        environment = {
            "REGTRACKER_HOME": str(home),
            "REGTRACKER_WEB__CACHE_MB": megabytes,
            "REGTRACKER_CONFIG": str(home / "bench.toml"),
        }
        children.start("web", "web", "--port", str(port), environment=environment)
        url = f"http://127.0.0.1:{port}/api/v1"
        wait_ready(children, f"{url}/health/ready")
        run_view = next(path for path in paths if path.endswith("/modules") and path.startswith("/runs/"))
        figures[f"http_{name}"] = [asdict(answer) for answer in answers(url, paths)]
        figures[f"load_{name}"] = [asdict(load(url, run_view, clients)) for clients in (1, 8, 32)]
        children.stop("web")
    return figures


def _text(figures: dict) -> str:
    lines = [
        figures["machine"],
        "",
        _ingest_text(figures["ingest"]),
        "",
        f"| {figures['results']:,} results: ms | bare query | question p50 | p95 | HTTP computed | remembered | 304 |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    rows = zip(figures["questions"], figures["http_computed"], figures["http_remembered"], strict=True)
    for asked, computed, remembered in rows:
        lines.append(
            f"| {asked['question']} | {asked['bare_ms']:.1f} | {asked['p50_ms']:.1f} | {asked['p95_ms']:.1f} "
            f"| {computed['whole_ms']:.1f} | {remembered['whole_ms']:.1f} | {remembered['unchanged_ms']:.1f} |"
        )
    lines += [
        "",
        "| run view, clients | computed, requests a second | p95 ms | remembered, requests a second | p95 ms |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    for computed, remembered in zip(figures["load_computed"], figures["load_remembered"], strict=True):
        lines.append(
            f"| {computed['clients']} | {computed['per_second']:.0f} | {computed['p95_ms']:.1f} "
            f"| {remembered['per_second']:.0f} | {remembered['p95_ms']:.1f} |"
        )
    return "\n".join(lines)


def _ingest_text(rate: dict) -> str:
    return (
        f"Ingest: {rate['attempts']:,} results of {rate['builds']} builds in {rate['wall_s']:.1f} s, "
        f"{rate['attempts'] / rate['wall_s']:,.0f} a second ({rate['attempts'] / rate['cpu_s']:,.0f} a second of CPU), "
        f"{rate['requests']} requests, peak {rate['peak_mb']:.0f} MB, {rate['bytes_per_result']:.0f} bytes a result "
        f"(raw files: {rate['raw_bytes_per_result']:.0f})"
    )
