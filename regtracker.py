"""The command line of Regression Tracker: composes what the packages offer.

The verbs of one package live in its `commands.py`; here are those that need several packages or processes at once.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import platform
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

# Verbs of the packages, imported when called: `--help` and `parse` do not wait for Dash.
_VERBS = {
    "ingest": "ingest.commands:ingest",
    "poll": "ingest.commands:poll",
    "backfill": "ingest.commands:backfill",
    "parse": "ingest.commands:parse",
    "import": "ingest.commands:import_",
    "rebuild": "ingest.commands:rebuild",
    "check": "ingest.commands:check",
    "backtest": "data.commands:backtest",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_VERBS})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in _VERBS:
            module, _, attribute = _VERBS[name].partition(":")
            return getattr(importlib.import_module(module), attribute)
        return super().get_command(ctx, name)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="regtracker")
def main() -> None:
    """Watch the regression runs of a product on Jenkins: how healthy is each release, what broke, since when.

    \b
    See it at once:      regtracker demo
    Watch your Jenkins:  cp regtracker.example.toml regtracker.toml; regtracker check; regtracker up
    """


@main.command()
@click.option("--host", help="Address to listen on (configuration: web.host).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (configuration: web.port).")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes (configuration: web.workers).")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads of each process (configuration: web.threads).")
@click.option("--dev", is_flag=True, help="One process that reloads when a file of the project changes.")
def web(host: str | None, port: int | None, workers: int | None, threads: int | None, dev: bool) -> None:
    """Serve the dashboard and the JSON API.

    \b
    Example: regtracker web --host 0.0.0.0 --port 8050 --workers 2
    """
    from dashboard.wsgi import serve

    serve(_settings(), host, port, workers, threads, dev)


@main.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
def up(host: str | None, port: int | None) -> None:
    """Run ingest and web together, until Ctrl-C; if one of them ends, so does the other.

    \b
    Example: regtracker up --port 8050
    """
    settings = _settings()
    if not settings.source:
        click.echo("No [[source]] is configured: the dashboard will say how to connect a Jenkins.", err=True)
    options = [*(("--host", host) if host else ()), *(("--port", str(port)) if port is not None else ())]
    with _Children() as children:
        children.start("ingest", "ingest")
        children.start("web", "web", *options)
        click.echo(f"Regression Tracker: http://{host or settings.web.host}:{port or settings.web.port}")
        children.wait()


@main.command()
@click.option("--size", type=click.Choice(["tiny", "small", "medium", "large"]), default="small", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on (default: a free one).")
@click.option("--live/--no-live", default=True, help="New builds start, progress and finish as time goes by.")
@click.option("--seed", type=int, default=7, show_default=True, help="Another seed, another programme.")
@click.option("--started", help="ISO 8601 time at which history ends (default: now).")
@click.option("--exit-with-parent", is_flag=True, hidden=True)
def simulator(size: str, port: int, live: bool, seed: int, started: str | None, exit_with_parent: bool) -> None:
    """Serve a fake Jenkins with a regression programme behind it; its truth stands at /truth.json.

    \b
    Example: regtracker simulator --size small --port 8081
    """
    from ingest.simulator.programme import Programme
    from ingest.simulator.server import SimulatorServer

    moment = datetime.fromisoformat(started) if started else datetime.now(UTC)
    with SimulatorServer(Programme(size, seed=seed, started=moment, live=live), port=port) as server:
        click.echo(json.dumps({"url": server.url, "sources": server.sources()}))
        sys.stdout.flush()
        parent = os.getppid()
        while not exit_with_parent or os.getppid() == parent:
            time.sleep(1)


@main.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True, help="Port of the dashboard.")
@click.option(
    "--size",
    type=click.Choice(["small", "medium", "large"]),
    default="small",
    show_default=True,
    help="About 50 thousand, 1 million or 10 million results of history.",
)
@click.option("--live/--no-live", default=True, help="New runs start, progress and finish while you watch.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/demo"),
    show_default=True,
    help="Where the demo's store stands; it goes on where it stopped.",
)
def demo(port: int, size: str, live: bool, home: Path) -> None:
    """Run a simulated Jenkins, the ingest and the dashboard together.

    \b
    Example: regtracker demo --size small --port 8050
    """
    import requests

    home.mkdir(parents=True, exist_ok=True)
    world = _demo_world(home / "demo.json", size)
    os.environ["REGTRACKER_HOME"], os.environ["REGTRACKER_CONFIG"] = str(home), str(home / "regtracker.toml")
    with _Children() as children:
        output = children.start(
            "simulator",
            "simulator",
            "--size",
            world["size"],
            "--started",
            world["started"],
            "--live" if live else "--no-live",
            "--exit-with-parent",
            read=True,
        )
        answer = output.readline()
        if not answer:
            raise click.ClickException("the simulated Jenkins did not start; what it said stands above")
        simulated = json.loads(answer)
        (home / "regtracker.toml").write_text(_toml(simulated["sources"]))
        _settings()
        click.echo(f"Simulated Jenkins: {simulated['url']}  (its truth: {simulated['url']}truth.json)")
        (home / "metadata.csv").write_bytes(requests.get(simulated["url"] + "metadata.csv", timeout=60).content)
        _quietly("import", "--metadata", str(home / "metadata.csv"))
        if size == "small" or not live:
            click.echo("Reading its history ...")
            # Exit code 1 is right here: Jenkins has deleted a few builds that its runs list.
            click.echo(_quietly("poll").strip())
        children.start("ingest", "ingest")
        children.start("web", "web", "--port", str(port))
        _wait_ready(children, f"http://127.0.0.1:{port}/api/v1/health/ready")
        click.echo(f"Regression Tracker: http://127.0.0.1:{port}\nCtrl-C stops everything.")
        children.wait()


@main.command()
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
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def bench(size: int, ingest_size: str, home: Path | None, as_json: bool) -> None:
    """Fill a store and time ingest, every screen's question beside a bare query, and the API over HTTP.

    \b
    Example: regtracker bench --size 1000000
    """
    with tempfile.TemporaryDirectory() as scratch, _Children() as children:
        store = home or Path(scratch) / "store"
        figures = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "ingest": _bench_ingest(children, Path(scratch) / "ingest", ingest_size),
            **_bench_questions(store, size),
        }
        figures |= _bench_http(children, store, [row["path"] for row in figures["questions"]])
    click.echo(json.dumps(figures, indent=2) if as_json else _bench_text(figures))


def _bench_ingest(children: _Children, home: Path, size: str) -> dict:
    """Poll a simulated Jenkins twice: what it has rendered for the first poll costs the second one no waiting."""
    from data.settings import SourceSettings, StoreSettings
    from ingest.bench import measure

    click.echo(f"Ingest from a simulated Jenkins ({size}) ...", err=True)
    logging.getLogger("ingest").setLevel(logging.ERROR)  # the builds that it has deleted are no news here
    output = children.start("simulator", "simulator", "--size", size, "--no-live", "--exit-with-parent", read=True)
    sources = [SourceSettings(**source) for source in json.loads(output.readline())["sources"]]
    rates = []
    for turn in ("warm-up", "measured"):
        settings = _settings().model_copy(update={"home": home / turn, "store": StoreSettings(), "source": sources})
        rates.append(asdict(measure(settings)))
    children.stop("simulator")
    return rates[-1]


def _bench_questions(home: Path, size: int) -> dict:
    from data.bench import measure
    from data.settings import StoreSettings
    from data.store import Store
    from data.synthetic import Shape, fill

    settings = _settings().model_copy(update={"home": home, "store": StoreSettings(), "source": []})
    store = Store.open(settings, mirrored=True)
    if not store.value("SELECT count(*) FROM releases"):
        click.echo(f"Filling a store with about {size:,} results ...", err=True)
        fill(store, Shape.of(size))
    results = store.value("SELECT count(*) FROM results")
    click.echo(f"Asking about {results:,} results ...", err=True)
    timings = [asdict(timing) for timing in measure(store)]
    store.close()
    return {"results": results, "questions": timings}


def _bench_http(children: _Children, home: Path, paths: list[str]) -> dict:
    """One server that remembers nothing, then one that remembers answers, as in production."""
    from dashboard.bench import answers, load

    figures = {}
    for name, megabytes in (("computed", "0"), ("remembered", "128")):
        click.echo(f"The API over HTTP, answers {name} ...", err=True)
        port = _free_port()
        (home / "bench.toml").touch()
        environment = {
            "REGTRACKER_HOME": str(home),
            "REGTRACKER_WEB__CACHE_MB": megabytes,
            "REGTRACKER_CONFIG": str(home / "bench.toml"),
        }
        children.start("web", "web", "--port", str(port), environment=environment)
        url = f"http://127.0.0.1:{port}/api/v1"
        _wait_ready(children, f"{url}/health/ready")
        run_view = next(path for path in paths if path.endswith("/modules") and path.startswith("/runs/"))
        figures[f"http_{name}"] = [asdict(answer) for answer in answers(url, paths)]
        figures[f"load_{name}"] = [asdict(load(url, run_view, clients)) for clients in (1, 8, 32)]
        children.stop("web")
    return figures


def _bench_text(figures: dict) -> str:
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


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _demo_world(file: Path, size: str) -> dict[str, str]:
    """When the simulated history ended, and its size: kept, so that a second start goes on with the same world."""
    if file.is_file():
        world = json.loads(file.read_text())
        if world["size"] != size:
            raise click.UsageError(f"{file.parent} holds a demo of size {world['size']}; give --home another folder.")
        return world
    world = {"size": size, "started": datetime.now(UTC).isoformat(timespec="seconds")}
    file.write_text(json.dumps(world))
    return world


def _quietly(*arguments: str) -> str:
    """What `regtracker ARGUMENTS` prints on its standard output; its remarks are dropped."""
    return subprocess.run([sys.executable, "-m", "regtracker", *arguments], capture_output=True, text=True).stdout


def _toml(sources: list[dict]) -> str:
    """The sources as TOML; JSON's strings, numbers and lists are TOML's too, tables are written inline."""

    def value(item: object) -> str:
        if isinstance(item, dict):
            return "{ " + ", ".join(f"{json.dumps(key)} = {value(inner)}" for key, inner in item.items()) + " }"
        return json.dumps(item)

    tables = []
    for source in sources:
        lines = [f"{key} = {value(item)}" for key, item in (source | {"history": 100_000}).items()]
        tables.append("\n".join(["[[source]]", *lines, ""]))
    return "# Written by `regtracker demo`.\n\n" + "\n".join(tables)


def _wait_ready(children: _Children, url: str, patience_s: float = 60) -> None:
    import requests

    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        children.check()
        try:
            if requests.get(url, timeout=5).ok:
                return
        except requests.RequestException:
            pass
        time.sleep(0.2)
    raise click.ClickException(f"{url} did not become ready within {patience_s:.0f} s")


def _settings():
    """The configuration, or exit 2 with a line for each wrong key."""
    from data.settings import ConfigError, load

    try:
        return load()
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)


class _Children:
    """Processes that live and end together."""

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen] = {}

    def __enter__(self) -> _Children:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        for process in self._running.values():
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
            if process.stdout:
                process.stdout.close()

    def start(self, name: str, *arguments: str, read: bool = False, environment: dict[str, str] | None = None):
        """Start `regtracker ARGUMENTS`; with `read`, its standard output is returned to be read."""
        process = subprocess.Popen(
            [sys.executable, "-m", "regtracker", *arguments],
            stdout=subprocess.PIPE if read else None,
            text=True,
            env=os.environ | (environment or {}),
        )
        self._running[name] = process
        return process.stdout

    def stop(self, name: str) -> None:
        process = self._running.pop(name)
        process.terminate()
        process.wait(timeout=15)
        if process.stdout:
            process.stdout.close()

    def check(self) -> None:
        """Raises ClickException when one of them has ended."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise click.ClickException(f"{name} ended with exit code {process.returncode}: see above")

    def wait(self) -> None:
        try:
            while True:
                self.check()
                time.sleep(0.5)
        except KeyboardInterrupt:
            click.echo("Stopping ...")


if __name__ == "__main__":
    main()
