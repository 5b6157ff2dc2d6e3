"""Routes about regression runs: which there were, what each brought, and what changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from flask import Response

from dashboard.api import lists, parameters
from dashboard.api.lists import Row, RowSource, sliced
from dashboard.api.lookups import check_exists, valid_id
from dashboard.api.openapi import FILE_CONTENT, blueprint, item_responses, list_responses
from dashboard.api.problems import not_found
from dashboard.api.releases import RUNS
from dashboard.api.responses import cached_route, request_context, store
from dashboard.api.schemas.runs import ComparedFileRow, Comparison, Module, Priority, Result, Run, RunDetail
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import compare, releases, results, runs

routes = blueprint("runs", "Regression runs: which there were, what each brought, what changed.")


@routes.get("/runs", summary="Runs, newest first", responses=list_responses(Run))
@cached_route()
def list_runs(query: parameters.RunsQuery) -> Any:
    """With a module or topology, the counts are of that part of each run."""
    return lists.list_response(RUNS, query, query.filter())


@routes.get("/runs/<run>", summary="One run", responses=item_responses(RunDetail))
@cached_route()
def get_run(path: parameters.RunPath, query: parameters.PartQuery) -> Any:
    return find_run(path.run, request_context().at(query.filter()))


@routes.get("/runs/<run>/modules", summary="The modules of a run", responses=list_responses(Module))
@cached_route()
def list_modules(path: parameters.RunPath, query: parameters.ModulesQuery) -> Any:
    """Counts by owning module, with the change against the base run."""

    def fetch(store: Store, flt: Filter) -> list[Row]:
        return runs.modules(store, path.run, flt, base=query.base)

    if query.base is not None:
        check_exists("run", query.base)
    return lists.list_response(RowSource(Module, sliced(fetch), of=("run", path.run)), query, query.filter())


@routes.get("/runs/<run>/priorities", summary="The priorities of a run", responses=list_responses(Priority))
@cached_route()
def list_priorities(path: parameters.RunPath, query: parameters.ModulesQuery) -> Any:
    """Counts by priority, with the change against the base run; "unknown" where no metadata names one."""

    def fetch(store: Store, flt: Filter) -> list[Row]:
        return runs.priorities(store, path.run, flt, query.base)

    if query.base is not None:
        check_exists("run", query.base)
    return lists.list_response(RowSource(Priority, sliced(fetch), of=("run", path.run)), query, query.filter())


@routes.get("/runs/<run>/results", summary="The final results of a run", responses=list_responses(Result))
@cached_route()
def list_results(path: parameters.RunPath, query: parameters.RunResultsQuery) -> Any:
    """The worst first, then by module and key; `fields=test,status` makes them narrow."""

    wanted = {"status": query.status, "text": query.q, "rerun": query.rerun}

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[Row]:
        return results.run_results(store, path.run, flt, **wanted, limit=limit, offset=position or 0)

    def every(store: Store, flt: Filter, size: int) -> Iterator[list[Row]]:
        return results.all_run_results(store, size, path.run, flt, **wanted)

    return lists.list_response(RowSource(Result, fetch, of=("run", path.run), all=every), query, query.filter())


@routes.get(
    "/runs/<run>/changes",
    summary="What changed since the run before",
    responses=item_responses(Comparison, FILE_CONTENT),
)
@cached_route()
def get_changes(path: parameters.RunPath, query: parameters.ChangesQuery) -> Any:
    """Every test that differs from the previous run of the release and environment, or failed in both, in one of seven
    classes. `base` is null, and the classes empty, where there is no run before. A file has one row a test."""
    flt = request_context().at(query.filter())
    run = find_run(path.run, flt)
    if run["previous"] is None:
        empty = {"counts": dict.fromkeys(compare.CLASSES, 0), "classes": {name: [] for name in compare.CLASSES}}
        return _comparison_response({"base": None, "candidate": run, "delta": None, **empty}, flt)
    return _comparison_response(
        compare.compare(store(), run["previous"], path.run, flt, limit=_tests_per_class(query)), flt
    )


@routes.get("/compare", summary="Two runs or releases side by side", responses=item_responses(Comparison, FILE_CONTENT))
@cached_route()
def get_comparison(query: parameters.CompareQuery) -> Any:
    """Of two releases: each test in the newest run of an environment in which it was, and which tests fail more often
    (`statistics`). Beside a run, a release stands for its newest run that has ended. A file has one row a test."""
    flt = request_context().at(query.filter())
    known = releases.choices(store(), Filter(as_of=flt.as_of))["releases"]
    if query.base in known and query.candidate in known:
        found = compare.releases(store(), query.base, query.candidate, flt, limit=_tests_per_class(query))
        if found is None:
            raise not_found("run of both releases", f"{query.base}, {query.candidate}")
        return _comparison_response(found, flt)
    sides = [_resolve_run(name, known, flt) for name in (query.base, query.candidate)]
    return _comparison_response(compare.compare(store(), *sides, flt, limit=_tests_per_class(query)), flt)


def _tests_per_class(query: parameters.ChangesQuery) -> int:
    return query.limit or (query.TESTS_PER_CLASS if request_context().format == "json" else sys.maxsize)


def _comparison_response(found: Row, flt: Filter) -> Row | Response:
    """The comparison, or its tests as the file that was asked for, class after class."""
    if request_context().format == "json":
        return found

    tests = [{"class": name} | row for name, rows in found["classes"].items() for row in rows]
    return lists.export_file(RowSource(ComparedFileRow, sliced(lambda _store, _flt: tests)), flt, [])


def find_run(run: str, flt: Filter) -> Row:
    found = runs.run(store(), valid_id("run", run), flt)
    if found is None:
        raise not_found("run", run)
    return found


def _resolve_run(name: str, releases_: list[str], flt: Filter) -> str:
    if name in releases_:
        found = runs.newest_ended(store(), Filter(release=name, as_of=flt.as_of))
        if found is None:
            raise not_found("run that has ended of release", name)
        return found
    return find_run(name, flt)["id"]
