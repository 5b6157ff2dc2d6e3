"""The newest snapshot of an embedded lake, for the price of a stat, and the idle connection that keeps it fast.

SQLite's WAL is checkpointed under an exclusive lock when the last connection closes, and DuckDB's SQLite waits for a
lock in steps of a whole second. DuckDB opens and closes a connection for every transaction, so without an idle one the
last closer stalls everybody: measured with 2 writers and 2 readers, a reader's p99 falls from 1,025 ms to 65 ms. The
idle one must belong to DuckDB's own SQLite: POSIX drops all of a process's locks on a file when any library closes it,
so one held by Python's sqlite3 protects nothing. It is renewed at every read, so that it never pins an old WAL.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import duckdb

# File times tick in steps of a few ms: an unchanged stat proves an unchanged file only if it is older than that.
_TICK_NS = 50_000_000
_NEWEST = "SELECT snapshot_id, snapshot_time FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1"


class CatalogWatch:
    """Watches one SQLite catalogue from one process; threads share it."""

    def __init__(self, root: duckdb.DuckDBPyConnection, catalog: Path) -> None:
        quoted = str(catalog).replace("'", "''")
        root.execute(f"ATTACH '{quoted}' AS catalog_watch (TYPE sqlite)")
        self._files = (catalog, Path(f"{catalog}-wal"))
        self._idle, self._next = root.cursor(), root.cursor()
        self._lock = threading.Lock()
        self._seen: tuple[object, ...] | None = None
        self._newest: tuple[int, datetime] = (0, datetime.min)

    def newest(self) -> tuple[int, datetime]:
        """(snapshot id, committed at, UTC) of the newest commit of any process. Raises duckdb.Error."""
        with self._lock:
            stamp, settled = self._stamp()
            if stamp != self._seen:
                self._newest = self._read()
                self._seen = stamp if settled else None
            return self._newest

    def _stamp(self) -> tuple[tuple[object, ...], bool]:
        stats = []
        for file in self._files:
            try:
                stat = os.stat(file)
                stats.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
            except FileNotFoundError:
                stats.append((0, 0, 0))
        youngest = max(stat[2] for stat in stats)
        return tuple(stats), time.time_ns() - youngest > _TICK_NS

    def _read(self) -> tuple[int, datetime]:
        self._next.execute("BEGIN")
        rows = self._next.execute(f"FROM sqlite_query('catalog_watch', '{_NEWEST}')").fetchall()
        self._idle, self._next = self._next, self._idle
        with suppress(duckdb.TransactionException):  # the first time there is no earlier one to end
            self._next.execute("COMMIT")
        ((number, text),) = rows
        moment = datetime.fromisoformat(text)
        return int(number), (moment - (moment.utcoffset() or moment - moment)).replace(tzinfo=None)
