"""The cache of query answers by function and arguments, valid while what the answer depends on is the same.

A query function declares what it reads; one that declares nothing depends on the whole store. Callers share answers and
must not change them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import BoundArguments, signature
from typing import Concatenate, ParamSpec, TypeVar

from data.cache.dependencies import REBUILDS, WHOLE_STORE, Dependency
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import NAMES
from data.model.filters import Filter

P = ParamSpec("P")
T = TypeVar("T")
# (store, arguments, defaults included) -> what the query reads
Declare = Callable[[Store, BoundArguments], Iterable[Dependency]]


def of_tables(*tables: str) -> Declare:
    """The query reads these tables, of all releases."""
    return lambda _store, _arguments: [("table", table) for table in tables]


def of_release(_store: Store, arguments: BoundArguments) -> Iterable[Dependency]:
    """The query reads the runs, builds and results of one release: its argument `release`, or that of its filter."""
    return release_dependencies(arguments.arguments.get("release") or arguments.arguments["flt"].release)


def of_release_alone(argument: str, *tables: str) -> Declare:
    """As `of_release`, with these tables, if the argument of this name is None; else the whole store."""

    def declare(store: Store, arguments: BoundArguments) -> Iterable[Dependency]:
        if arguments.arguments[argument] is not None:
            return [WHOLE_STORE]
        return [*of_release(store, arguments), *(("table", table) for table in tables)]

    return declare


def of_runs(*names: str) -> Declare:
    """The query reads the runs, builds and results of the releases of its runs: arguments of these names, each an id, a
    tuple of ids, or None."""

    def declare(store: Store, arguments: BoundArguments) -> Iterable[Dependency]:
        given = [arguments.arguments[name] for name in names]
        runs = [run for each in given if each is not None for run in ([each] if isinstance(each, str) else each)]
        return run_dependencies(store, *runs)

    return declare


def of_build(store: Store, arguments: BoundArguments) -> Iterable[Dependency]:
    """The query reads one build, and the runs, builds and results of its release."""
    return build_dependencies(store, arguments.arguments["build_id"])


def of_names(_store: Store, arguments: BoundArguments) -> Iterable[Dependency]:
    """The query reads the names of all releases, and the other names of that of its filter, or of all."""
    release = arguments.arguments["flt"].release
    if release is None:
        return [("names", field) for field in NAMES]
    return [("names", "release"), *release_dependencies(release)]


def release_dependencies(release: str | None) -> list[Dependency]:
    """What the runs, builds, results and metadata of a release depend on; None: of all releases."""
    return [WHOLE_STORE] if release is None else [("release", release), ("table", "matched_metadata"), REBUILDS]


def build_dependencies(store: Store, build: str) -> list[Dependency]:
    """The same for the release of a build (id)."""
    return release_dependencies(store.value("SELECT release FROM builds WHERE build = ?", [ids.number(build)]))


def run_dependencies(store: Store, *runs: str) -> list[Dependency]:
    """The same for the releases of these runs; of an unknown run, the whole store."""
    found: set[Dependency] = set()
    for run in runs:
        found.update(release_dependencies(store.state().release_of_run.get(ids.number(run))))
    return list(found)


def cached_query(
    reads: Declare | None = None,
) -> Callable[[Callable[Concatenate[Store, P], T]], Callable[Concatenate[Store, P], T]]:
    """Cache the answers of a query function `f(store, ...)`; run it against the snapshot of a Filter's `as_of`, and
    against one snapshot in any case."""

    def decorate(function: Callable[Concatenate[Store, P], T]) -> Callable[Concatenate[Store, P], T]:
        parameters = signature(function)

        @wraps(function)
        def cached(store: Store, *args: P.args, **kwargs: P.kwargs) -> T:
            as_of = next(
                (a.as_of for a in (*args, *kwargs.values()) if isinstance(a, Filter) and a.as_of is not None), None
            )
            with store.read(as_of) as view:

                def declared() -> Iterable[Dependency]:
                    bound = parameters.bind(view, *args, **kwargs)
                    bound.apply_defaults()
                    assert reads is not None
                    return reads(view, bound)

                key = (function.__module__, function.__name__, view.database, args, tuple(sorted(kwargs.items())))
                return view.answers.get(
                    key, view.state(), lambda: function(view, *args, **kwargs), depends_on=reads and declared
                )

        return cached

    return decorate
