"""A test's history is the same whether the results of its builds are in memory or have to be read from files."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest
from support.store_builder import START, World, cases, held

from data.cache.query_cache import QueryCache
from data.lake import maintenance
from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildRecord
from data.model.filters import EVERYTHING, Filter
from data.queries import tests
from data.verdicts import verdicts
from data.write import builds

pytestmark = pytest.mark.usual_plans
SEVEN = Filter(release="7.0")
FILTERS = (
    SEVEN,
    EVERYTHING,
    replace(SEVEN, environment="staging"),
    replace(SEVEN, topology="3s"),
    replace(SEVEN, version="7.0.0.3"),
)
NAMES = [("m", "a"), ("m", "b"), ("m", "c"), ("n", "x"), ("n", "never")]
TESTS = [ids.text(ids.of(f"tests/{module}/{module}_test.py", "TestIt", name)) for module, name in NAMES]


@pytest.fixture
def world(tmp_path):
    world = World.at(tmp_path, memory_tables=True)
    runs = []
    for run in range(8):
        of_two = [
            cases("m", {"a": "P", "b": "FFP", "c": "FE" if run % 2 else "S"}, topology="3s", seconds=1.25 + run),
            cases("m", {"a": "F" if run % 3 else "P"}, topology="5s", host="h2"),
        ]
        environment = "staging" if run % 4 == 3 else "prod"
        runs.append(({"m": pa.concat_tables(of_two), "n": {"x": "PF"[run // 4]}}, {"environment": environment}))
    world.series(runs)
    yield world
    world.store.close()


def whole_history(store: Store, test: str, flt: Filter) -> list:
    """The whole history, and the same by pages of three; nothing of it remembered."""
    store.state()
    ask = tests.history.__wrapped__
    whole, paged = ask(store, test, flt, 100), []
    while page := ask(store, test, flt, 3, (paged[-1]["build"], paged[-1]["topology"]) if paged else None):
        paged += page
    assert paged == whole
    return whole


def judge(store: Store) -> None:
    """Brings the results of the newest builds into memory."""
    store.state()
    verdicts.verdicts.__wrapped__(store, EVERYTHING)


def both_ways(world: World, monkeypatch, *filters: Filter) -> list[list]:
    """The histories by a store that has nothing in memory, and by one that must not read results: they are equal."""
    fresh = Store.open(world.store.settings, memory_tables=True)
    filed = [whole_history(fresh, test, flt) for flt in filters for test in TESTS]
    fresh.close()
    with monkeypatch.context() as patch:
        part = world.store.table_source
        patch.setattr(world.store, "table_source", lambda table, *of: part(table, *of) if table != "results" else 1 / 0)
        assert [whole_history(world.store, test, flt) for flt in filters for test in TESTS] == filed
    return filed


def test_builds_older_than_those_in_memory_are_found_too(world, monkeypatch):
    judge(world.store)
    expected = [whole_history(world.store, test, flt) for flt in FILTERS for test in TESTS]
    monkeypatch.setattr(tests, "MAX_BUILDS", 3)
    world.store.intermediate = QueryCache(1)
    assert [whole_history(world.store, test, flt) for flt in FILTERS for test in TESTS] == expected


@pytest.mark.usefixtures("usual_threads")
def test_memory_and_files_give_the_same_rows(world, monkeypatch):
    judge(world.store)
    expected = both_ways(world, monkeypatch, *FILTERS)
    assert [len(rows) for rows in expected[:5]] == [16, 8, 8, 8, 0]
    assert {row["attempt"] for row in expected[1]} == {3} and expected[1][0]["rerun"]
    assert {row["kind"] for row in expected[2]} == {"error", None}
    assert expected[0][1]["topology"] == "3s" and expected[0][0]["topology"] == "5s", (
        "within a build, topologies backwards"
    )
    assert all(row["message"] for row in expected[0] if row["status"] == "failed")


def test_a_build_that_comes_again_is_told_anew(world, monkeypatch):
    judge(world.store)
    run = world.runs[-1]
    again = BuildRecord(
        "ci",
        "qa/7.0/N",
        run.number,
        run.started_at + timedelta(minutes=5),
        "7.0",
        "n",
        version=run.version,
        environment=run.environment,
        **held(cases("n", {"x": "P", "never": "F"})),
    )
    put = START + timedelta(days=90)
    world.store.transact("test", "again", lambda cursor: builds.upsert_builds(cursor, [again], put))
    assert whole_history(world.store, TESTS[3], SEVEN)[0]["status"] == "passed", (
        "out of the files, before anything is judged"
    )
    assert len(whole_history(world.store, TESTS[4], SEVEN)) == 1
    judge(world.store)
    both_ways(world, monkeypatch, SEVEN)
    maintenance.run(world.store, least=2)
    both_ways(world, monkeypatch, SEVEN)


def test_the_history_as_it_was(world):
    then = replace(SEVEN, as_of=world.store.snapshot().id)
    before = whole_history(world.store, TESTS[0], SEVEN)
    world.run({"m": {"a": "P"}})
    judge(world.store)
    assert len(whole_history(world.store, TESTS[0], SEVEN)) == len(before) + 1
    assert tests.history(world.store, TESTS[0], then) == before


def test_what_another_process_committed_is_there(world):
    judge(world.store)
    assert len(tests.history(world.store, TESTS[3], SEVEN)) == 8
    other = Store.open(world.store.settings)
    added = World(other, list(world.runs)).run({"n": {"x": "P"}})
    other.close()
    rows = tests.history(world.store, TESTS[3], SEVEN)
    assert len(rows) == 9 and rows[0]["run"] == ids.text(added.id)
