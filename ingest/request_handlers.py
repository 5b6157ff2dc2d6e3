"""Carries out what was asked for through the API: data/work/requests.py tells the kinds and their payload."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from data.model import ids
from data.work import ledger, requests
from data.work.ledger import BUILD, RUN, LedgerEntry
from data.work.requests import DONE, FAILED, WORKING, WorkRequest
from ingest import backfill, candidates, importer
from ingest.build_reader import utc_now
from ingest.jenkins.errors import JenkinsError, ShutdownError
from ingest.jenkins.urls import parse_job_url
from ingest.pipeline import Pipeline

if TYPE_CHECKING:
    from ingest.scheduler import IngestScheduler

log = logging.getLogger(__name__)

PROGRESS_S = 5.0
AT_ONCE = 10  # builds of one request that are read before it tells how far it is


def handle_request(ingest: IngestScheduler, request: WorkRequest) -> None:
    """Do it and report; whatever goes wrong is the request's error."""
    try:
        if request.kind != "upload" and request.source not in ingest.pipelines:
            raise ValueError(
                f"there is no source {request.source!r}; configured: {', '.join(ingest.pipelines) or 'none'}"
            )
        _WORK[request.kind](ingest, request)
    except ShutdownError:
        log.info("request %s: left to the next process", ids.text(request.request))
    except (JenkinsError, ValueError, KeyError) as error:
        requests.report_progress(ingest.store, request, FAILED, str(error))
    except Exception as error:
        log.exception("request %s", ids.text(request.request))
        requests.report_progress(ingest.store, request, FAILED, f"{type(error).__name__}: {error}")


def _poll(ingest: IngestScheduler, request: WorkRequest) -> None:
    poll = ingest.cycle(request.source, force=True)
    if poll is None:
        raise ValueError("the poll was given up: see the log of the ingest process")
    facts = {name: getattr(poll, name) for name in ("found", "ingested", "running", "failed", "results")}
    requests.report_progress(ingest.store, request, FAILED if poll.error else DONE, poll.error, **facts)


def _discover(ingest: IngestScheduler, request: WorkRequest) -> None:
    wanted = backfill.Range.read(request.payload.get("from"), request.payload.get("to"))
    reported = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal reported
        if time.monotonic() - reported > PROGRESS_S:
            requests.report_progress(ingest.store, request, WORKING, progress={"done": done, "total": total})
            reported = time.monotonic()

    found, error = candidates.find(ingest.another_pipeline(request.source), wanted, progress)
    requests.report_progress(ingest.store, request, DONE, error and str(error), **found)


def _build(ingest: IngestScheduler, request: WorkRequest) -> None:
    """The builds that URLs name, a few at a time; after a crash it goes on behind those that were reported."""
    pipeline = ingest.another_pipeline(request.source)
    wanted = [_entry(pipeline, url) for url in request.payload.get("urls") or [request.payload["url"]]]
    done = request.payload.get("progress", {}).get("done", 0)
    errors: list[str] = []
    for start in range(done, len(wanted), AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        _read(pipeline, part)
        left = [ledger.find_entry(ingest.store, entry) for entry in part]
        errors += [entry.error for entry in left if entry and entry.error]
        done = start + len(part)
        requests.report_progress(ingest.store, request, WORKING, progress={"done": done, "total": len(wanted)})
    state = FAILED if len(errors) == len(wanted) else DONE
    if len(wanted) > 1 and errors:
        errors[0] = f"{len(errors)} of {len(wanted)} builds could not be read and stay in the ledger: {errors[0]}"
    progress = {"done": done, "total": len(wanted)}
    requests.report_progress(ingest.store, request, state, next(iter(errors), None), progress=progress)


def _entry(pipeline: Pipeline, url: str) -> LedgerEntry:
    """Raises ValueError for a URL that names no build."""
    job, number = parse_job_url(url)
    if number is None:
        raise ValueError(f"{url!r} names no build: it should end in a number")
    kind = RUN if pipeline.layout.kind == RUN and job == pipeline.source.job.strip("/") else BUILD
    return LedgerEntry(pipeline.source.name, job, number, kind, next_try=utc_now(), first_seen=utc_now())


def _read(pipeline: Pipeline, entries: list[LedgerEntry]) -> None:
    """Read these builds, whatever the ledger or the store say of them, with all that they list. Raises JenkinsError."""
    pipeline.add(entries)
    pipeline.read(entries, again=True)
    if any(entry.kind == RUN for entry in entries):
        pipeline.work(BUILD)


def _backfill(ingest: IngestScheduler, request: WorkRequest) -> None:
    pipeline = ingest.another_pipeline(request.source)
    wanted = backfill.Range.read(request.payload.get("from"), request.payload.get("to"))
    for _ in backfill.find(pipeline, wanted):
        ingest.wake(request.source)
    before = total = 0
    reported = None
    while not ingest.stop.is_set():
        left, failed = ledger.open_since(ingest.store, request.source, request.created_at)
        total += max(left - before, 0)
        before = left
        progress = {"done": total - left, "total": total}
        if not left:
            error = f"{failed} builds failed: they stay in the ledger and are tried again" if failed else None
            requests.report_progress(ingest.store, request, DONE, error, progress=progress)
            return
        if progress != reported:
            requests.report_progress(ingest.store, request, WORKING, progress=progress)
            reported = progress
        ingest.stop.wait(PROGRESS_S)


def _upload(ingest: IngestScheduler, request: WorkRequest) -> None:
    build = importer.import_upload(ingest.store, request.payload, requests.uploaded_files(ingest.store, request))
    remarks = "; ".join(f"{path}: {text}" if path else text for path, text in build.warnings[:3])
    error = f"stored, but not all of it could be read: {remarks}" if "unreadable" in build.flags else None
    requests.report_progress(ingest.store, request, DONE, error, builds=[ids.text(build.id)])


_WORK = {"poll": _poll, "discover": _discover, "build": _build, "backfill": _backfill, "upload": _upload}
