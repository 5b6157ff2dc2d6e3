"""Which builds a process is reading, in a file that outlives it: who takes the ledger of the source next learns of what
another process died.

One line per beginning and end, appended; a write costs microseconds and a file needs no commit. The file is read and
written only under the lock of the source (ingest/pipeline.py).
"""

from __future__ import annotations

import os
from pathlib import Path

from data.model.build_record import BuildKey


class ReadingMarks:
    """The marks of one source in HOME/NAME.reading."""

    def __init__(self, path: Path, source: str) -> None:
        self._path, self._source = path, source
        self._file: int | None = None

    def begin(self, key: BuildKey) -> None:
        self._append("+", key)

    def end(self, key: BuildKey) -> None:
        self._append("-", key)

    def left(self) -> list[BuildKey]:
        """The builds whose reading began and did not end. Lines that a crash of the machine damaged are ignored."""
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        found: dict[BuildKey, None] = {}
        for line in lines:
            number, _, job = line[1:].partition(" ")
            if job and number.isdecimal():
                key = (self._source, job, int(number))
                if line[0] == "+":
                    found[key] = None
                else:
                    found.pop(key, None)
        return list(found)

    def clear(self) -> None:
        if self._file is not None or self._path.exists():
            os.ftruncate(self._open(), 0)

    def _append(self, sign: str, key: BuildKey) -> None:
        _, job, number = key
        os.write(self._open(), f"{sign}{number} {job}\n".encode("utf-8", "replace"))

    def _open(self) -> int:
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        return self._file

    def __del__(self) -> None:
        if self._file is not None:
            os.close(self._file)
