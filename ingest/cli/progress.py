"""What the verbs of ingestion share on a terminal: which sources, how they stop, and progress."""

from __future__ import annotations

import gc
import logging
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import click

from data.cli import completion
from data.cli.common import fail
from data.settings import Settings, SourceSettings

SOURCE = click.option("--source", "name", help="Only this source, by its name.", shell_complete=completion.sources)


def tune_gc_for_batches() -> None:
    """Have Python look for cyclic garbage a hundred times less often: a batch is some hundred thousand objects, which
    are no garbage and in no cycle, and walking them again and again takes a fifth of the time."""
    gc.freeze()
    gc.set_threshold(100_000, 10, 10)


def single_threaded(settings: Settings) -> Settings:
    """The settings of a process that writes: most of what it does is Python's, and a second thread of DuckDB's costs a
    small commit as much again, in waiting for each other."""
    return settings.model_copy(update={"store": settings.store.model_copy(update={"threads": 1})})


def chosen_sources(settings: Settings, name: str | None) -> list[SourceSettings]:
    found = [source for source in settings.source if name in (None, source.name)]
    if not found:
        names = ", ".join(source.name for source in settings.source) or "none"
        fail(f"There is no source {name!r}; configured: {names}." if name else "No [[source]] is configured.")
    return found


def log_to_stderr(level: int) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)


@contextmanager
def stopped_by_signals() -> Iterator[threading.Event]:
    """Set by SIGTERM or Ctrl-C, which then end nothing by themselves."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress(items: Sequence[Any], label: str) -> Iterator[Iterable[Any]]:
    """A bar on a terminal, nothing elsewhere."""
    if len(items) > 1 and sys.stderr.isatty():
        with click.progressbar(items, label=label, show_pos=True, file=sys.stderr) as bar:
            yield bar
    else:
        yield items


class ProgressBar:
    """A bar whose end moves, with the rate and the time left; silent where there is no terminal."""

    def __init__(self, unit: str) -> None:
        self.unit = unit
        self.shown = sys.stderr.isatty()
        self.drawn = False
        self.began = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        if not self.shown or not total:
            return
        self.drawn = True
        rate = done / max(time.monotonic() - self.began, 0.001)
        left = f"{timedelta(seconds=int((total - done) / rate))} left" if rate else ""
        filled = "#" * int(30 * done / total)
        click.echo(f"\r[{filled:<30}] {done}/{total} {self.unit}, {rate:.1f}/s, {left}   ", nl=False, err=True)

    def end(self) -> None:
        if self.drawn:
            click.echo(err=True)
