"""The barest SQL for each question of the benchmark, on a plain DuckDB file: the floor on this machine.

Each returns the rows of the product's answer from native tables, without the lake, the words of verdicts, or Python. A
test compares both. The queries are frozen: they change only if the question does, so that figures remain comparable.
"""

from __future__ import annotations

# The synthetic stores hold only finished runs, ordered by their start, and no result of a rerun.
_NEWEST = """SELECT run, release, environment, started_at,
        row_number() OVER (ORDER BY started_at DESC, number DESC) AS age,
        row_number() OVER (PARTITION BY environment ORDER BY started_at DESC, number DESC) AS lane_age
    FROM runs WHERE release = $release"""
_OF_RUN = "build IN (SELECT build FROM run_builds WHERE run = $run) AND r.started_at BETWEEN $first AND $last"
_OF_BUILD = "build = $build AND r.started_at BETWEEN $first AND $last"
_LETTER = "CASE status WHEN 'passed' THEN 'P' WHEN 'failed' THEN 'F' ELSE 'S' END"
_SUMS = "sum(total), sum(passed), sum(failed), sum(skipped)"
_COUNTS = """count(*), count(*) FILTER (status = 'passed'), count(*) FILTER (status = 'failed'),
        count(*) FILTER (status = 'skipped')"""
_WITH_MESSAGE = "LEFT JOIN failures f USING (build, test, topology, attempt)"


def _verdicts(condition: str) -> str:
    """The rules of docs/verdicts.md, as patterns over the letters of a test's newest eleven runs in an environment."""
    return f"""WITH newest AS ({_NEWEST}), cells AS (
        SELECT test, n.environment, {_LETTER} AS letter, age, row_number() OVER (
            PARTITION BY test, n.environment ORDER BY age) AS position
        FROM results r JOIN run_builds USING (build) JOIN newest n USING (run)
        WHERE r.release = $release AND r.started_at >= $judged AND status <> 'skipped' {condition}),
    strips AS (SELECT test, environment, string_agg(letter, '' ORDER BY age DESC) AS strip
        FROM cells WHERE position <= 11 GROUP BY ALL HAVING bool_or(letter = 'F')),
    kinds AS (SELECT test, environment, regexp_matches(strip, 'PFF?P') AS flaky,
            regexp_matches(strip, 'FP$') AS fixed, regexp_matches(strip, 'PF$') AS new_failure,
            regexp_matches(strip, 'PFFF+$') OR (NOT flaky AND regexp_matches(strip, 'PFF$')) AS regression,
            regexp_matches(right(strip, 10), '^FF+$') AS always_failing FROM strips)
    FROM kinds WHERE flaky OR fixed OR new_failure OR regression OR always_failing"""


def _grid(runs: int, tests: int) -> str:
    """A letter for each of the newest runs, newest first, of the tests that failed most."""
    return f"""WITH newest AS ({_NEWEST} QUALIFY age <= {runs}), cells AS (
        SELECT test, age, {_LETTER} AS letter FROM results r JOIN run_builds USING (build) JOIN newest n USING (run)
        WHERE r.release = $release AND r.started_at >= (SELECT min(started_at) FROM newest)),
    strips AS (SELECT test, string_agg(letter, '' ORDER BY age) AS cells FROM cells GROUP BY test)
    SELECT test, cells FROM strips JOIN tests USING (test)
    ORDER BY length(cells) - length(replace(cells, 'F', '')) DESC, module, file, class, name LIMIT {tests}"""


# By question; the parameters are those of `queries.plan`.
BARE_QUERIES = {
    "overview": f"""WITH newest AS (SELECT run, release, number FROM runs WHERE environment = 'prod'
            QUALIFY row_number() OVER (PARTITION BY release ORDER BY started_at DESC, number DESC) <= 20)
        SELECT run, n.release, n.number, {_SUMS}
        FROM newest n JOIN run_builds USING (run) JOIN builds USING (build) GROUP BY ALL""",
    "module list": f"""SELECT module, {_SUMS} FROM build_counts WHERE build IN (
            SELECT build FROM run_builds WHERE run = (SELECT run FROM ({_NEWEST}) WHERE age = 1))
        GROUP BY module""",
    "run view, all modules": f"""SELECT module, {_SUMS} FROM build_counts
        WHERE build IN (SELECT build FROM run_builds WHERE run = $run) GROUP BY module""",
    "priorities with deltas": f"""SELECT priority, {_COUNTS} FROM results r JOIN tests USING (test)
        JOIN test_metadata USING (file, class, base_name) WHERE {_OF_RUN} GROUP BY priority""",
    "failed tests of a run": f"""SELECT test, topology, host, duration_s, r.signature, message, file, class, name
        FROM results r JOIN tests t USING (test) {_WITH_MESSAGE} WHERE status = 'failed' AND {_OF_RUN}
        ORDER BY r.module, file, class, name LIMIT 200""",
    "verdicts of a module": _verdicts("AND r.module = $module"),
    "verdicts of a release": _verdicts(""),
    "grid, 5 runs x 100 tests": _grid(5, 100),
    "grid, 50 runs x 1,000 tests": _grid(50, 1_000),
    "trend, 100 runs": f"""SELECT run, {_SUMS} FROM ({_NEWEST} QUALIFY age <= 100) JOIN run_builds USING (run)
        JOIN build_counts USING (build) GROUP BY run""",
    "build's results, a page": f"""SELECT test, status, topology, host, duration_s, file, class, name
        FROM results r JOIN tests USING (test) WHERE {_OF_BUILD}
        ORDER BY status, topology, position LIMIT 200""",
    "build's results, grouped": " UNION ALL ".join(
        f"SELECT '{column}', {column}, {_COUNTS} FROM results r WHERE {_OF_BUILD} GROUP BY ALL"
        for column in ("status", "topology", "host")
    ),
    "search by name": """SELECT test, file, class, name, module, priority FROM tests
        LEFT JOIN test_metadata USING (file, class, base_name)
        WHERE contains(lower(file || '::' || class || '::' || name), 'case_7')
        ORDER BY length(name), name, file, class, test LIMIT 50""",
    "one test's history": f"""SELECT build, number, status, topology, host, r.duration_s, message
        FROM results r JOIN builds b USING (build) {_WITH_MESSAGE}
        WHERE test = $test AND r.release = $release ORDER BY r.started_at DESC LIMIT 100""",
    "failure patterns": f"""WITH newest AS ({_NEWEST} QUALIFY lane_age <= 10)
        SELECT signature, count(*), count(DISTINCT test), list(DISTINCT r.module), list(DISTINCT host),
            histogram(build), min(r.started_at), max(r.started_at), any_value(pattern)
        FROM results r JOIN run_builds USING (build) JOIN newest n USING (run) JOIN signatures USING (signature)
        WHERE r.release = $release AND r.started_at >= (SELECT min(started_at) FROM newest) GROUP BY signature""",
    "compare two runs": """WITH sides AS (
            SELECT test, run = $run AS is_candidate, status FROM results JOIN run_builds USING (build)
            WHERE run IN ($run, $base) AND started_at BETWEEN $base_first AND $last),
        pairs AS (SELECT test, any_value(status) FILTER (NOT is_candidate) AS before,
            any_value(status) FILTER (is_candidate) AS after FROM sides GROUP BY test)
        FROM pairs WHERE before = 'failed' OR after = 'failed'""",
}
