"""`regtracker simulator`: the fake Jenkins as its own process."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime

import click

from data.cli.common import fail


@click.command()
@click.option("--size", type=click.Choice(["tiny", "small", "medium", "large"]), default="small", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on (default: a free one).")
@click.option("--live/--no-live", default=True, help="Start and finish new builds as time goes by.")
@click.option("--seed", type=int, default=7, show_default=True, help="Each seed gives another programme.")
@click.option("--started", help="End of the history, ISO 8601 (default: now).")
@click.option("--exit-with-parent", is_flag=True, hidden=True)
def simulator(size: str, port: int, live: bool, seed: int, started: str | None, exit_with_parent: bool) -> None:
    """Serve a simulated Jenkins with a regression programme; /truth.json lists its planted faults.

    Exit code 2: the port is taken, or --started is not a time; 130: stopped with Ctrl-C.

    \b
    Example: regtracker simulator --size small --port 8081
    """
    from ingest.simulator.programme import Programme
    from ingest.simulator.server import SimulatorServer

    try:
        moment = datetime.fromisoformat(started) if started else datetime.now(UTC)
        served = SimulatorServer(Programme(size, seed=seed, started=moment, live=live), port=port)
    except (ValueError, OSError) as error:
        fail(error)
    with served as server:
        click.echo(json.dumps({"url": server.url, "sources": server.sources()}))
        sys.stdout.flush()
        parent = os.getppid()
        while not exit_with_parent or os.getppid() == parent:
            time.sleep(1)
