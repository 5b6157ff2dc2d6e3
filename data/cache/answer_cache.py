"""An LRU cache of answers by query and snapshot. A commit changes the snapshot, so an answer is never stale."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import orjson
from cachetools import LRUCache

T = TypeVar("T")


def _json_size(answer: Any) -> int:
    return len(orjson.dumps(answer, default=str))


class AnswerCache:
    """An LRU cache of at most `megabytes` (measured as JSON), one per process.

    If several threads request the same key, the first computes the answer and the others wait: after a commit every
    open page requests the same.
    """

    def __init__(self, megabytes: float) -> None:
        self._answers: LRUCache[Any, tuple[Any, int]] = LRUCache(megabytes * 2**20, getsizeof=lambda entry: entry[1])
        self._in_progress: dict[Any, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Any, compute: Callable[[], T], size_of: Callable[[T], int] = _json_size) -> T:
        """The cached answer of the key, else the answer of `compute`. Every waiting thread raises what it raises.

        `size_of` gives the size of an answer in bytes, if that is cheaper than encoding it as JSON.
        """
        with self._lock:
            entry = self._answers.get(key)
            if entry is not None:
                return entry[0]
            other = self._in_progress.get(key)
            if other is None:
                own = self._in_progress[key] = Future()
        if other is not None:
            return other.result()
        try:
            answer = compute()
        except BaseException as error:
            own.set_exception(error)
            raise
        else:
            own.set_result(answer)
            self._keep(key, answer, size_of(answer) + 200)
            return answer
        finally:
            with self._lock:
                del self._in_progress[key]

    def _keep(self, key: Any, answer: Any, size: int) -> None:
        if size <= self._answers.maxsize:
            with self._lock:
                self._answers[key] = (answer, size)
