"""List the builds that a Jenkins has, so that a user can pick some: with the release, version and environment that the
source's rules give each, and whether it is stored. One request per 100 builds of a job. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Literal, TypedDict

from data.answers.operations import FoundBuild, FoundBuilds
from data.model.measures import iso
from data.model.run_record import RunRecord
from data.tasks.build_lookups import BuildStatus, build_statuses
from data.tasks.jobs import JobRow
from ingest.backfill import BuildRange
from ingest.clock import utc_now
from ingest.discovery import PAGE, iter_build_objects
from ingest.jenkins.build_details import JenkinsBuildDetail, read_build_detail
from ingest.jenkins.errors import JenkinsError
from ingest.jenkins.urls import build_path
from ingest.layouts.job import BuildPlacement
from ingest.layouts.orchestrator import OrchestratorLayout
from ingest.pipeline import Pipeline

MAX_BUILDS = 200
NEWEST = 50  # without a range: of one job, or of all jobs together
MIN_PER_JOB = 3  # without a range
_TREE = "number,result,building,inProgress,timestamp,duration,displayName,actions[parameters[name,value]]"


def find(
    pipeline: Pipeline, wanted: BuildRange, progress: Callable[[int, int], None]
) -> tuple[FoundBuilds, JenkinsError | None]:
    """The builds of a range, newest first; and the first error of a job that could not be listed.

    `progress` is called with the jobs (done, total). Raises JenkinsError if no job can be listed.
    """
    jobs = pipeline.layout.jobs(pipeline.jenkins)
    each = MAX_BUILDS if wanted != BuildRange() else max(NEWEST // max(len(jobs), 1), MIN_PER_JOB)
    found: list[JenkinsBuildDetail] = []
    errors: list[JenkinsError] = []
    cut = False
    with ThreadPoolExecutor(pipeline.source.max_in_flight) as pool:
        answers = [pool.submit(_builds_of_job, pipeline, job, wanted, each) for job in jobs]
        for done, answer in enumerate(as_completed(answers), 1):
            try:
                job_builds = answer.result()
            except JenkinsError as error:
                errors.append(error)
            else:
                cut |= len(job_builds) > each
                found += job_builds[:each]
            progress(done, len(jobs))
    if errors and len(errors) == len(jobs):
        raise errors[0]
    found.sort(key=lambda detail: (detail.started_at is not None, detail.started_at, detail.number), reverse=True)
    newest = found[:MAX_BUILDS]
    keys = [(detail.job, detail.number, detail.started_at) for detail in newest]
    statuses = build_statuses(pipeline.store, pipeline.source.name, keys)
    rows = [_row(pipeline, detail, statuses[detail.job, detail.number]) for detail in newest]
    facts: FoundBuilds = {"found": len(rows), "cut": cut or len(found) > MAX_BUILDS, "listed": rows}
    return facts, next(iter(errors), None)


class DescribedBuild(TypedDict):
    job: str
    number: int
    display_name: str
    state: Literal["running", "final"]
    release: str
    version: str | None
    environment: str


def describe(detail: JenkinsBuildDetail, placement: RunRecord | BuildPlacement) -> DescribedBuild:
    """A build in short, with the names that the rules give it."""
    return {
        "job": detail.job,
        "number": detail.number,
        "display_name": detail.display_name,
        "state": "final" if detail.final else "running",
        "release": placement.release,
        "version": placement.version,
        "environment": placement.environment,
    }


def _builds_of_job(pipeline: Pipeline, job: JobRow, wanted: BuildRange, each: int) -> list[JenkinsBuildDetail]:
    """The newest builds of a job in a range, one more than `each` if there are more."""

    def in_range() -> Iterator[JenkinsBuildDetail]:
        for number, item in iter_build_objects(pipeline.jenkins, job.job, _TREE, first=min(each + 1, PAGE)):
            detail = read_build_detail(job.job, number, item)
            if wanted.is_past(detail.number, detail.started_at):
                return
            if wanted.contains(detail.number, detail.started_at):
                yield detail

    return list(islice(in_range(), each + 1))


def _row(pipeline: Pipeline, detail: JenkinsBuildDetail, status: BuildStatus) -> FoundBuild:
    layout, started_at = pipeline.layout, detail.started_at or utc_now()
    placement: RunRecord | BuildPlacement
    if isinstance(layout, OrchestratorLayout):
        placement = layout.parent(detail, started_at, None)
    else:
        placement = layout.placement(detail, started_at, [], None)
    return {
        **describe(detail, placement),
        "url": pipeline.jenkins.url(build_path(detail.job, detail.number)),
        "result": detail.result,
        "started_at": iso(detail.started_at),
        "held": status.is_stored,
        "open": status.open,
    }
