"""An LRU cache of answers, by question and snapshot: a commit moves the snapshot, so an answer is never stale."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import orjson
from cachetools import LRUCache

T = TypeVar("T")


def _as_json(answer: Any) -> int:
    return len(orjson.dumps(answer, default=str))


class AnswerCache:
    """An LRU cache of at most `megabytes` (measured as JSON); one a process.

    What several threads ask at once is computed by the first: after a commit every open page asks the same.
    """

    def __init__(self, megabytes: float) -> None:
        self._answers: LRUCache[Any, tuple[Any, int]] = LRUCache(megabytes * 2**20, getsizeof=lambda entry: entry[1])
        self._under_way: dict[Any, Future[Any]] = {}
        self._lock = threading.Lock()

    def get(self, key: Any, compute: Callable[[], T], weigh: Callable[[T], int] = _as_json) -> T:
        """What is remembered under the key, or what `compute` answers; what it raises, every waiting thread raises.
        `weigh` tells its bytes, where that is cheaper than to write it as JSON."""
        with self._lock:
            entry = self._answers.get(key)
            if entry is not None:
                return entry[0]
            waited_for = self._under_way.get(key)
            if waited_for is None:
                mine = self._under_way[key] = Future()
        if waited_for is not None:
            return waited_for.result()
        try:
            answer = compute()
        except BaseException as error:
            mine.set_exception(error)
            raise
        else:
            mine.set_result(answer)
            self._keep(key, answer, weigh(answer) + 200)
            return answer
        finally:
            with self._lock:
                del self._under_way[key]

    def _keep(self, key: Any, answer: Any, size: int) -> None:
        if size <= self._answers.maxsize:
            with self._lock:
                self._answers[key] = (answer, size)
