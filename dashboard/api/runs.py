"""Routes about regression runs: their results, and what changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

from flask import Response

from dashboard.api import lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.lookups import check_exists, is_release, valid_id
from dashboard.api.openapi import FILE_CONTENT, blueprint, item_responses, list_responses
from dashboard.api.problems import not_found
from dashboard.api.releases import RUNS
from dashboard.api.responses import cached_route, request_context
from dashboard.app_state import store
from data.answers.runs import ComparedFileRow, Comparison, Module, Priority, Result, Run, RunDetail
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import compare, releases, results, runs

routes = blueprint("runs", "Regression runs: their results, and what changed.")


@routes.get("/runs", summary="Runs, newest first", responses=list_responses(Run))
@cached_route()
def list_runs(query: parameters.RunsQuery) -> Any:
    """A module or topology filter narrows the counts of each run."""
    return lists.list_response(RUNS, query, query.filter())


@routes.get("/runs/<run>", summary="One run", responses=item_responses(RunDetail))
@cached_route()
def get_run(path: parameters.RunPath, query: parameters.PartQuery) -> Any:
    return find_run(path.run, request_context().at(query.filter()))


@routes.get("/runs/<run>/modules", summary="The modules of a run", responses=list_responses(Module))
@cached_route()
def list_modules(path: parameters.RunPath, query: parameters.ModulesQuery) -> Any:
    """Counts by owning module, with the difference from the base run."""

    def fetch(store: Store, flt: Filter) -> list[Module]:
        return runs.modules(store, path.run, flt, base=query.base)

    if query.base is not None:
        check_exists("run", query.base, "base")
    return lists.list_response(RowSource(Module, sliced(fetch), parent=("run", path.run)), query, query.filter())


@routes.get("/runs/<run>/priorities", summary="The priorities of a run", responses=list_responses(Priority))
@cached_route()
def list_priorities(path: parameters.RunPath, query: parameters.ModulesQuery) -> Any:
    """Counts by priority, with the difference from the base run; "unknown": the metadata has none."""

    def fetch(store: Store, flt: Filter) -> list[Priority]:
        return runs.priorities(store, path.run, flt, query.base)

    if query.base is not None:
        check_exists("run", query.base, "base")
    return lists.list_response(RowSource(Priority, sliced(fetch), parent=("run", path.run)), query, query.filter())


@routes.get("/runs/<run>/results", summary="The final results of a run", responses=list_responses(Result))
@cached_route()
def list_results(path: parameters.RunPath, query: parameters.RunResultsQuery) -> Any:
    """Failed first, then by module and key; `fields=test,status` returns only these columns."""

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[Result]:
        return results.run_results(store, path.run, flt, query.status, query.q, limit, position or 0, query.rerun)

    def batches(store: Store, flt: Filter, size: int) -> Iterator[list[Result]]:
        return results.all_run_results(store, size, path.run, flt, query.status, query.q, query.rerun)

    return lists.list_response(
        RowSource(Result, fetch, parent=("run", path.run), batches=batches), query, query.filter()
    )


@routes.get(
    "/runs/<run>/changes",
    summary="Changes since the baseline",
    responses=item_responses(Comparison, FILE_CONTENT),
)
@cached_route()
def get_changes(path: parameters.RunPath, query: parameters.ChangesQuery) -> Any:
    """Each changed or failing test, in one of eight classes, compared with the newest earlier complete run of its
    release and environment. Without one `base` is null and the classes are empty. A file has one row per test."""
    flt = request_context().at(query.filter())
    run = find_run(path.run, flt)
    base = runs.baseline(store(), path.run, flt)
    if base is None:
        return _comparison_response(compare.without_base(run), flt)
    return _compare_runs(base, path.run, query, flt)


@routes.get("/compare", summary="Compare two runs or releases", responses=item_responses(Comparison, FILE_CONTENT))
@cached_route()
def get_comparison(query: parameters.CompareQuery) -> Any:
    """Two releases: the newest result of each test by environment, and the tests that fail more often (`statistics`). A
    release and a run: the newest finished run of the release. A file has one row per test."""
    flt = request_context().at(query.filter())
    given = {"base": query.base, "candidate": query.candidate}
    of_releases = [is_release(parameter, name) for parameter, name in given.items()]
    if all(of_releases):
        found = compare.releases(store(), query.base, query.candidate, flt, limit=_tests_per_class(query))
        if found is None:
            raise not_found("run of both releases", f"{query.base}, {query.candidate}")
        return _comparison_response(found, flt)
    base, candidate = (
        _run_of_release(name, flt) if release else name
        for name, release in zip(given.values(), of_releases, strict=True)
    )
    return _compare_runs(base, candidate, query, flt)


def _compare_runs(base: str, candidate: str, query: parameters.ChangesQuery, flt: Filter) -> Comparison | Response:
    found = compare.compare(store(), base, candidate, flt, limit=_tests_per_class(query))
    if found is None:
        raise not_found("run", base)
    return _comparison_response(found, flt)


def _tests_per_class(query: parameters.ChangesQuery) -> int:
    return query.limit or (query.TESTS_PER_CLASS if request_context().format == "json" else sys.maxsize)


def _comparison_response(found: Comparison, flt: Filter) -> Comparison | Response:
    """The comparison as JSON, or its tests as a file, class after class."""
    if request_context().format == "json":
        return found

    tests: list[ComparedFileRow] = [
        {"class": name, **row} for name in compare.CLASSES for row in found["classes"][name]
    ]
    return lists.export_file(RowSource(ComparedFileRow, sliced(lambda _store, _flt: tests)), flt, [])


def find_run(run: str, flt: Filter) -> RunDetail:
    found = runs.run(store(), valid_id("run", run), flt)
    if found is None:
        raise not_found("run", run)
    return found


def _run_of_release(name: str, flt: Filter) -> str:
    found = releases.run_of_release(store(), Filter(release=name, as_of=flt.as_of))
    if found is None:
        raise not_found("finished run of release", name)
    return found
