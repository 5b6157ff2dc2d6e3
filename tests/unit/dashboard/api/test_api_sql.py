"""SQL from clients reads our tables only, has limits, and always gets an answer."""

from __future__ import annotations

import csv
import io

import pyarrow as pa
import pytest

from dashboard.api import openapi
from dashboard.api.schemas import schema
from data.answers import operations
from data.sql_console.rules import TABLES


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


def test_the_past_can_be_asked(world, own_client):
    world.run({"routing": {"a": "P"}})
    then = own_client.get("/api/v1/snapshot").json
    world.run({"routing": {"a": "F"}})

    def builds(**as_of):
        return own_client.post("/api/v1/sql", json={"sql": "SELECT count(*) FROM builds", **as_of})

    assert builds().json["rows"] == [[2]]
    assert builds(as_of=str(then["snapshot"])).json["rows"] == [[1]]
    assert builds(as_of=then["snapshot"]).json["rows"] == [[1]]
    assert builds(as_of=True).status_code == 400
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


@pytest.mark.parametrize(
    ("sql", "word", "position"),
    [
        ("SELECT 1,\n  FROM x y z", "z", "line 2, column 12: "),
        ("SELECT 'größe',\n  faild FROM runs", "faild", "line 2, column 3: "),
        ("SELECT 'ä' FROM results, read_csv('x')", "read_csv", "line 1, column 26: "),
        ("SELECT (SELECT 1 FROM nowhere)", "nowhere", "line 1, column 23: "),
        ("SELECT 'a'::INT", "::INT", "line 1, column 11: "),
    ],
)
def test_an_error_names_its_position(ask, sql, word, position):
    problem = ask(sql).json
    assert problem["parameter"] == "sql" and sql[problem["position"] :].startswith(word)
    assert problem["detail"].startswith(position)


def test_an_error_without_a_position_has_none(ask):
    assert "position" not in ask("COPY runs TO 'x'").json


def test_before_the_tables_were_made_nothing_can_be_asked(ask):
    answer = ask("SELECT count(*) FROM results", as_of="0")
    assert (answer.status_code, answer.json["parameter"]) == (404, "as_of")
    assert "no tables yet" in answer.json["detail"]
    assert ask("SELECT 42").json["rows"] == [[42]]


def test_a_query_is_kept_replaced_and_forgotten(world, own_client):
    saved = own_client.post("/api/v1/sql/saved", json={"name": " Broken <b> ", "sql": "SELECT 1", "author": "dana"})
    assert saved.status_code == 201
    schema(operations.SavedQuery).model_validate(saved.json, strict=True)
    again = own_client.post("/api/v1/sql/saved", json={"name": "Broken <b>", "sql": "SELECT 2"})
    assert again.json["id"] == saved.json["id"]
    page = own_client.get("/api/v1/sql/saved")
    openapi.page_model(operations.SavedQuery).model_validate(page.json, strict=True)
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


def test_every_table_and_column_has_a_description(filled, client):
    tables = client.get("/api/v1/sql/tables?limit=1000").json["items"]
    openapi.page_model(operations.TableMeaning).model_validate(client.get("/api/v1/sql/tables").json, strict=True)
    for table in tables:
        described = filled.store.rows(f"DESCRIBE {table['name']}")
        columns = [(column["name"], column["type"]) for column in table["columns"]]
        assert columns == [(row["column_name"], row["column_type"]) for row in described] and table["about"]
    assert {table["name"] for table in tables} == TABLES
