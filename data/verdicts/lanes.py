"""Tests over the newest runs of each lane (release x environment), two bits a run: the ground of every verdict.

A run becomes a bit position, so that one pass over `results` groups by test and nothing else; 25,000 tests x 20 runs
need no sorting. Lanes keep environments apart: a test that fails on staging alone does not flip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from data.cache.result_arrays import FAILED, FINAL, PASSED, RERUN, ResultRows
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import conditions, partitions
from data.model.filters import Filter

MASK_BITS = 62  # runs in one 64-bit mask
HISTORY_RUNS = 300  # runs of a lane that any question looks at


class LaneRun(NamedTuple):
    """One run in its lane; `age` 0 is the newest."""

    run: int
    release: str
    environment: str
    number: int
    started_at: datetime
    age: int


class LaneBuild(NamedTuple):
    """One build that a run of a lane listed; a build that two runs list stands here twice."""

    build: int
    lane: int
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
    """The newest runs of each lane, and the builds that they listed."""

    lanes: list[tuple[str, str]]  # (release, environment)
    runs: list[list[LaneRun]]  # by lane, newest first
    builds: list[LaneBuild]
    key: int  # what all results of the window follow from: a commit that touches none of its builds leaves it as it is
    rebuilt: int  # the newest snapshot of a rebuild

    def weigh(self) -> int:
        return 400 * len(self.builds)


class ModuleCounts(NamedTuple):
    """What one build of a run brought of one owning module: the unit that storms break."""

    build: int
    lane: int
    age: int
    job: str
    module: str
    total: int  # passed or failed
    failed: int


class TestLaneHost(NamedTuple):
    """Masks of a test in a lane, of one job and host. `tripped`: an attempt failed, the final one or not; `stormy`:
    likewise, in a column that a storm broke, which none of the other masks count."""

    job: str
    host: str | None
    failed: int
    passed: int
    rescued: int
    tripped: int
    stormy: int


class TestLane(NamedTuple):
    """One test in one lane. Bit `age` of `failed` is set where it failed in that run, of `passed` where it passed on
    some topology, of `rescued` where an attempt failed and a later one passed, of `stormy` and `sick` where a failure
    was left out."""

    test: int
    lane: int
    module: str
    failed: int
    passed: int
    rescued: int
    stormy: int
    sick: int
    parts: tuple[TestLaneHost, ...]

    def status_string(self, runs: int) -> str:
        """The statuses in the newest `runs` runs as letters P F K S, oldest first; S also where it did not run."""
        # Each mask's bits as decimal digits, weighed so that their sum tells them apart: one letter a digit.
        digits = 4 * int(f"{self.failed:b}") + 2 * int(f"{self.passed:b}") + int(f"{self.rescued:b}")
        return f"{digits:0{runs}d}"[-runs:].translate(_LETTERS)


_LETTERS = str.maketrans({"0": "S", "1": "S", "2": "P", "3": "K", "4": "F", "5": "F", "6": "F", "7": "F"})


def lane_window(store: Store, flt: Filter, depth: int) -> LaneWindow:
    """The newest `depth` runs of every lane that the filter leaves; with `at_run`, of those up to that run."""
    lanes = Filter(flt.release, flt.version, flt.environment, at_run=flt.at_run)
    key = ("window", lanes, max(depth, HISTORY_RUNS), store.refresh().id)
    most = store.intermediate.get(key, lambda: _window(store, lanes, max(depth, HISTORY_RUNS)), LaneWindow.weigh)
    runs = [of_lane[:depth] for of_lane in most.runs]
    builds = [build for build in most.builds if build.age < depth]
    return LaneWindow(most.lanes, runs, builds, hash((most.rebuilt, *map(tuple, runs), *builds)), most.rebuilt)


def _window(store: Store, flt: Filter, depth: int) -> LaneWindow:
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
    place: dict[int, tuple[int, int]] = {}
    for row in found:
        of_lane = runs.setdefault(row[1:3], [])
        of_lane.append(LaneRun(*row))
        place[row[0]] = (len(runs) - 1, row[-1])
    builds = listed_builds(store, place)
    return LaneWindow(list(runs), list(runs.values()), builds, 0, store.last_rebuild())


def listed_builds(store: Store, runs: Mapping[int, tuple[int, int]]) -> list[LaneBuild]:
    """The builds that these runs listed and that are there; `runs` tells the lane and age of each."""
    # A few ids in the text are a filter; a list of them is a join more.
    few = len(runs) <= 30
    listing = ", ".join(map(str, runs)) or "NULL" if few else "SELECT unnest($runs::BIGINT[])"
    rows = store.cursor().execute(
        f"""SELECT rb.run, b.build, b.job, b.module, b.number, b.revision, b.release, b.started_at, b.ingested_at
        FROM run_builds rb JOIN builds b USING (build) WHERE rb.run IN ({listing})""",
        None if few else {"runs": list(runs)},
    )
    found = sorted(rows.fetchall(), key=lambda row: (row[7], row[1], row[0]))
    return [LaneBuild(row[1], *runs[row[0]], *row[2:]) for row in found]


def module_counts(store: Store, seen: LaneWindow) -> list[ModuleCounts]:
    """The columns of a window, from the counts."""
    where, parameters = within(seen.builds)
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
        for build in seen.builds
        for rest in counts.get(build.build, ())
    ]


def status_codes(
    store: Store, seen: LaneWindow, stormy: set[tuple[int, str]], topology: str | None, tests: Iterable[int]
) -> dict[tuple[int, int], np.ndarray]:
    """(test, lane) -> a code for each run of the window, newest first: P F K, 0 where it did not run, was skipped, or
    a storm broke its column."""
    rows = store.result_arrays.rows(store, seen.builds, seen.rebuilt)
    chosen = np.zeros(len(rows.tests), dtype=bool)
    chosen[np.flatnonzero(np.isin(rows.tests, list(tests)))] = True
    at = np.flatnonzero(chosen[rows.test] & (rows.flag & FINAL > 0) & (rows.flag & (FAILED | PASSED) > 0))
    at = at[rows.group_mask(None, topology)[rows.group[at]]]
    at = at[outside_storms(rows, seen.builds, stormy)[at]]
    if not len(at):
        return {}
    of, flag = rows.build[at], rows.flag[at]
    lane, age = (
        np.array(values)[of] for values in zip(*((build.lane, build.age) for build in seen.builds), strict=True)
    )
    keys, line = np.unique(rows.test[at].astype(np.int64) * len(seen.lanes) + lane, return_inverse=True)
    codes = np.zeros((len(keys), max(map(len, seen.runs))), dtype=np.uint8)
    # The worst is written last.
    for letter, held in (("P", flag & PASSED > 0), ("K", flag & RERUN > 0), ("F", flag & FAILED > 0)):
        codes[line[held], age[held]] = ord(letter)
    tests_, lanes = np.divmod(keys, len(seen.lanes))
    return dict(zip(zip(rows.tests[tests_].tolist(), lanes.tolist(), strict=True), codes, strict=True))


def test_lanes(
    store: Store,
    seen: LaneWindow,
    stormy: set[tuple[int, str]],
    topology: str | None = None,
    tests: Iterable[int] | None = None,
) -> list[TestLane]:
    """The tests that failed in some calm column, at any attempt, or these `tests`; `stormy` are (build, module)."""
    rows = store.result_arrays.rows(store, seen.builds, seen.rebuilt)
    quiet = outside_storms(rows, seen.builds, stormy)
    wanted = rows.group_mask(None, topology)
    troubled = np.zeros(len(rows.tests), dtype=bool)
    if tests is None:
        failed = rows.failed[quiet[rows.failed] & wanted[rows.group[rows.failed]]]
        troubled[rows.test[failed]] = True
    else:
        troubled[np.flatnonzero(np.isin(rows.tests, list(tests)))] = True
    # The failed are few: what is grouped are the rows of their tests alone.
    at = np.flatnonzero(troubled[rows.test])
    at = at[wanted[rows.group[at]]]
    return _lines(rows, seen.builds, at, quiet[at])


def outside_storms(rows: ResultRows, builds: Sequence[LaneBuild], stormy: set[tuple[int, str]]) -> np.ndarray:
    """Which rows stand in no column that a storm broke."""
    calm = np.ones(len(rows.flag), dtype=bool)
    broken: dict[int, set[str]] = {}
    for build, module in stormy:
        broken.setdefault(build, set()).add(module)
    for place, build in enumerate(builds):
        if build.build in broken:
            part = rows.rows_of(place)
            names = broken[build.build]
            calm[part] = [rows.groups[group].module not in names for group in rows.group[part]]
    return calm


def _lines(rows: ResultRows, builds: Sequence[LaneBuild], at: np.ndarray, calm: np.ndarray) -> list[TestLane]:
    if not len(at):
        return []
    jobs = sorted({build.job for build in builds})
    hosts = sorted({group.host or "" for group in rows.groups})
    number = {name: place for place, name in enumerate(jobs)}, {name: place for place, name in enumerate(hosts)}
    host_of = np.array([number[1][group.host or ""] for group in rows.groups])
    of = rows.build[at]
    lane, job, age = (
        np.array(values, dtype=np.int64)[of]
        for values in zip(*((build.lane, number[0][build.job], build.age) for build in builds), strict=True)
    )
    shape = (len(rows.tests), int(lane.max()) + 1, len(jobs), len(hosts))
    part = np.ravel_multi_index((rows.test[at], lane, job, host_of[rows.group[at]]), shape)
    order = np.argsort(part, kind="stable")
    part, flag, bit, calm = part[order], rows.flag[at][order], np.int64(1) << age[order], calm[order]
    starts = np.flatnonzero(np.concatenate([[True], part[1:] != part[:-1]]))
    failed, final = flag & FAILED > 0, flag & FINAL > 0
    passed = flag & PASSED > 0
    masks = [
        np.bitwise_or.reduceat(np.where(held, bit, 0), starts).tolist()
        for held in (
            failed & final & calm,
            passed & final & calm,
            passed & calm & (~final | (flag & RERUN > 0)),
            failed & calm,
            failed & ~calm,
        )
    ]
    groups = rows.group[at][order][starts].tolist()
    places = (axis.tolist() for axis in np.unravel_index(part[starts], shape))
    found: dict[tuple[int, int], list[TestLaneHost]] = {}
    modules: dict[tuple[int, int], str] = {}
    for test, of_lane, of_job, _, group, *its in zip(*places, groups, *masks, strict=True):
        module, _, host = rows.groups[group]
        found.setdefault((test, of_lane), []).append(TestLaneHost(jobs[of_job], host, *its))
        modules[test, of_lane] = module
    return [
        combine_hosts(int(rows.tests[test]), at_, modules[test, at_], tuple(parts))
        for (test, at_), parts in found.items()
    ]


def combine_hosts(
    test: int, lane: int, module: str, parts: tuple[TestLaneHost, ...], sick: frozenset[str] = frozenset()
) -> TestLane:
    """A line from its parts. Failures in runs in which only sick hosts failed it are left out, unless those are all
    that ever ran it: then nobody knows that the host is to blame."""
    failed = passed = rescued = stormy = healthy = ill = 0
    elsewhere = False
    for part in parts:
        failed |= part.failed
        passed |= part.passed
        rescued |= part.rescued
        stormy |= part.stormy
        if part.host in sick:
            ill |= part.tripped
        else:
            healthy |= part.tripped
            elsewhere = elsewhere or bool(part.passed | part.tripped)
    ill &= ~healthy if elsewhere else 0
    return TestLane(test, lane, module, failed & ~ill, passed, rescued & ~ill, stormy, ill, parts)


def disagreements(seen: LaneWindow, found: Iterable[TestLane]) -> dict[tuple[int, int], int]:
    """Tests that one job failed and passed on one commit: (test, lane) -> mask of the ages of those runs."""
    ages: dict[tuple[int, str, str], int] = {}
    for build in seen.builds:
        if build.revision is not None:
            key = (build.lane, build.job, build.revision)
            ages[key] = ages.get(key, 0) | 1 << build.age
    again: dict[tuple[int, str], list[int]] = {}
    for (lane, job, _), mask in ages.items():
        if mask & (mask - 1):
            again.setdefault((lane, job), []).append(mask)
    answer: dict[tuple[int, int], int] = {}
    for line in found if again else ():
        for job in {part.job for part in line.parts}:
            failed = passed = 0
            for part in line.parts:
                if part.job == job:
                    failed |= part.failed
                    passed |= part.passed
            failed &= line.failed
            passed &= ~failed
            for mask in again.get((line.lane, job), ()):
                if failed & mask and passed & mask:
                    key = (line.test, line.lane)
                    answer[key] = answer.get(key, 0) | (failed | passed) & mask
    return answer


def within(builds: Sequence[LaneBuild]) -> tuple[str, dict[str, Any]]:
    """SQL over rows `r` with release, started_at and build: those of these builds, partitions left out by value."""
    where, parameters = span(builds)
    return f"{where} AND r.build IN (SELECT unnest($builds::BIGINT[]))", parameters | {
        "builds": sorted({build.build for build in builds})
    }


def span(builds: Sequence[LaneBuild]) -> tuple[str, dict[str, Any]]:
    """SQL over rows `r` with release and started_at: the partitions in which these builds lie."""
    return partitions({build.release for build in builds}, [build.started_at for build in builds])
