"""Answers remembered by (question, arguments, snapshot): exact invalidation, no clock anywhere.

A commit of any process moves the snapshot, so an answer is never stale. Callers share answers and must not change them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from data.lake.store import Store
from data.model.filters import Filter

P = ParamSpec("P")
T = TypeVar("T")


def cached_query(function: Callable[P, T]) -> Callable[P, T]:
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

    return ask
