"""SQL from outside: one read-only SELECT over our tables, in a process that may take only so much, and so long.

What may be said is in data/sql_console/rules.py, the process in data/sql_console/worker.py. A query that takes too long, or
that nobody waits for any more, is ended with its process; the next one starts another (half a second).
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from data.lake.store import StoreError
from data.settings import Settings

SECONDS = 10.0
ROWS = 1_000_000
BYTES = 32 << 20  # of the answer, as Arrow holds it
MEMORY = "512MB"  # DuckDB's own limit
ADDRESS_SPACE_MB = 2_048  # the system's limit, on top of what the process takes standing
START_S = 30.0
WAIT_S = 10.0
WAITING = 1  # queries that may wait for the one that runs: each holds a thread that answers others
LOOK_S = 0.1  # how often is looked whether somebody still waits


class SqlError(Exception):
    """The SQL is refused or wrong, or takes too much; the text says which, `position` at which letter of it (from 0;
    None: nowhere in particular)."""

    def __init__(self, why: str, position: int | None = None) -> None:
        super().__init__(why)
        self.position = position


class TooSlowError(SqlError):
    """It took longer than it may."""


class CancelledError(SqlError):
    """Nobody waits for it any more."""


class BusyError(Exception):
    """Another query runs in this process; try again."""


class TooEarlyError(Exception):
    """The snapshot is from before the tables were made."""


@dataclass(frozen=True)
class Table:
    """`columns`: name and DuckDB type of each. `truncated`: there were more rows, or more bytes, than were allowed."""

    columns: list[dict[str, str]]
    batches: list[pa.RecordBatch]
    schema: pa.Schema
    truncated: bool
    seconds: float


class Sandbox:
    """One a process; it runs one query at a time, and starts its worker with the first."""

    def __init__(self, settings: Settings, seconds: float = SECONDS) -> None:
        self._limits = {
            "home": str(settings.home),
            "catalog": settings.catalog,
            "data_path": settings.data_path,
            "threads": min(2, settings.store.threads),
            "memory": MEMORY,
            "address_space_mb": ADDRESS_SPACE_MB,
        }
        self._seconds = seconds
        self._lock = threading.Lock()
        self._places = threading.Semaphore(1 + WAITING)
        self._worker: subprocess.Popen[bytes] | None = None
        self._snapshot: int | None = None  # that the worker reads
        self._end: weakref.finalize[..., Sandbox] | None = None  # ends the worker, at the latest with this object

    def query(
        self,
        sql: str,
        rows: int = ROWS,
        gone: Callable[[], bool] = lambda: False,
        snapshot: int | None = None,
        texts: bool = False,
    ) -> Table:
        """Run one SELECT over the newest snapshot, or an earlier one; at most `rows` rows come back. When `gone` says
        that nobody waits any more, it is ended. `texts`: for a format of texts (data/sql_console/column_types.py).

        Raises SqlError, TooSlowError, CancelledError, BusyError, TooEarlyError, and StoreError where the files cannot
        be read or no process can be started to read them.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError("other queries are running; try again when they have ended")
        try:
            self._take_turn(gone)
            try:
                return self._run(sql, rows, gone, snapshot, texts)
            finally:
                self._lock.release()
        finally:
            self._places.release()

    def _take_turn(self, gone: Callable[[], bool]) -> None:
        began = time.monotonic()
        while not self._lock.acquire(timeout=LOOK_S):
            if gone():
                raise CancelledError("cancelled")
            if time.monotonic() - began > WAIT_S:
                raise BusyError("another query is running; try again when it has ended")

    def _run(self, sql: str, rows: int, gone: Callable[[], bool], snapshot: int | None, texts: bool) -> Table:
        if gone():
            raise CancelledError("cancelled")
        worker = self._ready(snapshot)
        began = time.monotonic()
        ended = threading.Event()
        why: list[SqlError] = []

        def watch() -> None:
            while not ended.wait(LOOK_S):
                if time.monotonic() - began > self._seconds:
                    why.append(TooSlowError(f"it took longer than {self._seconds:g} s and was ended"))
                elif gone():
                    why.append(CancelledError("cancelled"))
                if why:
                    return worker.kill()

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            return self._ask(worker, {"sql": sql, "rows": min(rows, ROWS), "bytes": BYTES, "texts": texts}, began)
        except (OSError, ValueError, pa.ArrowException) as error:
            self.close()
            if why:
                raise why[0] from error
            raise SqlError("it took more memory than it may, or broke the process that ran it") from error
        finally:
            ended.set()
            watcher.join()

    def close(self) -> None:
        """End the worker; the next query starts another."""
        if self._end is not None:
            self._end()
        self._worker = self._end = None

    def _ready(self, snapshot: int | None) -> subprocess.Popen[bytes]:
        """The worker, which reads one snapshot, or whichever is the newest."""
        if self._worker is not None and self._worker.poll() is None and self._snapshot == snapshot:
            return self._worker
        self.close()
        self._snapshot = snapshot
        self._worker = worker = subprocess.Popen(
            [sys.executable, "-m", "data.sql_console.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._end = weakref.finalize(self, _end, worker)
        timer = threading.Timer(START_S, worker.kill)
        timer.start()
        try:
            _send(worker, self._limits | {"snapshot": snapshot})
            young = "young" in _hear(worker)
        except (OSError, ValueError) as error:
            code = worker.poll()
            self.close()
            ended = f"it was not ready within {START_S:g} s" if code is None or code < 0 else f"it ended with {code}"
            raise StoreError(f"the process for SQL cannot be started: {ended}") from error
        finally:
            timer.cancel()
        if young:
            self.close()
            raise TooEarlyError("at that snapshot the store had no tables yet")
        return worker

    def _ask(self, worker: subprocess.Popen[bytes], request: dict[str, Any], began: float) -> Table:
        _send(worker, request)
        head = _hear(worker)
        if "error" in head:
            raise self._failed(head)
        with pa.ipc.open_stream(worker.stdout) as reader:
            schema, batches = reader.schema, list(reader)
        tail = _hear(worker)
        if tail["error"]:
            raise self._failed(tail)
        return Table(head["columns"], batches, schema, tail["truncated"], time.monotonic() - began)

    def _failed(self, said: dict[str, Any]) -> SqlError | StoreError:
        if said["spent"]:
            self.close()
        if said["unreadable"]:
            return StoreError(said["error"])
        return SqlError(said["error"], said["position"])


def _end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for pipe in (worker.stdin, worker.stdout):
        pipe.close()


def _send(worker: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert worker.stdin is not None
    worker.stdin.write(json.dumps(message).encode() + b"\n")
    worker.stdin.flush()


def _hear(worker: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert worker.stdout is not None
    return orjson.loads(worker.stdout.readline())
