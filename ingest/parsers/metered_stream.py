"""A report stream that counts what is read from it against the limits of its build."""

from __future__ import annotations

from types import TracebackType

from ingest.parsers.allowance import Allowance
from ingest.parsers.cases import ReportStream

CHECKED_BYTES = 1 << 16  # of lines, between two checks


class MeteredStream:
    """A stream whose bytes count, each once, however often they are read."""

    def __init__(self, stream: ReportStream, allowance: Allowance) -> None:
        self._stream, self._allowance = stream, allowance
        self._at = self._counted = 0

    def read(self, size: int = -1, /) -> bytes:
        data = self._stream.read(size)
        self._at += len(data)
        if self._at > self._counted:
            self._count()
        return data

    def readline(self, size: int = -1, /) -> bytes:
        line = self._stream.readline(size)
        self._at += len(line)
        if self._at > self._counted + CHECKED_BYTES:
            self._count()
        return line

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = self._stream.seek(offset, whence)
        return self._at

    def __enter__(self) -> MeteredStream:
        self._stream.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None:
        self._stream.__exit__(kind, error, traceback)

    def _count(self) -> None:
        self._allowance.add_bytes(self._at - self._counted)
        self._counted = self._at
