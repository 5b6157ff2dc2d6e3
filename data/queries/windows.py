"""Tests over the newest runs of each lane (release x environment), two bits a run: the ground of every verdict.

A run becomes a bit position, so that one pass over `results` groups by test and nothing else; 25,000 tests x 20 runs
need no sorting. Lanes keep environments apart: a test that fails on staging alone does not flip.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data.cache import question
from data.filters import Filter
from data.queries.scope import conditions
from data.store import LAKE, Store

DEEPEST = 62  # runs in one 64-bit mask


@dataclass(frozen=True)
class LaneRun:
    """One run in its lane; `age` 0 is the newest."""

    run: int
    release: str
    environment: str
    number: int
    started_at: datetime
    age: int


@dataclass(frozen=True)
class LaneBuild:
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


@dataclass(frozen=True)
class Window:
    """The newest runs of each lane, and the builds that they listed."""

    lanes: list[tuple[str, str]]  # (release, environment)
    runs: list[list[LaneRun]]  # by lane, newest first
    builds: list[LaneBuild]
    key: str  # what all results of the window follow from: a commit that touches none of its builds leaves it as it is


@dataclass(frozen=True)
class Column:
    """What one build of a run brought of one owning module: the unit that storms break."""

    build: int
    lane: int
    age: int
    job: str
    module: str
    total: int  # passed or failed
    failed: int


@dataclass(frozen=True)
class Part:
    """Masks of a test in a lane, of one job and host. `tripped`: an attempt failed, the final one or not; `stormy`:
    likewise, in a column that a storm broke, which none of the other masks count."""

    job: str
    host: str | None
    failed: int
    passed: int
    rescued: int
    tripped: int
    stormy: int


@dataclass(frozen=True)
class Line:
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
    parts: tuple[Part, ...]

    def letters(self, runs: int) -> str:
        """The statuses in the newest `runs` runs as letters P F K S, oldest first; S also where it did not run."""
        # Each mask's bits as decimal digits, weighed so that their sum tells them apart: one letter a digit.
        digits = 4 * int(f"{self.failed:b}") + 2 * int(f"{self.passed:b}") + int(f"{self.rescued:b}")
        return f"{digits:0{runs}d}"[-runs:].translate(_LETTERS)


_LETTERS = str.maketrans({"0": "S", "1": "S", "2": "P", "3": "K", "4": "F", "5": "F", "6": "F", "7": "F"})


def window(store: Store, flt: Filter, depth: int) -> Window:
    """The newest `depth` runs of every lane that the filter leaves."""
    where, parameters = conditions(flt, "r")
    runs = store.rows(
        f"""SELECT run, release, environment, number, started_at, row_number() OVER lane - 1 AS age
        FROM runs r WHERE {where}
        WINDOW lane AS (PARTITION BY release, environment ORDER BY started_at DESC, run DESC)
        QUALIFY age < $depth ORDER BY release, environment, age""",
        parameters | {"depth": depth},
    )
    return _window(store, [LaneRun(**row) for row in runs])


def _window(store: Store, runs: Sequence[LaneRun]) -> Window:
    """The window of these runs, which stand lane by lane."""
    lanes: list[tuple[str, str]] = []
    by_lane: list[list[LaneRun]] = []
    place: dict[int, tuple[int, int]] = {}
    for run in runs:
        lane = (run.release, run.environment)
        if not lanes or lanes[-1] != lane:
            lanes.append(lane)
            by_lane.append([])
        by_lane[-1].append(run)
        place[run.run] = (len(lanes) - 1, run.age)
    listed = (
        store.cursor()
        .execute(
            """SELECT rb.run, b.build, b.job, b.module, b.number, b.revision, b.release, b.started_at, b.ingested_at
            FROM run_builds rb JOIN builds b USING (build) WHERE rb.run IN (SELECT unnest($runs::BIGINT[]))
            ORDER BY b.started_at, b.build, rb.run""",
            {"runs": list(place)},
        )
        .fetchall()
    )
    builds = [LaneBuild(row[1], *place[row[0]], *row[2:-1]) for row in listed]
    said = repr((_rebuilt(store), runs, listed))
    return Window(lanes, by_lane, builds, hashlib.sha1(said.encode(), usedforsecurity=False).hexdigest())


@question
def _rebuilt(store: Store) -> int:
    """The newest snapshot of `rebuild`, which may derive other results of the same builds."""
    newest = store.snapshot().id
    found = store.value(
        f"SELECT max(snapshot_id) FROM {LAKE}.snapshots() WHERE author = 'rebuild' AND snapshot_id <= ?", [newest]
    )
    return found or 0


def columns(store: Store, seen: Window) -> list[Column]:
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
        Column(build.build, build.lane, build.age, build.job, *rest)
        for build in seen.builds
        for rest in counts.get(build.build, ())
    ]


def lines(
    store: Store,
    seen: Window,
    of: Sequence[Column],
    stormy: set[tuple[int, str]],
    topology: str | None = None,
    tests: Iterable[int] | None = None,
) -> list[Line]:
    """The tests that failed in some calm column, at any attempt, or these `tests`; `stormy` are (build, module)."""
    if not of:
        return []
    jobs = sorted({column.job for column in of})
    number = {job: place for place, job in enumerate(jobs)}
    where, parameters = span(seen.builds)
    if topology is not None:
        where += " AND r.topology = $topology"
        parameters["topology"] = topology
    troubled = f"""SELECT DISTINCT r.release, r.test FROM results r JOIN w USING (build, module)
            WHERE {where} AND r.status = 'failed' AND w.calm"""
    if tests is not None:
        troubled = "SELECT release, test FROM (SELECT unnest($releases) AS release), (SELECT unnest($tests) AS test)"
        parameters |= {"releases": sorted({release for release, _ in seen.lanes}), "tests": sorted(tests)}
    # The failed are few: only of their tests are the passes read, and those only joined to the columns.
    rows = store.cursor().execute(
        f"""WITH w AS (
            SELECT unnest($build) AS build, unnest($module) AS module, unnest($lane) AS lane, unnest($age) AS age,
                unnest($job) AS job, unnest($calm) AS calm),
        troubled AS ({troubled}),
        theirs AS MATERIALIZED (
            SELECT r.build, r.module, r.test, r.status, r.is_final, r.attempt, r.host FROM results r
            WHERE {where} AND (r.release, r.test) IN (FROM troubled))
        SELECT t.test, w.lane, any_value(t.module) AS module, w.job, t.host,
            coalesce(bit_or(1::BIGINT << w.age) FILTER (w.calm AND t.status = 'failed' AND t.is_final), 0),
            coalesce(bit_or(1::BIGINT << w.age) FILTER (w.calm AND t.status = 'passed' AND t.is_final), 0),
            coalesce(bit_or(1::BIGINT << w.age) FILTER (
                w.calm AND t.status = 'passed' AND (t.attempt > 1 OR NOT t.is_final)), 0),
            coalesce(bit_or(1::BIGINT << w.age) FILTER (w.calm AND t.status = 'failed'), 0),
            coalesce(bit_or(1::BIGINT << w.age) FILTER (NOT w.calm AND t.status = 'failed'), 0)
        FROM theirs t JOIN w USING (build, module) GROUP BY t.test, w.lane, w.job, t.host""",
        parameters
        | {
            "build": [column.build for column in of],
            "module": [column.module for column in of],
            "lane": [column.lane for column in of],
            "age": [column.age for column in of],
            "job": [number[column.job] for column in of],
            "calm": [(column.build, column.module) not in stormy for column in of],
        },
    )
    found: dict[tuple[int, int], list[Part]] = {}
    modules: dict[tuple[int, int], str] = {}
    for test, lane, module, job, host, *masks in rows.fetchall():
        found.setdefault((test, lane), []).append(Part(jobs[job], host, *masks))
        modules[test, lane] = module
    return [combined(*key, modules[key], tuple(parts)) for key, parts in found.items()]


def combined(test: int, lane: int, module: str, parts: tuple[Part, ...], sick: frozenset[str] = frozenset()) -> Line:
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
    return Line(test, lane, module, failed & ~ill, passed, rescued & ~ill, stormy, ill, parts)


def disagreements(seen: Window, found: Iterable[Line]) -> dict[tuple[int, int], int]:
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


def partitions(releases: Iterable[str], times: Sequence[datetime]) -> tuple[str, dict[str, Any]]:
    """SQL over rows `r` with release and started_at: these releases, between the first and last of these times."""
    if not times:
        return "false", {}
    named = {f"release_{place}": name for place, name in enumerate(sorted(releases))}
    # A list of values prunes partitions; list_contains() reads every release.
    where = f"r.release IN ({', '.join(f'${name}' for name in named)}) AND r.started_at BETWEEN $first AND $last"
    return where, {**named, "first": min(times), "last": max(times)}
