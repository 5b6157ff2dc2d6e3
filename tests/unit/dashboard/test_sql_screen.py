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


def test_the_links_carry_query_and_chart(world, screen):
    examples = screen("sql-side", "/sql").under("Examples")
    assert examples.texts("link") == [example.question for example in EXAMPLES]
    path, _, fragment = examples.one("link", EXAMPLES[1].question).href.partition("#")
    query = parse_qs(fragment)
    assert path == "/sql"
    assert query["sql"] == [EXAMPLES[1].sql] and query["view"] == ["line"] and query["series"] == ["release"]


def test_tables_are_described_and_saved_queries_are_escaped(world, screen):
    saved_queries.save(world.store, "<img src=x>", "SELECT '<b>'", "<i>dana")
    side = screen("sql-side", "/sql")
    assert "one row per attempt of a test" in side and "started_at" in side.texts("button")
    assert "<img src=x>" in side.texts("link") and "<i>dana" in side
    assert not {"img", "i"} & side.tags


def test_the_markup_of_a_column_has_the_name_that_the_script_inserts(world, screen):
    assert 'data-sql-insert="started_at"' in screen("sql-side", "/sql").markup


def test_the_limits_are_shown(world, screen):
    limits = screen("sql", "/sql")
    assert "10 s" in limits and "512 MB" in limits and "1 000 000 rows" in limits
