"""What polls of a source read of the store, kept until a commit: most polls find the store as the last one left it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from data.lake.store import Store
from data.model.build_record import BuildKey
from data.tasks import ledger
from data.tasks.build_lookups import EntryContext, entry_contexts
from data.tasks.jobs import JobRow, load_jobs
from data.tasks.ledger import LedgerEntry

MOST_ENTRIES = 1_000  # open entries of a source that are kept; of more, each question reads what it needs

T = TypeVar("T")


class SourceState:
    """The jobs and the open work of one source, for the thread that polls it. Callers do not change the answers."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._snapshot = -1
        self._answers: dict[Hashable, Any] = {}

    def _kept(self, store: Store, question: Hashable, read: Callable[[], T]) -> T:
        snapshot = store.snapshot().id  # before reading: the next question notices a commit in between
        if snapshot != self._snapshot:
            self._snapshot, self._answers = snapshot, {}
        if question not in self._answers:
            self._answers[question] = read()
        answer: T = self._answers[question]
        return answer

    def jobs(self, store: Store) -> dict[str, JobRow]:
        """The jobs as the last sweep found them."""
        return self._kept(store, "jobs", lambda: load_jobs(store, self._source))

    def due(self, store: Store, kind: str, now: datetime, limit: int, eager: bool) -> list[LedgerEntry]:
        """As `ledger.due`."""
        entries = self._open(store)
        if entries is None:
            return ledger.due(store, self._source, kind, now, limit, eager)
        return [entry for entry in entries if entry.kind == kind and entry.is_due(now, eager)][:limit]

    def next_due(self, store: Store) -> datetime | None:
        """As `ledger.next_due`."""
        return self._kept(store, "next due", lambda: ledger.next_due(store, self._source))

    def contexts(self, store: Store, entries: Sequence[LedgerEntry]) -> dict[BuildKey, EntryContext]:
        """As `entry_contexts`."""
        return self._kept(store, tuple(entry.key for entry in entries), lambda: entry_contexts(store, entries))

    def _open(self, store: Store) -> list[LedgerEntry] | None:
        """The entries that are or will be due, newest builds first; None if they are more than MOST_ENTRIES."""
        entries = self._kept(store, "open entries", lambda: ledger.open_entries(store, self._source, MOST_ENTRIES + 1))
        return entries if len(entries) <= MOST_ENTRIES else None
