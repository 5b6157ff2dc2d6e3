"""The newest snapshot of a SQLite catalog, for the price of a stat; and the idle connection that keeps it fast.

When its last connection closes, SQLite checkpoints the WAL under an exclusive lock, and DuckDB's SQLite waits for a
lock in steps of a whole second. DuckDB opens and closes a connection for every transaction, so without an idle one the
last to close stalls everyone: measured with 2 writers and 2 readers, an idle connection cuts a reader's p99 from
1,025 ms to 65 ms. It must belong to DuckDB's own SQLite: POSIX drops all locks of a process on a file when any library
closes that file, so a connection of Python's sqlite3 would not help. It is renewed at every read, so that it never pins
an old WAL.

Whether something was committed is read from the header of the WAL index (https://sqlite.org/walformat.html), which a
writer writes last and SQLite itself relies on. File times are not enough: on a busy machine a writer may be suspended
between its last write to the WAL and that header.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import duckdb

_HEADER = 48  # bytes; the index has two copies, and they differ while a writer is updating them
_NEWEST = "SELECT snapshot_id, snapshot_time FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1"


class CatalogWatch:
    """Watches one SQLite catalog from one process; threads share it."""

    def __init__(self, root: duckdb.DuckDBPyConnection, catalog: Path) -> None:
        quoted = str(catalog).replace("'", "''")
        root.execute(f"ATTACH '{quoted}' AS catalog_watch (TYPE sqlite)")
        self._index = f"{os.path.realpath(catalog)}-shm"
        self._index_open = (-1, -1)  # (inode, descriptor)
        self._idle, self._next = root.cursor(), root.cursor()
        self._lock = threading.Lock()
        self._last_header: bytes | None = None
        self._newest: tuple[int, datetime] = (0, datetime.min)

    def newest(self) -> tuple[int, datetime]:
        """(snapshot id, commit time in UTC) of the newest commit of any process. Raises duckdb.Error."""
        with self._lock:
            header = self._header()
            if header is None or header != self._last_header:
                self._newest = self._read()
                self._last_header = header
            return self._newest

    def last_write(self) -> bytes | None:
        """What changes with every write to the catalog, also to tables outside the lake; None while it is unavailable
        or being written."""
        with self._lock:
            return self._header()

    def _header(self) -> bytes | None:
        """The header, which changes with each commit; None while it is unavailable or being written."""
        try:
            inode = os.stat(self._index).st_ino
            if inode != self._index_open[0]:
                # Never closed: that would drop the locks of this process's SQLite.
                self._index_open = (inode, os.open(self._index, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            return None
        header, copy = (os.pread(self._index_open[1], _HEADER, at) for at in (0, _HEADER))
        return header if header == copy and len(header) == _HEADER else None

    def _read(self) -> tuple[int, datetime]:
        self._next.execute("BEGIN")
        rows = self._next.execute(f"FROM sqlite_query('catalog_watch', '{_NEWEST}')").fetchall()
        self._idle, self._next = self._next, self._idle
        with suppress(duckdb.TransactionException):  # at the first read there is no earlier transaction to end
            self._next.execute("COMMIT")
        ((number, text),) = rows
        moment = datetime.fromisoformat(text)
        return int(number), (moment - (moment.utcoffset() or moment - moment)).replace(tzinfo=None)
