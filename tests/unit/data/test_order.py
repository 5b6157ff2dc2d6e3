"""The order of runs: by number within a job, by time across jobs, the same in every question."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.store_builder import START, World, cases, held

from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildRecord
from data.model.filters import Filter
from data.model.run_record import RunRecord
from data.queries import builds, gate, grid, releases, runs, tests, trends
from data.queries.lookups import runs_by_name
from data.queries.search import search
from data.verdicts import verdicts
from data.write.builds import upsert_builds

pytestmark = pytest.mark.usefixtures("usual_threads")
LATER = START + timedelta(days=300)
SEVEN = Filter("7.0")


@pytest.fixture(params=[True, False], ids=["memory tables", "lake"])
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Store]:
    store = World.at(tmp_path, memory_tables=request.param).store
    yield store
    store.close()


def add(
    store: Store,
    *rows: tuple[int, float, str],
    job: str = "qa/A",
    read_at: datetime = LATER,
    environment: str = "prod",
    key: str = "",
    source: str = "ci",
    flags: frozenset[str] = frozenset(),
) -> None:
    """Builds (number, hours after START, letter of their test `a`), each a run of its own, read in this order."""
    for number, hours, letter in rows:
        start = START + timedelta(hours=hours)
        facts = {"started_at": start, "release": "7.0", "environment": environment, "result": "SUCCESS"}
        content = held(cases("routing", {"a": letter, "b": "P"}))
        build = BuildRecord(source, job, number, module="routing", ingested_at=read_at, flags=flags, **facts, **content)
        run = RunRecord(source, job, number, display_name=key.partition("=")[2], key=key, **facts)
        store.transact(
            "test",
            f"#{number}",
            lambda cursor, build=build, run=run: upsert_builds(
                cursor, [build], read_at, standalone_runs=[(build, run)]
            ),
        )


def numbers(store: Store) -> list[int]:
    """The run numbers of a release from the oldest to the newest, as every question gives them."""
    newest_first = runs.runs(store, SEVEN)
    order = [run["number"] for run in reversed(newest_first)]
    paged = []
    before = None
    while page := runs.runs(store, SEVEN, 1, before):
        paged.append(page[0]["number"])
        before = page[0]["id"]
    chain = []
    at = newest_first[-1]["id"]
    while at is not None:
        found = runs.run(store, at)
        assert found is not None
        chain.append(found["number"])
        at = found["next"]
    (tile,) = releases.tiles(store, SEVEN)
    (series,) = trends.trend(store, SEVEN)["series"]
    test = ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "a"))
    of_builds, page_end = [], None
    while page := builds.builds(store, SEVEN, 1, page_end):
        of_builds.append(page[0]["number"])
        page_end = page[0]["id"]
    shown = grid.grid(store, SEVEN)["runs"]
    assert order == paged[::-1] == chain == [run["number"] for run in tile["spark"]]
    assert order == [point["number"] for point in series["points"]] == of_builds[::-1]
    assert order == [row["number"] for row in tests.history(store, test)][::-1]
    assert order in ([run["number"] for run in shown], [run["number"] for run in shown][::-1])
    assert order[-1] == tile["latest_run"]["number"] == gate.gate(store, SEVEN)["run"]["number"]
    hits = [hit["id"] for hit in search(store, "7.0", SEVEN, 50) if hit["kind"] == "run"]
    assert hits == [run["id"] for run in newest_first]
    return order


def test_the_numbers_of_a_job_decide_where_a_clock_went_back(store: Store) -> None:
    add(store, (1, 120, "P"), (2, 121, "P"), (3, 118, "F"), (4, 119, "F"))
    assert numbers(store) == [1, 2, 3, 4]
    (verdict,) = verdicts.verdicts(store, SEVEN)
    assert (verdict["kind"], verdict["first_bad"]["number"], verdict["last_good"]["number"]) == ("regression", 3, 2)


def test_a_time_that_is_not_believed_moves_no_other_build(store: Store) -> None:
    add(store, (1, 0, "P"), (2, 24, "P"), (4, 72, "F"), (5, 96, "P"))
    # Discovered long after: its own time was in the future.
    add(store, (3, 24 * 30, "F"), read_at=LATER + timedelta(days=1), flags=frozenset({"no_start_time"}))
    add(store, (70, 120, "P"), job="qa/B")
    assert numbers(store) == [1, 2, 3, 4, 5, 70]


def test_equal_times_are_ordered_by_number(store: Store) -> None:
    for number in range(8, 13):
        add(store, (number, 0, "F" if number == 12 else "P"))
    assert numbers(store) == list(range(8, 13))
    answer = gate.gate(store, SEVEN)
    assert (answer["run"]["number"], answer["baseline"]["number"], answer["state"]) == (12, 11, "closed")


def test_times_order_across_jobs_also_where_one_clock_went_back(store: Store) -> None:
    add(store, (7, 0, "P"), (8, 10, "P"), (9, 2, "P"))
    add(store, (1, 5, "P"), (2, 12, "P"), job="qa/B")
    assert numbers(store) == [7, 1, 8, 9, 2]


def test_a_job_created_again_restarts_its_numbers(store: Store) -> None:
    for number in (48, 49, 50):
        add(store, (number, number, "P"), read_at=START + timedelta(hours=number + 1))
    for number in (1, 2, 49, 50, 51):
        add(store, (number, 100 + number, "P"), read_at=START + timedelta(hours=101 + number))
    assert numbers(store) == [48, 49, 50, 1, 2, 49, 50, 51]


def test_names_that_are_no_numbers_leave_the_order_to_the_time(store: Store) -> None:
    add(store, (9, 0, "P"), job="qa", key="NIGHT=monday")
    add(store, (4, 24, "P"), job="qa", key="NIGHT=tuesday")
    assert [run["display_name"] for run in runs.runs(store, SEVEN)] == ["tuesday", "monday"]


def test_the_runs_of_a_number_come_newest_first(store: Store) -> None:
    add(store, (5, 0, "P"), read_at=START + timedelta(hours=1))
    add(store, (5, 50, "P"), read_at=START + timedelta(hours=51))
    assert runs_by_name(store, "7.0 #5") == [run["id"] for run in runs.runs(store, SEVEN)]


def test_a_snapshot_from_before_runs_had_keys_is_still_ordered(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    add(world.store, (1, 5, "P"), (2, 3, "F"))
    snapshot = world.store.snapshot().id
    world.store.close()
    store = Store.open(world.store.settings)
    store.transact("test", "as before", lambda cursor: cursor.execute("ALTER TABLE runs DROP COLUMN key"))
    try:
        assert store.snapshot().id > snapshot
        assert [run["number"] for run in runs.runs(store, SEVEN)] == [2, 1]
    finally:
        store.close()
