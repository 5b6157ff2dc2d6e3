"""The verbs of ingestion. `--json` prints one object (or one a line) and nothing else on standard output."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from data.settings import ConfigError, Settings, SourceSettings, load
from data.store import Store, StoreError

SOURCE = click.option("--source", "name", help="Only this source, by its name.")
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")


def _settings() -> Settings:
    try:
        return load()
    except ConfigError as error:
        _fail(error)


def _fail(error: object) -> None:
    click.echo(str(error), err=True)
    sys.exit(2)


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    try:
        store = Store.open(settings)
    except StoreError as error:
        _fail(error)
    try:
        yield store
    finally:
        store.close()


def _sources(settings: Settings, name: str | None) -> list[SourceSettings]:
    found = [source for source in settings.source if name in (None, source.name)]
    if not found:
        names = ", ".join(source.name for source in settings.source) or "none"
        _fail(f"There is no source {name!r}; configured: {names}." if name else "No [[source]] is configured.")
    return found


def _log_to_stderr(level: int) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)


@click.command()
@SOURCE
@JSON
def poll(name: str | None, as_json: bool) -> None:
    """Look once for new builds, read whatever is due, and exit.

    Exit code 0: all is well; 1: some builds failed (they stay in the ledger and are tried again); 2: the configuration
    is wrong or a Jenkins cannot be read.

    \b
    Example: regtracker poll --source ci --json
    """
    from ingest.pipeline import Pipeline

    settings = _settings()
    sources = _sources(settings, name)
    total = dict.fromkeys(("found", "ingested", "running", "failed", "results"), 0) | {"seconds": 0.0}
    errors = []
    with _store(settings) as store:
        for source in sources:
            pipeline = Pipeline(store, source)
            answer = pipeline.poll(eager=True)
            for key in ("found", "ingested", "running", "failed", "results"):
                total[key] += getattr(answer, key)
            total["seconds"] += answer.duration_s
            if answer.error:
                errors.append(f"{source.name}: {answer.error}")
            for error in pipeline.tally.errors if not as_json else ():
                click.echo(f"{source.name}: {error}", err=True)
    total["seconds"] = round(total["seconds"], 3)
    if as_json:
        click.echo(json.dumps(total | {"errors": errors}))
    else:
        click.echo(
            f"{total['found']} builds found, {total['ingested']} ingested, {total['running']} running, "
            f"{total['failed']} failed, {total['results']} results in {total['seconds']:.1f} s"
        )
    for error in errors:
        click.echo(error, err=True)
    sys.exit(2 if errors else 1 if total["failed"] else 0)


@click.command()
def ingest() -> None:
    """Watch every source until stopped (Ctrl-C or SIGTERM).

    \b
    Example: regtracker ingest
    """
    from ingest.schedule import Ingest

    settings = _settings()
    _log_to_stderr(logging.INFO)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    try:
        process = Ingest(settings)
    except StoreError as error:
        _fail(error)
    if not settings.source:
        click.echo("No [[source]] is configured: only requests and uploads are carried out.", err=True)
    process.run()
