"""`regtracker demo`: a simulated Jenkins, ingest and the dashboard, as three processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from data.cli.common import load_settings
from data.model.json_values import JsonObject

BUG_HOURS = 0.05  # between reads of the bug feed, which follows the live faults


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), default=8050, show_default=True, help="Port of the dashboard.")
@click.option(
    "--size",
    type=click.Choice(["tiny", "small", "medium", "large"]),
    default="small",
    show_default=True,
    help="About 2,000, 50,000, 1 million or 10 million results of history.",
)
@click.option("--live/--no-live", default=True, help="Start and finish new runs while you watch.")
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/demo"),
    show_default=True,
    help="Folder of the demo's store; a later start continues with it.",
)
@click.option("--dev", is_flag=True, help="A web process that reloads when a file of the project changes.")
def demo(port: int, size: str, live: bool, home: Path, dev: bool) -> None:
    """Run a simulated Jenkins, ingest and the dashboard together.

    Exit code 0: stopped with Ctrl-C or SIGTERM; 1: the port is taken, or a process ended early; 2: the folder has a
    demo of another size.

    \b
    Example: regtracker demo --size small --port 8050
    """
    import requests

    from regtracker.processes import Children, is_listening, wait_ready

    if is_listening(port):
        raise click.ClickException(f"Port {port} is taken. Choose another: `regtracker demo --port {port + 1}`.")
    home.mkdir(parents=True, exist_ok=True)
    programme = _programme(home / "demo.json", size)
    os.environ["REGTRACKER_HOME"], os.environ["REGTRACKER_CONFIG"] = str(home), str(home / "regtracker.toml")
    with Children() as children:
        output = children.start(
            "simulator",
            "simulator",
            "--size",
            programme["size"],
            "--started",
            programme["started"],
            "--live" if live else "--no-live",
            "--exit-with-parent",
            read=True,
        )
        answer = output.readline() if output else ""
        if not answer:
            raise click.ClickException("The simulated Jenkins did not start; see its output above.")
        simulated = json.loads(answer)
        feed = f'[bugs]\nurl = "{simulated["url"]}bugs.json"\nhours = {BUG_HOURS}\n\n'
        (home / "regtracker.toml").write_text(feed + _toml(simulated["sources"]))
        load_settings()
        click.echo(f"Simulated Jenkins: {simulated['url']}  (planted faults: {simulated['url']}truth.json)")
        (home / "metadata.csv").write_bytes(requests.get(simulated["url"] + "metadata.csv", timeout=60).content)
        _quietly("import", "--metadata", str(home / "metadata.csv"))
        _quietly("bugs")
        if size in ("tiny", "small") or not live:
            click.echo("Reading its history ...")
            # Exit code 1 is expected: a few builds that the runs list are deleted in Jenkins.
            click.echo(_quietly("poll").strip())
        children.start("ingest", "ingest")
        children.start("web", "web", "--port", str(port), *(["--dev"] if dev else []))
        wait_ready(children, f"http://127.0.0.1:{port}/api/v1/health/ready")
        click.echo(f"Regression Tracker: http://127.0.0.1:{port}\nCtrl-C stops everything.")
        children.wait()


def _programme(file: Path, size: str) -> dict[str, str]:
    """The size and start of the simulated programme, kept in `file` so that a later start continues with it."""
    if file.is_file():
        programme = json.loads(file.read_text())
        if programme["size"] != size:
            raise click.UsageError(
                f"{file.parent} has a demo of size {programme['size']}. Choose another folder with --home."
            )
        return programme
    programme = {"size": size, "started": datetime.now(UTC).isoformat(timespec="seconds")}
    file.write_text(json.dumps(programme))
    return programme


def _quietly(*arguments: str) -> str:
    """Run `regtracker ARGUMENTS` and return its standard output; its standard error is dropped."""
    return subprocess.run([sys.executable, "-m", "regtracker", *arguments], capture_output=True, text=True).stdout


def _toml(sources: list[JsonObject]) -> str:
    """The sources as TOML. JSON strings, numbers and lists are valid TOML; tables are written inline."""

    def value(item: object) -> str:
        if isinstance(item, dict):
            return "{ " + ", ".join(f"{json.dumps(key)} = {value(inner)}" for key, inner in item.items()) + " }"
        return json.dumps(item)

    tables = []
    for source in sources:
        lines = [f"{key} = {value(item)}" for key, item in (source | {"history": 100_000}).items()]
        tables.append("\n".join(["[[source]]", *lines, ""]))
    return "# Written by `regtracker demo`.\n\n" + "\n".join(tables)
