"""The verbs of the dashboard."""

from __future__ import annotations

import click

from data.terminal import load_settings


@click.command()
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

    serve(load_settings(), host, port, workers, threads, dev)
