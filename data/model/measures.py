"""The single definition of each measure: counts, pass rate, and the states of runs and releases.

Counts are of final results, one per test and topology; failed includes errors. Rates are 0..1, None if nothing ran.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict, overload

from data.answers.base import Counts, Delta, RatedCounts, ResultsState, RunState
from data.settings import MeasureSettings

CountName = Literal["total", "passed", "failed", "errors", "skipped"]
COUNTS: tuple[CountName, ...] = ("total", "passed", "failed", "errors", "skipped")
ABORTED_RESULTS = ("ABORTED", "NOT_BUILT")  # Jenkins' results of builds and runs that did not run to their end
FAILED_RESULTS = ("FAILURE", "UNSTABLE")  # its results of those in which something failed
# SQL: listed builds that ingest has not read yet. Builds that could not be read do not count, although they are
# retried: they must not keep their run open. (An attempt does not count while Jenkins as a whole is unreachable.)
WAITING = """SELECT DISTINCT source, job, number, true AS waits FROM ledger
    WHERE kind = 'build' AND (state IN ('new', 'running') OR (state = 'retry' AND attempts = 0))"""
# SQL: builds and runs that were never read. One that failed is retried, but nothing waits for it.
UNREAD = """SELECT DISTINCT source, job, number, kind FROM ledger
    WHERE state = 'new' OR (state = 'retry' AND attempts = 0)"""
# SQL: the builds of each job that never reported a test in at least four builds, such as a job that deploys.
_UNTESTED_JOBS = """SELECT source, job, true AS untested FROM builds WHERE state = 'final'
    GROUP BY source, job HAVING max(total) = 0 AND count(*) > 3"""
_B_COUNTS = ", ".join(f"b.{name}" for name in COUNTS)
# SQL: why a final build `b` did not run to its end, or was not read to it; NULL: it did, and was.
UNFINISHED = f"""CASE WHEN b.state = 'running' THEN NULL
    WHEN b.result IN {ABORTED_RESULTS} THEN 'Jenkins calls it ' || b.result || ': it did not run to its end'
    WHEN contains(' ' || b.flags || ' ', ' gone ') THEN 'Jenkins deleted it while it ran'
    WHEN contains(' ' || b.flags || ' ', ' partial ') THEN 'it was read only while it ran' END"""
# SQL: the builds; `missing_results` also says that a build is unfinished. Also of a snapshot older than that column.
BUILDS = f"""(SELECT b.* REPLACE (nullif(concat_ws('; ', {UNFINISHED}, b.missing_results), '') AS missing_results)
    FROM (FROM builds UNION ALL BY NAME SELECT NULL::VARCHAR AS missing_results WHERE false) b)"""
# SQL: the builds `rb` that runs list, each with its stored build `b`. `gap` is why its results are not all there: NULL
# (they are) | waiting | missing (not read, or without a result) | running | aborted | partial (some are missing; `why`
# says which). A job that never tests anything lacks nothing while it succeeds.
LISTED_BUILDS = f"""SELECT rb.run, rb.source, rb.job, rb.number, rb.module, b.build, b.state, b.result, {_B_COUNTS},
        b.missing_results AS why,
        CASE WHEN b.build IS NULL THEN if(l.waits, 'waiting', 'missing')
            WHEN b.state = 'running' THEN 'running'
            WHEN b.total = 0 AND NOT (coalesce(u.untested, false) AND coalesce(b.result, '') = 'SUCCESS'
                AND b.missing_results IS NULL AND NOT regexp_matches(coalesce(b.flags, ''), 'differs|mismatch'))
                THEN 'missing'
            WHEN {UNFINISHED} IS NOT NULL THEN 'aborted'
            WHEN b.missing_results IS NOT NULL THEN 'partial' END AS gap
    FROM run_builds rb LEFT JOIN {BUILDS} b USING (build)
        LEFT JOIN ({WAITING}) l ON (rb.source, rb.job, rb.number) = (l.source, l.job, l.number)
        LEFT JOIN ({_UNTESTED_JOBS}) u ON (b.source, b.job) = (u.source, u.job)"""
REBUILT = " rebuilt"  # how the message of every commit of a `rebuild` ends, but the last
# SQL condition on `runs r` and its sums over builds `s`: the runs whose `run_state` is running.
RUNNING = "(r.state = 'running' OR coalesce(s.builds_running + s.waiting, 0) > 0)"
# SQL, on the same: whether builds of an ended run are missing, partial or were aborted, the run itself was aborted
# or deleted while it ran, or Jenkins calls it failed and nothing that was read of it failed.
INCOMPLETE = f"""(NOT {RUNNING} AND (coalesce(s.missing + s.aborted + s.partial, 0) > 0
    OR (r.state = 'final' AND r.result IS NULL) OR coalesce(r.result IN {ABORTED_RESULTS}, false)
    OR (coalesce(r.result IN {FAILED_RESULTS}, false) AND s.total > 0 AND s.builds_failed = 0)))"""
# States of a run, a module, a build and a lane, worst first.
STATES = ("broken", "failing", "incomplete", "stale", "ok")


class RunProgress(TypedDict):
    """What the state of a run follows from; `incomplete` by INCOMPLETE."""

    state: str
    builds_running: int
    waiting: int
    total: int
    failed: int
    incomplete: bool


class BuildOutcome(TypedDict):
    """What the health of a build follows from."""

    state: Literal["running", "final"]
    missing_results: str | None
    total: int
    failed: int


def sums(alias: str) -> str:
    """SQL: the counts of a group of `builds` or `build_counts` rows."""
    return ", ".join(f"coalesce(sum({alias}.{name}), 0)::BIGINT AS {name}" for name in COUNTS)


def pass_rate(row: Counts, settings: MeasureSettings) -> float | None:
    """passed / total; passed / (passed + failed) if the settings exclude skipped tests."""
    ran = row["total"] if settings.skipped_in_pass_rate else row["passed"] + row["failed"]
    return float(row["passed"] / ran) if ran else None


def deltas(row: RatedCounts, previous: RatedCounts | None) -> Delta | None:
    """The measures of this row minus those of the previous one; None without a previous one."""
    if previous is None:
        return None
    delta: Delta = {
        "total": row["total"] - previous["total"],
        "passed": row["passed"] - previous["passed"],
        "failed": row["failed"] - previous["failed"],
        "skipped": row["skipped"] - previous["skipped"],
    }
    if row["pass_rate"] is not None and previous["pass_rate"] is not None:
        delta["pass_rate"] = row["pass_rate"] - previous["pass_rate"]
    return delta


def run_state(row: RunProgress) -> RunState:
    """running (in Jenkins, or not fully read yet) | broken (no results) | failing (something failed) | incomplete
    (by INCOMPLETE) | ok."""
    if row["state"] == "running" or row["builds_running"] or row["waiting"]:
        return "running"
    return results_state(row["total"], row["failed"], row["incomplete"])


def results_state(total: int, failed: int, incomplete: bool) -> ResultsState:
    """broken (no results) | failing | incomplete | ok."""
    if not total:
        return "broken"
    return "failing" if failed else "incomplete" if incomplete else "ok"


def build_health(row: BuildOutcome) -> RunState:
    """running | broken (no results) | failing | incomplete (results of it are missing) | ok."""
    if row["state"] == "running":
        return "running"
    return results_state(row["total"], row["failed"], incomplete=row["missing_results"] is not None)


@overload
def iso(moment: datetime) -> str: ...
@overload
def iso(moment: None) -> None: ...
@overload
def iso(moment: datetime | None) -> str | None: ...
def iso(moment: datetime | None) -> str | None:
    """A naive UTC time in ISO 8601, to the second."""
    return None if moment is None else moment.isoformat(timespec="seconds") + "Z"
