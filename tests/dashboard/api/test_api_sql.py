"""SQL from outside reads our tables and nothing else, takes only so much, and always comes back with an answer."""

from __future__ import annotations

import csv
import io
import threading

import pyarrow as pa
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from dashboard.api import documented
from dashboard.api.shapes import operations
from data.sandbox import Sandbox, SqlError, TooSlowError
from data.sandbox_rules import TABLES, RefusedError, check

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


@pytest.fixture(scope="module")
def sandbox(filled):
    sandbox = Sandbox(filled.store.settings, seconds=1)
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def ask(server):
    return lambda sql, **body: server.test_client().post("/api/v1/sql", json={"sql": sql, **body})


@pytest.mark.parametrize("sql", ALLOWED)
def test_a_question_over_our_tables_is_answered(ask, sql):
    answer = ask(sql)
    assert answer.status_code == 200, answer.text
    operations.SqlAnswer.model_validate(answer.json)
    assert answer.json["rows"] and not answer.json["truncated"]
    assert {len(row) for row in answer.json["rows"]} == {len(answer.json["columns"])}


@pytest.mark.parametrize("sql", REFUSED, ids=lambda sql: sql[:60])
def test_whatever_else_is_refused(filled, ask, sql):
    home = filled.store.settings.home
    answer = ask(sql.replace("{home}", str(home)).replace("{data}", str(home / "lake")))
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json"), answer.text
    assert not list(home.glob("**/stolen*")) and not list(home.glob("**/other.db*"))


def test_answers_are_the_numbers_of_the_store(filled, ask):
    counted = filled.store.value("SELECT count(*) FROM results")
    assert ask("SELECT count(*) FROM results").json["rows"] == [[counted]]
    answer = ask("FROM results SELECT test, started_at", limit=3).json
    assert len(answer["rows"]) == 3 and answer["truncated"]
    assert answer["columns"] == [{"name": "test", "type": "BIGINT"}, {"name": "started_at", "type": "TIMESTAMP"}]
    assert answer["rows"][0][1].endswith("Z")


def test_a_commit_of_another_process_is_in_the_next_answer(world, own_client):
    def runs() -> int:
        return own_client.post("/api/v1/sql", json={"sql": "SELECT count(*) FROM runs"}).json["rows"][0][0]

    assert runs() == 0
    world.run({"routing": {"a": "P"}})
    assert runs() == 1


@pytest.mark.parametrize(
    "sql, said",
    [
        ("DESCRIBE results", "try FROM runs LIMIT 5"),
        ("SHOW TABLES", "Tables: bug_cases, bugs, build_counts"),
        ("PRAGMA x", "only SELECT"),
    ],
)
def test_what_is_refused_says_what_to_do(ask, sql, said):
    assert said in ask(sql).json["detail"]


def test_the_past_can_be_asked(world, own_client):
    world.run({"routing": {"a": "P"}})
    then = own_client.get("/api/v1/snapshot").json
    world.run({"routing": {"a": "F"}})

    def builds(**as_of):
        return own_client.post("/api/v1/sql", json={"sql": "SELECT count(*) FROM builds", **as_of})

    assert builds().json["rows"] == [[2]]
    assert builds(as_of=str(then["snapshot"])).json["rows"] == [[1]]
    assert builds(as_of=then["committed_at"]).json["rows"] == [[1]]
    assert builds(as_of="2999-01-01").json["rows"] == [[2]]
    unknown = builds(as_of="99999")
    assert unknown.status_code == 404 and "no snapshot 99999" in unknown.json["detail"]
    assert builds(as_of="yesterday").status_code == 400


def test_every_type_can_be_answered(ask):
    sql = """SELECT 170141183460469231731687303715884105727::HUGEINT, 1.50::DECIMAL(9, 2), 'a'::BLOB, INTERVAL 1 DAY,
        MAP {'a': 1}, [{'b': [1, NULL]}], 'nan'::DOUBLE, uuid '00000000-0000-0000-0000-00000000002a', TIME '10:00',
        TIMESTAMPTZ '2026-11-01 00:00:00+01', NULL, true, sum(i) FROM range(3) t(i)"""
    (row,) = ask(sql).json["rows"]
    assert row[0] == "170141183460469231731687303715884105727" and row[1] == 1.5 and row[2] == "61"
    assert row[5] == [{"b": [1, None]}] and row[6] is None
    assert row[9] == "2026-10-31T23:00:00Z" and row[10:] == [None, True, 3]


@pytest.mark.parametrize("kind", ["text/csv", "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"])
def test_an_answer_leaves_as_a_file(server, kind):
    body = {"sql": "SELECT i, '=1+1' AS formula, [i] AS list FROM range(2500) t(i)", "limit": 5}
    answer = server.test_client().post("/api/v1/sql", json=body, headers={"Accept": kind})
    assert (answer.status_code, answer.mimetype) == (200, kind)
    if kind == "text/csv":
        assert "Regtracker-Truncated" not in answer.headers
        rows = list(csv.reader(io.StringIO(answer.text)))
        assert len(rows) == 2501 and rows[-1] == ["2499", "'=1+1", "[2499]"]
    elif "stream" in kind:
        assert pa.ipc.open_stream(answer.data).read_all().num_rows == 2500


BOMBS = [
    "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = -1",
    "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) FROM t",
    "WITH RECURSIVE t(s) AS (SELECT 'x' UNION ALL SELECT s || s FROM t) SELECT max(length(s)) FROM t",
    "SELECT list_sort(range(2000000000))",
    "SELECT printf('%1000000000d', 1)",
    "SELECT " + "replace(" * 12 + "'xxxxxxxx'" + ", 'x', 'xxxxxxxx')" * 12,
    "SELECT count(*) FROM range(100000000) t(i) WHERE regexp_matches(md5(i::VARCHAR), '(a*)*(b*)*(c*)*$x')",
    "SELECT sum(i) FROM range(1000000000000) t(i)",
    "SELECT string_agg(range::VARCHAR, ',') FROM range(1000000000)",
    "SELECT levenshtein(a, a || 'x') FROM (SELECT string_agg('ab', '') AS a FROM range(300000))",
]


@pytest.mark.parametrize("sql", BOMBS, ids=lambda sql: sql[:40])
def test_what_takes_too_much_is_ended(sandbox, sql):
    with pytest.raises(SqlError):
        sandbox.query(sql)


def test_a_slow_question_is_told_apart_and_the_next_one_is_answered(sandbox):
    with pytest.raises(TooSlowError):
        sandbox.query(BOMBS[0])
    assert sandbox.query("SELECT 42").batches[0].to_pylist() == [{"42": 42}]


def test_an_endless_answer_is_cut(server):
    sandbox = server.extensions["regtracker_sandbox"]
    table = sandbox.query("FROM range(1000000000000)", rows=5000)
    assert table.truncated and sum(batch.num_rows for batch in table.batches) == 5000
    endless = server.test_client().post(
        "/api/v1/sql", json={"sql": "SELECT range(10000) AS r FROM range(1000000)"}, headers={"Accept": "text/csv"}
    )
    assert endless.headers["Regtracker-Truncated"] == "1"
    wide = sandbox.query("SELECT range(10000) FROM range(1000000)")
    assert wide.truncated and sum(batch.nbytes for batch in wide.batches) <= 32 << 20


@pytest.mark.parametrize(
    ("sql", "word", "place"),
    [
        ("SELECT 1,\n  FROM x y z", "z", "line 2, column 12: "),
        ("SELECT 'größe',\n  faild FROM runs", "faild", "line 2, column 3: "),
        ("SELECT 'ä' FROM results, read_csv('x')", "read_csv", "line 1, column 26: "),
        ("SELECT (SELECT 1 FROM nowhere)", "nowhere", "line 1, column 23: "),
        ("SELECT 'a'::INT", "::INT", "line 1, column 11: "),
    ],
)
def test_an_error_says_where_it_is(ask, sql, word, place):
    problem = ask(sql).json
    assert problem["parameter"] == "sql" and sql[problem["position"] :].startswith(word)
    assert problem["detail"].startswith(place)


def test_an_error_without_a_place_has_none(ask):
    assert "position" not in ask("COPY runs TO 'x'").json


def test_files_that_cannot_be_read_are_no_fault_of_the_query_and_stay_secret(world, serve):
    world.run({"routing": {"a": "P"}})
    client = serve(world.store.settings.home).test_client()
    for file in world.store.settings.home.glob("lake/**/results/**/*.parquet"):
        file.unlink()
    answer = client.post("/api/v1/sql", json={"sql": "SELECT count(DISTINCT test) FROM results"})
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert str(world.store.settings.home) not in answer.text


def test_a_process_that_cannot_be_started_is_no_fault_of_the_query(world, serve, monkeypatch, caplog):
    monkeypatch.setattr("data.sandbox.START_S", 0.001)
    answer = serve(world.store.settings.home).test_client().post("/api/v1/sql", json={"sql": "SELECT 1"})
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert "parameter" not in answer.json and "it was not ready within" in caplog.text


def test_a_store_that_is_gone_is_no_fault_of_the_query(world, own_client, caplog):
    assert own_client.get("/api/v1/snapshot").status_code == 200
    for part in ("catalog.sqlite", "lake"):
        world.store.settings.home.joinpath(part).rename(world.store.settings.home / f"{part}.away")
    answer = own_client.post("/api/v1/sql", json={"sql": "SELECT count(*) FROM results"})
    assert answer.status_code == 503 and caplog.text


def test_before_the_tables_were_made_nothing_can_be_asked(ask):
    answer = ask("SELECT count(*) FROM results", as_of="0")
    assert (answer.status_code, answer.json["parameter"]) == (404, "as_of")
    assert "no tables yet" in answer.json["detail"]
    assert ask("SELECT 42").json["rows"] == [[42]]


def test_hanging_up_cancels(server, free_address):
    """A query whose client has gone makes room for the next one at once, long before its own time is over."""
    sandbox = server.extensions["regtracker_sandbox"]
    sandbox.query("SELECT 1")
    with free_address(server) as address:
        body = {"sql": "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = -1"}
        started = threading.Event()

        def give_up() -> None:
            started.set()
            with pytest.raises(requests.Timeout):
                requests.post(f"{address}/api/v1/sql", json=body, timeout=(5, 0.7))

        client = threading.Thread(target=give_up)
        client.start()
        started.wait()
        client.join()
        answer = requests.post(f"{address}/api/v1/sql", json={"sql": "SELECT 42 AS x"}, timeout=60)
    assert answer.status_code == 200 and answer.json()["rows"] == [[42]]
    assert answer.json()["seconds"] < 5


def test_a_query_is_kept_replaced_and_forgotten(world, own_client):
    saved = own_client.post("/api/v1/sql/saved", json={"name": " Broken <b> ", "sql": "SELECT 1", "author": "dana"})
    assert saved.status_code == 201
    operations.SavedQuery.model_validate(saved.json, strict=True)
    again = own_client.post("/api/v1/sql/saved", json={"name": "Broken <b>", "sql": "SELECT 2"})
    assert again.json["id"] == saved.json["id"]
    page = own_client.get("/api/v1/sql/saved")
    documented.page(operations.SavedQuery).model_validate(page.json, strict=True)
    assert [(row["name"], row["sql"], row["author"]) for row in page.json["items"]] == [
        ("Broken <b>", "SELECT 2", None)
    ]
    path = f"/api/v1/sql/saved/{saved.json['id']}"
    assert own_client.delete(path, headers={"Origin": "https://evil.example"}).status_code == 403
    assert own_client.delete(path).status_code == 204
    assert own_client.delete(path).status_code == own_client.delete("/api/v1/sql/saved/zz").status_code == 404
    assert own_client.get("/api/v1/sql/saved").json["items"] == []
    then = own_client.get(f"/api/v1/sql/saved?as_of={page.json['snapshot']}").json
    assert then["items"] == page.json["items"]


@pytest.mark.parametrize("body", [{"name": "x"}, {"name": " ", "sql": "SELECT 1"}, {"name": "x", "sql": "y" * 100_001}])
def test_what_cannot_be_kept_is_refused(client, body):
    assert client.post("/api/v1/sql/saved", json=body).status_code == 400


def test_the_meaning_of_every_table_and_column_is_told(filled, client):
    told = client.get("/api/v1/sql/tables?limit=1000").json["items"]
    documented.page(operations.TableMeaning).model_validate(client.get("/api/v1/sql/tables").json, strict=True)
    for table in told:
        described = filled.store.rows(f"DESCRIBE {table['name']}")
        columns = [(column["name"], column["type"]) for column in table["columns"]]
        assert columns == [(row["column_name"], row["column_type"]) for row in described] and table["about"]
    assert {table["name"] for table in told} == TABLES


NODES = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["left", "right", "children", "x"]), inner, max_size=3)
    ),
)


@given(NODES, st.text(min_size=1, max_size=12))
def test_what_the_rules_do_not_know_is_refused_wherever_it_stands(tree, word):
    """A node type, expression class or function that is not listed closes the door, however deep."""
    known = {"SELECT_NODE", "BASE_TABLE", "SUBQUERY", "EMPTY", "JOIN"}
    for strange in (
        {"type": f"{word}_REF", "x": tree},
        {"class": f"{word}_CLASS", "type": "X"},
        {"class": "FUNCTION", "type": "FUNCTION", "function_name": f"{word}__", "schema": "", "catalog": ""},
    ):
        assert strange.get("type") not in known
        for place in ([strange], {"x": [tree, strange]}, {"cte_map": {"map": [{"key": "a", "value": strange}]}}):
            with pytest.raises(RefusedError):
                check({"error": False, "statements": [{"node": place}]})
