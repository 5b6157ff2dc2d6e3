"""Routes about bugs of the tracker and the tests they affect."""

from __future__ import annotations

from typing import Any

from dashboard.api import lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.lookups import check_exists
from dashboard.api.openapi import blueprint, item_responses, list_responses
from dashboard.api.problems import not_found
from dashboard.api.responses import cached_route, request_context
from dashboard.api.runs import find_run
from dashboard.app_state import store
from data.answers.bugs import BugDetail, ListedBug, ModuleBugs
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import bugs

routes = blueprint("bugs", "Bugs of the tracker and the tests they affect.")


@routes.get("/bugs", summary="Bugs, newest feed", responses=list_responses(ListedBug))
@cached_route()
def list_bugs(query: parameters.BugsQuery) -> Any:
    """Open bugs with most failing tests first. A release, version or environment selects bugs whose tests ran there
    recently; `run` selects bugs whose tests failed or were skipped in it."""

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[ListedBug]:
        return bugs.bugs(store, flt, query.status, query.q, query.test, query.run, limit, position or 0)

    flt = query.filter()
    if query.test is not None:
        check_exists("test", query.test, "test")
    if query.run is not None:
        find_run(query.run, request_context().at(Filter()))
    return lists.list_response(RowSource(ListedBug, fetch), query, flt)


@routes.get("/bugs/<bug>", summary="One bug", responses=item_responses(BugDetail))
@cached_route()
def get_bug(path: parameters.BugPath, query: parameters.BugQuery) -> Any:
    """With its affected tests, failing first, and their verdicts in every release and environment. Also answers bugs
    that are no longer in the feed."""
    found = bugs.bug(store(), path.bug, request_context().at(query.filter()))
    if found is None:
        raise not_found("bug", path.bug)
    return found


@routes.get("/runs/<run>/bugs", summary="Bugs of a run by module", responses=list_responses(ModuleBugs))
@cached_route()
def list_bugs_of_run(path: parameters.RunPath, query: parameters.RunBugsQuery) -> Any:
    """Bugs of tests that failed or were skipped in the run; the module with most bugs first."""
    statuses = (query.status,) if query.status else bugs.TROUBLED

    def fetch(store: Store, flt: Filter) -> list[ModuleBugs]:
        return bugs.by_module(store, path.run, flt, statuses)

    flt = query.filter()
    find_run(path.run, request_context().at(Filter()))
    return lists.list_response(RowSource(ModuleBugs, sliced(fetch)), query, flt)
