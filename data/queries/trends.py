"""Trends: counts, pass rate and duration over runs or days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NotRequired, TypedDict

from data.answers.base import AllCounts
from data.answers.trends import Point, Trends
from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import of_lane, of_part
from data.model.filters import Filter
from data.model.measures import COUNTS, iso, pass_rate, sums
from data.model.sql_values import SqlParameters
from data.queries.missing_results import gaps, lacking_modules
from data.verdicts.flaky_exclusion import excluded_counts

GROUPS = ("module", "release", "environment", "topology", "lane")
DEFAULT_RUNS = 100


class _PointCounts(AllCounts):
    duration_s: float | None
    runs: int
    running: bool
    incomplete: bool


class _PointRow(TypedDict):
    """A run, or a day with the sum of its runs, in the series of this name."""

    name: str | None
    run: NotRequired[int]
    job: NotRequired[str]
    number: NotRequired[int]
    release: NotRequired[str]
    version: NotRequired[str | None]
    environment: NotRequired[str | None]
    started_at: NotRequired[datetime]
    rank: NotRequired[int]
    day: NotRequired[datetime]
    total: int
    passed: int
    failed: int
    errors: int
    skipped: int
    duration_s: float | None
    runs: int
    running: bool
    incomplete: bool


@cached_query(of_release)
def trend(
    store: Store,
    flt: Filter,
    by: str = "run",
    group: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Trends:
    """{"series": [{"name", "points": [...]}]}, oldest point first, over the newest `flt.runs` (100) runs of each
    release that started between `since` and `until` (UTC, both included). A point is a run, or the sum of a day's runs
    (`by="day"`); `duration_s` is test time, summed; `running` says that more is to come, `incomplete` that builds (with
    modules: those that test the module) are missing or were aborted. `group` lane is release and environment. With
    `exclude_flaky`, counts are without what data/verdicts/flaky_exclusion.py takes out.

    Raises ValueError for another `by` or `group`.
    """
    if by not in ("run", "day") or group not in (None, *GROUPS):
        raise ValueError(f"by must be run or day, group one of {', '.join(GROUPS)}")
    where, part_of_run = of_lane(flt, "r"), of_part(flt, "c")
    if since is not None:
        where.add("r.started_at >= $since", since=since)
    if until is not None:
        where.add("r.started_at <= $until", until=until)
    parameters = where.parameters | part_of_run.parameters
    name = {
        None: "'all'",
        "module": "c.module",
        "topology": "c.topology",
        "lane": "concat_ws(' ', n.release, n.environment)",
    }.get(group, f"n.{group}")
    if by == "run":
        point = "n.run, n.job, n.number, n.release, n.version, n.environment, n.started_at, n.rank"
    else:
        point = "date_trunc('day', n.started_at) AS day"
    newest = f"""FROM {store.derived_table("run_summaries")} r WHERE {where}
        QUALIFY row_number() OVER (PARTITION BY r.release ORDER BY r.rank DESC) <= $runs"""
    parameters["runs"] = flt.runs or DEFAULT_RUNS
    incomplete = "n.incomplete"
    if group == "module" or flt.module is not None:
        lacking = _lacking_modules(store, newest, parameters)
        incomplete = """(n.run, coalesce(c.module, $missing_module)) IN (
            SELECT (unnest($lacks_run::BIGINT[]), unnest($lacks_module::VARCHAR[])))"""
        parameters |= {
            "missing_module": flt.module or "",
            "lacks_run": [run for run, _ in lacking],
            "lacks_module": [module for _, module in lacking],
        }
    rows = store.rows(
        f"""WITH newest AS ({newest}),
        c AS (
            SELECT rb.run, c.module, c.topology, {", ".join(f"c.{name}" for name in COUNTS)}, c.duration_s
            FROM run_builds rb JOIN build_counts c ON c.build = rb.build AND {part_of_run}
            WHERE rb.run IN (SELECT run FROM newest)
            {_noise(store, flt, newest, parameters)})
        SELECT {name} AS name, {point}, {sums("c")}, sum(c.duration_s) AS duration_s, count(DISTINCT n.run) AS runs,
            bool_or(n.running) AS running, bool_or({incomplete}) AS incomplete
        FROM newest n LEFT JOIN c USING (run)
        GROUP BY ALL ORDER BY name, {"n.rank" if by == "run" else "day"}""",
        parameters,
        _PointRow,
    )
    # The order within the answer, which other releases do not change.
    positions = {rank: position for position, rank in enumerate(sorted({row["rank"] for row in rows if "rank" in row}))}
    series: dict[str, list[Point]] = {}
    for row in rows:
        part = flt.module or flt.topology
        if row["name"] is None or (part and not row["total"] and not row["incomplete"]):
            continue  # a run in which the part did not run is a gap, not a zero
        series.setdefault(row["name"], []).append(_point(row, positions, store))
    return {"series": [{"name": key, "points": points} for key, points in series.items()]}


def _lacking_modules(store: Store, newest: str, parameters: SqlParameters) -> list[tuple[int, str]]:
    """(run, module) of the modules that the incomplete ones of the `newest` runs lack."""
    used = {name: value for name, value in parameters.items() if f"${name}" in newest}
    runs = store.cursor().execute(f"SELECT run FROM ({newest}) WHERE incomplete", used).fetchall()
    found = gaps(store, tuple(ids.text(run) for (run,) in runs)) if runs else {}
    return [(ids.number(run), module) for run, gaps_of_run in found.items() for module in lacking_modules(gaps_of_run)]


def _noise(store: Store, flt: Filter, newest: str, parameters: SqlParameters) -> str:
    """SQL: counts below zero, which take out of a sum what the filter excludes; and their parameters."""
    if not flt.exclude_flaky:
        return ""
    used = {name: value for name, value in parameters.items() if f"${name}" in newest}
    runs = store.cursor().execute(f"SELECT run FROM ({newest})", used).fetchall()
    found = excluded_counts(store, flt, tuple(ids.text(run) for (run,) in runs))
    noise = [row for rows in found.values() for row in rows]
    parameters["noise_run"] = [row["run"] for row in noise]
    parameters["noise_module"] = [row["module"] for row in noise]
    parameters["noise_topology"] = [row["topology"] for row in noise]
    for name in COUNTS:
        parameters[f"noise_{name}"] = [row[name] for row in noise]
    counts = ", ".join(f"-unnest($noise_{name}::INTEGER[])" for name in COUNTS)
    return f"""UNION ALL SELECT unnest($noise_run::BIGINT[]), unnest($noise_module::VARCHAR[]),
        unnest($noise_topology::VARCHAR[]), {counts}, 0"""


def _point(row: _PointRow, positions: Mapping[int, int], store: Store) -> Point:
    """`positions`: rank of a run -> its position in the answer."""
    counts: _PointCounts = {
        "total": row["total"],
        "passed": row["passed"],
        "failed": row["failed"],
        "errors": row["errors"],
        "skipped": row["skipped"],
        "duration_s": row["duration_s"],
        "runs": row["runs"],
        "running": row["running"],
        "incomplete": row["incomplete"],
        "pass_rate": pass_rate(row, store.settings.measures),
    }
    if "day" in row:
        return {"day": row["day"].date().isoformat(), **counts}
    return {
        "run": ids.text(row["run"]),
        "job": row["job"],
        "number": row["number"],
        "release": row["release"],
        "version": row["version"],
        "environment": row["environment"],
        "started_at": iso(row["started_at"]),
        "rank": positions[row["rank"]],
        **counts,
    }
