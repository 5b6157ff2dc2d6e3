"""Five questions, each answered twice: by the JSON API, and by plain DuckDB on the lake. Exit code 1 where they differ.

    python docs/examples/five_questions.py http://127.0.0.1:8050 var/catalog.sqlite var/lake

Needs requests and duckdb. Both sides are asked about one snapshot, so that nothing moves between them: the API by
`as_of`, DuckDB by SNAPSHOT_VERSION.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from itertools import zip_longest
from pathlib import Path
from typing import Any

import duckdb
import requests

Rows = list[tuple[Any, ...]]


class Api:
    """`items` follows the pages of a list to its end."""

    def __init__(self, url: str) -> None:
        self._url, self._session = url.rstrip("/") + "/api/v1", requests.Session()
        self.snapshot = self.get("/snapshot")["snapshot"]

    def get(self, path: str, **query: Any) -> Any:
        if path != "/snapshot":
            query["as_of"] = self.snapshot
        answer = self._session.get(self._url + path, params=query, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def items(self, path: str, **query: Any) -> list[dict[str, Any]]:
        page = self.get(path, limit=1000, **query)
        found = page["items"]
        while page["next"]:
            page = self.get(path, limit=1000, cursor=page["next"], **query)
            found += page["items"]
        return found


def attached(catalog: str, data: str, snapshot: int) -> duckdb.DuckDBPyConnection:
    """DuckDB with the lake attached read-only, as it was at a snapshot."""
    lake = duckdb.connect()
    for name in ("ducklake", "sqlite_scanner"):
        try:  # the extension's wheel (pip install duckdb-extension-ducklake), or else from DuckDB's own repository
            package = importlib.import_module(f"duckdb_extension_{name}")
            (file,) = Path(package.__path__[0]).glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension")
            lake.execute(f"LOAD '{file}'")
        except (ImportError, ValueError):
            lake.execute(f"INSTALL {name}")
            lake.execute(f"LOAD {name}")
    lake.execute(
        f"ATTACH 'ducklake:sqlite:{catalog}' AS lake "
        f"(DATA_PATH '{data.rstrip('/')}/', OVERRIDE_DATA_PATH true, SNAPSHOT_VERSION {snapshot})"
    )
    lake.execute("USE lake")
    return lake


def health(api: Api, lake: duckdb.DuckDBPyConnection) -> tuple[Rows, Rows]:
    """What did each release's newest run in the environment that tests most bring, and how much of it passed?"""
    tiles = [tile for tile in api.items("/releases") if tile["latest_run"]]
    by_api = [
        (tile["release"], tile["latest_run"]["number"], tile["total"], tile["failed"], round(tile["pass_rate"] or 0, 6))
        for tile in tiles
    ]
    # A run has ended when none of its builds runs and ingest has read them all. The environment that tests most is that
    # of the largest run among the newest 40 of the release.
    by_sql = lake.execute(
        """WITH waiting AS (
            SELECT DISTINCT source, job, number, true AS waits FROM ledger
            WHERE kind = 'build' AND (state IN ('new', 'running') OR (state = 'retry' AND attempts = 0))),
        newest AS (
            SELECT r.run, r.release, r.environment, r.number, r.started_at, coalesce(sum(b.total), 0)::BIGINT AS total,
                coalesce(sum(b.failed), 0)::BIGINT AS failed, coalesce(sum(b.passed), 0)::BIGINT AS passed,
                coalesce(bool_or(r.state = 'running' OR coalesce(b.state = 'running', w.waits)), false) AS running
            FROM runs r LEFT JOIN run_builds l USING (run) LEFT JOIN builds b USING (build)
                LEFT JOIN waiting w ON (l.source, l.job, l.number) = (w.source, w.job, w.number)
            GROUP BY r.run, r.release, r.environment, r.number, r.started_at
            QUALIFY row_number() OVER (PARTITION BY r.release ORDER BY r.started_at DESC, r.run DESC) <= 40),
        ended AS (
            SELECT *, first(environment) OVER (
                PARTITION BY release ORDER BY total DESC, started_at DESC, run DESC) AS main
            FROM newest WHERE NOT running)
        SELECT release, number, total, failed, round(coalesce(passed / nullif(total, 0), 0), 6)
        FROM ended WHERE environment IS NOT DISTINCT FROM main
        QUALIFY row_number() OVER (PARTITION BY release ORDER BY started_at DESC, run DESC) = 1"""
    )
    return sorted(by_api), sorted(by_sql.fetchall())


def failed(api: Api, lake: duckdb.DuckDBPyConnection) -> tuple[Rows, Rows]:
    """Which tests failed in the newest run, on which topology, and where did they run?"""
    run = newest(api)
    rows = api.items(f"/runs/{run}/results", status="failed", fields="key,topology,host")
    by_sql = lake.execute(
        """SELECT file || '::' || class || '::' || name, r.topology, r.host
        FROM run_builds JOIN results r USING (build) JOIN tests USING (test)
        WHERE run = ? AND r.is_final AND r.status = 'failed'""",
        [int(run, 16)],  # ids are 16 hexadecimal digits outside, and 63-bit integers in the lake
    )
    return ordered([(row["key"], row["topology"], row["host"]) for row in rows]), ordered(by_sql.fetchall())


def modules(api: Api, lake: duckdb.DuckDBPyConnection) -> tuple[Rows, Rows]:
    """Which modules lost or gained passed tests against the run before?"""
    run = api.get(f"/runs/{newest(api)}")
    rows = api.items(f"/runs/{run['id']}/modules", base=run["previous"], fields="module,passed,delta")
    by_api = [(row["module"], row["passed"], row["delta"]["passed"]) for row in rows if row["delta"]]
    by_sql = lake.execute(
        """WITH counted AS (
            SELECT run, c.module, sum(c.passed)::BIGINT AS passed FROM run_builds JOIN build_counts c USING (build)
            GROUP BY ALL)
        SELECT now.module, now.passed, now.passed - before.passed
        FROM counted now JOIN counted before USING (module) WHERE now.run = ? AND before.run = ?""",
        [int(run["id"], 16), int(run["previous"] or "0", 16)],
    )
    return ordered(by_api), ordered(by_sql.fetchall())


def trend(api: Api, lake: duckdb.DuckDBPyConnection) -> tuple[Rows, Rows]:
    """How did the pass rate of each release move over its newest 20 runs?"""
    series = api.get("/trends", group="release", runs=20)["series"]
    by_api = [
        (line["name"], point["number"], point["environment"], point["passed"], point["total"])
        for line in series
        for point in line["points"]
    ]
    by_sql = lake.execute(
        """WITH newest AS (
            SELECT run, release, number, environment FROM runs
            QUALIFY row_number() OVER (PARTITION BY release ORDER BY started_at DESC, run DESC) <= 20)
        SELECT n.release, n.number, n.environment, coalesce(sum(c.passed), 0)::BIGINT, coalesce(sum(c.total), 0)::BIGINT
        FROM newest n LEFT JOIN run_builds USING (run) LEFT JOIN build_counts c USING (build)
        GROUP BY n.run, n.release, n.number, n.environment"""
    )
    return ordered(by_api), ordered(by_sql.fetchall())


def history(api: Api, lake: duckdb.DuckDBPyConnection) -> tuple[Rows, Rows]:
    """What became of the test that fails longest, build by build?"""
    worst = next(iter(api.get("/verdicts", limit=1)["items"]), None)
    if worst is None:
        return [], []
    rows = api.items(f"/tests/{worst['test']}/history", release=worst["release"], fields="number,topology,status")
    by_sql = lake.execute(
        """SELECT b.number, r.topology, r.status FROM results r JOIN builds b USING (build)
        WHERE r.test = ? AND r.release = ? AND r.is_final""",
        [int(worst["test"], 16), worst["release"]],
    )
    return ordered([(row["number"], row["topology"], row["status"]) for row in rows]), ordered(by_sql.fetchall())


def newest(api: Api) -> str:
    """The id of the newest run that has ended."""
    return next(run["id"] for run in api.items("/runs") if run["state"] != "running")


def ordered(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: tuple(str(value) for value in row))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url", help="where the dashboard is, such as http://127.0.0.1:8050")
    parser.add_argument("catalog", help="the lake's catalogue: a SQLite file")
    parser.add_argument("data", help="the lake's data: a folder")
    parser.add_argument("--show", type=int, default=5, help="rows of each answer that are printed")
    given = parser.parse_args()
    api = Api(given.url)
    lake = attached(given.catalog, given.data, api.snapshot)
    if not api.get("/runs", limit=1)["items"]:
        print("The store holds no run yet: there is nothing to ask about.")
        return 2
    different = 0
    for question in (health, failed, modules, trend, history):
        by_api, by_sql = question(api, lake)
        same = by_api == by_sql
        different += not same
        print(f"{question.__doc__}\n  {'the same' if same else 'DIFFERENT'}: {len(by_api)} rows, {len(by_sql)} rows")
        if not same:  # what both have says nothing
            by_api, by_sql = [row for row in by_api if row not in by_sql], [row for row in by_sql if row not in by_api]
        for left, right in list(zip_longest(by_api, by_sql))[: given.show]:
            print(f"    {beside(left):60} | {beside(right)}")
        print()
    print(f"snapshot {api.snapshot}: " + (f"{different} of 5 answers differ" if different else "all five agree"))
    return 1 if different else 0


def beside(row: tuple[Any, ...] | None) -> str:
    return "" if row is None else " ".join(str(value) for value in row)


if __name__ == "__main__":
    sys.exit(main())
