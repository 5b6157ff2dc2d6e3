"""`regtracker backtest`: how often the verdicts are right, over the stored history or simulated ones."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import click

from data.cli.common import fail, json_option, load_settings, opened_store, require_store

if TYPE_CHECKING:
    from regtracker.backtest.known_faults import Truth


def _document(where: str) -> Truth:
    """The JSON document at a URL or in a file, or exit 2."""
    try:
        if where.startswith(("http://", "https://")):
            with urllib.request.urlopen(where, timeout=60) as answer:
                return json.load(answer)
        return json.loads(Path(where).read_text())
    except (OSError, ValueError) as error:
        fail(f"{where} cannot be read as JSON: {error}")


@click.command()
@click.option("--truth", help="The simulator's truth.json (file or URL); without it, hindsight decides.")
@click.option("--release", "only", multiple=True, help="Only this release; may be repeated.")
@click.option("--simulate", is_flag=True, help="Measure the statistics on simulated histories; needs no store.")
@click.option("--thorough", is_flag=True, help="With --simulate: ten times as many histories.")
@click.option("--title", help="Title of the tables; with --write, the section to replace.")
@click.option(
    "--write", "target", type=click.Path(path_type=Path, dir_okay=False), help="Write the tables into this file."
)
@json_option()
def backtest(
    truth: str | None,
    only: tuple[str, ...],
    simulate: bool,
    thorough: bool,
    title: str | None,
    target: Path | None,
    as_json: bool,
) -> None:
    """Replay detectors over the stored history: how often they are right, how soon, and how many false alarms they
    raise.

    Compares several settings and marks the product's defaults. The truth comes from the simulator, or from hindsight: a
    test was broken if it failed five times in a row after a pass.

    Exit code 0: replayed; 2: the configuration, the store or the truth cannot be used, or a release is unknown.

    \b
    Examples: regtracker backtest --release 8.0
              regtracker backtest --truth http://127.0.0.1:8081/truth.json --title small --write docs/accuracy.md
              regtracker backtest --simulate --title simulated --write docs/accuracy.md
    """
    from data.model.filters import EVERYTHING
    from data.queries.releases import choices
    from regtracker.backtest import report

    document = _document(truth) if truth else None
    found: report.Replayed | report.Simulated
    if simulate:
        found = report.simulated(1_000 if thorough else 100, 3_000 if thorough else 300)
    else:
        with opened_store(require_store(load_settings()), memory_tables=True) as store:
            known = choices(store, EVERYTHING)["releases"]
            if unknown := sorted(set(only) - set(known)):
                fail(f"Unknown release {unknown[0]!r}; known: {', '.join(known) or 'none'}.")
            try:
                found = report.replayed(store, only, document, lambda text: click.echo(text, err=True))
            except KeyError as error:
                fail(f"{truth} is not the simulator's truth.json: it has no {error}")
    title = title or ("simulated" if simulate else "store")
    if target is not None:
        report.write(target, title, report.markdown(found))
    click.echo(json.dumps({"title": title, **found}) if as_json else report.markdown(found))
