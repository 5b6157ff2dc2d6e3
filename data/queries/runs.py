"""Regression runs: lists of runs, one run, and its modules and priorities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, TypedDict

import numpy as np

from data.answers.base import AllCounts, RunState
from data.answers.runs import Module, Priority, Run, RunDetail
from data.cache.result_arrays import ERROR, FAILED, FINAL, PASSED
from data.lake.cached_query import cached_query, of_release, of_runs
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import Where, of_lane, of_part
from data.model.filters import EVERYTHING, Filter, TestScope
from data.model.measures import (
    ABORTED_RESULTS,
    COUNTS,
    RunProgress,
    deltas,
    iso,
    pass_rate,
    results_state,
    run_state,
    sums,
)
from data.model.run_summary import with_ages
from data.model.sql_values import SqlParameters
from data.queries.missing_results import LACKING, LackingBuild, expected_total, gaps, lacking_modules
from data.verdicts.flaky_exclusion import excluded_counts, excluded_tests, subtract_counts
from data.verdicts.lanes import listed_builds
from data.verdicts.priorities import UNKNOWN, release_priorities, rows_in_filter

LIKE = 3  # how much longer one of several like runs may take than another
WITH_RESULTS = ("ok", "failing", "incomplete")  # states of a finished run
_PRIORITIES = ("P0", "P1", "P2", "P3")


class _RunRow(RunProgress):
    """A row of `run_summaries`; `previous` and `next` are the runs before and after, of the same lane."""

    run: int
    release: str
    version: str | None
    environment: str | None
    number: int
    source: str
    job: str
    started_at: datetime
    duration_s: float | None
    result: str | None
    builds: int
    builds_final: int
    missing: int
    aborted: int
    partial: int
    first_partial: str | None
    passed: int
    errors: int
    skipped: int
    display_name: str | None
    url: str | None
    previous: int | None
    next: int | None


class _ModuleCounts(AllCounts):
    module: str
    duration_s: float | None


class _PriorityCounts(AllCounts):
    priority: str


class _ListedBuild(TypedDict):
    """A build that the run lists; `build` is None until it is read."""

    module: str
    job: str
    number: int
    build: int | None
    state: Literal["running", "final"] | None
    total: int | None
    result: str | None


@cached_query(of_release)
def runs(store: Store, flt: Filter, limit: int = 50, before: str | None = None) -> list[Run]:
    """The runs of a filter, newest first: at most `limit`, those after the run `before` (id) where given.

    With a module or topology in the filter, the counts are of that part of each run; with `exclude_flaky`, without what
    data/verdicts/flaky_exclusion.py takes out (`left_out` results of each).
    """
    where = of_lane(flt, "r")
    if before is not None:
        older = f"r.rank < (SELECT rank FROM {_summaries(store)} WHERE run = $before)"
        where.add(older, before=ids.number(before))
    return _without_flaky(store, flt, [_run(row, store) for row in _runs_with_counts(store, where, limit, flt)])


@cached_query(of_release)
def newest_of_jobs(store: Store, flt: Filter, limit: int) -> list[Run]:
    """The newest `limit` runs of each job that makes runs, in each release and environment of a filter; newest first.
    In a folder of single jobs the newest run is of one job alone. Jobs that are gone (data/verdicts/lanes.py) are left
    out."""
    where = of_lane(flt, "r")
    newest = f"job_age < {int(limit)} AND NOT job_is_gone"
    if flt.version is not None:  # the newest and the jobs of that version
        of_version = f"SELECT r.* EXCLUDE (age, job_age, job_is_gone) FROM {_summaries(store)} r WHERE {where}"
        newest = f"r.run IN (SELECT run FROM ({with_ages(of_version)}) WHERE {newest})"
    rows = _runs_with_counts(store, where.add(newest), 1_000_000, flt)
    return [_run(row, store) for row in rows]


@cached_query(of_runs("run_id"))
def run(store: Store, run_id: str, flt: Filter = EVERYTHING) -> RunDetail | None:
    """One run with its neighbours: the keys of `runs`, `previous` and `next` (ids, of the same environment) and
    `progress` (share of its builds that are final, seconds to the expected end) while it runs. None if unknown."""
    found = _runs_with_counts(store, Where("r.run = $run", run=ids.number(run_id)), 1, flt)
    if not found:
        return None
    (answer,) = _without_flaky(store, flt, [_run(found[0], store)])
    previous, following = found[0]["previous"], found[0]["next"]
    return {
        **answer,
        "previous": None if previous is None else ids.text(previous),
        "next": None if following is None else ids.text(following),
        "expected_s": expected(store, run_id),
    }


@cached_query(of_runs("run_id"))
def baseline(store: Store, run_id: str, flt: Filter = EVERYTHING) -> str | None:
    """The id of the run that a run is compared with: the newest earlier complete run of its release, environment and
    job; for the first run of a job, of any job. As in the gate."""
    earlier: int | None = store.value(
        f"""SELECT CASE WHEN bool_or(of_job) THEN arg_max(run, rank) FILTER (of_job AND complete)
                   ELSE arg_max(run, rank) FILTER (complete) END
        FROM (SELECT r.run, r.rank, (r.source, r.job) = (this.source, this.job) AS of_job,
                  NOT r.running AND NOT r.incomplete AND r.total > 0 AS complete
              FROM {_summaries(store)} this JOIN {_summaries(store)} r ON r.release = this.release
                  AND r.environment IS NOT DISTINCT FROM this.environment AND r.rank < this.rank
              WHERE this.run = ?)""",
        [ids.number(run_id)],
    )
    return None if earlier is None else ids.text(earlier)


def newest_complete(newest_first: Iterable[Run]) -> Run | None:
    """The newest finished run with all its results."""
    return next((run for run in newest_first if run["state"] in WITH_RESULTS and not run["incomplete"]), None)


@cached_query(of_runs("run_id"))
def expected(store: Store, run_id: str, flt: Filter = EVERYTHING) -> float | None:
    """How long a run is likely to take, in seconds: the median of the newest three finished runs of its job, release
    and environment; a job gets faster or slower, so older runs say little. None where one of them took more than LIKE
    times as long as another: they say nothing."""
    return store.value(
        f"""SELECT CASE WHEN max(duration_s) <= {LIKE} * min(duration_s) THEN median(duration_s) END FROM (
            SELECT r.duration_s FROM {_summaries(store)} r
            JOIN runs this ON this.run = $run AND r.source = this.source AND r.job = this.job
                AND r.release = this.release AND r.environment IS NOT DISTINCT FROM this.environment
            WHERE r.state = 'final' AND r.duration_s > 0 AND coalesce(r.result, '') NOT IN {ABORTED_RESULTS}
            ORDER BY r.rank DESC LIMIT 3)""",
        {"run": ids.number(run_id)},
    )


@cached_query(of_runs("run_id", "base"))
def modules(store: Store, run_id: str, flt: Filter = EVERYTHING, base: str | None = None) -> list[Module]:
    """One row per owning module of a run: counts, pass rate, `delta` against the base run (default: `baseline`),
    `builds` that executed it, and whether it is `incomplete`: a build that usually tests it is missing, partial or was
    aborted. `expected_total` is about how many results it would have otherwise."""
    base = base or baseline(store, run_id, flt)
    counts = _module_counts(store, run_id, base, flt)
    rows = counts[run_id]
    earlier = {row["module"]: row for row in counts[base]} if base else {}
    of_run = gaps(store, (run_id,) if base is None else (run_id, base))
    lacks = lacking_modules([gap for gap in of_run.get(run_id, ()) if gap.why in LACKING])
    base_lacks = lacking_modules(of_run.get(base, ())) if base else {}
    by_module = _listed_builds(store, run_id, of_run.get(run_id, ()))
    # A job may test modules of other names only; it has a row of its own while it has no results.
    idle = {name for name, builds in by_module.items() if not any(build["total"] for build in builds)}
    for name in idle - {row["module"] for row in rows}:
        if not flt.module or flt.module == name:
            rows.append(_no_results(name))
    answer: list[Module] = []
    for row in sorted(rows, key=lambda row: row["module"]):
        name = row["module"]
        builds = by_module.get(name, [])
        answer.append(
            {
                **row,
                "incomplete": name in lacks,
                "expected_total": expected_total(row["total"], lacks.get(name)) if flt.topology is None else None,
                "delta": None if name in lacks or name in base_lacks else deltas(row, earlier.get(name)),
                "state": _module_state(row, builds, name in lacks),
                "builds": [
                    {
                        "id": ids.text(build["build"]) if build["build"] is not None else None,
                        "job": build["job"],
                        "number": build["number"],
                        "state": build["state"] or "missing",
                        "result": build["result"],
                    }
                    for build in builds
                ],
            }
        )
    return answer


def _no_results(module: str) -> _ModuleCounts:
    return {
        "module": module,
        "total": 0,
        "passed": 0,
        "failed": 0,
        "errors": 0,
        "skipped": 0,
        "duration_s": None,
        "pass_rate": None,
    }


def _listed_builds(store: Store, run_id: str, gaps_of_run: Sequence[LackingBuild]) -> dict[str, list[_ListedBuild]]:
    """Module -> the builds that the run lists for it: those of its own job, and those that usually test it but lack
    results. A build that usually tests other modules than its job is named after is among theirs only."""
    found = store.rows(
        """SELECT rb.module, rb.job, rb.number, b.build, b.state, b.total, b.result, b.url
        FROM run_builds rb LEFT JOIN builds b USING (build) WHERE rb.run = $run ORDER BY rb.job, rb.number""",
        {"run": ids.number(run_id)},
        _ListedBuild,
    )
    usual = {(gap.job, gap.number): gap.results for gap in gaps_of_run}
    by_module: dict[str, list[_ListedBuild]] = {}
    for build in found:
        modules = set(usual.get((build["job"], build["number"]), ()))
        for module in modules | ({build["module"]} if build["total"] or not modules else set()):
            by_module.setdefault(module, []).append(build)
    return by_module


def _module_state(row: _ModuleCounts, builds: list[_ListedBuild], incomplete: bool) -> RunState | Literal["missing"]:
    if any(build["state"] == "running" for build in builds):
        return "running"
    if not row["total"]:
        return "broken" if builds and all(build["build"] is not None for build in builds) else "missing"
    return results_state(row["total"], row["failed"], incomplete)


@cached_query(of_runs("run_id", "base"))
def priorities(store: Store, run_id: str, flt: Filter = EVERYTHING, base: str | None = None) -> list[Priority]:
    """One row per priority of a run (P0..P3, others, then unknown): counts, pass rate, delta against the base run
    (default: `baseline`)."""
    base = base or baseline(store, run_id, flt)
    earlier = {row["priority"]: row for row in _priority_counts(store, base, flt)} if base else {}
    rows: list[Priority] = [
        {**row, "delta": deltas(row, earlier.get(row["priority"]))} for row in _priority_counts(store, run_id, flt)
    ]
    first = {name: index for index, name in enumerate(_PRIORITIES)}
    return sorted(rows, key=lambda row: (row["priority"] == UNKNOWN, first.get(row["priority"], 9), row["priority"]))


def _priority_counts(store: Store, run_id: str, flt: Filter) -> list[_PriorityCounts]:
    lane: tuple[str, str] | None = (
        store.cursor().execute("SELECT release, environment FROM runs WHERE run = ?", [ids.number(run_id)]).fetchone()
    )
    if lane is None:
        return []
    release, environment = lane
    builds = listed_builds(store, {ids.number(run_id): (0, 0)})
    rows = store.result_arrays.rows(store, builds, store.last_rebuild())
    in_scope = rows_in_filter(store, flt, rows, builds) & (rows.flag & FINAL > 0)
    if flt.exclude_flaky:
        out = excluded_tests(store, release).get(environment, [])
        in_scope &= ~np.isin(rows.tests, out)[rows.test]
    priorities_of = release_priorities(store, release)
    index, flag = priorities_of.codes_of(rows.tests[rows.test[in_scope]]), rows.flag[in_scope]

    def counted(chosen: np.ndarray | slice) -> list[int]:
        return np.bincount(index[chosen], minlength=len(priorities_of.names)).tolist()

    failed, passed = flag & FAILED > 0, flag & PASSED > 0
    counts = (counted(chosen) for chosen in (slice(None), passed, failed, flag & ERROR > 0, ~failed & ~passed))
    rows_by_priority: list[_PriorityCounts] = [
        {
            "priority": name,
            "total": total,
            "passed": passes,
            "failed": failures,
            "errors": errors,
            "skipped": skips,
            "pass_rate": None,
        }
        for name, total, passes, failures, errors, skips in zip(priorities_of.names, *counts, strict=True)
        if total
    ]
    for row in rows_by_priority:
        row["pass_rate"] = pass_rate(row, store.settings.measures)
    return rows_by_priority


def _summaries(store: Store) -> str:
    return store.derived_table("run_summaries")


def _runs_with_counts(store: Store, where: Where, limit: int, flt: TestScope) -> list[_RunRow]:
    """The newest runs `r` of a condition, each with the sums over its builds, or over the filter's part of them."""
    newest = f"FROM {_summaries(store)} r WHERE {where} ORDER BY r.rank DESC LIMIT $limit"
    parameters: SqlParameters = where.parameters | {"limit": limit}
    part = of_part(flt, "c")
    if not part.parameters:
        return store.rows(f"SELECT r.* {newest}", parameters, _RunRow)
    return store.rows(
        f"""WITH newest AS (SELECT r.* {newest}),
        part AS (
            SELECT rb.run, {sums("c")} FROM run_builds rb JOIN build_counts c USING (build)
            WHERE rb.run IN (SELECT run FROM newest) AND {part} GROUP BY rb.run)
        SELECT n.* REPLACE ({", ".join(f"coalesce(p.{name}, 0) AS {name}" for name in COUNTS)})
        FROM newest n LEFT JOIN part p USING (run) ORDER BY n.rank DESC""",
        parameters | part.parameters,
        _RunRow,
    )


def _run(row: _RunRow, store: Store) -> Run:
    return {
        "id": ids.text(row["run"]),
        "release": row["release"],
        "version": row["version"],
        "environment": row["environment"],
        "number": row["number"],
        "source": row["source"],
        "job": row["job"],
        "started_at": iso(row["started_at"]),
        "duration_s": row["duration_s"],
        "state": run_state(row),
        "result": row["result"],
        "builds": row["builds"],
        "builds_final": row["builds_final"],
        "builds_running": row["builds_running"],
        "incomplete": row["incomplete"],
        "missing": row["missing"],
        "aborted": row["aborted"],
        "partial": row["partial"],
        "first_partial": row["first_partial"],
        "waiting": row["waiting"],
        "total": row["total"],
        "passed": row["passed"],
        "failed": row["failed"],
        "errors": row["errors"],
        "skipped": row["skipped"],
        "pass_rate": pass_rate(row, store.settings.measures),
        "display_name": row["display_name"],
        "url": row["url"],
    }


def _without_flaky(store: Store, flt: Filter, found: list[Run]) -> list[Run]:
    """Runs with what the filter excludes taken out of their counts; their states stay."""
    if flt.exclude_flaky:
        counts = excluded_counts(store, flt, tuple(row["id"] for row in found))
        for row in found:
            subtract_counts(row, counts.get(row["id"], []), store.settings.measures)
    return found


def _module_counts(store: Store, run_id: str, base: str | None, flt: Filter) -> dict[str, list[_ModuleCounts]]:
    """By run, of the two: the counts of its modules."""
    wanted = [run_id] if base is None else [run_id, base]
    run_list = ", ".join(str(ids.number(name)) for name in wanted)
    part = of_part(flt, "c")
    rows = store.cursor().execute(
        f"""SELECT rb.run, c.module, {", ".join(f"c.{name}" for name in COUNTS)}, c.duration_s
        FROM run_builds rb JOIN build_counts c USING (build) WHERE rb.run IN ({run_list}) AND {part}""",
        part.parameters,
    )
    # Summed here: it is a few rows per build, and setting up an aggregation takes as long as the rest of the query.
    found: dict[tuple[int, str], _ModuleCounts] = {}
    for run_, module, *values, seconds in rows.fetchall():
        row = found.setdefault((run_, module), _no_results(module))
        for count, value in zip(COUNTS, values, strict=True):
            row[count] += value or 0
        if seconds is not None:
            row["duration_s"] = (row["duration_s"] or 0.0) + seconds
    counts: dict[str, list[_ModuleCounts]] = {name: [] for name in wanted}
    for (run_, _), row in found.items():
        row["pass_rate"] = pass_rate(row, store.settings.measures)
        counts[ids.text(run_)].append(row)
    if flt.exclude_flaky:
        for name, run_rows in counts.items():
            noise = excluded_counts(store, flt, (name,)).get(name, [])
            for row in run_rows:
                module_noise = [count for count in noise if count["module"] == row["module"]]
                subtract_counts(row, module_noise, store.settings.measures)
    return counts
