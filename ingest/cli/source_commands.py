"""The verbs about sources: watch them, look once, read back, try their rules. `--json` prints one object and nothing
else on standard output."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from pathlib import Path

import click

from data.cli import completion
from data.cli.common import fail, json_option, load_settings, opened_store
from data.lake.connection import StoreError
from data.settings import Settings, config_path
from ingest.cli.progress import (
    SOURCE,
    ProgressBar,
    chosen_sources,
    log_to_stderr,
    single_threaded,
    stopped_by_signals,
    tune_gc_for_batches,
)


@click.command()
@SOURCE
@json_option()
def poll(name: str | None, as_json: bool) -> None:
    """Look once for new builds, read whatever is due, and exit.

    Exit code 0: all is well; 1: some builds failed (they stay in the ledger and are tried again); 2: the configuration
    is wrong or a Jenkins cannot be read. Builds that Jenkins has deleted are told as gone, and are no failure.

    Found is what was new to the ledger: builds that orchestrate others (told as runs when read) and builds with results
    (told as ingested).

    \b
    Example: regtracker poll --source ci --json
    """
    from data.work import poll_status
    from ingest.pipeline import Pipeline

    settings = load_settings()
    sources = chosen_sources(settings, name)
    log_to_stderr(logging.CRITICAL)  # each failure is printed once, below
    counted = ("found", "runs", "ingested", "running", "failed", "gone", "results")
    total = dict.fromkeys(counted, 0) | {"seconds": 0.0}
    errors, failures = [], []
    tune_gc_for_batches()
    with opened_store(single_threaded(settings)) as store, stopped_by_signals() as stop:
        for source in sources:
            pipeline = Pipeline(store, source, stop)
            pipeline.progress = bar = ProgressBar(f"builds of {source.name}")
            answer = pipeline.poll(eager=True)
            poll_status.record_poll(store, answer)
            bar.end()
            for key in counted:
                total[key] += getattr(pipeline.tally, key)
            total["seconds"] += answer.duration_s
            if answer.error:
                errors.append(f"{source.name}: {answer.error}")
            failures += [f"{source.name}: {error}" for error in pipeline.tally.errors if error != answer.error]
    total["seconds"] = round(total["seconds"], 3)
    if as_json:
        click.echo(json.dumps(total | {"errors": errors, "failures": failures}))
    else:
        click.echo(
            f"{total['found']} builds found, {total['runs']} runs and {total['ingested']} builds ingested, "
            f"{total['running']} running, "
            f"{total['failed']} failed, {total['gone']} gone, {total['results']} results in {total['seconds']:.1f} s"
        )
    for error in (*failures, *errors):
        click.echo(error, err=True)
    sys.exit(130 if stop.is_set() else 2 if errors else 1 if total["failed"] else 0)


@click.command()
def ingest() -> None:
    """Watch every source until stopped (Ctrl-C or SIGTERM).

    Exit code 0: it was stopped; 2: the configuration is wrong, or the store cannot be used.

    \b
    Example: regtracker ingest
    """
    from ingest.scheduler import IngestScheduler

    settings = load_settings()
    log_to_stderr(logging.INFO)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # a long poll "misses" its next turn: no news
    try:
        process = IngestScheduler(settings)
    except StoreError as error:
        fail(error)
    if not settings.source:
        click.echo("No [[source]] is configured: only requests and uploads are carried out.", err=True)
    process.run()


@click.command()
@click.option("--source", "name", required=True, help="The source, by its name.", shell_complete=completion.sources)
@click.option("--from", "first", help="First build number, or ISO 8601 date (UTC).")
@click.option("--to", "last", help="Last build number, or date; default: the newest.")
@json_option()
def backfill(name: str, first: str | None, last: str | None, as_json: bool) -> None:
    """Read builds older than those that a poll takes at first sight, by numbers or dates.

    It may be stopped at any time: what is found stands in the ledger, and goes on here or in `regtracker ingest`.

    Exit code 0: all is well; 1: some builds failed; 2: the configuration is wrong or Jenkins cannot be read; 130: it
    was stopped.

    \b
    Example: regtracker backfill --source ci --from 2025-01-01 --to 2025-06-30
             regtracker backfill --source ci --from 100 --to 499
    """
    from ingest.backfill import Range, run
    from ingest.jenkins.client import JenkinsError
    from ingest.pipeline import Pipeline

    settings = load_settings()
    (source,) = chosen_sources(settings, name)
    try:
        wanted = Range.read(first, last)
    except ValueError as error:
        fail(error)
    log_to_stderr(logging.CRITICAL)
    began = time.monotonic()
    bar = ProgressBar("builds")
    tune_gc_for_batches()
    with opened_store(single_threaded(settings)) as store, stopped_by_signals() as stop:
        pipeline = Pipeline(store, source, stop)
        try:
            run(pipeline, wanted, bar)
        except JenkinsError as error:
            fail(error)
        finally:
            bar.end()
    tally = pipeline.tally
    answer = {name: getattr(tally, name) for name in ("found", "ingested", "running", "failed", "gone", "results")}
    answer |= {"requests": pipeline.jenkins.requests, "seconds": round(time.monotonic() - began, 3)}
    if as_json:
        click.echo(json.dumps(answer))
    else:
        click.echo(
            "{found} builds found, {ingested} ingested, {failed} failed, {gone} gone, {results} results, "
            "{requests} requests in {seconds:.1f} s".format(**answer)
        )
    for error in tally.errors:
        click.echo(error, err=True)
    sys.exit(130 if stop.is_set() else 1 if tally.failed else 0)


@click.command()
@SOURCE
@json_option()
def check(name: str | None, as_json: bool) -> None:
    """Tell whether configuration, store and every Jenkins can be used, and what the rules make of the last builds.

    No build is stored, and no store is made.

    Exit code 0: everything can be used; 2: there is a problem.

    \b
    Example: regtracker check --source ci
    """
    from ingest.source_check import check as look

    settings = load_settings()
    snapshot = _snapshot(settings)
    findings = [look(source) for source in (chosen_sources(settings, name) if name else settings.source)]
    problems = any(finding.problems for finding in findings)
    if as_json:
        document = {
            "configuration": str(config_path()),
            "store": {
                "catalog": _without_secret(settings.catalog),
                "data": settings.data_path,
                "snapshot": snapshot,
            },
            "sources": [finding.document() for finding in findings],
            "ok": not problems,
        }
        click.echo(json.dumps(document))
    else:
        stands = "not there yet: it is made by the first poll" if snapshot is None else f"snapshot {snapshot}"
        click.echo(f"store: {_without_secret(settings.catalog)}, {stands}")
        if not findings:
            click.echo("no [[source]] is configured")
        for finding in findings:
            click.echo("\n".join(finding.lines()))
    sys.exit(2 if problems else 0)


def _snapshot(settings: Settings) -> int | None:
    """The newest snapshot of the store, None where there is no store yet; exit 2 where there can be none."""
    catalog = Path(settings.catalog)
    if "://" in settings.catalog or catalog.exists():
        with opened_store(single_threaded(settings)) as store:
            return store.snapshot().id
    nearest = next(folder for folder in catalog.absolute().parents if folder.exists())
    if not (nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)):
        fail(f"There is no store at {catalog}, and none can be made: {nearest} is no folder that one may write to.")
    return None


def _without_secret(catalog: str) -> str:
    return re.sub(r"://[^/@]*@", "://", catalog)
