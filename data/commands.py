"""The verbs of the data layer."""

from __future__ import annotations

import json
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from data.terminal import JSON, existing, fail, load_settings, opened_store


def _document(where: str) -> dict[str, Any]:
    """The truth at an address or in a file, or exit 2."""
    try:
        if where.startswith(("http://", "https://")):
            with urllib.request.urlopen(where, timeout=60) as answer:
                return json.load(answer)
        return json.loads(Path(where).read_text())
    except (OSError, ValueError) as error:
        fail(f"{where} cannot be read as JSON: {error}")


@click.command()
@click.option("--truth", help="The simulator's truth.json (a file or an address); else hindsight is the truth.")
@click.option("--release", "only", multiple=True, help="Only this release line; may be given more than once.")
@click.option("--simulate", is_flag=True, help="Measure the statistics on made-up histories instead; needs no store.")
@click.option("--thorough", is_flag=True, help="With --simulate: ten times as many histories.")
@click.option("--title", help="What the tables are of; with --write, the section that they replace.")
@click.option(
    "--write", "target", type=click.Path(path_type=Path, dir_okay=False), help="Put the tables into this file."
)
@JSON
def backtest(
    truth: str | None,
    only: tuple[str, ...],
    simulate: bool,
    thorough: bool,
    title: str | None,
    target: Path | None,
    as_json: bool,
) -> None:
    """Replay detectors over the stored history: how often are they right, how soon, at how many false alarms.

    Several settings stand side by side; what the product does by default is marked. What really was broken is told by
    the simulator, or by hindsight: a test that failed five times in a row after a pass was.

    Exit code 0: replayed; 2: the configuration, the store or the truth cannot be used, or a release is not known.

    \b
    Examples: regtracker backtest --release 8.0
              regtracker backtest --truth http://127.0.0.1:8081/truth.json --title small --write docs/accuracy.md
              regtracker backtest --simulate --title simulated --write docs/accuracy.md
    """
    from data.backtest import report
    from data.filters import EVERYTHING
    from data.queries.releases import choices

    document = _document(truth) if truth else None
    if simulate:
        found = report.simulated(1_000 if thorough else 100, 3_000 if thorough else 300)
    else:
        with opened_store(existing(load_settings()), mirrored=True) as store:
            known = choices(store, EVERYTHING)["releases"]
            if unknown := sorted(set(only) - set(known)):
                fail(f"There is no release {unknown[0]!r} here; there are: {', '.join(known) or 'none'}.")
            try:
                found = report.replayed(store, only, document, lambda text: click.echo(text, err=True))
            except KeyError as error:
                fail(f"{truth} is no truth of the simulator: it has no {error}")
    title = title or ("simulated" if simulate else "store")
    if target is not None:
        report.write(target, title, report.markdown(found))
    click.echo(json.dumps({"title": title, **found}) if as_json else report.markdown(found))


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
    from data import maintenance

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
