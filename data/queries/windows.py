"""Tests over the newest runs of each lane (release x environment), two bits a run: the ground of every verdict.

A run becomes a bit position, so that one pass over `results` groups by test and nothing else; 25,000 tests x 20 runs
need no sorting. Lanes keep environments apart: a test that fails on staging alone does not flip.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from data.filters import Filter
from data.queries.runs import conditions
from data.store import Store

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
class Sequence:
    """One test in one lane. Bit `age` of `failed` is set where it failed in that run, of `passed` where it passed
    (and did not fail anywhere), of `rescued` where it both failed and passed within the run."""

    test: int
    lane: int
    module: str
    failed: int
    passed: int
    rescued: int

    def letters(self, ages: range) -> str:
        """The statuses as letters P F K S, in the order of `ages`; S also where it did not run."""
        return "".join(
            "F"
            if self.failed >> age & 1
            else "S"
            if not self.passed >> age & 1
            else "K"
            if self.rescued >> age & 1
            else "P"
            for age in ages
        )


@dataclass(frozen=True)
class Window:
    """The newest runs of each lane, and the builds that they listed."""

    lanes: list[tuple[str, str]]  # (release, environment)
    runs: list[list[LaneRun]]  # by lane, newest first
    builds: dict[str, list[Any]]  # columns build, lane, age
    first: datetime | None
    last: datetime | None


def window(store: Store, flt: Filter, depth: int) -> Window:
    """The newest `depth` runs (at most 62) of every lane that the filter leaves."""
    where, parameters = conditions(flt, "r")
    rows = store.rows(
        f"""WITH newest AS (
            SELECT *, row_number() OVER lane - 1 AS age FROM runs r WHERE {where}
            WINDOW lane AS (PARTITION BY release, environment ORDER BY started_at DESC, run DESC)
            QUALIFY age < $depth)
        SELECT n.run, n.release, n.environment, n.number, n.started_at, n.age,
               list(b.build) FILTER (b.build IS NOT NULL) AS builds,
               min(b.started_at) AS first, max(b.started_at) AS last
        FROM newest n LEFT JOIN run_builds rb USING (run) LEFT JOIN builds b USING (build)
        GROUP BY ALL ORDER BY n.release, n.environment, n.age""",
        parameters | {"depth": min(depth, DEEPEST)},
    )
    lanes: list[tuple[str, str]] = []
    runs: list[list[LaneRun]] = []
    builds: dict[str, list[Any]] = {"build": [], "lane": [], "age": []}
    for row in rows:
        lane = (row["release"], row["environment"])
        if not lanes or lanes[-1] != lane:
            lanes.append(lane)
            runs.append([])
        runs[-1].append(LaneRun(*(row[name] for name in LaneRun.__dataclass_fields__)))
        for build in row["builds"] or []:
            builds["build"].append(build)
            builds["lane"].append(len(lanes) - 1)
            builds["age"].append(row["age"])
    firsts = [row["first"] for row in rows if row["first"] is not None]
    lasts = [row["last"] for row in rows if row["last"] is not None]
    return Window(lanes, runs, builds, min(firsts, default=None), max(lasts, default=None))


def sequences(store: Store, seen: Window, flt: Filter, only_troubled: bool = True) -> list[Sequence]:
    """One sequence a test and lane; by default only of tests that failed or were rescued in some run."""
    if not seen.builds["build"]:
        return []
    where, parameters = within(seen, flt)
    having = "HAVING failed <> 0 OR rescued <> 0" if only_troubled else ""
    rows = (
        store.cursor()
        .execute(
            f"""SELECT r.test, w.lane, any_value(r.module) AS module,
            coalesce(bit_or(1::BIGINT << w.age) FILTER (r.is_final AND r.status = 'failed'), 0) AS failed,
            coalesce(bit_or(1::BIGINT << w.age) FILTER (r.is_final AND r.status = 'passed'), 0) AS passed,
            coalesce(bit_or(1::BIGINT << w.age) FILTER (
                (r.is_final AND r.status = 'passed' AND r.attempt > 1) OR (NOT r.is_final AND r.status = 'passed')
            ), 0) AS rescued
        FROM results r JOIN (SELECT unnest($build) AS build, unnest($lane) AS lane, unnest($age) AS age) w USING (build)
        WHERE {where} GROUP BY r.test, w.lane {having}""",
            parameters | seen.builds,
        )
        .fetchall()
    )
    return [Sequence(*row) for row in rows]


def within(seen: Window, flt: Filter) -> tuple[str, dict[str, Any]]:
    """SQL over `results r`: the window's partitions and the filter's module and topology."""
    where = "list_contains($releases, r.release) AND r.started_at BETWEEN $first AND $last"
    parameters: dict[str, Any] = {
        "releases": sorted({release for release, _ in seen.lanes}),
        "first": seen.first,
        "last": seen.last,
    }
    for name in ("module", "topology"):
        if getattr(flt, name) is not None:
            where += f" AND r.{name} = ${name}"
            parameters[name] = getattr(flt, name)
    return where, parameters


def same_commit(store: Store, seen: Window, flt: Filter) -> dict[tuple[int, int], int]:
    """Tests that failed and passed on one commit: (test, lane) -> mask of the ages of those runs."""
    if not seen.builds["build"]:
        return {}
    twice = store.rows(
        """SELECT w.build, w.lane, w.age, b.job, b.revision
        FROM builds b JOIN (SELECT unnest($build) AS build, unnest($lane) AS lane, unnest($age) AS age) w USING (build)
        WHERE b.revision IS NOT NULL
        QUALIFY count(*) OVER (PARTITION BY w.lane, b.job, b.revision) > 1""",
        seen.builds,
    )
    if not twice:
        return {}
    where, parameters = within(seen, flt)
    columns = {name: [row[name] for row in twice] for name in ("build", "lane", "age", "job", "revision")}
    rows = (
        store.cursor()
        .execute(
            f"""WITH w AS (SELECT unnest($build) AS build, unnest($lane) AS lane, unnest($age) AS age,
                unnest($job) AS job, unnest($revision) AS revision),
        statuses AS (
            SELECT r.test, w.lane, w.job, w.revision, w.age, min(r.status) AS status
            FROM results r JOIN w USING (build) WHERE {where} AND r.is_final AND r.status <> 'skipped' GROUP BY ALL)
        SELECT test, lane, bit_or(1::BIGINT << age) FROM statuses GROUP BY test, lane, job, revision
        HAVING count(DISTINCT status) > 1""",
            parameters | columns,
        )
        .fetchall()
    )
    found: dict[tuple[int, int], int] = {}
    for test, lane, mask in rows:
        found[test, lane] = found.get((test, lane), 0) | mask
    return found
