"""A poll that finds nothing new reads nothing of the lake, and notices every commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.fake_server import WebServer, job, store_of

from data.lake.store import Store
from data.settings import load
from data.tasks import ledger
from data.tasks.jobs import JobRow, update_jobs
from data.tasks.ledger import BUILD, RUN, LedgerEntry
from ingest.pipeline import Pipeline
from ingest.source_state import SourceState

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 1, 4)
HOUR = timedelta(hours=1)
ENTRIES = [
    LedgerEntry("ci", "a", 1, RUN, next_try=NOW),
    LedgerEntry("ci", "a", 2, BUILD, "retry", next_try=NOW + HOUR),
    LedgerEntry("ci", "a", 3, BUILD, "recheck", next_try=NOW + HOUR),
    LedgerEntry("ci", "a", 4, BUILD, "gone"),
    LedgerEntry("ci", "b", 5, BUILD, next_try=NOW),
    LedgerEntry("ci", "a", 5, BUILD, next_try=NOW),
    LedgerEntry("ci", "a", 6, BUILD, "running"),
    LedgerEntry("other", "a", 7, BUILD, next_try=NOW),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with store_of(tmp_path) as store:
        yield store


def add(store: Store, *entries: LedgerEntry) -> None:
    store.transact("test", "test", lambda cursor: ledger.add_entries(cursor, entries, NOW))


@pytest.mark.parametrize("most", [0, 100])
def test_it_answers_as_the_ledger(store: Store, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr("ingest.source_state.MOST_ENTRIES", most)
    add(store, *ENTRIES)
    state = SourceState("ci")
    found = 0
    for kind in (RUN, BUILD):
        for now in (NOW - HOUR, NOW, NOW + HOUR):
            for limit in (1, 100):
                for eager in (False, True):
                    due = state.due(store, kind, now, limit, eager)
                    assert due == ledger.due(store, "ci", kind, now, limit, eager)
                    found += len(due)
    assert found > 20
    assert state.next_due(store) == NOW == ledger.next_due(store, "ci")


def test_it_notices_a_commit_of_another_process(store: Store) -> None:
    state = SourceState("ci")
    assert (state.due(store, BUILD, NOW, 9, False), state.next_due(store), state.jobs(store)) == ([], None, {})
    with closing(Store.open(store.settings)) as other:
        add(other, ENTRIES[-3])
        add(other, ENTRIES[-4])
        other.transact("test", "test", lambda cursor: update_jobs(cursor, [JobRow("ci", "a", 5)], NOW))
    assert [entry.number for entry in state.due(store, BUILD, NOW, 9, False)] == [5, 5]
    assert (state.next_due(store), list(state.jobs(store))) == (NOW, ["a"])


def test_a_poll_with_nothing_new_reads_nothing(web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = job(web, 1, 2)
    web.routes["/job/x/2/api/json"] = web.routes["/job/x/2/api/json"] | {"building": True, "result": None}
    settings = load(home=tmp_path, source=[source])
    reads: list[Any] = []
    with closing(Store.open(settings)) as store:
        pipeline = Pipeline(store, settings.source[0])
        polls = [pipeline.poll(eager=True) for _ in range(2)]
        assert [(poll.ingested, poll.error) for poll in polls] == [(1, None), (0, None)]
        before, cursor = store.snapshot().id, Store.cursor
        monkeypatch.setattr(Store, "cursor", lambda self: reads.append(self) or cursor(self))
        poll = pipeline.poll(eager=True)
        assert (poll.running, reads, store.snapshot().id) == (1, [], before), "the running build alone was asked for"
        job(web, 1, 2, 3)
        assert pipeline.poll(eager=True).ingested == 2
        assert reads
