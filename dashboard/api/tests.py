"""Routes about tests: identity, metadata, history and verdicts."""

from __future__ import annotations

from typing import Any

from dashboard.api import lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.lookups import valid_id
from dashboard.api.openapi import blueprint, item_responses, list_responses
from dashboard.api.problems import not_found
from dashboard.api.responses import cached_route, request_context
from dashboard.app_state import store
from data.answers.tests import FoundTest, HistoryRow, TestDetail
from data.answers.verdicts import Verdict
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import tests
from data.verdicts import verdicts

routes = blueprint("tests", "Tests: identity, metadata, history and verdicts.")


@routes.get("/tests", summary="Find tests by part of their key or by case id", responses=list_responses(FoundTest))
@cached_route()
def list_tests(query: parameters.TestsQuery) -> Any:
    """All words of `q` must be in the key, ignoring case, or be a case id. Shortest names first."""

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[FoundTest]:
        return tests.find(store, query.q, flt, limit, position or 0)

    return lists.list_response(RowSource(FoundTest, fetch), query, query.filter())


@routes.get("/tests/<test>", summary="One test", responses=item_responses(TestDetail))
@cached_route()
def get_test(path: parameters.TestPath, query: parameters.SnapshotQuery) -> Any:
    """With metadata, bugs, and the releases it ran in."""
    found = tests.test(store(), valid_id("test", path.test), request_context().at(query.filter()))
    if found is None:
        raise not_found("test", path.test)
    return found


@routes.get("/tests/<test>/history", summary="The results of a test", responses=list_responses(HistoryRow))
@cached_route()
def list_history(path: parameters.TestPath, query: parameters.HistoryQuery) -> Any:
    """Newest first: one row per build and topology."""

    def fetch(store: Store, flt: Filter, position: list[str] | None, limit: int) -> list[HistoryRow]:
        before = (position[0], position[-1]) if position else None
        return tests.history(store, path.test, flt, limit=limit, before=before)

    rows = RowSource(HistoryRow, fetch, lambda row: [row["build"], row["topology"]], parent=("test", path.test))
    return lists.list_response(rows, query, query.filter())


@routes.get("/tests/<test>/verdicts", summary="The current verdicts of a test", responses=list_responses(Verdict))
@cached_route()
def list_verdicts_of_test(path: parameters.TestPath, query: parameters.TestVerdictsQuery) -> Any:
    """In each release and environment where it is broken, flaky or fixed."""

    def fetch(store: Store, flt: Filter) -> list[Verdict]:
        return verdicts.verdicts(store, flt, limit=1000, tests=(path.test,))

    return lists.list_response(RowSource(Verdict, sliced(fetch), parent=("test", path.test)), query, query.filter())
