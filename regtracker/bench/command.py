"""`regtracker bench`: times ingest, the screens' queries, and the API over HTTP."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from data.cli.common import json_option


@click.command()
@click.option(
    "--size",
    "sizes",
    type=click.IntRange(1_000),
    multiple=True,
    default=[1_000_000],
    show_default=True,
    help="Results in the store; give several to see how the cost grows.",
)
@click.option(
    "--ingest",
    "ingest_size",
    type=click.Choice(["tiny", "small", "medium"]),
    default="small",
    show_default=True,
    help="Size of the simulated Jenkins that ingest is measured on.",
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the filled stores; existing ones are reused (default: a temporary folder).",
)
@click.option(
    "--write",
    "document",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Write the tables between the marks of this Markdown file, such as docs/performance.md.",
)
@json_option()
def bench(sizes: tuple[int, ...], ingest_size: str, home: Path | None, document: Path | None, as_json: bool) -> None:
    """Fill stores with synthetic results, then time ingest, every screen's query (next to a bare query), and the API
    over HTTP.

    Run it on an otherwise idle machine. Millions of results take minutes.

    Exit code 0: measured; 1: a process that it started ended early.

    \b
    Example: regtracker bench --size 80000 --size 1000000 --size 9600000 --write docs/performance.md
    """
    from regtracker.bench import measurement, report

    figures = measurement.measure(sizes, ingest_size, home)
    if document:
        report.write(figures, document)
    click.echo(json.dumps(asdict(figures), indent=2) if as_json else report.text(figures))
