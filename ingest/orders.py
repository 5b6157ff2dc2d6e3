"""Carries out what was asked for through the API: data/requests.py tells the kinds and their payload."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from data import ids, ledger, requests
from data.ledger import BUILD, RUN, Entry
from data.requests import DONE, FAILED, WORKING, Request
from ingest import backfill, importer
from ingest.jenkins import JenkinsError, place
from ingest.pipeline import Pipeline
from ingest.reading import utc_now

if TYPE_CHECKING:
    from ingest.schedule import Ingest

log = logging.getLogger(__name__)

PROGRESS_S = 5.0


def carry_out(ingest: Ingest, request: Request) -> None:
    """Do it and report; whatever goes wrong is the request's error."""
    try:
        if request.kind != "upload" and request.source not in ingest.pipelines:
            raise ValueError(
                f"there is no source {request.source!r}; configured: {', '.join(ingest.pipelines) or 'none'}"
            )
        {"poll": _poll, "build": _build, "backfill": _backfill, "upload": _upload}[request.kind](ingest, request)
    except (JenkinsError, ValueError, KeyError) as error:
        requests.report(ingest.store, request, FAILED, str(error))
    except Exception as error:
        log.exception("request %s", ids.text(request.request))
        requests.report(ingest.store, request, FAILED, f"{type(error).__name__}: {error}")


def _poll(ingest: Ingest, request: Request) -> None:
    poll = ingest.cycle(request.source, force=True)
    if poll is None:
        raise ValueError("the poll was given up: see the log of the ingest process")
    facts = {name: getattr(poll, name) for name in ("found", "ingested", "running", "failed", "results")}
    requests.report(ingest.store, request, FAILED if poll.error else DONE, poll.error, **facts)


def _build(ingest: Ingest, request: Request) -> None:
    entry = read_one(ingest.another_pipeline(request.source), request.payload["url"])
    left = ledger.find(ingest.store, entry)
    error = left.error if left else None
    requests.report(ingest.store, request, FAILED if error else DONE, error)


def read_one(pipeline: Pipeline, url: str) -> Entry:
    """Read the build that a URL names, whatever the ledger or the store say of it, with all that it lists.

    Raises ValueError for a URL that names no build of this source's Jenkins, JenkinsError.
    """
    job, number = place(url)
    if number is None:
        raise ValueError(f"{url!r} names no build: it should end in a number")
    kind = RUN if pipeline.layout.kind == RUN and job == pipeline.source.job.strip("/") else BUILD
    entry = Entry(pipeline.source.name, job, number, kind, next_try=utc_now(), first_seen=utc_now())
    pipeline.add([entry])
    pipeline.read([entry], again=True)
    if kind == RUN:
        pipeline.work(BUILD)
    return entry


def _backfill(ingest: Ingest, request: Request) -> None:
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
            requests.report(ingest.store, request, DONE, error, progress=progress)
            return
        if progress != reported:
            requests.report(ingest.store, request, WORKING, progress=progress)
            reported = progress
        ingest.stop.wait(PROGRESS_S)


def _upload(ingest: Ingest, request: Request) -> None:
    build = importer.import_upload(ingest.store, request.payload, requests.uploaded(ingest.store, request))
    requests.report(ingest.store, request, DONE, builds=[ids.text(build.id)])
