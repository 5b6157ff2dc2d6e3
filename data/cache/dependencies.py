"""What an answer depends on: recorded while it is computed, so that a commit drops only the answers that it changes.

A query function declares what it reads (data/lake/cached_query.py); an answer depends on what all the queries behind it
declared. A read outside of them makes the answer depend on the whole store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

# ("release", name), ("table", name), ("names", a field of filters): what names there are; or one of those below.
Dependency = tuple[str, str]
WHOLE_STORE: Dependency = ("store", "")
REBUILDS: Dependency = ("rebuilds", "")  # the last rebuild, and whether it has finished


class _Recording:
    """The dependencies of one answer. `declared`: its query function named what it reads."""

    __slots__ = ("declared", "found")

    def __init__(self, declared: bool) -> None:
        self.found: set[Dependency] = set()
        self.declared = declared


_current: ContextVar[_Recording | None] = ContextVar("recording", default=None)


@contextmanager
def recorded(declared: bool = False) -> Iterator[set[Dependency]]:
    """Collects the dependencies of what runs inside, and passes them on to the recording around it. With `declared` the
    caller adds what it reads itself; else every read makes the answer depend on the whole store."""
    recording = _Recording(declared)
    token = _current.set(recording)
    try:
        yield recording.found
    finally:
        _current.reset(token)
        depend_on(recording.found)


def depend_on(dependencies: Iterable[Dependency]) -> None:
    """Add to the dependencies of the answer that is being computed, if any."""
    recording = _current.get()
    if recording is not None:
        recording.found.update(dependencies)


def nothing() -> tuple[Dependency, ...]:
    """For a result whose key already says what it is computed from, such as the builds with their times of reading."""
    return ()


def note_read() -> None:
    """Called at every read of the store: makes an answer without declared dependencies depend on the whole store."""
    recording = _current.get()
    if recording is not None and not recording.declared:
        recording.found.add(WHOLE_STORE)
