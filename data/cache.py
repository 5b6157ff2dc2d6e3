"""Answers remembered by (question, arguments, snapshot): exact invalidation, no clock anywhere.

A commit of any process moves the snapshot, so an answer is never stale. Callers share answers and must not change them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import orjson
from cachetools import LRUCache

from data.filters import Filter

if TYPE_CHECKING:
    from data.store import Store

P = ParamSpec("P")
T = TypeVar("T")


class AnswerCache:
    """An LRU cache of at most `megabytes` (measured as JSON); one a process."""

    def __init__(self, megabytes: float) -> None:
        self._answers: LRUCache[Any, tuple[Any, int]] = LRUCache(megabytes * 2**20, getsizeof=lambda entry: entry[1])
        self._lock = threading.Lock()

    def get(self, key: Any, compute: Callable[[], T]) -> T:
        with self._lock:
            entry = self._answers.get(key)
        if entry is None:
            answer = compute()
            size = len(orjson.dumps(answer, default=str)) + 200
            entry = (answer, size)
            if size <= self._answers.maxsize:
                with self._lock:
                    self._answers[key] = entry
        return entry[0]


def question(function: Callable[P, T]) -> Callable[P, T]:
    """A query function `f(store, ...)` whose answer is remembered, and that a Filter's `as_of` sends to the past."""

    @wraps(function)
    def ask(store: Store, *args: Any, **kwargs: Any) -> T:
        earlier = next(
            (a.as_of for a in (*args, *kwargs.values()) if isinstance(a, Filter) and a.as_of is not None), None
        )
        if earlier is not None:
            store = store.at(earlier)
        key = (function.__module__, function.__name__, store.refresh().id, args, tuple(sorted(kwargs.items())))
        return store.answers.get(key, lambda: function(store, *args, **kwargs))

    return ask  # type: ignore[return-value]
