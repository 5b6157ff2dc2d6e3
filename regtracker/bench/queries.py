"""Times the screens' queries, each next to the barest SQL with the same answer on a plain DuckDB file."""

from __future__ import annotations

import inspect
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from data.answers.runs import Module
from data.cache.query_cache import QueryCache
from data.lake.connection import LAKE
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.sql_values import SqlParameters
from data.queries import builds, compare, failures, grid, releases, results, runs, tests, trends
from data.verdicts import verdicts
from regtracker.bench.bare_queries import BARE_QUERIES

ANSWERS_MB = 64
ROUNDS = 7  # of each query, after a first one

_COPIED = (
    "results",
    "failures",
    "runs",
    "run_builds",
    "builds",
    "build_counts",
    "tests",
    "test_metadata",
    "signatures",
)


@dataclass(frozen=True)
class QueryTiming:
    """One query; times in milliseconds. `path` is the API's route with the same answer."""

    question: str
    path: str
    bare_ms: float
    p50_ms: float
    p95_ms: float


def measure(store: Store) -> list[QueryTiming]:
    """Time every query ROUNDS times, uncached, for the newest run of the first release.

    Raises ValueError if the store is empty.
    """
    store.state()
    release = store.value("SELECT min(release) FROM releases")
    if release is None:
        raise ValueError("the store is empty")
    parameters, calls = plan(store, release)
    timings = []
    with tempfile.TemporaryDirectory() as folder, native_copy(store, Path(folder)) as bare:
        for name, (path, query, *arguments) in calls.items():
            floor = _times(partial(fetch, bare, name, parameters))
            times = _times(partial(_uncached(query), store, *arguments))
            timings.append(
                QueryTiming(name, path, statistics.median(floor), statistics.median(times), percentile(times, 0.95))
            )
    return timings


def plan(store: Store, release: str) -> tuple[SqlParameters, dict[str, tuple[Any, ...]]]:
    """The parameters of the bare queries, and the queries: name -> (API path, function, arguments)."""
    flt = Filter(release=release)
    newest = runs.runs(store, flt, 10)
    run, before = newest[0]["id"], newest[1]["id"]
    module = runs.modules(store, run)[0]["module"]
    build = builds.builds(store, flt, 1, run=run)[0]["id"]
    test = results.build_results(store, build, limit=1)[0]["test"]
    span = "SELECT min(started_at), max(started_at) FROM builds JOIN run_builds USING (build) WHERE run = ?"
    [(first, last)] = store.cursor().execute(span, [ids.number(run)]).fetchall()
    [(base_first, _)] = store.cursor().execute(span, [ids.number(before)]).fetchall()
    # A verdict looks at eleven runs of each environment: the window and the run before it.
    reach = """SELECT min(started_at) FROM (SELECT started_at FROM runs WHERE release = ?
        QUALIFY row_number() OVER (PARTITION BY environment ORDER BY started_at DESC) <= 11)"""
    [(window_first,)] = store.cursor().execute(reach, [release]).fetchall()
    parameters: SqlParameters = {
        "release": release,
        "run": ids.number(run),
        "module": module,
        "build": ids.number(build),
    }
    parameters |= {"test": ids.number(test), "first": first, "last": last, "judged": window_first}
    parameters |= {"base": ids.number(before), "base_first": base_first}
    one = Filter(release=release, module=module)
    return parameters, {
        "overview": ("/releases", releases.tiles),
        "module list": (f"/releases/{release}/modules", _newest_modules, flt),
        "run view, all modules": (f"/runs/{run}/modules", runs.modules, run),
        "priorities with deltas": (f"/runs/{run}/priorities", runs.priorities, run),
        "failed tests of a run": (f"/runs/{run}/results?status=failed", results.run_results, run, flt, "failed"),
        "verdicts of a module": (f"/verdicts?release={release}&module={module}", verdicts.verdicts, one),
        "verdicts of a release": (f"/verdicts?release={release}", verdicts.verdicts, flt),
        "grid, 5 runs x 100 tests": (
            f"/grid?release={release}&runs=5&limit=100",
            grid.grid,
            Filter(release=release, runs=5),
            100,
        ),
        "grid, 50 runs x 1,000 tests": (
            f"/grid?release={release}&runs=50&limit=1000",
            grid.grid,
            Filter(release=release, runs=50),
            1000,
        ),
        "trend, 100 runs": (f"/trends?release={release}", trends.trend, flt),
        "build's results, a page": (f"/builds/{build}/results", results.build_results, build),
        "build's results, grouped": (f"/builds/{build}/facets", builds.facets, build),
        "search by name": ("/tests?q=case_7", tests.find, "case_7"),
        "one test's history": (f"/tests/{test}/history?release={release}", tests.history, test, flt),
        "failure patterns": (f"/failures?release={release}", failures.failures, flt),
        "compare two runs": (f"/compare?base={before}&candidate={run}", compare.compare, before, run),
    }


def _newest_modules(store: Store, flt: Filter) -> list[Module]:
    newest = releases.run_of_release(store, flt)
    return runs.modules(store, newest, flt) if newest else []


def fetch(bare: duckdb.DuckDBPyConnection, question: str, parameters: SqlParameters) -> list[Any]:
    """The rows of a question's bare query."""
    sql = BARE_QUERIES[question]
    return bare.execute(sql, {name: value for name, value in parameters.items() if f"${name}" in sql}).fetchall()


def native_copy(store: Store, folder: Path) -> duckdb.DuckDBPyConnection:
    """The same rows in a plain DuckDB file, with as many threads as the store has."""
    cursor = store.cursor()
    cursor.execute(f"ATTACH '{folder / 'bare.duckdb'}' AS bare")
    for table in _COPIED:
        cursor.execute(f"CREATE TABLE bare.{table} AS FROM {LAKE}.{table}")
    cursor.execute("DETACH bare")
    return duckdb.connect(str(folder / "bare.duckdb"), config={"threads": store.settings.store.threads})


def _uncached(query: Callable[..., Any]) -> Callable[..., Any]:
    """The query without the cache of @cached_query; one that is not cached as a whole, without its cached parts."""
    if hasattr(query, "__wrapped__"):
        return inspect.unwrap(query)

    def cold(store: Store, *arguments: Any) -> Any:
        store.answers = QueryCache(ANSWERS_MB)
        return query(store, *arguments)

    return cold


def _times(action: Callable[[], Any]) -> list[float]:
    action()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1000)
    return times


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
