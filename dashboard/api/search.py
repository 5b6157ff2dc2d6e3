"""The search route; the palette calls it at every keystroke."""

from __future__ import annotations

from typing import Any

from dashboard.api import lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.openapi import blueprint, list_responses
from dashboard.api.responses import cached_route
from data.answers.search import Hit
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import search

routes = blueprint("search", "Search by name.")


@routes.get(
    "/search",
    summary="Find releases, modules, runs, builds, tests, bugs and failure texts",
    responses=list_responses(Hit),
)
@cached_route()
def list_hits(query: parameters.SearchQuery) -> Any:
    """All words of `q` must match, ignoring case; at most six hits per kind. An id, or the URL of a Jenkins build or a
    bug, finds exactly that."""

    def fetch(store: Store, flt: Filter) -> list[Hit]:
        return search.search(store, query.q, flt)

    return lists.list_response(RowSource(Hit, sliced(fetch)), query, query.filter())
