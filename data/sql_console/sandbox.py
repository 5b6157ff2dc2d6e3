"""SQL from outside: one read-only SELECT over our tables, in a worker process with limits on memory and time.

Which SQL is allowed is in data/sql_console/rules.py; the worker is data/sql_console/worker.py, and this process's end
of it data/sql_console/worker_process.py. A query that takes too long, or whose client has hung up, is ended with its
process; the next one starts another (half a second).
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa

from data import redaction
from data.answers.operations import SqlColumn
from data.lake.connection import StoreError
from data.settings import Settings
from data.sql_console.worker_messages import WorkerLimits, WorkerMessage
from data.sql_console.worker_process import WorkerEndedError, WorkerProcess

SECONDS = 10.0
ROWS = 1_000_000
BYTES = 32 << 20  # of the answer, as Arrow holds it
MEMORY = "512MB"  # DuckDB's own limit
ADDRESS_SPACE_MB = 2_048  # the system's limit, on top of what the process uses when idle
START_S = 30.0  # how long one query waits for its worker to start
START_LIMIT_S = 300.0  # when a worker that is still starting is given up
WAIT_S = 10.0
WAITING = 1  # queries that may wait for the one that runs: each holds a thread that answers others
CHECK_S = 0.1  # how often to check the time and whether the client has hung up

log = logging.getLogger(__name__)


class SqlError(Exception):
    """The SQL is refused, wrong or too expensive; `position` is the index of the character at fault (None: none)."""

    def __init__(self, why: str, position: int | None = None) -> None:
        super().__init__(why)
        self.position = position


class TooSlowError(SqlError):
    """The query took longer than allowed."""


class CancelledError(SqlError):
    """The client has hung up."""


class BusyError(Exception):
    """Another query runs in this process; try again."""


class WorkerUnavailableError(Exception):
    """No worker process took the query, which is not the query's fault; try again."""


class TooEarlyError(Exception):
    """The snapshot is older than the tables."""


@dataclass(frozen=True)
class Table:
    """`columns`: name and DuckDB type of each. `truncated`: there were more rows, or more bytes, than were allowed."""

    columns: list[SqlColumn]
    batches: list[pa.RecordBatch]
    schema: pa.Schema
    truncated: bool
    seconds: float


class Sandbox:
    """Runs one query at a time; one per process. Its worker starts with the first query."""

    def __init__(self, settings: Settings, seconds: float = SECONDS) -> None:
        self._limits: WorkerLimits = {
            "lake": settings.lake._replace(threads=min(2, settings.store.threads), memory=MEMORY),
            "address_space_mb": ADDRESS_SPACE_MB,
        }
        self._seconds = seconds
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(1 + WAITING)
        self._worker: WorkerProcess | None = None
        self._stop: weakref.finalize[..., Sandbox] | None = None  # stops the worker, at the latest with this object

    def query(
        self,
        sql: str,
        rows: int = ROWS,
        gone: Callable[[], bool] = lambda: False,
        snapshot: int | None = None,
        texts: bool = False,
    ) -> Table:
        """Run one SELECT over the newest snapshot, or an earlier one, and return at most `rows` rows. The query
        is stopped when `gone` is true. `texts`: for a text format (data/sql_console/column_types.py).

        Raises SqlError, TooSlowError, CancelledError, BusyError, WorkerUnavailableError, TooEarlyError, and StoreError
        where the files cannot be read.
        """
        if not self._slots.acquire(blocking=False):
            raise BusyError("other queries are running; try again when they have finished")
        try:
            self._take_turn(gone)
            try:
                return self._run(sql, rows, gone, snapshot, texts)
            finally:
                self._lock.release()
        finally:
            self._slots.release()

    def close(self) -> None:
        """Stop the worker; the next query starts another."""
        if self._stop is not None:
            self._stop()
        self._worker = self._stop = None

    def _take_turn(self, gone: Callable[[], bool]) -> None:
        began = time.monotonic()
        while not self._lock.acquire(timeout=CHECK_S):
            if gone():
                raise CancelledError("cancelled")
            if time.monotonic() - began > WAIT_S:
                raise BusyError("another query is running; try again when it has finished")

    def _run(self, sql: str, rows: int, gone: Callable[[], bool], snapshot: int | None, texts: bool) -> Table:
        if gone():
            raise CancelledError("cancelled")
        worker = self._ready_worker(snapshot, gone)
        began = time.monotonic()
        ended = threading.Event()
        reasons: list[SqlError] = []  # why the query was killed

        def watch() -> None:
            while not ended.wait(CHECK_S):
                if time.monotonic() - began > self._seconds:
                    reasons.append(TooSlowError(f"the query took longer than {self._seconds:g} s and was stopped"))
                elif gone():
                    reasons.append(CancelledError("cancelled"))
                if reasons:
                    return worker.kill()

        watcher = threading.Thread(target=watch)
        watcher.start()
        sent, answer = False, None
        try:
            worker.send({"sql": sql, "rows": min(rows, ROWS), "bytes": BYTES, "texts": texts})
            sent = True
            answer = worker.receive()
        except WorkerEndedError as error:
            if reasons:
                raise reasons[0] from error
            if not sent:
                raise self._unavailable("it ended before it received the query") from error
            raise SqlError("the query used too much memory, or crashed the process that ran it") from error
        finally:
            ended.set()
            watcher.join()
            if answer is None or reasons:
                self.close()
        for message in (answer.head, answer.tail):
            if message.get("error"):
                raise self._failed(message)
        return Table(
            answer.head["columns"],
            answer.batches,
            answer.schema,
            answer.tail["truncated"],
            time.monotonic() - began,
        )

    def _ready_worker(self, snapshot: int | None, gone: Callable[[], bool]) -> WorkerProcess:
        """The worker for a snapshot. One that is slow to start goes on starting for the queries that come next."""
        if self._worker is None or self._worker.snapshot != snapshot or self._worker.has_ended():
            self.close()
            try:
                self._worker = WorkerProcess(self._limits, snapshot)
            except (OSError, RuntimeError) as error:
                raise self._unavailable(f"it cannot be started: {error}") from error
            self._stop = weakref.finalize(self, self._worker.stop)
        worker, began = self._worker, time.monotonic()
        try:
            while (line := worker.first_line(min(CHECK_S, START_S))) is None:
                if gone():
                    raise CancelledError("cancelled")
                if worker.age_s > START_LIMIT_S:
                    self.close()
                    raise self._unavailable(f"it was not ready within {START_LIMIT_S:g} s")
                if time.monotonic() - began > START_S:
                    raise self._unavailable(f"it was not ready within {START_S:g} s and is still starting")
        except WorkerEndedError as error:
            code = worker.stop()
            self.close()
            raise self._unavailable(f"it ended with {code} while it was starting") from error
        if "young" in line:
            self.close()
            raise TooEarlyError("at that snapshot the store had no tables yet")
        return worker

    def _unavailable(self, why: str) -> WorkerUnavailableError:
        log.error("no process for a query of the SQL console: %s", why)
        return WorkerUnavailableError("the process that runs SQL is not available; try again")

    def _failed(self, failure: WorkerMessage) -> SqlError | StoreError:
        if failure["spent"]:
            self.close()
        text = failure["error"] or ""
        if failure["unreadable"]:
            return StoreError(text)
        return SqlError(redaction.redact(text), failure["position"])
