"""Writing builds: they are replaced, never added to; runs find their builds, whatever comes first."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.store_builder import World, cases, held

from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildRecord, CommitRecord, RawFile
from data.model.run_record import RunBuildRecord, RunRecord
from data.write.builds import upsert_builds
from data.write.first_seen import refresh_first_seen
from data.write.raw_files import replace_raw_files

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 1, 4)
TABLES = ("builds", "results", "failures", "build_counts", "tests", "signatures", "runs", "run_builds", "commits")
TABLES += ("warnings", "raw_files", "releases")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = World.at(tmp_path).store
    yield store
    store.close()


def build(
    number: int = 1, job: str = "qa/A", hours: float = 0, letters: dict[str, str] | None = None, **values
) -> BuildRecord:
    module = job.rpartition("/")[2].lower()
    facts = {"release": "7.0", "module": module, **held(cases(module, letters or {"test_a": "P", "test_b": "FP"}))}
    return BuildRecord("ci", job, number, NOW + timedelta(hours=hours), **{**facts, **values})


def parent(number: int = 1, hours: float = 0, **values) -> RunRecord:
    return RunRecord(
        "ci", "qa/MODULE-RUN", number, **{"release": "7.0", "started_at": NOW + timedelta(hours=hours), **values}
    )


def lists(run: RunRecord, *jobs: str, number: int = 1) -> list[RunBuildRecord]:
    return [RunBuildRecord(run.id, "ci", job, number, job.rpartition("/")[2].lower()) for job in jobs]


def write(store: Store, *works) -> None:
    store.transact("test", "test", lambda cursor: [work(cursor) for work in works])


def write_runs(cursor: duckdb.DuckDBPyConnection, runs: list[RunRecord], run_builds: list[RunBuildRecord]) -> None:
    upsert_builds(cursor, [], NOW, runs=runs, run_builds=run_builds)


def content(store: Store) -> dict[str, list]:
    return {table: store.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in TABLES}


def run_builds(store: Store, job: str = "%") -> set[tuple]:
    """What the runs of a job list; of all jobs by default."""
    rows = store.rows(
        "SELECT o.number, o.release, r.job, r.build FROM runs o LEFT JOIN run_builds r USING (run) WHERE o.job LIKE ?",
        [job],
    )
    return {(row["number"], row["release"], row["job"], row["build"]) for row in rows}


def test_a_build_is_replaced_with_everything_below_it(store: Store) -> None:
    first = build(
        commits=[CommitRecord("abc", "me", "why", NOW)],
        warnings=[("a.xml", "odd")],
        raw=[RawFile("a.xml", "junit", "zstd", 3, b"abc")],
        flags=frozenset({"recovered", "partial"}),
    )
    write(store, lambda cursor: upsert_builds(cursor, [first, build(2, hours=1)], NOW))
    assert store.rows("SELECT total, passed, failed, errors, skipped, flags FROM builds WHERE number = 1") == [
        {"total": 2, "passed": 2, "failed": 0, "errors": 0, "skipped": 0, "flags": "partial recovered"}
    ]
    before = content(store)
    write(store, lambda cursor: upsert_builds(cursor, [first], NOW))
    assert content(store) == before
    second = build(letters={"test_a": "E", "test_c": "S"})
    write(store, lambda cursor: upsert_builds(cursor, [second], NOW))
    assert store.rows("SELECT total, passed, failed, errors, skipped FROM builds WHERE number = 1") == [
        {"total": 2, "passed": 0, "failed": 1, "errors": 1, "skipped": 1}
    ]
    assert store.value("SELECT count(*) FROM results WHERE build = ?", [first.id]) == 2
    for table in ("commits", "warnings", "raw_files"):
        assert store.value(f"SELECT count(*) FROM {table} WHERE build = ?", [first.id]) == 0
    assert store.value("SELECT count(*) FROM results WHERE build = ?", [build(2, hours=1).id]) == 3


def test_raw_files_may_be_left_as_they_are(store: Store) -> None:
    first = build(raw=[RawFile("a.xml", "junit", "zstd", 3, b"abc")])
    write(store, lambda cursor: upsert_builds(cursor, [first], NOW))
    write(store, lambda cursor: upsert_builds(cursor, [replace(first, raw=None)], NOW))
    assert store.value("SELECT count(*) FROM raw_files") == 1
    write(
        store,
        lambda cursor: replace_raw_files(cursor, {(7, NOW): first.raw}),
        lambda cursor: replace_raw_files(cursor, {(7, NOW): first.raw}),
    )
    assert store.value("SELECT count(*) FROM raw_files WHERE build = 7") == 1


def test_ids_in_the_store_are_those_of_their_natural_keys(store: Store) -> None:
    write(store, lambda cursor: upsert_builds(cursor, [build()], NOW))
    for row in store.rows("SELECT test, file, class, name FROM tests"):
        assert row["test"] == ids.of(row["file"], row["class"], row["name"])


def test_first_seen_is_the_earliest_whatever_comes_first(store: Store) -> None:
    late = build(2, hours=5, **held(cases("late", {"test_a": "F"}, file="x")))
    early = build(1, **held(cases("early", {"test_a": "F"}, file="x")))
    for order in (late, early, late):
        write(store, lambda cursor, order=order: upsert_builds(cursor, [order], NOW))
    assert store.rows("SELECT module, first_seen FROM tests") == [{"module": "early", "first_seen": NOW}]
    assert store.rows("SELECT first_seen FROM signatures") == [{"first_seen": NOW}]


def test_tests_that_are_in_no_result_any_more_go_when_all_is_derived_anew(store: Store) -> None:
    write(store, lambda cursor: upsert_builds(cursor, [build(letters={"test_a": "F"})], NOW))
    write(store, lambda cursor: upsert_builds(cursor, [build(letters={"test_b": "P"})], NOW))
    before = content(store)
    write(store, refresh_first_seen)
    assert [row["name"] for row in store.rows("SELECT name FROM tests")] == ["test_b"]
    assert store.value("SELECT count(*) FROM signatures") == 0
    assert content(store) | {"tests": [], "signatures": []} == before | {"tests": [], "signatures": []}


RUN, A, B = parent(), build(job="qa/A"), build(job="qa/B", release="7.1")
STEPS = {
    "parent": lambda cursor: write_runs(cursor, [RUN], lists(RUN, "qa/A", "qa/B", "qa/C")),
    "a": lambda cursor: upsert_builds(cursor, [A], NOW),
    "b": lambda cursor: upsert_builds(cursor, [B], NOW),
}


def test_a_run_and_its_builds_may_come_in_any_order(store: Store) -> None:
    """Six jobs, each in an order of its own; the first steps of all in one commit, then the second ones, the last, and
    each run once more."""
    orders = [(*order, "parent") for order in itertools.permutations(STEPS)]

    def step(name: str, job: str) -> Callable[[duckdb.DuckDBPyConnection], None]:
        run = replace(RUN, job=job)
        works = {
            "parent": lambda cursor: write_runs(cursor, [run], lists(run, f"{job}/A", f"{job}/B", f"{job}/C")),
            "a": lambda cursor: upsert_builds(cursor, [replace(A, job=f"{job}/A")], NOW),
            "b": lambda cursor: upsert_builds(cursor, [replace(B, job=f"{job}/B")], NOW),
        }
        return works[name]

    for steps in zip(*orders, strict=True):
        write(store, *(step(name, f"qa{number}") for number, name in enumerate(steps)))
    for number, order in enumerate(orders):
        job = f"qa{number}"
        first, second = (replace(one, job=f"{job}/{letter}").id for one, letter in ((A, "A"), (B, "B")))
        assert run_builds(store, job) == {
            (1, "7.0", f"{job}/A", first),
            (1, "7.0", f"{job}/C", None),
            (1, "7.1", f"{job}/B", second),
        }, order
    assert {row["release"] for row in store.rows("SELECT release FROM releases")} == {"7.0", "7.1"}


def test_what_is_new_of_a_parent_holds_for_all_of_its_runs(store: Store) -> None:
    running = replace(RUN, state="running")
    write(
        store,
        lambda cursor: write_runs(cursor, [running], lists(RUN, "qa/A", "qa/B")),
        STEPS["a"],
        STEPS["b"],
    )
    write(store, lambda cursor: write_runs(cursor, [replace(RUN, result="FAILURE")], []))
    assert store.rows("SELECT release, state, result FROM runs ORDER BY ALL") == [
        {"release": "7.0", "state": "final", "result": "FAILURE"},
        {"release": "7.1", "state": "final", "result": "FAILURE"},
    ]


def test_a_run_all_of_whose_builds_tested_another_release_is_none(store: Store) -> None:
    write(store, lambda cursor: write_runs(cursor, [RUN], lists(RUN, "qa/B")), STEPS["b"])
    assert run_builds(store) == {(1, "7.1", "qa/B", B.id)}
    write(store, lambda cursor: write_runs(cursor, [RUN], lists(RUN, "qa/B")))
    assert run_builds(store) == {(1, "7.1", "qa/B", B.id)}


def test_a_parent_whose_own_release_becomes_known_later(store: Store) -> None:
    early = parent(release="unknown")
    write(store, lambda cursor: write_runs(cursor, [early], lists(early, "qa/A", "qa/C")))
    write(
        store,
        lambda cursor: write_runs(cursor, [RUN], lists(RUN, "qa/A", "qa/C")),
        STEPS["a"],
    )
    assert run_builds(store) == {(1, "7.0", "qa/A", A.id), (1, "7.0", "qa/C", None)}


def test_a_job_made_anew_leaves_each_run_the_build_that_it_meant(store: Store) -> None:
    old, new = build(), build(hours=100)
    first, second = parent(hours=-1), parent(hours=99)
    write(store, lambda cursor: write_runs(cursor, [first], lists(first, "qa/A")))
    write(store, lambda cursor: upsert_builds(cursor, [old], NOW))
    write(store, lambda cursor: write_runs(cursor, [second], lists(second, "qa/A")))
    write(store, lambda cursor: upsert_builds(cursor, [new], NOW))
    rows = store.rows("SELECT o.started_at, r.build FROM runs o JOIN run_builds r USING (run) ORDER BY 1")
    assert [row["build"] for row in rows] == [old.id, new.id]


def test_a_build_that_makes_its_run_takes_it_along_to_another_release(store: Store) -> None:
    for release in ("unknown", "7.0", "7.0"):
        one = build(release=release, state="running")
        run = RunRecord("ci", one.job, 1, release, one.started_at, state="running")
        write(store, lambda cursor, one=one, run=run: upsert_builds(cursor, [one], NOW, standalone_runs=[(one, run)]))
        assert run_builds(store) == {(1, release, "qa/A", one.id)}


def test_runs_that_nobody_orchestrates_are_summed_up_from_their_builds(store: Store) -> None:
    def group(one: BuildRecord, value: str) -> tuple[BuildRecord, RunRecord]:
        return one, RunRecord("ci", "qa", 812, "7.0", one.started_at, key=f"ID={value}")

    late, early = build(job="qa/A", hours=2, duration_s=60, state="running"), build(job="qa/B", hours=1, duration_s=60)
    for one in (late, early):
        write(store, lambda cursor, one=one: upsert_builds(cursor, [one], NOW, standalone_runs=[group(one, "x")]))
    assert store.rows("SELECT started_at, duration_s, state FROM runs") == [
        {"started_at": early.started_at, "duration_s": 3660, "state": "running"}
    ]
    done = replace(late, state="final", duration_s=120)
    write(store, lambda cursor: upsert_builds(cursor, [done], NOW, standalone_runs=[group(done, "x")]))
    assert store.rows("SELECT duration_s, state FROM runs") == [{"duration_s": 3720, "state": "final"}]
    write(store, lambda cursor: upsert_builds(cursor, [done], NOW, standalone_runs=[group(done, "y")]))
    assert store.rows("SELECT count(*) AS builds FROM runs JOIN run_builds USING (run) GROUP BY run") == [
        {"builds": 1},
        {"builds": 1},
    ]


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    texts=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), min_size=1, max_size=20, unique=True
    )
)
def test_any_name_comes_back_as_it_went_in(store: Store, texts: list[str]) -> None:
    one = build(letters=dict.fromkeys(texts, "F"))
    write(store, lambda cursor: upsert_builds(cursor, [one], NOW))
    rows = store.rows("SELECT t.name FROM results r JOIN tests t USING (test) WHERE build = ?", [one.id])
    assert sorted(row["name"] for row in rows) == sorted(texts)
