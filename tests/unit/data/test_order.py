"""The order of runs: by number within a job, by time across jobs, the same in every question."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from support.store_builder import START, World, cases, held

from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildRecord
from data.model.filters import Filter
from data.model.order import BUILD_ORDER
from data.model.run_record import RunRecord
from data.queries import builds, gate, grid, releases, runs, tests, trends
from data.queries.lookups import runs_by_name
from data.queries.search import search
from data.verdicts import verdicts
from data.write.builds import upsert_builds

pytestmark = pytest.mark.usual_plans
LATER = START + timedelta(days=300)
READ_AT = START + timedelta(days=3000)
CLOCK_BACK, NOT_BELIEVED, EQUAL_TIMES, TWO_JOBS, CREATED_AGAIN, NAMED, TWICE, IMPORTED, OVERLAPPING = (
    f"7.{minor}" for minor in range(9)
)
Builds = list[tuple[BuildRecord, RunRecord]]


def read(
    release: str, *rows: tuple[int, float, str], job: str = "A", read_at: datetime = LATER, key: str = "", **facts: Any
) -> Builds:
    """Builds (number, hours after START, letter of their test `a`), each with the run of its own that it forms."""
    found = []
    for number, hours, letter in rows:
        name = f"{release}/{job}"
        shared = {"started_at": START + timedelta(hours=hours), "release": release, "environment": "prod"}
        content = held(cases(module_of(release), {"a": letter, "b": "P"}))
        build = BuildRecord(
            "ci", name, number, module=module_of(release), result="SUCCESS", ingested_at=read_at,
            **shared, **facts, **content
        )  # fmt: skip
        name_of_run = f"{key}{number}" if key.endswith("=") else key
        run = RunRecord(
            "ci", name, number, result="SUCCESS", display_name=key.partition("=")[2], key=name_of_run, **shared
        )
        found.append((build, run))
    return found


def module_of(release: str) -> str:
    """Each release has tests of its own: the history of a test goes over all releases."""
    return f"module{release.partition('.')[2]}"


def scenarios() -> Builds:
    """One release for each question of this file."""
    hours = [(number, number, "P") for number in (48, 49, 50)]
    again = [(number, 100 + number, "P") for number in (1, 2, 49, 50, 51)]
    return [
        *read(CLOCK_BACK, (1, 120, "P"), (2, 121, "P"), (3, 118, "F"), (4, 119, "F")),
        *read(NOT_BELIEVED, (1, 0, "P"), (2, 24, "P"), (4, 72, "F"), (5, 96, "P")),
        # Discovered long after: its own time was in the future.
        *read(NOT_BELIEVED, (3, 24 * 30, "F"), read_at=LATER + timedelta(days=1), flags=frozenset({"no_start_time"})),
        *read(NOT_BELIEVED, (70, 120, "P"), job="B"),
        *read(EQUAL_TIMES, *((number, 0, "F" if number == 12 else "P") for number in range(8, 13))),
        *read(TWO_JOBS, (7, 0, "P"), (8, 10, "P"), (9, 2, "P")),
        *read(TWO_JOBS, (1, 5, "P"), (2, 12, "P"), job="B"),
        *(one for row in (*hours, *again)
          for one in read(CREATED_AGAIN, row, read_at=START + timedelta(hours=row[1] + 1))),
        *read(NAMED, (9, 0, "P"), key="NIGHT=monday"),
        *read(NAMED, (4, 24, "P"), key="NIGHT=tuesday"),
        *read(TWICE, (5, 0, "P"), read_at=START + timedelta(hours=1)),
        *read(TWICE, (5, 50, "P"), read_at=START + timedelta(hours=51)),
        *read(IMPORTED, *((number, number, "P") for number in (118, 119, 120)), key="run="),
        *read(IMPORTED, *((number, 24 * 30 + number, "P") for number in (1, 2, 3)), key="run="),
        *read(OVERLAPPING, (2, 0, "P"), (3, 2, "P"), (4, 1, "P"), (1, 10, "P"), (2, 12, "P"), (3, 11, "P")),
    ]  # fmt: skip


def write(store: Store, rows: Builds) -> None:
    builds = [build for build, _ in rows]
    store.transact("test", "builds", lambda cursor: upsert_builds(cursor, builds, LATER, standalone_runs=rows))


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store of all scenarios, as a web process has it, also with as many threads."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("REGTRACKER_STORE__THREADS")
        store = World.at(tmp_path_factory.mktemp("order"), memory_tables=True).store
    write(store, scenarios())
    yield store
    store.close()


@pytest.fixture(scope="module", params=["memory tables", "earlier snapshot"])
def store(newest: Store, request: pytest.FixtureRequest) -> Store:
    return newest if request.param == "memory tables" else newest.at(newest.snapshot().id)


def numbers(store: Store, release: str) -> list[int]:
    """The run numbers of a release from the oldest to the newest, as every question gives them."""
    flt = Filter(release)
    newest_first = runs.runs(store, flt)
    order = [run["number"] for run in reversed(newest_first)]
    paged = []
    before = None
    while page := runs.runs(store, flt, 1, before):
        paged.append(page[0]["number"])
        before = page[0]["id"]
    chain = []
    at = newest_first[-1]["id"]
    while at is not None:
        found = runs.run(store, at)
        assert found is not None
        chain.append(found["number"])
        at = found["next"]
    (tile,) = releases.tiles(store, flt)
    (series,) = trends.trend(store, flt)["series"]
    test = ids.text(ids.of(f"tests/{module_of(release)}/{module_of(release)}_test.py", "TestIt", "a"))
    of_builds, page_end = [], None
    while page := builds.builds(store, flt, 1, page_end):
        of_builds.append(page[0]["number"])
        page_end = page[0]["id"]
    shown = grid.grid(store, flt)["runs"]
    assert order == paged[::-1] == chain == [run["number"] for run in tile["spark"]]
    assert order == [point["number"] for point in series["points"]] == of_builds[::-1]
    assert order == [row["number"] for row in tests.history(store, test)][::-1]
    assert order in ([run["number"] for run in shown], [run["number"] for run in shown][::-1])
    assert order[-1] == tile["latest_run"]["number"] == gate.gate(store, flt)["run"]["number"]
    hits = [hit["id"] for hit in search(store, release, flt, 50) if hit["kind"] == "run"]
    assert hits == [run["id"] for run in newest_first]
    return order


def test_the_numbers_of_a_job_decide_where_a_clock_went_back(store: Store) -> None:
    assert numbers(store, CLOCK_BACK) == [1, 2, 3, 4]
    (verdict,) = verdicts.verdicts(store, Filter(CLOCK_BACK))
    assert (verdict["kind"], verdict["first_bad"]["number"], verdict["last_good"]["number"]) == ("regression", 3, 2)


def test_a_time_that_is_not_believed_moves_no_other_build(store: Store) -> None:
    assert numbers(store, NOT_BELIEVED) == [1, 2, 3, 4, 5, 70]


def test_equal_times_are_ordered_by_number(store: Store) -> None:
    assert numbers(store, EQUAL_TIMES) == list(range(8, 13))
    answer = gate.gate(store, Filter(EQUAL_TIMES))
    assert (answer["run"]["number"], answer["baseline"]["number"], answer["state"]) == (12, 11, "closed")


def test_times_order_across_jobs_also_where_one_clock_went_back(store: Store) -> None:
    assert numbers(store, TWO_JOBS) == [7, 1, 8, 9, 2]


def test_a_job_created_again_restarts_its_numbers(store: Store) -> None:
    assert numbers(store, CREATED_AGAIN) == [48, 49, 50, 1, 2, 49, 50, 51]


def test_imported_builds_of_a_job_created_again_come_before_its_new_ones(store: Store) -> None:
    assert numbers(store, IMPORTED) == [118, 119, 120, 1, 2, 3]


def test_a_number_twice_proves_that_the_job_was_created_again(store: Store) -> None:
    assert numbers(store, OVERLAPPING) == [2, 3, 4, 1, 2, 3]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty table of builds."""
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("""CREATE TABLE builds (build BIGINT, source VARCHAR, job VARCHAR, number INTEGER,
            started_at TIMESTAMP, ingested_at TIMESTAMP, flags VARCHAR)""")
        yield connection


def build_order(connection: duckdb.DuckDBPyConnection, starts: list[tuple[int, datetime]]) -> list[int]:
    """The positions of the builds of one job (number, start), all imported long after, oldest first."""
    rows = [(at, "ci", "job", number, start, READ_AT, "") for at, (number, start) in enumerate(starts)]
    connection.execute("DELETE FROM builds")
    connection.execute(f"INSERT INTO builds VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?)'] * len(rows))}", sum(rows, ()))
    return [build for (build,) in connection.execute(f"SELECT build FROM ({BUILD_ORDER}) ORDER BY rank").fetchall()]


@st.composite
def generations(draw: st.DrawFn) -> list[tuple[int, datetime]]:
    """The builds of two or three jobs of one name, one after the other, with clocks wrong by up to 12 hours."""
    spans = draw(st.lists(st.tuples(st.integers(1, 3), st.integers(2, 12)), min_size=1, max_size=2))
    spans.insert(0, (draw(st.integers(1, 30)), draw(st.integers(2, 12))))
    for (first, _), (after, count) in pairwise(spans):
        assume(after + count != first)  # numbers that join up prove nothing
    found = []
    start = START
    for first, count in spans:
        for number in range(first, first + count):
            found.append((number, start + timedelta(minutes=draw(st.integers(-719, 719)))))
            start += timedelta(hours=draw(st.integers(1, 60)))
        start += timedelta(days=6)
    return found


@given(builds=generations())
def test_generations_are_in_order_whatever_the_skew_of_clocks(
    connection: duckdb.DuckDBPyConnection, builds: list[tuple[int, datetime]]
) -> None:
    assert build_order(connection, builds) == list(range(len(builds)))


@given(count=st.integers(2, 30), data=st.data())
def test_one_wrong_clock_leaves_the_order_to_the_numbers(
    connection: duckdb.DuckDBPyConnection, count: int, data: st.DataObject
) -> None:
    wrong = data.draw(st.integers(1, count))
    error = timedelta(hours=data.draw(st.integers(-10_000, 10_000)))
    starts = [
        (number, START + timedelta(days=number) + (error if number == wrong else timedelta(0)))
        for number in range(1, count + 1)
    ]
    assert build_order(connection, starts) == list(range(count))


def test_names_that_are_no_numbers_leave_the_order_to_the_time(store: Store) -> None:
    assert [run["display_name"] for run in runs.runs(store, Filter(NAMED))] == ["tuesday", "monday"]


def test_the_runs_of_a_number_come_newest_first(store: Store) -> None:
    assert runs_by_name(store, f"{TWICE} #5") == [run["id"] for run in runs.runs(store, Filter(TWICE))]


def test_a_snapshot_from_before_runs_had_keys_is_still_ordered(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    write(world.store, read("7.0", (1, 5, "P"), (2, 3, "F")))
    snapshot = world.store.snapshot().id
    world.store.close()
    store = Store.open(world.store.settings)
    store.transact("test", "as before", lambda cursor: cursor.execute("ALTER TABLE runs DROP COLUMN key"))
    try:
        assert store.snapshot().id > snapshot
        assert numbers(store, "7.0") == [1, 2]
    finally:
        store.close()
