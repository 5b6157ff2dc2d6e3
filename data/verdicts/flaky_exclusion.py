"""What `exclude_flaky` leaves out of counts: the results of tests that are noise now.

There is one definition: a test is noise in a lane while it is flaky there in the newest runs and neither a regression
nor always failing. All of its results are left out, passed ones too, in old runs as in new ones, so that a trend
compares the same tests throughout.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TypedDict

from data.answers.base import AllCounts
from data.lake.cached_query import cached_query, of_release, of_runs
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import partitions
from data.model.filters import Filter
from data.model.measures import pass_rate
from data.settings import MeasureSettings
from data.verdicts.rules import ALWAYS_FAILING, FLAKY, REGRESSION
from data.verdicts.verdicts import judge_tests


class ExcludedCounts(TypedDict):
    """Results that are left out, of a module on a topology."""

    run: int
    module: str
    topology: str
    total: int
    passed: int
    failed: int
    errors: int
    skipped: int


class _ListedBuild(TypedDict):
    run: int
    release: str
    environment: str
    build: int
    built: str
    started_at: datetime


@cached_query(of_release)
def excluded_tests(store: Store, release: str) -> dict[str, list[int]]:
    """Environment -> the tests that are noise there."""
    window, verdicts = judge_tests(store, Filter(release=release))
    found: dict[str, list[int]] = {}
    for verdict in verdicts:
        if FLAKY in verdict.kinds and not verdict.kinds & {REGRESSION, ALWAYS_FAILING}:
            found.setdefault(window.lanes[verdict.test_lane.lane][1], []).append(verdict.test_lane.test)
    return found


@cached_query(of_runs("runs"))
def excluded_counts(store: Store, flt: Filter, runs: tuple[str, ...]) -> dict[str, list[ExcludedCounts]]:
    """Run id -> counts of the final results that `exclude_flaky` leaves out, one row per owning module and topology.
    The filter's module and topology apply."""
    builds = store.rows(
        """SELECT rb.run, r.release, r.environment, b.build, b.release AS built, b.started_at
        FROM run_builds rb JOIN runs r USING (run) JOIN builds b USING (build)
        WHERE rb.run IN (SELECT unnest($runs::BIGINT[]))""",
        {"runs": [ids.number(run) for run in runs]},
        _ListedBuild,
    )
    lanes = {(row["release"], row["environment"]) for row in builds}
    tests = [
        (release, environment, test)
        for release, environment in sorted(lanes)
        for test in excluded_tests(store, release).get(environment, ())
    ]
    if not tests:
        return {}
    bounds = {row["built"] for row in builds}, [row["started_at"] for row in builds]
    where = partitions(*bounds).equal("r", module=flt.module, topology=flt.topology)
    rows = store.rows(
        f"""WITH w AS (
            SELECT unnest($build) AS build, unnest($run) AS run, unnest($lane) AS lane,
                unnest($environment) AS environment),
        x AS (
            SELECT unnest($test_lane) AS lane, unnest($test_environment) AS environment, unnest($test) AS test),
        noise AS MATERIALIZED (
            SELECT r.build, r.test, r.module, r.topology, r.status, r.kind
            FROM {store.table_source("results", *bounds)} r
            WHERE {where} AND r.is_final AND r.test IN (SELECT test FROM x))
        SELECT w.run, t.module, t.topology, count(*) AS total, count(*) FILTER (t.status = 'passed') AS passed,
            count(*) FILTER (t.status = 'failed') AS failed, count(*) FILTER (t.kind = 'error') AS errors,
            count(*) FILTER (t.status = 'skipped') AS skipped
        FROM noise t JOIN w USING (build) JOIN x USING (lane, environment, test)
        GROUP BY w.run, t.module, t.topology""",
        where.parameters
        | {
            "build": [row["build"] for row in builds],
            "run": [row["run"] for row in builds],
            "lane": [row["release"] for row in builds],
            "environment": [row["environment"] for row in builds],
            "test_lane": [lane for lane, _, _ in tests],
            "test_environment": [environment for _, environment, _ in tests],
            "test": [test for _, _, test in tests],
        },
        ExcludedCounts,
    )
    found: dict[str, list[ExcludedCounts]] = {}
    for row in rows:
        found.setdefault(ids.text(row["run"]), []).append(row)
    return found


def subtract_counts(row: AllCounts, counts: Iterable[ExcludedCounts], settings: MeasureSettings) -> None:
    """Subtract these counts from the row's own, in place; `left_out` is the number of results subtracted."""
    left_out = 0
    for count in counts:
        row["total"] -= count["total"]
        row["passed"] -= count["passed"]
        row["failed"] -= count["failed"]
        row["errors"] -= count["errors"]
        row["skipped"] -= count["skipped"]
        left_out += count["total"]
    row["left_out"] = left_out
    row["pass_rate"] = pass_rate(row, settings)
