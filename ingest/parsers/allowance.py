"""What the reports of one build may hold, counted while they are read, so that a small archive cannot fill the memory.

Every parser reads from a MeteredStream, which counts bytes. Cases are counted one by one (`count_case`), those of XML
after each chunk (`check_cases`, which `xml_stream` calls).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

UNLIMITED = 1 << 62
# More cases than received bytes are no report: the smallest case takes several bytes in the best compression.
DENSE_FROM = 20_000


class LimitError(Exception):
    """The reports hold more than is allowed. The text names the limit and its setting."""


class _Cases(threading.local):
    """How many cases the parser of this thread may still make."""

    left = UNLIMITED


_cases = _Cases()


def count_case() -> None:
    """Called for each case that a parser makes. Raises LimitError."""
    _cases.left -= 1
    check_cases(0)


def check_cases(count: int) -> None:
    """Called with the number of cases that a parser has made so far. Raises LimitError."""
    if count > _cases.left:
        raise LimitError("one report holds more cases than [limits] cases allow for the whole build")


class Allowance:
    """The limits of one build, and what has been used of them. `received`: bytes of its files as they came, packed."""

    def __init__(self, *, cases: int, files: int, unpacked_mb: int, seconds: float) -> None:
        self._max_cases, self._max_files, self._max_bytes = cases, files, unpacked_mb << 20
        self._seconds, self._end = seconds, time.monotonic() + seconds
        self._cases = self._files = self._bytes = 0
        self.received: int | None = None

    def check_time(self) -> None:
        if time.monotonic() > self._end:
            raise LimitError(f"reading the reports takes longer than {self._seconds:g} s ([limits] seconds)")

    def add_files(self, count: int) -> None:
        self._files += count
        if self._files > self._max_files:
            raise LimitError(f"there are more than {self._max_files} files ([limits] files)")

    def check_declared(self, size: int) -> None:
        """Refuse files that say how large they are, before they are read."""
        if size > self._max_bytes:
            raise LimitError(self._too_large())

    def add_bytes(self, count: int) -> None:
        self._bytes += count
        if self._bytes > self._max_bytes:
            raise LimitError(self._too_large())
        self.check_time()

    @contextmanager
    def one_report(self) -> Iterator[None]:
        """Limit the cases that are made within: to twice what is left, as an ill-formed report is parsed twice."""
        _cases.left = 2 * (self._max_cases - self._cases) + 1
        try:
            yield
        finally:
            _cases.left = UNLIMITED

    def add_cases(self, count: int) -> None:
        self._cases += count
        if self._cases > self._max_cases:
            raise LimitError(f"there are more than {self._max_cases} cases ([limits] cases)")
        if self.received is not None and self._cases > max(DENSE_FROM, self.received):
            raise LimitError(f"{self.received} bytes unpack to more than {self._cases} cases: an archive bomb")

    def _too_large(self) -> str:
        return f"the reports unpack to more than {self._max_bytes >> 20} MB ([limits] unpacked_mb)"
