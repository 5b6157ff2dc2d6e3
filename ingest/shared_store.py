"""The store of an ingest process, which its threads share and which is reopened from time to time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from data.lake.connection import StoreError
from data.lake.store import Store
from data.settings import Settings
from ingest.tuning import single_threaded

log = logging.getLogger(__name__)

REOPEN_AFTER = 500  # commits: until it is closed, DuckDB keeps some 0.1 MB per commit that its memory limit ignores


class SharedStore:
    """All work with the store is within `use`; outside it the store may be closed at any time."""

    def __init__(self, settings: Settings, stop: threading.Event) -> None:
        self._settings = single_threaded(settings)
        self._stop = stop
        self.store = Store.open(self._settings)
        self._opened_at = self.store.snapshot().id
        self._gate = threading.Lock()
        self._using = 0  # threads

    @contextmanager
    def use(self) -> Iterator[Store]:
        """The open store. The last thread that leaves it reopens the store when that is due."""
        with self._gate:
            self._using += 1
            store = self.store
        try:
            yield store
        finally:
            with self._gate:
                self._using -= 1
                if not self._using and not self._stop.is_set():
                    self._reopen()

    def _reopen(self) -> None:
        try:
            if self.store.snapshot().id - self._opened_at < REOPEN_AFTER:
                return
            old, self.store = self.store, Store.open(self._settings)
        except (StoreError, duckdb.Error):
            log.exception("the store could not be reopened; the open connection stays in use")
            return
        self._opened_at = self.store.snapshot().id
        old.close()
