"""The route of the search palette: everything that has a name, asked at every keystroke."""

from __future__ import annotations

from typing import Any

from dashboard.api import listing, parameters
from dashboard.api.documented import blueprint, many
from dashboard.api.listing import Row, Rows, sliced
from dashboard.api.serving import remembered
from dashboard.api.shapes.search import Hit
from data.filters import Filter
from data.queries import search
from data.store import Store

routes = blueprint("search", "Everything that has a name.")


@routes.get(
    "/search", summary="Find releases, modules, runs, builds, tests, bugs and failure texts", responses=many(Hit)
)
@remembered()
def list_hits(query: parameters.SearchQuery) -> Any:
    """Every word of `q` must be found, whatever its case; at most six of a kind. An id, or the address of a build in
    Jenkins or of a bug in the tracker, finds that alone."""

    def fetch(store: Store, flt: Filter) -> list[Row]:
        return search.search(store, query.q, flt)

    return listing.answer(Rows(Hit, sliced(fetch)), query, query.filter())
