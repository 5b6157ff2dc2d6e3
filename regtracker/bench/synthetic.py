"""Fills a store with SQL alone, for the benchmark: the proportions of real programmes at any size, in seconds.

The tables are exactly those that ingest writes; their content is synthetic and deterministic (hashes).
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from data.lake.store import Store


@dataclass(frozen=True)
class StoreShape:
    """releases x modules x runs x tests (per module and run) = results."""

    releases: int
    modules: int
    runs: int
    tests: int

    @property
    def results(self) -> int:
        return self.releases * self.modules * self.runs * self.tests

    @classmethod
    def of(cls, results: int) -> StoreShape:
        """A shape with about `results` results, in real proportions. Raises ValueError below 1,000."""
        if results < 1_000:
            raise ValueError("a store to measure needs at least 1,000 results")
        if results < 500_000:
            return cls(2, 8, 20, max(results // 320, 3))
        if results < 5_000_000:
            return cls(4, 12, 40, results // 1_920)
        return cls(4, 20, 120, results // 9_600)


def fill(store: Store, shape: StoreShape) -> int:
    """Fill an empty store; return the number of results."""
    for release in range(shape.releases):

        def work(cursor: duckdb.DuckDBPyConnection, release: int = release) -> None:
            parameters = {
                "release": f"{release + 7}.0",
                "modules": shape.modules,
                "runs": shape.runs,
                "tests": shape.tests,
            }
            for statement in _STATEMENTS:
                used = {name: value for name, value in parameters.items() if f"${name}" in statement}
                cursor.execute(statement, used)

        store.transact("bench", f"synthetic release {release + 7}.0", work)
    return shape.results


# A test fails for good from some run on (1 in 300), occasionally (1 in 100), or almost never.
_STATEMENTS = [
    "INSERT INTO releases VALUES ($release, true, TIMESTAMP '2026-01-01')",
    """CREATE OR REPLACE TEMP TABLE made_runs AS
    SELECT i AS number, (md5_number_lower('run' || $release || i) >> 1)::BIGINT AS run,
           TIMESTAMP '2026-11-20 04:00' - to_hours(CAST(12 * ($runs - i) AS INTEGER)) AS started_at
    FROM range($runs) t(i)""",
    """INSERT INTO runs BY NAME
    SELECT run, 'bench' AS source, 'qa/' || $release || '/RUN' AS job, number + 1 AS number, $release AS release,
           $release || '.0.' || (number // 2) AS version, if(number % 5 = 4, 'staging', 'prod') AS environment,
           started_at, 7200.0 AS duration_s, 'final' AS state, 'UNSTABLE' AS result,
           'VER: ' || $release AS display_name, '' AS url FROM made_runs""",
    """CREATE OR REPLACE TEMP TABLE made_builds AS
    SELECT r.run, r.number, m.i AS m, 'module_' || m.i AS module, r.started_at,
           (md5_number_lower('build' || $release || m.i || '-' || r.number) >> 1)::BIGINT AS build
    FROM made_runs r, range($modules) m(i)""",
    """INSERT INTO run_builds BY NAME
    SELECT run, 'bench' AS source, 'qa/' || $release || '/M' || m AS job, number + 1 AS number, module, build
    FROM made_builds""",
    """CREATE OR REPLACE TEMP TABLE made AS
    SELECT $release AS release, b.started_at, b.build, b.module, b.number, t.i AS position,
           'tests/' || b.module || '/area_' || (t.i // 40) || '_test.py' AS file, 'TestArea' || (t.i // 40) AS class,
           'test_case_' || t.i AS name,
           (md5_number_lower(file || '::' || class || '::' || name) >> 1)::BIGINT AS test,
           if(t.i % 2 = 0, '3s', '5s') AS topology, hash($release, b.m, t.i) AS luck,
           hash(b.build, t.i) % 1000 AS dice,
           CASE WHEN t.i % 50 = 7 THEN 'skipped'
                WHEN luck % 300 = 0 AND b.number >= luck // 300 % $runs THEN 'failed'
                WHEN luck % 100 = 1 AND dice < 150 THEN 'failed'
                WHEN dice < 1 THEN 'failed' ELSE 'passed' END AS status
    FROM made_builds b, range($tests) t(i)""",
    """INSERT INTO results BY NAME
    SELECT release, started_at, build, module, test, topology, 1 AS attempt, true AS is_final, status,
           if(status = 'failed', 'failure', NULL) AS kind, round(0.05 + luck % 997 / 50, 2) AS duration_s,
           '10.0.0.' || (luck % 24) AS host, position,
           if(status = 'failed', (md5_number_lower('sig' || luck % 40) >> 1)::BIGINT, NULL) AS signature
    FROM made ORDER BY module, test, started_at""",
    """INSERT INTO failures BY NAME
    SELECT release, started_at, build, module, test, topology, 1 AS attempt,
           (md5_number_lower('sig' || luck % 40) >> 1)::BIGINT AS signature,
           'AssertionError: expected ' || luck % 40 || ' neighbours, found ' || dice AS message,
           'Traceback (most recent call last):' || chr(10) || '  File "' || file || '", line ' || dice AS trace,
           NULL AS output
    FROM made WHERE status = 'failed' ORDER BY module, test, started_at""",
    """INSERT INTO tests BY NAME
    SELECT test, any_value(file) AS file, any_value(class) AS class, any_value(name) AS name,
           any_value(name) AS base_name, any_value(module) AS module, min(started_at) AS first_seen
    FROM made ANTI JOIN tests USING (test) GROUP BY test ORDER BY module, test""",
    """INSERT INTO signatures BY NAME
    SELECT signature, any_value('AssertionError: expected ' || luck % 40 || ' neighbours, found %') AS pattern,
           any_value('AssertionError') AS example, min(started_at) AS first_seen
    FROM (SELECT *, (md5_number_lower('sig' || luck % 40) >> 1)::BIGINT AS signature FROM made
          WHERE status = 'failed') ANTI JOIN signatures USING (signature) GROUP BY signature""",
    """INSERT INTO test_metadata BY NAME
    SELECT DISTINCT file, class, name AS base_name, NULL AS release, 'P' || hash(name) % 4 AS priority, false AS removed
    FROM made ANTI JOIN (SELECT file, class, base_name AS name FROM test_metadata) USING (file, class, name)""",
    """INSERT INTO build_counts BY NAME
    SELECT build, release, started_at, module, topology, count(*) AS total,
           count(*) FILTER (status = 'passed') AS passed, count(*) FILTER (status = 'failed') AS failed, 0 AS errors,
           count(*) FILTER (status = 'skipped') AS skipped, sum(round(0.05 + luck % 997 / 50, 2)) AS duration_s
    FROM made GROUP BY ALL ORDER BY started_at""",
    """INSERT INTO builds BY NAME
    SELECT b.build, 'bench' AS source, 'qa/' || $release || '/M' || b.m AS job, b.number + 1 AS number, b.started_at,
           3600.0 AS duration_s, 'final' AS state, 'UNSTABLE' AS result, $release AS release,
           $release || '.0.' || (b.number // 2) AS version, if(b.number % 5 = 4, 'staging', 'prod') AS environment,
           b.module, '' AS display_name, '' AS url, 'agent-1' AS agent, md5($release || b.number) AS revision,
           '{}' AS parameters, '[]' AS causes, 2 AS artifacts, sum(c.total) AS declared_total,
           sum(c.failed) AS declared_failed, sum(c.skipped) AS declared_skipped, sum(c.total) AS total,
           sum(c.passed) AS passed, sum(c.failed) AS failed, 0 AS errors, sum(c.skipped) AS skipped, '' AS flags,
           b.started_at AS ingested_at
    FROM made_builds b JOIN build_counts c USING (build) GROUP BY ALL""",
    "DROP TABLE made",
]
