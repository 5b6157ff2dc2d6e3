"""The newest runs of each lane (release and environment) and the builds they listed: what every verdict looks at.

Lanes keep environments apart: a test that fails on staging alone is not flaky on production. The statuses of the tests
in a window are in `status_masks`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import conditions, partitions
from data.model.filters import Filter

MASK_BITS = 62  # runs in one 64-bit mask
HISTORY_RUNS = 300  # the most runs of a lane that any query reads


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
    age: int
    job: str
    module: str
    number: int
    revision: str | None
    release: str
    started_at: datetime
    ingested_at: datetime


@dataclass(frozen=True)
class LaneWindow:
    """The newest runs of each lane, and the builds they listed."""

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


def filtered_releases(store: Store, flt: Filter) -> list[str]:
    """The release of the filter, or all releases that have runs."""
    if flt.release is not None:
        return [flt.release]
    return [row["release"] for row in store.rows("SELECT DISTINCT release FROM runs ORDER BY release")]


def lane_window(store: Store, flt: Filter, depth: int) -> LaneWindow:
    """The newest `depth` runs of every lane of the filter; with `at_run`, only runs up to that one."""
    lanes = Filter(flt.release, flt.version, flt.environment, at_run=flt.at_run)
    key = ("window", lanes, max(depth, HISTORY_RUNS), store.refresh().id)
    longest = store.intermediate.get(
        key, lambda: _load_window(store, lanes, max(depth, HISTORY_RUNS)), LaneWindow.cache_bytes
    )
    runs = [lane_runs[:depth] for lane_runs in longest.runs]
    builds = [build for build in longest.builds if build.age < depth]
    return LaneWindow(longest.lanes, runs, builds, hash((longest.rebuilt, *map(tuple, runs), *builds)), longest.rebuilt)


def _load_window(store: Store, flt: Filter, depth: int) -> LaneWindow:
    where, parameters = conditions(flt, "r")
    if flt.at_run is not None:
        where += " AND (r.started_at, r.run) <= (SELECT (started_at, run) FROM runs WHERE run = $at_run)"
        parameters["at_run"] = ids.number(flt.at_run)
    found = (
        store.cursor()
        .execute(
            f"""SELECT run, release, environment, number, started_at, row_number() OVER lane - 1 AS age
            FROM runs r WHERE {where}
            WINDOW lane AS (PARTITION BY release, environment ORDER BY started_at DESC, run DESC)
            QUALIFY age < $depth ORDER BY release, environment, age""",
            parameters | {"depth": depth},
        )
        .fetchall()
    )
    runs: dict[tuple[str, str], list[LaneRun]] = {}
    lane_and_age: dict[int, tuple[int, int]] = {}
    for row in found:
        lane_runs = runs.setdefault(row[1:3], [])
        lane_runs.append(LaneRun(*row))
        lane_and_age[row[0]] = (len(runs) - 1, row[-1])
    builds = listed_builds(store, lane_and_age)
    return LaneWindow(list(runs), list(runs.values()), builds, 0, store.last_rebuild())


def listed_builds(store: Store, runs: Mapping[int, tuple[int, int]]) -> list[LaneBuild]:
    """The stored builds that these runs listed, oldest first; `runs` maps a run to its (lane, age)."""
    # A few ids in the text are a filter; a list of them is one more join.
    few = len(runs) <= 30
    listing = ", ".join(map(str, runs)) or "NULL" if few else "SELECT unnest($runs::BIGINT[])"
    rows = store.cursor().execute(
        f"""SELECT rb.run, b.build, b.job, b.module, b.number, b.revision, b.release, b.started_at, b.ingested_at
        FROM run_builds rb JOIN builds b USING (build) WHERE rb.run IN ({listing})""",
        None if few else {"runs": list(runs)},
    )
    found = sorted(rows.fetchall(), key=lambda row: (row[7], row[1], row[0]))
    return [LaneBuild(row[1], *runs[row[0]], *row[2:]) for row in found]


def load_module_counts(store: Store, window: LaneWindow) -> list[ModuleCounts]:
    """The columns of a window, read from the stored counts."""
    where, parameters = build_condition(window.builds)
    rows = store.cursor().execute(
        f"""SELECT r.build, r.module, sum(r.passed + r.failed)::INTEGER, sum(r.failed)::INTEGER
        FROM build_counts r WHERE {where} GROUP BY r.build, r.module""",
        parameters,
    )
    counts: dict[int, list[tuple[str, int, int]]] = {}
    for build, *rest in rows.fetchall():
        counts.setdefault(build, []).append(tuple(rest))
    return [
        ModuleCounts(build.build, build.lane, build.age, build.job, *rest)
        for build in window.builds
        for rest in counts.get(build.build, ())
    ]


def build_condition(builds: Sequence[LaneBuild]) -> tuple[str, dict[str, Any]]:
    """SQL condition on rows `r` (release, started_at, build), with its parameters: the rows of these builds, with
    constant bounds so that other partitions are pruned."""
    where, parameters = partition_condition(builds)
    return f"{where} AND r.build IN (SELECT unnest($builds::BIGINT[]))", parameters | {
        "builds": sorted({build.build for build in builds})
    }


def partition_condition(builds: Sequence[LaneBuild]) -> tuple[str, dict[str, Any]]:
    """SQL condition on rows `r` (release, started_at), with its parameters: the partitions of these builds."""
    return partitions({build.release for build in builds}, [build.started_at for build in builds])
