"""Tuning of processes that ingest: garbage collection and threads."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data.settings import Settings


def tune_gc_for_batches() -> None:
    """Collect cyclic garbage a hundred times less often: a batch has some hundred thousand objects without cycles, and
    walking them again and again takes a fifth of the time."""
    gc.freeze()
    gc.set_threshold(100_000, 10, 10)


def single_threaded(settings: Settings) -> Settings:
    """The settings of a process that writes: it spends most of its time in Python, and with a second thread of DuckDB a
    small commit takes twice as long, because the threads wait for each other."""
    return settings.model_copy(update={"store": settings.store.model_copy(update={"threads": 1})})
