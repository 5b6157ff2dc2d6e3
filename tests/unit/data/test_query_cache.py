"""Answers are computed once for all threads that request them, and dropped when they take too much memory."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest

from data.cache.query_cache import QueryCache
from data.cache.snapshot_state import SnapshotState

DEADLINE_S = 10
STATE = SnapshotState(1, datetime(2026, 11, 1))


def ask_together(cache: QueryCache, compute, threads: int = 8) -> list:
    """What each of several threads gets (or raises) that request the same while the first is computing."""
    answers: list = [None] * threads
    ready = threading.Barrier(threads)

    def request(index: int) -> None:
        ready.wait(DEADLINE_S)
        try:
            answers[index] = cache.get("question", STATE, compute)
        except ValueError as error:
            answers[index] = error

    requests = [threading.Thread(target=request, args=[index]) for index in range(threads)]
    for thread in requests:
        thread.start()
    for thread in requests:
        thread.join(DEADLINE_S)
    return answers


def test_what_many_ask_at_once_is_computed_once():
    cache, calls, others = QueryCache(1), [], threading.Event()

    def compute() -> dict:
        calls.append(threading.current_thread())
        others.wait(0.05)  # the others arrive meanwhile; if not, they find the answer
        return {"answer": 42}

    answers = ask_together(cache, compute)
    assert len(calls) == 1
    assert all(answer is answers[0] for answer in answers) and answers[0] == {"answer": 42}


def test_an_error_reaches_everyone_who_waited_and_is_not_remembered():
    cache, failing = QueryCache(1), [True]

    def compute() -> int:
        if failing[0]:
            raise ValueError("not now")
        return 1

    assert all(isinstance(answer, ValueError) for answer in ask_together(cache, compute))
    failing[0] = False
    assert cache.get("question", STATE, compute) == 1


def test_a_question_may_ask_another():
    cache = QueryCache(1)
    assert cache.get("outer", STATE, lambda: cache.get("inner", STATE, lambda: 20) + 1) == 21


@pytest.mark.parametrize(("megabytes", "cached"), [(1, True), (0, False)])
def test_only_what_fits_is_remembered(megabytes, cached):
    cache, calls = QueryCache(megabytes), []
    for _ in range(2):
        cache.get("question", STATE, lambda: calls.append(1))
    assert (len(calls) == 1) == cached
    cache.get("huge", STATE, lambda: "x" * (2 << 20))
    assert cache.get("huge", STATE, lambda: "computed again") == "computed again"
