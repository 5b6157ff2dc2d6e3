"""Find builds that are not known yet: a cheap sweep over the jobs, then the build lists of those that changed.

Jenkins' `builds` ends after 100, and skips a build that it cannot load at that moment. So pages overlap, an absent
build does not count as deleted, and a job whose next number has not changed is listed again from time to time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from data.lake.store import Store
from data.model.json_values import JsonObject
from data.tasks.build_lookups import SAME_START, known_builds
from data.tasks.jobs import JobRow
from data.tasks.ledger import LedgerEntry
from ingest.jenkins.build_details import moment
from ingest.jenkins.client import Jenkins
from ingest.jenkins.errors import JenkinsError
from ingest.jenkins.json_values import dicts, whole
from ingest.jenkins.urls import job_path
from ingest.layouts.job import JobLayout

PAGE = 100
OVERLAP = 5
RELIST = timedelta(hours=6)
MAX_MISSING = 3  # sweeps without a job that are counted
JOBS_AT_ONCE = 200

NumberAndStart = tuple[int, datetime | None]
NewBuilds = tuple[list[int], datetime | None]  # numbers, and JobRow.wanted_since from now on


@dataclass
class DiscoveredWork:
    """New ledger entries, the current state of the jobs, and the jobs that could not be listed (name, error)."""

    entries: list[LedgerEntry] = field(default_factory=list)
    jobs: list[JobRow] = field(default_factory=list)
    failed: list[tuple[str, JenkinsError]] = field(default_factory=list)


def discover(
    jenkins: Jenkins,
    layout: JobLayout,
    store: Store,
    before: dict[str, JobRow],
    pool: ThreadPoolExecutor,
    now: datetime,
) -> Iterator[DiscoveredWork]:
    """Sweep once, yielding what is new in parts to be committed one by one. `before`: the jobs at the last sweep.

    Raises JenkinsError if the sweep itself fails or the server stops answering.
    """
    source = layout.source.name
    swept = layout.jobs(jenkins)
    names = {job.job for job in swept}
    absent = [job for job in before.values() if job.job not in names and job.missing < MAX_MISSING]
    if absent:
        yield DiscoveredWork(jobs=[replace(job, missing=job.missing + 1) for job in absent])
    changed = [job for job in swept if _is_changed(job, before.get(job.job), now)]
    for start in range(0, len(changed), JOBS_AT_ONCE):
        chunk = changed[start : start + JOBS_AT_ONCE]
        known_starts = known_builds(store, source, layout.kind, [job.job for job in chunk], now)
        answers = [
            pool.submit(_new_builds, jenkins, layout, job, before.get(job.job), known_starts[job.job]) for job in chunk
        ]
        try:
            yield _found(layout, chunk, answers, before, now)
        finally:
            for answer in answers:
                answer.cancel()


def _found(
    layout: JobLayout,
    jobs: Sequence[JobRow],
    answers: Sequence[Future[NewBuilds]],
    before: dict[str, JobRow],
    now: datetime,
) -> DiscoveredWork:
    found = DiscoveredWork()
    for job, answer in zip(jobs, answers, strict=True):
        try:
            numbers, wanted_since = answer.result()
        except JenkinsError as error:
            if error.everywhere:
                raise
            found.failed.append((job.job, error))
        else:
            # A job without nextBuildNumber is listed every time; that alone needs no commit.
            if numbers or job.next_build is not None or job.job not in before:
                found.jobs.append(replace(job, wanted_since=wanted_since))
            found.entries += [LedgerEntry(job.source, job.job, number, layout.kind, next_try=now) for number in numbers]
    return found


def _is_changed(job: JobRow, before: JobRow | None, now: datetime) -> bool:
    if before is None or job.next_build is None or job.next_build != before.next_build or before.missing:
        return True
    return before.seen_at is None or now - before.seen_at > RELIST


def _new_builds(
    jenkins: Jenkins,
    layout: JobLayout,
    job: JobRow,
    before: JobRow | None,
    known_starts: dict[int, set[datetime | None]],
) -> NewBuilds:
    if before is None:  # the first sweep; builds may already be here from a backfill or a request
        newest = list(iter_builds(jenkins, job.job, limit=layout.source.history))
        new = [
            number
            for number, start in newest
            if number not in known_starts or not _is_same(start, known_starts[number])
        ]
        return new, min((start for _, start in newest if start), default=None)
    first = PAGE
    if before.next_build and job.next_build and before.next_build < job.next_build:
        first = min(PAGE, job.next_build - before.next_build + OVERLAP)
    enough = OVERLAP if first < PAGE else PAGE // 2
    builds = iter_builds(jenkins, job.job, first=first)
    return list(_unknown(builds, known_starts, before.wanted_since, enough)), before.wanted_since


def _unknown(
    builds: Iterator[NumberAndStart], known_starts: dict[int, set[datetime | None]], since: datetime | None, enough: int
) -> Iterator[int]:
    """The new ones among a job's builds, newest first. Ends after `enough` known ones in a row, or at one that is older
    than the history of the first sweep: those are left to backfill."""
    lowest = min(known_starts, default=0)
    known_in_a_row = 0
    for number, start in builds:
        if number in known_starts and _is_same(start, known_starts[number]):
            known_in_a_row += 1
            if known_in_a_row >= enough:
                return
        elif start < since if start and since else number < lowest:
            return
        else:
            known_in_a_row = 0
            yield number


def _is_same(start: datetime | None, starts: set[datetime | None]) -> bool:
    """Whether one of the builds known under a number is this one, and not of a job that was recreated since."""
    return start is None or None in starts or any(abs(start - other) < SAME_START for other in starts if other)


def iter_builds(jenkins: Jenkins, job: str, limit: int | None = None, first: int = PAGE) -> Iterator[NumberAndStart]:
    """(number, start) of a job's builds, newest first, at most `limit`; each page is requested when it is needed."""
    for number, item in iter_build_objects(jenkins, job, "number,timestamp", limit, first):
        yield number, moment(item.get("timestamp"))


def iter_build_objects(
    jenkins: Jenkins, job: str, tree: str, limit: int | None = None, first: int = PAGE
) -> Iterator[tuple[int, JsonObject]]:
    """Like `iter_builds`, yielding each number with the JSON object that has the fields of `tree`."""
    path = job_path(job)
    seen: set[int] = set()
    start = 0
    while limit is None or len(seen) < limit:
        want = PAGE if start else first
        if limit is not None:
            want = min(want, limit - len(seen) + (OVERLAP if start else 0))
        field_name = "allBuilds" if start else "builds"
        answer = jenkins.api(path, f"{field_name}[{tree}]{{{start},{start + want}}}")
        # A server that ignores `tree` sends its own choice of fields.
        items = dicts(answer.get(field_name) or answer.get("builds") or answer.get("allBuilds"))
        fresh = [(number, item) for item in items if (number := whole(item.get("number"))) not in (None, *seen)]
        for number, item in fresh:
            if number is not None and (limit is None or len(seen) < limit):
                seen.add(number)
                yield number, item
        if not fresh or len(items) < want:
            return
        start += max(len(items) - OVERLAP, 1)
