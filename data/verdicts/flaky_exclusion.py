"""What `exclude_flaky` takes out of counts: the results of tests that are noise now.

One definition, everywhere: a test is noise in a lane (release x environment) while it is flaky there in the newest
runs and neither a regression nor always failing. All of its results are taken out, passed ones too, in old runs as in
new ones, so that a trend compares the same tests throughout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import partitions
from data.model.filters import Filter
from data.model.measures import COUNTS, pass_rate
from data.settings import MeasureSettings
from data.verdicts.rules import ALWAYS_FAILING, FLAKY, REGRESSION
from data.verdicts.verdicts import judge


@cached_query
def excluded_tests(store: Store, release: str) -> dict[str, list[int]]:
    """By environment: the tests that are noise."""
    view, judged = judge(store, Filter(release=release))
    found: dict[str, list[int]] = {}
    for verdict in judged:
        if FLAKY in verdict.kinds and not verdict.kinds & {REGRESSION, ALWAYS_FAILING}:
            found.setdefault(view.lanes[verdict.line.lane][1], []).append(verdict.line.test)
    return found


@cached_query
def excluded_counts(store: Store, flt: Filter, runs: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    """By run (id): counts of the final results of its noisy tests, which `exclude_flaky` takes out, one row an owning
    module and topology. The filter's module and topology apply."""
    listed = store.rows(
        """SELECT rb.run, r.release, r.environment, b.build, b.release AS built, b.started_at
        FROM run_builds rb JOIN runs r USING (run) JOIN builds b USING (build)
        WHERE rb.run IN (SELECT unnest($runs::BIGINT[]))""",
        {"runs": [ids.number(run) for run in runs]},
    )
    lanes = {(row["release"], row["environment"]) for row in listed}
    tests = [
        (release, environment, test)
        for release, environment in sorted(lanes)
        for test in excluded_tests(store, release).get(environment, ())
    ]
    if not tests:
        return {}
    lies = {row["built"] for row in listed}, [row["started_at"] for row in listed]
    where, parameters = partitions(*lies)
    for name in ("module", "topology"):
        if getattr(flt, name) is not None:
            where += f" AND r.{name} = ${name}"
            parameters[name] = getattr(flt, name)
    rows = store.rows(
        f"""WITH w AS (
            SELECT unnest($build) AS build, unnest($run) AS run, unnest($lane) AS lane,
                unnest($environment) AS environment),
        x AS (SELECT unnest($its_lane) AS lane, unnest($its_environment) AS environment, unnest($test) AS test),
        theirs AS MATERIALIZED (
            SELECT r.build, r.test, r.module, r.topology, r.status, r.kind FROM {store.table_source("results", *lies)} r
            WHERE {where} AND r.is_final AND r.test IN (SELECT test FROM x))
        SELECT w.run, t.module, t.topology, count(*) AS total, count(*) FILTER (t.status = 'passed') AS passed,
            count(*) FILTER (t.status = 'failed') AS failed, count(*) FILTER (t.kind = 'error') AS errors,
            count(*) FILTER (t.status = 'skipped') AS skipped
        FROM theirs t JOIN w USING (build) JOIN x USING (lane, environment, test)
        GROUP BY w.run, t.module, t.topology""",
        parameters
        | {
            "build": [row["build"] for row in listed],
            "run": [row["run"] for row in listed],
            "lane": [row["release"] for row in listed],
            "environment": [row["environment"] for row in listed],
            "its_lane": [lane for lane, _, _ in tests],
            "its_environment": [environment for _, environment, _ in tests],
            "test": [test for _, _, test in tests],
        },
    )
    found: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault(ids.text(row.pop("run")), []).append(row)
    return found


def subtract_counts(row: dict[str, Any], counts: Iterable[Mapping[str, Any]], settings: MeasureSettings) -> None:
    """Take these counts out of a row's own, in place; `left_out` says how many results that were."""
    row["left_out"] = 0
    for count in counts:
        for name in COUNTS:
            row[name] -= count[name]
        row["left_out"] += count["total"]
    row["pass_rate"] = pass_rate(row, settings)
