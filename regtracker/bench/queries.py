"""Times the screens' queries, each next to the barest SQL with the same answer on a plain DuckDB file.

The bare query reads the same rows from native tables, without the lake, verdicts or Python: the floor on this machine.
"""

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

from data.cache.query_cache import QueryCache
from data.lake.connection import LAKE
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.queries import builds, compare, failures, grid, releases, results, runs, tests, trends
from data.verdicts import verdicts

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
# The bare query for each: parameters as in `_plan`.
_BARE = {
    "overview": """SELECT run, sum(total), sum(passed), sum(failed) FROM runs JOIN run_builds USING (run)
        JOIN builds USING (build) WHERE runs.release = $release GROUP BY run ORDER BY run DESC LIMIT 20""",
    "module list": "SELECT DISTINCT module FROM build_counts WHERE release = $release",
    "run view, all modules": """SELECT module, sum(total), sum(passed), sum(failed) FROM build_counts
        WHERE build IN (SELECT build FROM run_builds WHERE run = $run) GROUP BY module""",
    "priorities with deltas": """SELECT priority, status, count(*) FROM results JOIN tests USING (test)
        JOIN test_metadata USING (file, class, base_name) WHERE started_at BETWEEN $first AND $last
        AND build IN (SELECT build FROM run_builds WHERE run = $run) GROUP BY ALL""",
    "failed tests of a run": """SELECT * FROM results JOIN tests USING (test) WHERE status = 'failed'
        AND started_at BETWEEN $first AND $last
        AND build IN (SELECT build FROM run_builds WHERE run = $run) LIMIT 200""",
    "verdicts of a module": """SELECT test, bit_or(hash(build)) FILTER (status = 'failed'), bit_or(hash(build))
        FROM results WHERE release = $release AND module = $module AND started_at >= $window GROUP BY test""",
    "verdicts of a release": """SELECT test, bit_or(hash(build)) FILTER (status = 'failed'), bit_or(hash(build))
        FROM results WHERE release = $release AND started_at >= $window GROUP BY test""",
    "grid, 5 runs x 100 tests": """SELECT test, bit_or(hash(build)) FILTER (status = 'failed'), bit_or(hash(build))
        FROM results WHERE release = $release AND started_at >= $window GROUP BY test LIMIT 100""",
    "grid, 50 runs x 1,000 tests": """SELECT test, bit_or(hash(build)) FILTER (status = 'failed'), bit_or(hash(build))
        FROM results WHERE release = $release GROUP BY test LIMIT 1000""",
    "trend, 100 runs": """SELECT run, sum(total), sum(passed), sum(failed) FROM run_builds
        JOIN build_counts USING (build) WHERE release = $release GROUP BY run""",
    "build's results, a page": "SELECT * FROM results JOIN tests USING (test) WHERE build = $build LIMIT 200",
    "build's results, grouped": """SELECT topology, host, status, count(*) FROM results
        WHERE build = $build GROUP BY ALL""",
    "search by name": "SELECT * FROM tests WHERE contains(lower(name), 'case_7') LIMIT 50",
    "one test's history": """SELECT * FROM results JOIN builds USING (build) WHERE test = $test
        AND results.release = $release ORDER BY results.started_at DESC LIMIT 100""",
    "failure patterns": """SELECT signature, count(*), count(DISTINCT test) FROM results WHERE release = $release
        AND started_at >= $window AND signature IS NOT NULL GROUP BY signature""",
    "compare two runs": """SELECT test, min(status) FROM results WHERE started_at BETWEEN $first AND $last
        AND build IN (SELECT build FROM run_builds WHERE run = $run) GROUP BY test""",
}


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
    parameters, calls = _plan(store, release)
    timings = []
    with tempfile.TemporaryDirectory() as folder, _native_copy(store, Path(folder)) as bare:
        for name, (path, query, *arguments) in calls.items():
            used = {key: value for key, value in parameters.items() if f"${key}" in _BARE[name]}
            floor = _times(partial(_fetch, bare, _BARE[name], used))
            times = _times(partial(_uncached(query), store, *arguments))
            timings.append(
                QueryTiming(name, path, statistics.median(floor), statistics.median(times), percentile(times, 0.95))
            )
    return timings


def _plan(store: Store, release: str) -> tuple[dict[str, Any], dict[str, tuple[Any, ...]]]:
    """The parameters of the bare queries, and the queries: name -> (API path, function, arguments)."""
    flt = Filter(release=release)
    newest = runs.runs(store, flt, 10)
    run, before = newest[0]["id"], newest[1]["id"]
    module = runs.modules(store, run)[0]["module"]
    build = builds.builds(store, flt, 1, run=run)[0]["id"]
    test = results.build_results(store, build, limit=1)[0]["test"]
    span = "SELECT min(started_at), max(started_at) FROM builds JOIN run_builds USING (build) WHERE run = ?"
    [(first, last)] = store.cursor().execute(span, [ids.number(run)]).fetchall()
    [(window, _)] = store.cursor().execute(span, [ids.number(newest[-1]["id"])]).fetchall()
    parameters = {"release": release, "run": ids.number(run), "module": module, "build": ids.number(build)}
    parameters |= {"test": ids.number(test), "first": first, "last": last, "window": window}
    one = Filter(release=release, module=module)
    return parameters, {
        "overview": ("/releases", releases.tiles, flt),
        "module list": (f"/releases/{release}/modules", releases.choices, flt),
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


def _fetch(bare: duckdb.DuckDBPyConnection, sql: str, parameters: dict[str, Any]) -> list[Any]:
    return bare.execute(sql, parameters).fetchall()


def _native_copy(store: Store, folder: Path) -> duckdb.DuckDBPyConnection:
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
