"""An LRU cache of answers by query; an answer is valid while nothing that it depends on has changed.

No clock is involved: a commit changes the versions of what it wrote (data/cache/snapshot_state.py), so an answer is
never stale. Callers share answers and must not change them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

import orjson
from cachetools import LRUCache

from data.cache.dependencies import Dependency, depend_on, recorded
from data.cache.snapshot_state import ContentVersion, SnapshotState

T = TypeVar("T")


def json_size(answer: Any) -> int:
    return len(orjson.dumps(answer, default=str))


class _Entry(NamedTuple):
    answer: Any
    size: int
    dependencies: tuple[Dependency, ...]
    versions: tuple[ContentVersion, ...]
    snapshot: int


class QueryCache:
    """An LRU cache of at most `megabytes` (measured as JSON), one per process.

    If several threads request the same key, the first computes the answer and the others wait: after a commit every
    open page requests the same.
    """

    def __init__(self, megabytes: float) -> None:
        self._entries: LRUCache[Any, _Entry] = LRUCache(megabytes * 2**20, getsizeof=lambda entry: entry.size)
        self._in_progress: dict[Any, Future[_Entry]] = {}
        self._lock = threading.Lock()

    def get(
        self,
        key: Any,
        state: SnapshotState,
        compute: Callable[[], T],
        size_of: Callable[[T], int] = json_size,
        depends_on: Callable[[], Iterable[Dependency]] | None = None,
    ) -> T:
        """The cached answer of the key if it is valid in this state of the store, else the answer of `compute`. Every
        waiting thread raises what it raises.

        `size_of` gives the size of an answer in bytes, if that is cheaper than encoding it as JSON. `depends_on`
        gives what `compute` reads itself; None: that is unknown, so the answer depends on the whole store.
        """
        in_progress = key, state.snapshot
        own: Future[_Entry] = Future()
        with self._lock:
            entry = self._entries.get(key)
            other = None
            if entry is None or entry.versions != state.versions(entry.dependencies):
                entry = None
                other = self._in_progress.setdefault(in_progress, own)
        if entry is None and other is not own:
            assert other is not None
            entry = other.result()
        if entry is not None:
            depend_on(entry.dependencies)
            return entry.answer
        try:
            # What `depends_on` itself reads is part of what it names.
            with recorded(declared=depends_on is not None) as found:
                found.update(depends_on() if depends_on is not None else ())
                answer = compute()
            dependencies = tuple(found)
            entry = _Entry(answer, size_of(answer) + 200, dependencies, state.versions(dependencies), state.snapshot)
        except BaseException as error:
            own.set_exception(error)
            raise
        else:
            own.set_result(entry)
            self._keep(key, entry)
            return answer
        finally:
            with self._lock:
                del self._in_progress[in_progress]

    def _keep(self, key: Any, entry: _Entry) -> None:
        with self._lock:
            newer = self._entries.get(key)
            if entry.size <= self._entries.maxsize and (newer is None or newer.snapshot <= entry.snapshot):
                self._entries[key] = entry
