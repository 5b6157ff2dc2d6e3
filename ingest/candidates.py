"""What Jenkins has for somebody to pick from: its builds, what the source's rules make of each, and which are here.

One request for 100 builds of a job, and none of a single build. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Any

from data.model.measures import iso
from data.model.run_record import RunRecord
from data.work.build_lookups import BuildStatus, build_statuses
from data.work.jobs import JobRow
from ingest.backfill import Range
from ingest.build_reader import utc_now
from ingest.discovery import PAGE, iter_build_objects
from ingest.jenkins.build_details import BuildDetail, read_build_detail
from ingest.jenkins.errors import JenkinsError
from ingest.jenkins.urls import build_path
from ingest.layouts.job import BuildPlacement
from ingest.layouts.orchestrator import OrchestratorLayout
from ingest.pipeline import Pipeline

MOST = 200  # builds in an answer
NEWEST = 50  # where no range is named, of one job or of all together
FEWEST = 3  # of each job then
_TREE = "number,result,building,inProgress,timestamp,duration,displayName,actions[parameters[name,value]]"


def find(
    pipeline: Pipeline, wanted: Range, progress: Callable[[int, int], None]
) -> tuple[dict[str, Any], JenkinsError | None]:
    """The builds of a range, newest first: {found, cut (there are more), listed: [{job, number, url, display_name,
    state, result, started_at, release, version, environment, held, open (the state of its open work)}]}; and why a job
    is missing from it.

    `progress` is told the jobs (done, total). Raises JenkinsError where no job can be listed.
    """
    jobs = pipeline.layout.jobs(pipeline.jenkins)
    each = MOST if wanted != Range() else max(NEWEST // max(len(jobs), 1), FEWEST)
    found: list[BuildDetail] = []
    errors: list[JenkinsError] = []
    cut = False
    with ThreadPoolExecutor(pipeline.source.max_in_flight) as pool:
        for done, answer in enumerate(
            as_completed(pool.submit(_of_job, pipeline, job, wanted, each) for job in jobs), 1
        ):
            try:
                builds = answer.result()
            except JenkinsError as error:
                errors.append(error)
            else:
                cut |= len(builds) > each
                found += builds[:each]
            progress(done, len(jobs))
    if errors and len(errors) == len(jobs):
        raise errors[0]
    found.sort(key=lambda detail: (detail.started_at is not None, detail.started_at, detail.number), reverse=True)
    listed = found[:MOST]
    builds = [(detail.job, detail.number, detail.started_at) for detail in listed]
    here = build_statuses(pipeline.store, pipeline.source.name, builds)
    rows = [_row(pipeline, detail, here[detail.job, detail.number]) for detail in listed]
    facts = {"found": len(rows), "cut": cut or len(found) > MOST, "listed": rows}
    return facts, next(iter(errors), None)


def described(detail: BuildDetail, place: RunRecord | BuildPlacement) -> dict[str, Any]:
    """A build in short, with what the rules make of it."""
    return {
        "job": detail.job,
        "number": detail.number,
        "display_name": detail.display_name,
        "state": "final" if detail.final else "running",
        "release": place.release,
        "version": place.version,
        "environment": place.environment,
    }


def _of_job(pipeline: Pipeline, job: JobRow, wanted: Range, each: int) -> list[BuildDetail]:
    """The newest builds of a job in a range, one more than `each` where there are more."""

    def in_range():
        for item in iter_build_objects(pipeline.jenkins, job.job, _TREE, first=min(each + 1, PAGE)):
            detail = read_build_detail(job.job, item["number"], item)
            if wanted.is_past(detail.number, detail.started_at):
                return
            if wanted.holds(detail.number, detail.started_at):
                yield detail

    return list(islice(in_range(), each + 1))


def _row(pipeline: Pipeline, detail: BuildDetail, here: BuildStatus) -> dict[str, Any]:
    layout, began = pipeline.layout, detail.started_at or utc_now()
    if isinstance(layout, OrchestratorLayout):
        place: RunRecord | BuildPlacement = layout.parent(detail, began, None)
    else:
        place = layout.place(detail, began, [], None)
    return described(detail, place) | {
        "url": pipeline.jenkins.url(build_path(detail.job, detail.number)),
        "result": detail.result,
        "started_at": iso(detail.started_at),
        "held": here.is_stored,
        "open": here.open,
    }
