"""Shared by the commands of ingestion: the choice of sources, stopping by signals, logging and progress bars."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from data.cli import completion
from data.cli.common import fail

if TYPE_CHECKING:
    from data.settings import Settings, SourceSettings

SOURCE = click.option("--source", "name", help="Only this source, by its name.", shell_complete=completion.sources)


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
    """An event that SIGTERM and Ctrl-C set instead of ending the process."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar as a function of (done, total), whose total may grow. Shown on a terminal only."""
    hidden = not sys.stderr.isatty()
    with click.progressbar(length=0, label=label, show_pos=True, file=sys.stderr, hidden=hidden) as bar:

        def show(done: int, total: int) -> None:
            bar.length, bar.finished = total, False
            bar.update(done - bar.pos)

        yield show
