"""SQL from clients has limits, and whatever ends a query, the next one is answered."""

from __future__ import annotations

import threading

import pytest
import requests
from support.live_server import served

from data.sql_console.sandbox import Sandbox, SqlError, TooSlowError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def settings(filled):
    """With as many threads as users give it: each thread takes memory."""
    settings = filled.store.settings
    return settings.model_copy(update={"store": settings.store.model_copy(update={"threads": 2})})


@pytest.fixture(scope="module")
def sandbox(settings):
    sandbox = Sandbox(settings, seconds=0.5)
    yield sandbox
    sandbox.close()


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


def test_a_slow_query_is_named_and_the_next_one_is_answered(settings):
    sandbox = Sandbox(settings, seconds=4)  # enough for a new process to answer on a busy machine
    try:
        with pytest.raises(TooSlowError):
            sandbox.query(BOMBS[0])
        assert sandbox.query("SELECT 42").batches[0].to_pylist() == [{"42": 42}]
    finally:
        sandbox.close()


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


def test_files_that_cannot_be_read_are_no_fault_of_the_query_and_stay_secret(world, serve):
    world.run({"routing": {"a": "P"}})
    client = serve(world.store.settings.home).test_client()
    for file in world.store.settings.home.glob("lake/**/results/**/*.parquet"):
        file.unlink()
    answer = client.post("/api/v1/sql", json={"sql": "SELECT count(DISTINCT test) FROM results"})
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert str(world.store.settings.home) not in answer.text


def test_a_process_that_cannot_be_started_is_no_fault_of_the_query(world, serve, monkeypatch, caplog):
    monkeypatch.setattr("data.sql_console.sandbox.START_S", 0.001)
    answer = serve(world.store.settings.home).test_client().post("/api/v1/sql", json={"sql": "SELECT 1"})
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert "parameter" not in answer.json and "it was not ready within" in caplog.text


def test_a_store_that_is_gone_is_no_fault_of_the_query(world, own_client, caplog):
    assert own_client.get("/api/v1/snapshot").status_code == 200
    for part in ("catalog.sqlite", "lake"):
        world.store.settings.home.joinpath(part).rename(world.store.settings.home / f"{part}.away")
    answer = own_client.post("/api/v1/sql", json={"sql": "SELECT count(*) FROM results"})
    assert answer.status_code == 503 and caplog.text


def test_hanging_up_cancels(server):
    """A query whose client has gone makes room for the next one at once, long before its own time is over."""
    sandbox = server.extensions["regtracker_sandbox"]
    sandbox.query("SELECT 1")
    with served(server) as address:
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
