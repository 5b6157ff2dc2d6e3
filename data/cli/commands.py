"""The command `maintain`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypedDict

import click

from data.cli.common import json_option, load_settings, opened_store, require_store

if TYPE_CHECKING:
    from data.lake.maintenance import FileSizes


@click.command()
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@click.option(
    "--expire",
    "days",
    type=click.FloatRange(0),
    metavar="DAYS",
    help="Also expire snapshots older than DAYS: `as_of` no longer accepts them; data that only they use is deleted.",
)
@json_option()
def maintain(dry_run: bool, days: float | None, as_json: bool) -> None:
    """Merge small files and move rows from the catalog to Parquet; show files and sizes before and after.

    `regtracker ingest` does this every few minutes for tables with many files; this command does it for every table
    with two or more. What a snapshot shows does not change. Unused files are deleted an hour later.

    Exit code 0: done; 2: the configuration or the store cannot be used.

    \b
    Example: regtracker maintain --dry-run
             regtracker maintain --expire 90
    """
    from data.lake import maintenance

    with opened_store(require_store(load_settings())) as store:
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
    answer: Maintained = {"dry_run": dry_run, "merged": tables, "expired": snapshots, "before": before, "after": after}
    click.echo(json.dumps(answer) if as_json else _summary(answer))


class Maintained(TypedDict):
    dry_run: bool
    merged: list[str]
    expired: list[int]
    before: dict[str, FileSizes]
    after: dict[str, FileSizes]


def _summary(answer: Maintained) -> str:
    done = "would be " if answer["dry_run"] else ""
    lines = [f"{'table':<16} {'files':>7} {'MB':>10}"]
    for table, size in answer["before"].items():
        line = f"{table:<16} {size['files']:>7} {size['bytes'] / 1e6:>10.1f}"
        if table in answer["merged"]:
            now = answer["after"][table]
            line += f"   {done}merged" + ("" if done else f": {now['files']} files, {now['bytes'] / 1e6:.1f} MB")
        lines.append(line)
    return "\n".join([*lines, f"{len(answer['expired'])} snapshots {done}expired"])
