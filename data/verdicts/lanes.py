"""The newest builds of each job in each lane (release and environment): what every verdict looks at.

Lanes keep environments apart: a test that fails on staging alone is not flaky on production. A window counts builds of
one job, not runs: in a folder of a hundred nightly jobs, each with runs of its own, a run of one job says nothing about
the others. The statuses of the tests in a window are in `status_masks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from data.lake.cached_query import release_dependencies
from data.lake.store import Store
from data.model import ids, measures
from data.model.filter_sql import Where, of_lane, partitions
from data.model.filters import Filter, RunScope
from data.model.run_summary import GONE_AFTER, GONE_RUNS
from data.model.sql_values import SqlParameters

MASK_BITS = 62  # results of a test in one 64-bit mask
HISTORY_RUNS = 300  # the most builds of a job, each in a run of its own, that any query reads

# SQL: why the results of build `b` are unfinished; empty if they are not.
UNFINISHED = f"""CASE WHEN b.state = 'running' THEN 'running'
    WHEN {measures.UNFINISHED} IS NOT NULL THEN 'aborted' ELSE '' END"""


class LaneRun(NamedTuple):
    """One run in its lane; `age` 0 is the newest."""

    run: int
    release: str
    environment: str
    number: int
    started_at: datetime
    age: int


class LaneBuild(NamedTuple):
    """One build that a run of a lane listed; one entry per run, so a build of two runs appears twice."""

    build: int
    lane: int  # index into LaneWindow.lanes
    age: int  # of its run
    job_age: int  # how many newer runs of the lane have a build of its job
    job: str
    module: str
    number: int
    revision: str | None
    release: str
    started_at: datetime
    ingested_at: datetime
    unfinished: str  # "running" or "aborted" if its results are those of a part of its tests, else empty


@dataclass(frozen=True)
class LaneWindow:
    """The newest builds of each job in each lane, and the runs of the lane back to the oldest build of any window."""

    lanes: list[tuple[str, str]]  # (release, environment)
    runs: list[list[LaneRun]]  # per lane, newest first
    builds: list[LaneBuild]
    key: int  # identifies all results of the window: a commit that touches none of its builds leaves it unchanged
    rebuilt: int  # the newest snapshot of a rebuild

    def cache_bytes(self) -> int:
        return 400 * len(self.builds)


class ModuleCounts(NamedTuple):
    """Counts of one owning module in one build of a run. This is a *column*, the unit of a mass failure."""

    build: int
    lane: int
    age: int
    job: str
    module: str
    total: int  # passed or failed
    failed: int


def filtered_releases(store: Store, flt: RunScope) -> list[str]:
    """The release of the filter, or all releases that have runs."""
    if flt.release is not None:
        return [flt.release]
    return [row["release"] for row in store.rows("SELECT DISTINCT release FROM runs ORDER BY release")]


def lane_window(store: Store, flt: Filter, depth: int) -> LaneWindow:
    """The newest `depth` builds of every job in every lane of the filter, one run each; with `at_run`, only runs up to
    that one. Jobs that are gone (GONE_RUNS, GONE_AFTER) are left out."""
    lanes = Filter(flt.release, flt.version, flt.environment, at_run=flt.at_run)
    longest_depth = max(depth, HISTORY_RUNS)
    longest = store.cached(
        ("window", lanes, longest_depth),
        lambda: _load_window(store, lanes, longest_depth),
        LaneWindow.cache_bytes,
        lambda: release_dependencies(flt.release),
    )
    if depth == longest_depth:
        return longest
    builds = [build for build in longest.builds if build.job_age < depth]
    return replace(longest, builds=builds, key=_window_key(longest.rebuilt, longest.runs, builds))


def _window_key(rebuilt: int, runs: list[list[LaneRun]], builds: list[LaneBuild]) -> int:
    return hash((rebuilt, *map(tuple, runs), *builds))


def _load_window(store: Store, flt: Filter, depth: int) -> LaneWindow:
    where = of_lane(flt, "r")
    order = store.derived_table("run_order")
    if flt.at_run is not None:
        where.add(f"o.rank <= (SELECT rank FROM {order} WHERE run = $at_run)", at_run=ids.number(flt.at_run))
    lane_runs = f"""SELECT run, release, environment, number, started_at, row_number() OVER lane - 1 AS age
        FROM runs r JOIN {order} o USING (run) WHERE {where}
        WINDOW lane AS (PARTITION BY release, environment ORDER BY o.rank DESC)"""
    found = store.cursor().execute(
        f"{lane_runs} QUALIFY age < $depth ORDER BY release, environment, age", where.parameters | {"depth": depth}
    )
    runs: dict[tuple[str, str], list[LaneRun]] = {}
    lane_and_age: dict[int, tuple[int, int]] = {}
    for row in found.fetchall():
        lane = runs.setdefault(row[1:3], [])
        lane.append(LaneRun(*row))
        lane_and_age[row[0]] = (len(runs) - 1, row[-1])
    builds = listed_builds(store, lane_and_age)
    if any(len(lane) == depth for lane in runs.values()):
        builds += _older_builds(store, lane_runs, where.parameters, runs, builds, depth)
        builds.sort(key=lambda build: (build.started_at, build.number, build.build, build.age))
    lanes, runs_of_lanes = list(runs), list(runs.values())
    builds = _without_gone_jobs(runs_of_lanes, builds)
    rebuilt = store.last_rebuild()
    return LaneWindow(lanes, runs_of_lanes, builds, _window_key(rebuilt, runs_of_lanes, builds), rebuilt)


def _older_builds(
    store: Store,
    lane_runs: str,
    parameters: SqlParameters,
    runs: dict[tuple[str, str], list[LaneRun]],
    builds: Iterable[LaneBuild],
    depth: int,
) -> list[LaneBuild]:
    """The builds in runs of age `depth` and more, of the jobs with fewer than `depth` builds in newer runs (`builds`);
    their runs are added to `runs`, without gaps. `lane_runs`: SQL of all runs, with its parameters."""
    lanes, known = list(runs), dict[tuple[int, str], int]()
    for build in builds:
        known[build.lane, build.job] = max(known.get((build.lane, build.job), 0), build.job_age + 1)
    full = [(*lanes[lane], job) for (lane, job), count in known.items() if count >= depth]
    rows = store.cursor().execute(
        f"""SELECT l.run, l.release, l.environment, l.age, dense_rank() OVER (
                PARTITION BY l.release, l.environment, b.source, b.job ORDER BY l.age) - 1 AS place, {_BUILD_FACTS}
        FROM ({lane_runs}) l JOIN run_builds rb USING (run) JOIN builds b USING (build)
            ANTI JOIN (SELECT unnest($releases::VARCHAR[]) AS release, unnest($environments::VARCHAR[]) AS environment,
                unnest($jobs::VARCHAR[]) AS job) f
                ON (l.release, l.environment, b.job) = (f.release, f.environment, f.job)
        WHERE l.age >= $depth QUALIFY place < $depth""",
        {
            **parameters,
            "depth": depth,
            "releases": [release for release, _, _ in full],
            "environments": [environment for _, environment, _ in full],
            "jobs": [job for _, _, job in full],
        },
    )
    lane_of = {lane: index for index, lane in enumerate(lanes)}
    older = [LaneBuild(row[5], lane_of[row[1:3]], row[3], row[4], *row[6:]) for row in rows.fetchall()]
    older = [build._replace(job_age=build.job_age + known.get((build.lane, build.job), 0)) for build in older]
    older = [build for build in older if build.job_age < depth]
    if older:
        more = store.cursor().execute(
            f"FROM ({lane_runs}) WHERE age BETWEEN $depth AND $oldest ORDER BY release, environment, age",
            {**parameters, "depth": depth, "oldest": max(build.age for build in older)},
        )
        for row in more.fetchall():
            runs[row[1:3]].append(LaneRun(*row))
    return older


_BUILD_FACTS = f"""b.build, b.job, b.module, b.number, b.revision, b.release, b.started_at, b.ingested_at,
    {UNFINISHED}"""


def _by_start(row: Sequence[Any]) -> tuple[datetime, int, int, int]:
    """Sort key of a row that begins with the run and ends with _BUILD_FACTS: start, number, build, run."""
    return row[-3], row[-6], row[-9], row[0]


def _without_gone_jobs(runs: list[list[LaneRun]], builds: list[LaneBuild]) -> list[LaneBuild]:
    gone = {
        (build.lane, build.job)
        for build in builds
        if build.job_age == 0
        and build.age > GONE_RUNS
        and runs[build.lane][0].started_at - runs[build.lane][build.age].started_at > GONE_AFTER
    }
    return [build for build in builds if (build.lane, build.job) not in gone] if gone else builds


def listed_builds(store: Store, runs: Mapping[int, tuple[int, int]]) -> list[LaneBuild]:
    """The stored builds that these runs listed, oldest first; `runs` maps a run to its (lane, age)."""
    # A few ids in the text are a filter; a list of them is one more join.
    few = len(runs) <= 30
    listing = ", ".join(map(str, runs)) or "NULL" if few else "SELECT unnest($runs::BIGINT[])"
    rows = store.cursor().execute(
        f"""SELECT rb.run, {_BUILD_FACTS}
        FROM run_builds rb JOIN builds b USING (build) WHERE rb.run IN ({listing})""",
        None if few else {"runs": list(runs)},
    )
    found = sorted(rows.fetchall(), key=_by_start)
    ages: dict[tuple[int, str], set[int]] = {}
    for row in found:
        lane, age = runs[row[0]]
        ages.setdefault((lane, row[2]), set()).add(age)
    job_ages = {line: {age: index for index, age in enumerate(sorted(known))} for line, known in ages.items()}
    return [
        LaneBuild(row[1], lane, age, job_ages[lane, row[2]][age], *row[2:])
        for row in found
        for lane, age in [runs[row[0]]]
    ]


def load_module_counts(store: Store, window: LaneWindow) -> list[ModuleCounts]:
    """The columns of a window, read from the stored counts."""
    where = build_condition(window.builds)
    rows = store.cursor().execute(
        f"""SELECT r.build, r.module, sum(r.passed + r.failed)::INTEGER, sum(r.failed)::INTEGER
        FROM build_counts r WHERE {where} GROUP BY r.build, r.module""",
        where.parameters,
    )
    counts: dict[int, list[tuple[str, int, int]]] = {}
    for build, *rest in rows.fetchall():
        counts.setdefault(build, []).append(tuple(rest))
    return [
        ModuleCounts(build.build, build.lane, build.age, build.job, *rest)
        for build in window.builds
        for rest in counts.get(build.build, ())
    ]


def build_condition(builds: Sequence[LaneBuild]) -> Where:
    """Rows `r` (release, started_at, build) of these builds, with constant bounds so that other partitions are
    pruned."""
    return partition_condition(builds).add(
        "r.build IN (SELECT unnest($builds::BIGINT[]))", builds=sorted({build.build for build in builds})
    )


def partition_condition(builds: Sequence[LaneBuild]) -> Where:
    """Rows `r` (release, started_at) in the partitions of these builds."""
    return partitions({build.release for build in builds}, [build.started_at for build in builds])
