"""The commands web, gate and mcp; export_commands.py has those that export data."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

from dashboard.cli.options import ENVIRONMENT, MODULE, URL, api_from_options
from data.cli import completion
from data.cli.common import fail, json_option, load_settings

if TYPE_CHECKING:
    from data.answers.gate import Gate

GATE_EXIT_CODES = {"passed": 0, "closed": 1, "unknown": 2}


@click.command()
@click.option("--host", help="Address to listen on (configuration: web.host).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on (configuration: web.port).")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes (configuration: web.workers).")
@click.option("--threads", type=click.IntRange(1, 256), help="Threads of each process (configuration: web.threads).")
@click.option("--dev", is_flag=True, help="One process that reloads when a file of the project changes.")
def web(host: str | None, port: int | None, workers: int | None, threads: int | None, dev: bool) -> None:
    """Serve the dashboard and the JSON API.

    Exit code 0: stopped (Ctrl-C or SIGTERM); 1: cannot listen on the address; 2: invalid configuration.

    \b
    Example: regtracker web --host 0.0.0.0 --port 8050 --workers 2
    """
    from dashboard.wsgi import serve

    settings = load_settings()
    click.echo(f"Serving http://{host or settings.web.host}:{settings.web.port if port is None else port}", err=True)
    serve(settings, host, port, workers, threads, dev)


@click.command()
@click.option("--release", required=True, help="Release line of the run.", shell_complete=completion.releases)
@click.option("--run", help="Number or id of the run; default: the newest.")
@click.option(
    "--baseline", help="An earlier run, by number or id, or a release; default: the newest complete run before."
)
@ENVIRONMENT
@MODULE
@click.option(
    "--max-new", type=click.IntRange(0), default=0, show_default=True, help="Number of failures that do not block yet."
)
@click.option(
    "--kinds",
    help="Failures that count, separated by commas: regression (passed before), new_failure (never ran before), "
    "still_failing (failed before). Default: regression,new_failure.",
)
@click.option("--exclude-flaky", is_flag=True, help="Do not count flaky tests.")
@click.option("--include-storms", is_flag=True, help="Also count failures in mass failures and on bad hosts.")
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=0,
    metavar="SECONDS",
    help="Wait up to this long for the run to begin and to finish; an unknown name is not waited for.",
)
@URL
@json_option()
def gate(
    release: str,
    run: str | None,
    baseline: str | None,
    environment: str | None,
    module: str | None,
    max_new: int,
    kinds: str | None,
    exclude_flaky: bool,
    include_storms: bool,
    wait: float,
    url: str | None,
    as_json: bool,
) -> None:
    """Check for a CI job whether a run has failures that its baseline does not have.

    Mass failures and bad hosts do not count, and are listed.

    Exit code 0: passed; 1: blocked; 2: unknown, as the run does not exist, is still running or is incomplete (or an
    option or name is wrong, the store or server cannot be reached, or an error occurred); 130: interrupted.

    \b
    Example: regtracker gate --release 8.0 --environment prod --run 61 --wait 600
             regtracker gate --release 8.0 --environment prod --baseline 7.0 --url http://tracker.example.com:8050
    """
    query = {
        "release": release,
        "run": run,
        "baseline": baseline,
        "environment": environment,
        "module": module,
        "max_new": max_new,
        "kind": kinds,
        "exclude_flaky": exclude_flaky or None,
        "include_storms": include_storms or None,
    }
    deadline = time.monotonic() + wait
    with api_from_options(url) as api:
        while (answer := api.get("/gate", **query))["pending"] and (left := deadline - time.monotonic()) > 0:
            click.echo(f"{answer['reason']} Waiting ...", err=True)
            time.sleep(min(5.0, left))
    click.echo(json.dumps(answer) if as_json else _gate_text(answer, url))
    sys.exit(GATE_EXIT_CODES[answer["state"]])


def _gate_text(answer: Gate, url: str | None) -> str:
    """The answer in lines; `url`: the server that gave it, for the address of the run's page."""
    from data.verdicts.evidence import gate as gate_text

    lines = [f"{gate_text.HEADLINES[answer['state']]}: {answer['reason']}"]
    for name, run in (("Run", answer["run"]), ("Baseline", answer["baseline"])):
        if run:
            page = f"{url.rstrip('/')}/runs/{run['id']}" if url else run["url"]
            named = gate_text.run_name(run["release"], run["environment"], run["job"], run["number"])
            lines.append(f"{name}: {named}{f'  {page}' if page else ''}")
    lines += [
        f"  {gate_text.CLASS_TEXTS[test['class']]} in {test['module']}: {test['key']}\n      {test['sentence']}"
        for test in answer["tests"]
    ]
    if answer["new"] > len(answer["tests"]):
        lines.append(f"  ... and {answer['new'] - len(answer['tests'])} more.")
    return "\n".join(lines + gate_text.not_counted(answer["left_out"]))


@click.command()
@click.option("--http", is_flag=True, help="Serve streamable HTTP at /mcp instead of stdio.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --http: address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8051, show_default=True, help="With --http: port.")
@URL
def mcp(http: bool, host: str, port: int, url: str | None) -> None:
    """Serve the JSON API to language models (Model Context Protocol), read-only.

    MCP clients, such as editors, start this command themselves and use its stdio.

    Exit code 0: the client disconnected; 2: invalid configuration, no store, or the SDK is not installed; 3: cannot
    listen on the address.

    \b
    Example: regtracker mcp
             regtracker mcp --http --port 8051
             regtracker mcp --url http://tracker.example.com:8050
    """
    try:
        from dashboard.mcp.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "mcp":
            raise
        fail("The MCP server needs the package mcp: run `pip install mcp`.")
    with api_from_options(url) as api:
        serve(api, http, host, port)
