"""The cache of query answers by (function, arguments, snapshot): invalidation is exact, and no clock is involved.

A commit of any process changes the snapshot, so an answer is never stale. Callers share answers and must not change
them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from data.lake.store import Store
from data.model.filters import Filter

P = ParamSpec("P")
T = TypeVar("T")


def cached_query(function: Callable[Concatenate[Store, P], T]) -> Callable[Concatenate[Store, P], T]:
    """Cache the answers of a query function `f(store, ...)`; run it against the snapshot of a Filter's `as_of`."""

    @wraps(function)
    def cached(store: Store, *args: P.args, **kwargs: P.kwargs) -> T:
        earlier = next(
            (a.as_of for a in (*args, *kwargs.values()) if isinstance(a, Filter) and a.as_of is not None), None
        )
        if earlier is not None:
            store = store.at(earlier)
        key = (function.__module__, function.__name__, store.refresh().id, args, tuple(sorted(kwargs.items())))
        return store.answers.get(key, lambda: function(store, *args, **kwargs))

    return cached
