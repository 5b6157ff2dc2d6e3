"""The web process's end of the SQL worker: start the process, send it queries, receive their answers, stop it.

Once the process exists, whatever happens to it (killed, crashed, out of memory) is a WorkerEndedError, and `stop` never
fails and closes both pipes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from io import BufferedReader
from typing import NamedTuple

import orjson
import pyarrow as pa

from data.sql_console.worker_messages import QueryRequest, WorkerLimits, WorkerMessage, WorkerStart


class WorkerEndedError(Exception):
    """The process ended, or a pipe to it broke, before the exchange was complete."""


class Answer(NamedTuple):
    """`head`: the columns, or the error. `tail`: whether the answer was cut, and an error that came later."""

    head: WorkerMessage
    schema: pa.Schema
    batches: list[pa.RecordBatch]
    tail: WorkerMessage


class WorkerProcess:
    """One process of data/sql_console/worker.py. It reads one snapshot (None: the newest)."""

    def __init__(self, limits: WorkerLimits, snapshot: int | None) -> None:
        """Start the process; raises OSError or RuntimeError if the system allows no other process or thread."""
        self.snapshot = snapshot
        self._started = time.monotonic()
        self._first_line: Future[WorkerMessage] = Future()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "data.sql_console.worker"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        start: WorkerStart = {**limits, "snapshot": snapshot}
        self._starter = threading.Thread(target=self._start, args=[start], daemon=True)
        try:
            self._starter.start()
        except RuntimeError:
            self.stop()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._started

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def first_line(self, timeout: float) -> WorkerMessage | None:
        """What the process says when it is ready ({"ready"}) or finds no tables ({"young"}); None: nothing yet.

        Raises WorkerEndedError.
        """
        with suppress(TimeoutError):
            return self._first_line.result(timeout)
        return None

    def send(self, message: WorkerStart | QueryRequest) -> None:
        """Raises WorkerEndedError."""
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(json.dumps(message).encode() + b"\n")
            stdin.flush()
        except (OSError, ValueError) as error:  # ValueError: the pipe is closed
            raise WorkerEndedError(f"the SQL process could not be written to: {error}") from error

    def receive(self) -> Answer:
        """The answer to the query sent last. Raises WorkerEndedError."""
        head = self._line()
        if "error" in head:
            return Answer(head, pa.schema([]), [], {"error": None, "truncated": False})
        stdout = self._process.stdout
        assert isinstance(stdout, BufferedReader)
        try:
            with pa.ipc.open_stream(stdout) as reader:
                schema, batches = reader.schema, list(reader)
        except (OSError, ValueError, pa.ArrowException) as error:
            raise WorkerEndedError(f"the answer of the SQL process broke off: {error}") from error
        return Answer(head, schema, batches, self._line())

    def kill(self) -> None:
        """End the process in the middle of a query, from any thread; `stop` has to follow."""
        self._process.kill()

    def stop(self) -> int:
        """End the process, close its pipes, and give its exit code."""
        self._process.kill()
        code = self._process.wait()
        if self._starter.ident is not None:
            self._starter.join()  # it reads one of the pipes
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # closing flushes what the dead process did not take
                    pipe.close()
        return code

    def _start(self, limits: WorkerStart) -> None:
        try:
            self.send(limits)
            self._first_line.set_result(self._line())
        except BaseException as error:
            self._first_line.set_exception(error)

    def _line(self) -> WorkerMessage:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            message: WorkerMessage = orjson.loads(stdout.readline())
        except (OSError, ValueError) as error:  # ValueError: the line broke off, or the pipe is closed
            raise WorkerEndedError(f"the SQL process ended in the middle of an answer: {error}") from error
        return message
