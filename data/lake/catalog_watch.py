"""The newest snapshot of an embedded lake, for the price of a stat, and the idle connection that keeps it fast.

SQLite's WAL is checkpointed under an exclusive lock when the last connection closes, and DuckDB's SQLite waits for a
lock in steps of a whole second. DuckDB opens and closes a connection for every transaction, so without an idle one the
last closer stalls everybody: measured with 2 writers and 2 readers, a reader's p99 falls from 1,025 ms to 65 ms. The
idle one must belong to DuckDB's own SQLite: POSIX drops all of a process's locks on a file when any library closes it,
so one held by Python's sqlite3 protects nothing. It is renewed at every read, so that it never pins an old WAL.

What is committed is told by the header of the WAL's index (https://sqlite.org/walformat.html), which is written last
and by which SQLite itself goes. The times of the files do not tell it: a writer may be put off by a busy machine
between its last write to the WAL and that header.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import duckdb

_HEADER = 48  # bytes; it stands there twice, and a reader that finds two different ones has met a writer
_NEWEST = "SELECT snapshot_id, snapshot_time FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1"


class CatalogWatch:
    """Watches one SQLite catalogue from one process; threads share it."""

    def __init__(self, root: duckdb.DuckDBPyConnection, catalog: Path) -> None:
        quoted = str(catalog).replace("'", "''")
        root.execute(f"ATTACH '{quoted}' AS catalog_watch (TYPE sqlite)")
        self._index = f"{os.path.realpath(catalog)}-shm"
        self._index_open = (-1, -1)  # (inode, descriptor)
        self._idle, self._next = root.cursor(), root.cursor()
        self._lock = threading.Lock()
        self._seen: bytes | None = None
        self._newest: tuple[int, datetime] = (0, datetime.min)

    def newest(self) -> tuple[int, datetime]:
        """(snapshot id, committed at, UTC) of the newest commit of any process. Raises duckdb.Error."""
        with self._lock:
            header = self._header()
            if header is None or header != self._seen:
                self._newest = self._read()
                self._seen = header
            return self._newest

    def _header(self) -> bytes | None:
        """Another one after each commit; None where it cannot be told."""
        try:
            inode = os.stat(self._index).st_ino
            if inode != self._index_open[0]:
                # Never closed, for that would drop the locks of this process's SQLite.
                self._index_open = (inode, os.open(self._index, os.O_RDONLY | os.O_CLOEXEC))
        except FileNotFoundError:
            return None
        header, again = (os.pread(self._index_open[1], _HEADER, at) for at in (0, _HEADER))
        return header if header == again and len(header) == _HEADER else None

    def _read(self) -> tuple[int, datetime]:
        self._next.execute("BEGIN")
        rows = self._next.execute(f"FROM sqlite_query('catalog_watch', '{_NEWEST}')").fetchall()
        self._idle, self._next = self._next, self._idle
        with suppress(duckdb.TransactionException):  # the first time there is no earlier one to end
            self._next.execute("COMMIT")
        ((number, text),) = rows
        moment = datetime.fromisoformat(text)
        return int(number), (moment - (moment.utcoffset() or moment - moment)).replace(tzinfo=None)
