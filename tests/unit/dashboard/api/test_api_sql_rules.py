"""Which SQL of clients may run: SELECTs over our tables, nothing else, in any disguise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.api.schemas import schema
from data.answers import operations
from data.sql_console.rules import RefusedError, check

ALLOWED = [
    "SELECT status, count(*) FILTER (kind = 'error') AS n FROM results GROUP BY ALL ORDER BY 2 DESC LIMIT 5",
    "FROM tests SELECT name, lower(module) WHERE name LIKE '%a%' OR regexp_matches(name, '^b')",
    "WITH recent AS (FROM runs ORDER BY started_at LIMIT 3) SELECT * FROM recent JOIN run_builds USING (run)",
    "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < 5) SELECT sum(i) FROM t",
    "SELECT test, rank() OVER (PARTITION BY module ORDER BY test) FROM results QUALIFY row_number() OVER () < 3",
    "SELECT [x + 1 FOR x IN [1, 2]], {'a': 1}, DATE '2026-11-01' + INTERVAL 3 DAY, extract(year FROM now())",
    "SELECT count(*) FROM lake.main.builds AT (VERSION => 2)",
    "SELECT * EXCLUDE (output) FROM failures WHERE test IN (SELECT test FROM tests) -- a comment; no statement",
    "VALUES (1, 'a'), (2, NULL)",
    "SELECT random(), uuid(), [1, 2]::INT[2]",
    "PIVOT results ON status IN ('passed', 'failed') USING count(*) GROUP BY module",
    "UNPIVOT (SELECT 1 AS a, 2 AS b) ON a, b",
    "SELECT 'a;b', \"name\" FROM tests /* DROP TABLE tests; */",
]


REFUSED = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    'SELECT * FROM "/etc/passwd"',
    "FROM read_text('/etc/passwd')",
    "FROM read_parquet('{data}/**/*.parquet')",
    "FROM parquet_metadata('{data}/**/*.parquet')",
    "FROM glob('/**')",
    "FROM glob('{data}/**')",
    "FROM sqlite_scan('{home}/catalog.sqlite', 'ducklake_snapshot')",
    "FROM read_blob('{home}/catalog.sqlite')",
    "FROM sqlite_query('lake', 'SELECT 1')",
    "COPY results TO '{home}/stolen.csv'",
    "COPY (SELECT 1) TO '{home}/stolen.csv'",
    "EXPORT DATABASE '{home}/stolen'",
    "ATTACH '{home}/other.db'",
    "DETACH lake",
    "USE memory",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET memory_limit = '99GB'",
    "RESET lock_configuration",
    "PRAGMA database_list",
    "CALL lake.set_option('x', 'y')",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "EXPLAIN SELECT 1",
    "DESCRIBE results",
    "SHOW TABLES",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "INSERT INTO releases VALUES ('x', true, now())",
    "UPDATE runs SET release = 'x'",
    "DELETE FROM runs",
    "CREATE TABLE t (i INT)",
    "CREATE TEMP TABLE t AS SELECT 1",
    "CREATE MACRO m() AS 1",
    "DROP TABLE runs",
    "SELECT 1; SELECT 2",
    "SELECT 1; DROP TABLE runs",
    "",
    " ; ",
    "FROM duckdb_secrets()",
    "FROM duckdb_settings()",
    "FROM duckdb_databases()",
    "FROM duckdb_tables",
    "FROM information_schema.tables",
    "FROM pg_catalog.pg_class",
    "FROM sqlite_master",
    "FROM lake.snapshots()",
    "FROM ducklake_list_files('lake', 'results')",
    "FROM __ducklake_metadata_lake.ducklake_snapshot",
    "FROM __ducklake_metadata_lake.main.ducklake_metadata",
    "FROM raw_files",
    "FROM migrations",
    "FROM memory.main.results",
    "SELECT current_setting('memory_limit')",
    "SELECT getenv('HOME')",
    "SELECT getvariable('x')",
    "SELECT current_query()",
    "SELECT current_database()",
    "SELECT nextval('s')",
    "SELECT pg_sleep(60)",
    "SELECT sleep_ms(60000)",
    "SELECT write_log('x')",
    "SELECT setseed(0.5)",
    "SELECT repeat('x', 1000000000)",
    "SELECT $1",
    "SELECT ?",
    "FROM query('SELECT * FROM duckdb_secrets()')",
    "FROM query_table('duckdb_tables')",
    "FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "SELECT json_serialize_sql('SELECT 1')",
    "FROM pragma_table_info('results')",
    "FROM which_secret('s3://x', 's3')",
    "WITH duckdb_tables AS (FROM duckdb_tables) FROM duckdb_tables",
    "WITH RECURSIVE duckdb_tables AS (FROM duckdb_tables UNION ALL SELECT 1) FROM duckdb_tables",
    "SELECT * FROM (WITH duckdb_tables AS (SELECT 1) FROM duckdb_tables) a, duckdb_tables",
    "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "FROM results WHERE EXISTS (FROM glob('*'))",
    "FROM results ORDER BY (SELECT max(schema_name) FROM duckdb_tables)",
    "FROM results AT (VERSION => (SELECT 1 FROM duckdb_settings()))",
    "FROM results JOIN LATERAL (FROM read_csv('x')) ON true",
    "FROM results POSITIONAL JOIN read_csv('x')",
    "SELECT list_transform([1], lambda x: current_setting('threads'))",
    "SELECT count(*) FILTER (current_setting('threads') = '1') FROM runs",
    "SELECT sum(1) OVER (PARTITION BY current_setting('threads')) FROM runs",
    "SELECT system.main.current_setting('threads')",
    "SELECT lake.main.abs(1)",
    # where the files are
    "SELECT filename FROM results",
    "SELECT r.FileName FROM results r",
    "SELECT file_row_number, file_index FROM results",
    "FROM results JOIN tests USING (filename)",
    "FROM results PIVOT (count(*) FOR status IN ('failed') GROUP BY filename)",
    "FROM results UNPIVOT (v FOR n IN (filename))",
    "SELECT DISTINCT ON (filename) 1 FROM results",
    "SELECT t.r.filename FROM (SELECT r FROM results r) t",
    "SELECT struct_extract(r, 'filename') FROM results r",
    "SELECT COLUMNS('filename') FROM results",
    "SELECT filename FROM results NATURAL JOIN tests",
    "SELECT /**/ * FROM/**/read_csv/**/('/etc/passwd')",
    "SELECT * FROM rEaD_cSv('/etc/passwd')",
    "SELECT * FROM \"read_csv\"('/etc/passwd')",
    'SELECT * FROM main."duckdb_settings"()',
    "PIVOT results ON status USING count(*)",
    "PIVOT duckdb_settings() ON name IN ('threads') USING max(value)",
    "UNPIVOT duckdb_secrets() ON name",
    "PIVOT results ON status IN ('a') USING max(current_setting('threads'))",
    "FROM 'results.csv'",
    "FROM 'https://example.com/x.parquet'",
    'FROM "s3://bucket/x.parquet"',
    "CREATE VIEW v AS SELECT * FROM read_csv('/etc/passwd')",
    "CREATE OR REPLACE TEMP VIEW v AS FROM duckdb_settings()",
    "EXPORT DATABASE '{home}/stolen' (FORMAT parquet)",
    "IMPORT DATABASE '{home}'",
    "SUMMARIZE results",
    "FROM (SUMMARIZE results)",
    "FROM (DESCRIBE results)",
    "FROM (SHOW ALL TABLES)",
    "SELECT * REPLACE (current_setting('threads') AS release) FROM releases",
    "SELECT TRY(current_setting('threads'))",
    "SELECT current_setting('temp_directory'), current_setting('allowed_directories')",
    "FROM ducklake_table_info('lake')",
    "FROM ducklake_snapshots('lake')",
    "FROM ducklake_options('lake')",
    "FROM lake.options()",
    "FROM test_all_types()",
    "FROM duckdb_logs",
    "FROM duckdb_views",
    "SELECT sql FROM duckdb_views()",
    "FROM saved_queries",
    # what looks like something else
    "SELECT \uff47\uff45\uff54\uff45\uff4e\uff56('PATH')",
    "FROM \uff52ead_text('/etc/passwd')",
    "FROM\u00a0read_text('/etc/passwd')",
    "FROM\u3000read_text('/etc/passwd')",
    "FROM read_te\u200bxt('/etc/passwd')",
    "FROM \u202eread_text('/etc/passwd')",
    "FROM U&\"read_text\"('/etc/passwd')",
    "SELECT 1 -- x\n; SELECT 2",
    "SELECT 1 /* ; */; DROP TABLE runs",
    # one call that makes a huge value
    "SELECT lpad('x', 1000000000, 'y')",
    "SELECT rpad('x', 1000000000, 'y')",
    "SELECT list_resize([1], 1000000000)",
    "SELECT bar(1, 0, 1, 1000000000)",
    "SELECT factorial(1000000000)",
    "SELECT range(1000000000000000000)",
    "SELECT " + "(" * 50_000 + "1" + ")" * 50_000,
    "SELECT " + "1 + " * 20_000 + "1",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_a_question_over_our_tables_is_answered(ask, sql):
    answer = ask(sql)
    assert answer.status_code == 200, answer.text
    schema(operations.SqlAnswer).model_validate(answer.json)
    assert answer.json["rows"] and not answer.json["truncated"]
    assert {len(row) for row in answer.json["rows"]} == {len(answer.json["columns"])}


@pytest.mark.parametrize("sql", REFUSED, ids=lambda sql: sql[:60])
def test_whatever_else_is_refused(filled, ask, sql):
    home = filled.store.settings.home
    answer = ask(sql.replace("{home}", str(home)).replace("{data}", str(home / "lake")))
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json"), answer.text
    assert not list(home.glob("**/stolen*")) and not list(home.glob("**/other.db*"))


@pytest.mark.parametrize(
    "sql, text",
    [
        ("DESCRIBE results", "try FROM runs LIMIT 5"),
        ("SHOW TABLES", "Tables: bug_cases, bugs, build_counts"),
        ("PRAGMA x", "only SELECT"),
    ],
)
def test_a_refusal_suggests_what_to_do(ask, sql, text):
    assert text in ask(sql).json["detail"]


NODES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["left", "right", "children", "x"]), inner, max_size=3)
    ),
)


@given(NODES, st.text(min_size=1, max_size=12))
def test_what_the_rules_do_not_know_is_refused_at_any_depth(tree, word):
    """A node type, expression class or function that is not on the list is refused, however deep."""
    known = {"SELECT_NODE", "BASE_TABLE", "SUBQUERY", "EMPTY", "JOIN"}
    for strange in (
        {"type": f"{word}_REF", "x": tree},
        {"class": f"{word}_CLASS", "type": "X"},
        {"class": "FUNCTION", "type": "FUNCTION", "function_name": f"{word}__", "schema": "", "catalog": ""},
    ):
        assert strange.get("type") not in known
        for node in ([strange], {"x": [tree, strange]}, {"cte_map": {"map": [{"key": "a", "value": strange}]}}):
            with pytest.raises(RefusedError):
                check({"error": False, "statements": [{"node": node}]})
