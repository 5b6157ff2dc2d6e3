"""The SQL console: the side panel, and that every example query runs and its chart fits."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

from data.sql_console import saved_queries
from data.sql_console.examples import EXAMPLES


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    from support.store_builder import World

    world = World.at(tmp_path_factory.mktemp("known"), memory_tables=False)
    world.history({"broken": "PPFF", "rescued": "PKPK", "steady": "PPPP"})
    world.store.transact(
        "test",
        "priorities",
        lambda cursor: cursor.execute(
            "INSERT INTO test_metadata BY NAME SELECT 'broken' AS base_name, 'P0' AS priority"
        ),
    )
    return world


@pytest.fixture(scope="module")
def console(known):
    from dashboard.app import create_app
    from data.settings import load

    server = create_app(load(home=known.store.settings.home)).server
    yield server.test_client()
    server.extensions["regtracker_sandbox"].close()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.question)
def test_every_example_query_runs(console, example):
    answer = console.post("/api/v1/sql", json={"sql": example.sql})
    assert answer.status_code == 200, answer.text
    assert answer.json["rows"], "it shows nothing"
    _, *axes = example.chart or ("",)
    assert set(axes) - {""} <= {column["name"] for column in answer.json["columns"]}


def test_the_links_carry_query_and_chart(world, show):
    html = show("sql-side", "/sql")["html"]
    for example in EXAMPLES:
        assert example.question.replace("'", "&#39;") in html
    address = next(part for part in html.split('href="/sql#') if "pass_rate" in part).partition('"')[0]
    query = parse_qs(address.replace("&amp;", "&"))
    assert query["sql"] == [EXAMPLES[1].sql] and query["view"] == ["line"] and query["series"] == ["release"]


def test_tables_are_described_and_saved_queries_are_escaped(world, show):
    saved_queries.save(world.store, "<img src=x>", "SELECT '<b>'", "<i>dana")
    html = show("sql-side", "/sql")["html"]
    assert "one row per attempt of a test" in html and 'data-sql-insert="started_at"' in html
    assert "&lt;img src=x&gt;" in html and "<img" not in html and "<i>dana" not in html


def test_the_limits_are_shown(world, show):
    html = show("sql", "/sql")["html"]
    assert "10\u202fs" in html and "512\u202fMB" in html and "1\u202f000\u202f000 rows" in html
