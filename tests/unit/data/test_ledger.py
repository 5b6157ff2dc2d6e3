"""Open work: what is known, due and finished follows from rows, not from a high-water mark."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.store_builder import World

from data.lake.store import Store
from data.model.build_record import BuildRecord
from data.model.measures import iso
from data.model.run_record import RunBuildRecord, RunRecord
from data.queries import ingest_status as queries
from data.tasks import ledger, poll_status
from data.tasks.build_lookups import entry_contexts, known_builds
from data.tasks.jobs import JobRow, load_jobs, update_jobs
from data.tasks.ledger import BUILD, GONE_FOR, RUN, LedgerEntry
from data.tasks.poll_log import PollRecord, log_poll
from data.write.builds import upsert_builds

NOW = datetime(2026, 11, 1, 4)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = World.at(tmp_path).store
    yield store
    store.close()


def entry(number: int, **values) -> LedgerEntry:
    return LedgerEntry("ci", values.pop("job", "a"), number, **{"kind": BUILD, "next_try": NOW, **values})


def write(store: Store, *works) -> list:
    return store.transact("test", "test", lambda cursor: [work(cursor) for work in works])


def discover(store: Store, *entries: LedgerEntry, now: datetime = NOW) -> int:
    return write(store, lambda cursor: ledger.add_entries(cursor, entries, now))[0]


def due(store: Store, kind: str = BUILD, now: datetime = NOW, **values) -> list[int]:
    return [entry.number for entry in ledger.due(store, "ci", kind, now, **values)]


def test_a_build_is_discovered_once(store: Store) -> None:
    assert discover(store, entry(1), entry(2), entry(2)) == 2
    assert discover(store, entry(2, state="retry"), entry(3)) == 1
    assert due(store) == [3, 2, 1]


def test_what_is_due_comes_by_kind_and_time(store: Store) -> None:
    discover(
        store,
        entry(1, kind=RUN),
        entry(2, next_try=NOW + HOUR, state="retry"),
        entry(3, next_try=NOW + HOUR, state="recheck"),
        entry(4, next_try=None, state="gone"),
        entry(5, job="b"),
    )
    discover(store, replace(entry(6), source="other"))
    assert due(store, RUN) == [1]
    assert due(store) == [5]
    assert due(store, eager=True) == [5, 2], "what failed may be tried at once; a recheck has its time"
    assert due(store, now=NOW + HOUR) == [5, 3, 2]
    assert due(store, now=NOW + HOUR, limit=2) == [5, 3]
    assert ledger.next_due(store, "ci") == NOW
    assert ledger.next_due(store, "nobody") is None


def test_what_is_done_is_forgotten_and_the_rest_goes_on(store: Store) -> None:
    discover(store, entry(1), entry(2), entry(3))
    failed = entry(2, state="retry", attempts=1, error="boom", next_try=NOW + HOUR, first_seen=NOW)
    write(store, lambda cursor: ledger.update_entries(cursor, [entry(1), entry(2)], [failed], NOW + HOUR))
    assert due(store) == [3]
    assert ledger.find_entry(store, entry(2)) == failed
    assert ledger.find_entry(store, entry(1)) is None
    assert ledger.open_since(store, "ci", NOW, NOW) == (1, 1)
    assert ledger.open_since(store, "ci", NOW + HOUR, NOW + HOUR) == (0, 0)


def test_what_is_known_are_rows_and_stored_builds(store: Store) -> None:
    stored = BuildRecord("ci", "a", 1, NOW, "7.0", "m")
    guessed = BuildRecord("ci", "a", 2, NOW, "7.0", "m", flags=frozenset({"no_start_time"}))
    write(store, lambda cursor: upsert_builds(cursor, [stored, guessed], NOW))
    write(store, lambda cursor: upsert_builds(cursor, [], NOW, runs=[RunRecord("ci", "a", 9, "7.0", NOW)]))
    discover(store, entry(3), entry(4, state="gone", next_try=None))
    known = known_builds(store, "ci", BUILD, ["a", "b"], NOW)
    assert known == {"a": {1: {NOW}, 2: {None}, 3: {None}, 4: {None}}, "b": {}}
    assert known_builds(store, "ci", RUN, ["a"], NOW)["a"].keys() == {9, 3, 4}
    later = NOW + GONE_FOR + HOUR
    assert 4 not in known_builds(store, "ci", BUILD, ["a"], later)["a"], "Jenkins lists it again: it is read again"
    assert discover(store, entry(4), now=later) == 1
    assert 4 in due(store)


def test_jobs_are_replaced(store: Store) -> None:
    write(store, lambda cursor: update_jobs(cursor, [JobRow("ci", "a", 5), JobRow("ci", "b")], NOW))
    write(store, lambda cursor: update_jobs(cursor, [JobRow("ci", "a", 6, missing=1)], NOW + HOUR))
    assert load_jobs(store, "ci") == {
        "a": JobRow("ci", "a", 6, 1, NOW + HOUR),
        "b": JobRow("ci", "b", None, 0, NOW),
    }


def test_a_context_tells_parents_and_what_is_stored(store: Store) -> None:
    run = RunRecord("ci", "parent", 1, "7.0", NOW, version="7.0.1", environment="prod")
    run_builds = [RunBuildRecord(run.id, "ci", "a", number, "m") for number in (1, 2)]
    write(store, lambda cursor: upsert_builds(cursor, [], NOW, runs=[run], run_builds=run_builds))
    read = BuildRecord("ci", "a", 1, NOW + HOUR, "7.0", "m", environment="prod")
    write(store, lambda cursor: upsert_builds(cursor, [read], NOW))
    keys = [entry(1), entry(2), entry(1, job="parent", kind=RUN)]
    first, second, parent = entry_contexts(store, keys).values()
    assert first.parents == second.parents == [run]
    assert (first.stored, second.stored) == ([(NOW + HOUR, "final")], [])
    assert parent.runs == [run] and parent.read_builds == {(NOW, "a", 1)}
    assert entry_contexts(store, []) == {}


def test_a_build_that_jenkins_lost_while_it_ran_is_waited_for_no_more(store: Store) -> None:
    running = BuildRecord("ci", "a", 1, NOW, "7.0", "m", state="running", flags=frozenset({"partial"}))
    write(store, lambda cursor: upsert_builds(cursor, [running], NOW))
    write(store, lambda cursor: ledger.finish_builds(cursor, [entry(1), entry(2)], "gone"))
    assert store.rows("SELECT state, flags FROM builds") == [{"state": "final", "flags": "partial gone"}]


def test_polls_are_logged(store: Store) -> None:
    poll = PollRecord("ci", NOW, 1.5, found=3, error="boom")
    write(store, lambda cursor: log_poll(cursor, poll))
    assert store.rows("SELECT found, error, duration_s FROM poll_log") == [
        {"found": 3, "error": "boom", "duration_s": 1.5}
    ]


def test_how_a_source_stands_is_true_without_a_snapshot_a_poll(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several processes the last poll counts, and the next that one of them still owes."""
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    failed = PollRecord("ci", now - HOUR, 1.5, failed=0, requests=4, error="boom")
    write(store, lambda cursor: log_poll(cursor, failed))
    (row,) = queries.status(store)
    assert (row["last_error"], row["last_failed"], row["requests"], row["next_poll"]) == ("boom", 0, 4, None)
    before = store.snapshot().id
    for process, began, following in (("a", now - 2 * HOUR, now - HOUR), ("b", now - HOUR / 2, now + HOUR)):
        monkeypatch.setattr(poll_status, "_PROCESS", process)
        poll_status.record_poll(store, replace(failed, started_at=began - HOUR, requests=8), began)
        poll_status.record_poll(store, replace(failed, started_at=began, error=None, requests=1), following)
    (row,) = queries.status(store)
    assert (row["last_error"], row["requests"]) == (None, 1), "the error is over, though no build came since"
    assert (row["last_poll"], row["next_poll"]) == (iso(now - HOUR / 2), iso(now + HOUR))
    assert 1800 <= row["lag_s"] < 1900 and store.snapshot().id == before
    poll_status.record_poll(store, replace(failed, started_at=now, error=None), None)
    (row,) = queries.status(store)
    assert (row["last_poll"], row["next_poll"]) == (iso(now), iso(now - HOUR)), "overdue: its process ended"
    write(store, lambda cursor: update_jobs(cursor, [JobRow("ci", "a")], NOW))
    (row,) = queries.status(store.at(before))
    assert (row["last_error"], row["next_poll"]) == ("boom", None), "the past knows what it knew"


def test_the_list_of_open_work_puts_last_what_is_only_looked_at_once_more(store: Store) -> None:
    first = LedgerEntry("ci", "a", 1, BUILD, "recheck", next_try=NOW)
    then = LedgerEntry("ci", "a", 2, BUILD, "retry", next_try=NOW + HOUR)
    write(store, lambda cursor: ledger.add_entries(cursor, [first, then], NOW))
    assert [row["number"] for row in queries.ledger(store)] == [2, 1]
