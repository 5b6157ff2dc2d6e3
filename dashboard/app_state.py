"""The settings and the store of a web process.

The store is opened at first use: a server forks its workers after it creates the application, and DuckDB does not
survive a fork.
"""

from __future__ import annotations

import threading

from flask import current_app

from data.cache.dependencies import nothing
from data.lake.store import Store
from data.model import filters
from data.settings import Settings

MAX_SNAPSHOT = 2**62


class Services:
    """One per process: `app.server.extensions["regtracker"]`."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._store: Store | None = None
        self._lock = threading.Lock()

    @property
    def store(self) -> Store:
        """The open store, shared by the process's threads. Raises StoreError if it cannot be opened."""
        with self._lock:
            if self._store is None:
                self._store = Store.open(self.settings, memory_tables=True)
            return self._store

    def close(self) -> None:
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None


def services() -> Services:
    """The services of the application that answers the current request."""
    return current_app.extensions["regtracker"]


def store(as_of: int | None = None) -> Store:
    """The open store, or the store as of a snapshot. Raises StoreError."""
    return services().store if as_of is None else services().store.at(as_of)


def snapshot_of(text: str) -> int:
    """The snapshot of `as_of`: a number, or the newest at a time. Raises FilterError, SnapshotNotFoundError."""
    problem = "must be the number of a snapshot, or an ISO 8601 time such as 2026-11-22T20:00:00Z"
    if text.isascii() and text.isdigit():
        if int(text) > MAX_SNAPSHOT:
            raise filters.FilterError("as_of", text, problem)
        return int(text)
    try:
        moment = filters.parse_time(text)
    except filters.FilterError:
        raise filters.FilterError("as_of", text, problem) from None
    current = store()
    newest = current.snapshot()
    if moment >= newest.committed_at:
        return newest.id
    # Later commits are newer than the moment, so its snapshot never changes.
    return current.cached(("as_of", moment), lambda: current.snapshot_at(moment).id, lambda _: 100, nothing)
