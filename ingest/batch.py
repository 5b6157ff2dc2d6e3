"""What one commit stores: the polls, imports and rebuilds of builds collect them in batches."""

from __future__ import annotations

import time
from typing import Generic, TypeVar

from data.model.build_record import BuildRecord

# A commit costs up to 0.2 s of one core however small it is: few and large batches make a backfill fast.
BATCH_RESULTS = 300_000
BATCH_BYTES = 64 << 20
BATCH_SECONDS = 5.0

T = TypeVar("T")


class Batch(Generic[T]):
    """What is committed next. Its size is counted as it grows, because an Arrow table recomputes its own each time."""

    def __init__(self) -> None:
        self.items: list[T] = []
        self._started = time.monotonic()
        self._rows = self._bytes = 0

    def add(self, item: T, build: BuildRecord | None) -> None:
        """Add an item with the build that it holds, if any."""
        self.items.append(item)
        if build:
            self._rows += len(build.cases)
            self._bytes += build.cases.nbytes + sum(len(file.content) for file in build.raw or ())

    @property
    def is_due(self) -> bool:
        full = self._rows >= BATCH_RESULTS or self._bytes >= BATCH_BYTES
        return full or time.monotonic() - self._started > BATCH_SECONDS
