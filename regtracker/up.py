"""`regtracker up`: ingest and the web server on one machine."""

from __future__ import annotations

import click

from data.cli.common import load_settings


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to listen on.")
def up(host: str | None, port: int | None) -> None:
    """Run ingest and the web server together until Ctrl-C; if one ends, the other is stopped too.

    Exit code 0: stopped with Ctrl-C or SIGTERM; 1: the port is taken, or one of the two ended early; 2: the
    configuration is wrong.

    \b
    Example: regtracker up --port 8050
    """
    from regtracker.processes import Children, is_listening

    settings = load_settings()
    if not settings.source:
        click.echo("No [[source]] is configured. The dashboard shows how to connect a Jenkins.", err=True)
    options = [*(("--host", host) if host else ()), *(("--port", str(port)) if port is not None else ())]
    if is_listening(port or settings.web.port):
        raise click.ClickException(f"Port {port or settings.web.port} is taken. Choose another with --port.")
    with Children() as children:
        children.start("ingest", "ingest")
        children.start("web", "web", *options)
        children.wait()
