"""Commands for sources: watch them, poll once, backfill, check their rules. `--json` prints one object and nothing else
on standard output."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import TYPE_CHECKING

import click

from data import redaction
from data.cli import completion
from data.cli.common import fail, json_option, load_settings, opened_store
from data.number_text import counted
from ingest.cli.progress import SOURCE, chosen_sources, log_to_stderr, progress_bar, stopped_by_signals
from ingest.tuning import single_threaded, tune_gc_for_batches

if TYPE_CHECKING:
    from data.settings import Settings


@click.command()
@SOURCE
@json_option()
def poll(name: str | None, as_json: bool) -> None:
    """Poll once: find new builds, read what is due, and exit.

    Exit code 0: no errors; 1: some builds could not be read (they will be tried again); 2: the configuration is wrong
    or a Jenkins cannot be read. Builds that Jenkins has deleted are counted as gone, not as failed.

    Found counts the builds that were new. When read, an orchestrating build is counted under runs, and a build with
    results under ingested.

    \b
    Example: regtracker poll --source ci --json
    """
    from data.tasks import poll_status
    from ingest.pipeline import Pipeline

    settings = load_settings()
    sources = chosen_sources(settings, name)
    log_to_stderr(logging.CRITICAL)  # each failure is printed once, below
    fields = ("found", "runs", "ingested", "running", "failed", "gone", "results")
    total, seconds = dict.fromkeys(fields, 0), 0.0
    errors, failures = [], []
    tune_gc_for_batches()
    with opened_store(single_threaded(settings)) as store, stopped_by_signals() as stop:
        for source in sources:
            pipeline = Pipeline(store, source, stop)
            with progress_bar(f"Builds of {source.name}") as pipeline.progress:
                answer = pipeline.poll(eager=True)
            poll_status.record_poll(store, answer)
            for key in fields:
                total[key] += getattr(pipeline.tally, key)
            seconds += answer.duration_s
            if answer.error:
                errors.append(f"{source.name}: {answer.error}")
            failures += [f"{source.name}: {error}" for error in pipeline.tally.errors if error != answer.error]
    if as_json:
        click.echo(json.dumps({**total, "seconds": round(seconds, 3), "errors": errors, "failures": failures}))
    else:
        click.echo(
            f"{counted(total['found'], 'build')} found, {counted(total['runs'], 'run')} and "
            f"{counted(total['ingested'], 'build')} ingested, {total['running']} running, {total['failed']} failed, "
            f"{total['gone']} gone, {counted(total['results'], 'result')} in {seconds:.1f} s"
        )
    for error in (*failures, *errors):
        click.echo(error, err=True)
    sys.exit(130 if stop.is_set() else 2 if errors else 1 if total["failed"] else 0)


@click.command()
def ingest() -> None:
    """Poll all sources until stopped (Ctrl-C or SIGTERM).

    Exit code 0: stopped; 2: the configuration is wrong, or the store cannot be used.

    \b
    Example: regtracker ingest
    """
    from data.lake.connection import StoreError
    from ingest.scheduler import IngestScheduler

    settings = load_settings()
    log_to_stderr(logging.INFO)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it reports when a long poll misses its next turn
    try:
        process = IngestScheduler(settings)
    except StoreError as error:
        fail(error)
    if not settings.source:
        click.echo("No [[source]] is configured: only uploads and requests are processed.", err=True)
    process.run()


@click.command()
@click.option("--source", "name", required=True, help="Name of the source.", shell_complete=completion.sources)
@click.option("--from", "first", help="First build number, or ISO 8601 date (UTC).")
@click.option("--to", "last", help="Last build number, or date; default: the newest.")
@json_option()
def backfill(name: str, first: str | None, last: str | None, as_json: bool) -> None:
    """Read builds that are older than the history of the first poll, by numbers or dates.

    It can be stopped at any time: the builds found are in the ledger, and this command or `regtracker ingest` continues
    with them.

    Exit code 0: no errors; 1: some builds could not be read; 2: the configuration is wrong or Jenkins cannot be read;
    130: stopped.

    \b
    Example: regtracker backfill --source ci --from 2025-01-01 --to 2025-06-30
             regtracker backfill --source ci --from 100 --to 499
    """
    from ingest.backfill import BuildRange, run
    from ingest.jenkins.errors import JenkinsError
    from ingest.pipeline import Pipeline

    settings = load_settings()
    (source,) = chosen_sources(settings, name)
    try:
        wanted = BuildRange.read(first, last)
    except ValueError as error:
        fail(error)
    log_to_stderr(logging.CRITICAL)
    started = time.monotonic()
    tune_gc_for_batches()
    with opened_store(single_threaded(settings)) as store, stopped_by_signals() as stop:
        pipeline = Pipeline(store, source, stop)
        try:
            with progress_bar("Builds") as progress:
                run(pipeline, wanted, progress)
        except JenkinsError as error:
            fail(error)
    tally = pipeline.tally
    answer = {name: getattr(tally, name) for name in ("found", "ingested", "running", "failed", "gone", "results")}
    answer |= {"requests": pipeline.jenkins.requests, "seconds": round(time.monotonic() - started, 3)}
    if as_json:
        click.echo(json.dumps(answer))
    else:
        click.echo(
            f"{counted(tally.found, 'build')} found, {tally.ingested} ingested, {tally.failed} failed, "
            f"{tally.gone} gone, {counted(tally.results, 'result')}, "
            f"{counted(pipeline.jenkins.requests, 'request')} in {answer['seconds']:.1f} s"
        )
    for problem in tally.errors:
        click.echo(problem, err=True)
    sys.exit(130 if stop.is_set() else 1 if tally.failed else 0)


@click.command()
@SOURCE
@json_option()
def check(name: str | None, as_json: bool) -> None:
    """Check the configuration, the store and every Jenkins, and show what the rules make of the last builds.

    Nothing is stored, and no store is created.

    Exit code 0: no problems; 2: there is a problem.

    \b
    Example: regtracker check --source ci
    """
    from data.settings import config_path
    from ingest.source_check import check as check_source

    settings = load_settings()
    snapshot = _snapshot(settings)
    findings = [check_source(source) for source in (chosen_sources(settings, name) if name else settings.source)]
    problems = any(finding.problems for finding in findings)
    catalog = redaction.redact(redaction.split_password(settings.catalog)[0])
    if as_json:
        document = {
            "configuration": str(config_path()),
            "store": {
                "catalog": catalog,
                "data": redaction.redact(settings.data_path),
                "snapshot": snapshot,
            },
            "sources": [finding.document() for finding in findings],
            "ok": not problems,
        }
        click.echo(json.dumps(document))
    else:
        state = "does not exist yet: the first poll creates it" if snapshot is None else f"snapshot {snapshot}"
        click.echo(f"store: {catalog}, {state}")
        if not findings:
            click.echo("no [[source]] is configured")
        for finding in findings:
            click.echo("\n".join(finding.lines()))
    sys.exit(2 if problems else 0)


def _snapshot(settings: Settings) -> int | None:
    """The newest snapshot of the store, None if there is no store yet; exits with 2 if none can be created."""
    from data.lake.lost_parts import local_data_file, lost_catalog

    catalog = settings.lake.local_catalog
    if catalog is None or catalog.exists():
        with opened_store(single_threaded(settings)) as store:
            return store.snapshot().id
    if file := local_data_file(settings):
        fail(lost_catalog(settings, file))
    nearest = next(folder for folder in catalog.absolute().parents if folder.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        fail(f"There is no store at {catalog}, and none can be created: {nearest} is not a writable folder.")
    return None
