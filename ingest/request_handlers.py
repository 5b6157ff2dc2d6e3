"""Handlers of the requests made through the API, one per kind; data/tasks/requests.py lists the kinds."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from data.answers.operations import RequestState
from data.lake.store import Store
from data.model import ids
from data.number_text import counted
from data.tasks import ledger, requests
from data.tasks.ledger import BUILD, RUN, LedgerEntry
from data.tasks.requests import DONE, FAILED, WORKING, WorkRequest
from ingest import backfill, candidates, importer
from ingest.clock import utc_now
from ingest.jenkins.errors import JenkinsError, ShutdownError
from ingest.jenkins.urls import parse_job_url
from ingest.parsers.allowance import LimitError
from ingest.pipeline import Pipeline
from ingest.source_poller import SourcePoller

log = logging.getLogger(__name__)

PROGRESS_S = 5.0
BUILDS_AT_ONCE = 10  # of one request, between two reports of its progress


@dataclass
class BackfillProgress:
    """How far the builds of a backfill are, which are in the ledger since `found_at`."""

    request: WorkRequest
    found_at: datetime
    _before: int = 0
    _total: int = 0
    _reported: dict[str, int] | None = None

    def report(self, store: Store) -> bool:
        """Report the progress, if there is any. Returns whether the backfill is done."""
        left, failed = ledger.open_since(store, self.request.source, self.request.created_at, self.found_at)
        self._total += max(left - self._before, 0)
        self._before = left
        progress = {"done": self._total - left, "total": self._total}
        if not left:
            error = f"{counted(failed, 'build')} could not be read; to be tried again" if failed else None
            requests.report_progress(store, self.request, DONE, error, progress=progress)
        elif progress != self._reported:
            requests.report_progress(store, self.request, WORKING, progress=progress)
        self._reported = progress
        return not left


def handle_request(store: Store, poller: SourcePoller, request: WorkRequest) -> BackfillProgress | None:
    """Carry out a request and report its result; any failure becomes the request's error.

    Returns the progress of a backfill, which is to be reported until its builds are read.
    """
    try:
        if request.kind != "upload" and request.source not in poller.sources:
            configured = ", ".join(poller.sources) or "none"
            raise ValueError(f"There is no source {request.source!r}; configured: {configured}")
        return _HANDLERS[request.kind](store, poller, request)
    except ShutdownError:
        log.info("request %s: left to the next process", ids.text(request.request))
    except (JenkinsError, LimitError, ValueError, KeyError) as error:
        requests.report_progress(store, request, FAILED, str(error))
    except Exception as error:
        log.exception("request %s", ids.text(request.request))
        requests.report_progress(store, request, FAILED, f"{type(error).__name__}: {error}")
    return None


def _poll(store: Store, poller: SourcePoller, request: WorkRequest) -> None:
    poll = poller.poll(request.source, force=True)
    if poll is None:
        raise ValueError("The poll failed: see the log of the ingest process")
    facts = {name: getattr(poll, name) for name in ("found", "ingested", "running", "failed", "results")}
    requests.report_progress(store, request, FAILED if poll.error else DONE, poll.error, **facts)


def _discover(store: Store, poller: SourcePoller, request: WorkRequest) -> None:
    wanted = backfill.BuildRange.read(request.payload.get("from"), request.payload.get("to"))
    reported = time.monotonic()

    def progress(done: int, total: int) -> None:
        nonlocal reported
        if time.monotonic() - reported > PROGRESS_S:
            requests.report_progress(store, request, WORKING, progress={"done": done, "total": total})
            reported = time.monotonic()

    found, error = candidates.find(poller.new_pipeline(store, request.source), wanted, progress)
    requests.report_progress(store, request, DONE, str(error) if error else None, **found)


def _build(store: Store, poller: SourcePoller, request: WorkRequest) -> None:
    """Read the builds at these URLs, a few at a time. After a crash it continues after the last reported ones."""
    pipeline = poller.new_pipeline(store, request.source)
    wanted = [_entry(pipeline, url) for url in request.payload.get("urls") or [request.payload["url"]]]
    progress = request.payload.get("progress")
    done = progress["done"] if progress else 0
    errors: list[str] = []
    for start in range(done, len(wanted), BUILDS_AT_ONCE):
        chunk = wanted[start : start + BUILDS_AT_ONCE]
        _read(pipeline, chunk)
        left = [ledger.find_entry(store, entry) for entry in chunk]
        errors += [entry.error for entry in left if entry and entry.error]
        done = start + len(chunk)
        requests.report_progress(store, request, WORKING, progress={"done": done, "total": len(wanted)})
    state: RequestState = FAILED if len(errors) == len(wanted) else DONE
    if len(wanted) > 1 and errors:
        errors[0] = f"{len(errors)} of {len(wanted)} builds could not be read; they will be tried again: {errors[0]}"
    progress = {"done": done, "total": len(wanted)}
    requests.report_progress(store, request, state, next(iter(errors), None), progress=progress)


def _entry(pipeline: Pipeline, url: str) -> LedgerEntry:
    """The ledger entry of a build. Raises ValueError if the URL names no build."""
    job, number = parse_job_url(url)
    if number is None:
        raise ValueError(f"{url!r} names no build: it should end with a build number")
    kind = RUN if pipeline.layout.kind == RUN and job == pipeline.source.job.strip("/") else BUILD
    return LedgerEntry(pipeline.source.name, job, number, kind, next_try=utc_now(), first_seen=utc_now())


def _read(pipeline: Pipeline, entries: list[LedgerEntry]) -> None:
    """Read these builds and the builds that they list, even if they are stored. Raises JenkinsError."""
    pipeline.add(entries)
    pipeline.read(entries, force=True)
    if any(entry.kind == RUN for entry in entries):
        pipeline.read_due(BUILD)


def _backfill(store: Store, poller: SourcePoller, request: WorkRequest) -> BackfillProgress:
    """Add the builds of a range to the ledger. Polls read them: no thread waits for that."""
    pipeline = poller.new_pipeline(store, request.source)
    wanted = backfill.BuildRange.read(request.payload.get("from"), request.payload.get("to"))
    for _ in backfill.find(pipeline, wanted):
        poller.wake(request.source)
    return BackfillProgress(request, utc_now())


def _upload(store: Store, poller: SourcePoller, request: WorkRequest) -> None:
    read = importer.read_upload(store, request.payload, requests.uploaded_files(store, request))
    build = read.build
    remarks = "; ".join(f"{path}: {text}" if path else text for path, text in build.warnings[:3])
    error = f"Stored, but some files could not be read: {remarks}" if "unreadable" in build.flags else None
    done = requests.recorder(request, DONE, error, builds=[ids.text(build.id)])

    def write(cursor: DuckDBPyConnection) -> None:
        importer.write_imports(cursor, [read])
        done(cursor)

    store.transact("import", importer.commit_message([read]), write)
    requests.delete_uploaded_files(store, request)


_HANDLERS: dict[str, Callable[[Store, SourcePoller, WorkRequest], BackfillProgress | None]] = {
    "poll": _poll,
    "discover": _discover,
    "build": _build,
    "backfill": _backfill,
    "upload": _upload,
}
