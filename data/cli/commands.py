"""The verbs of the data layer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from data.cli.common import JSON, existing, load_settings, opened_store


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would be done.")
@click.option(
    "--expire",
    "days",
    type=click.FloatRange(0),
    metavar="DAYS",
    help="Forget snapshots older than so many days: `as_of` cannot name them any more, and what only they held goes.",
)
@JSON
def maintain(dry_run: bool, days: float | None, as_json: bool) -> None:
    """Merge small files, and write rows that stand in the catalogue to Parquet; tell files and sizes before and after.

    `regtracker ingest` does so by itself every few minutes, for tables of many files; this does it for every table of
    two or more. What any snapshot shows stays as it is. Files that nothing needs are deleted an hour later.

    Exit code 0: done; 2: the configuration or the store cannot be used.

    \b
    Example: regtracker maintain --dry-run
             regtracker maintain --expire 90
    """
    from data.lake import maintenance

    with opened_store(existing(load_settings())) as store:
        before = after = maintenance.sizes(store)
        tables = maintenance.due(store, 2)
        moment = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=days or 0)
        snapshots = maintenance.expirable(store, moment) if days is not None else []
        if not dry_run:
            if tables:
                click.echo(f"Merging {', '.join(tables)} ...", err=True)
            maintenance.run(store, 2)
            if snapshots:
                click.echo(f"Expiring {len(snapshots)} snapshots ...", err=True)
                maintenance.expire(store, snapshots)
            after = maintenance.sizes(store)
    answer = {"dry_run": dry_run, "merged": tables, "expired": snapshots, "before": before, "after": after}
    click.echo(json.dumps(answer) if as_json else _maintained(answer))


def _maintained(answer: dict[str, Any]) -> str:
    done = "would be " if answer["dry_run"] else ""
    lines = [f"{'table':<16} {'files':>7} {'MB':>10}"]
    for table, size in answer["before"].items():
        line = f"{table:<16} {size['files']:>7} {size['bytes'] / 1e6:>10.1f}"
        if table in answer["merged"]:
            now = answer["after"][table]
            line += f"   {done}merged" + ("" if done else f": {now['files']} files, {now['bytes'] / 1e6:.1f} MB")
        lines.append(line)
    return "\n".join([*lines, f"{len(answer['expired'])} snapshots {done}expired"])
