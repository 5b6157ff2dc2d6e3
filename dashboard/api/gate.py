"""The gate: CI jobs call it before they continue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dashboard.api import parameters
from dashboard.api.lookups import check_exists, is_release
from dashboard.api.openapi import blueprint, item_responses
from dashboard.api.responses import cached_route, request_context
from dashboard.app_state import services, store
from data.answers.gate import Gate
from data.model.filters import Filter
from data.queries.gate import gate

routes = blueprint("gate", "The gate for CI jobs: did tests break in a run?")


@routes.get("/gate", summary="Did tests break in a run?", responses=item_responses(Gate))
@cached_route()
def get_gate(query: parameters.GateQuery) -> Any:
    """`state` is passed, closed (blocked) or unknown: the run is not there yet, is not finished, or lacks results.
    `reason` explains it; `pending`: ask again later. Failures in mass failures and on bad hosts do not count; they are
    listed. A misspelt name is 404; a release or environment that the configuration names may have no run yet."""
    flt = query.filter()
    _check_names(flt)
    if query.run is not None and not query.run.isdecimal():
        check_exists("run", query.run, "run")
    if query.baseline is not None and not query.baseline.isdecimal():
        is_release("baseline", query.baseline)
    flt = request_context().pin(flt)
    return gate(store(), flt, query.run, query.baseline, query.kinds, query.max_new, query.limit)


def _check_names(flt: Filter) -> None:
    """Raises ProblemError 404 for a name that neither the store nor the configuration has."""
    sources = services().settings.source
    if flt.release in {source.release_fixed for source in sources}:
        flt = replace(flt, release=None)
    if flt.environment in {name for source in sources for name in source.environment.names}:
        flt = replace(flt, environment=None)
    request_context().at(flt)
