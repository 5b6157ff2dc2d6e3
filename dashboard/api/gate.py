"""The route that a CI job asks before it goes on."""

from __future__ import annotations

from typing import Any

from dashboard.api import parameters
from dashboard.api.openapi import blueprint, item_responses
from dashboard.api.responses import cached_route, request_context
from dashboard.api.schemas.gate import Gate
from dashboard.app_state import store
from data.queries.gate import gate

routes = blueprint("gate", "May this run go on? For CI jobs.")


@routes.get("/gate", summary="Whether a run fails where its baseline did not", responses=item_responses(Gate))
@cached_route()
def get_gate(query: parameters.GateQuery) -> Any:
    """`state` is passed, closed, or unknown: where the run is not known, has not ended, or lacks results, nothing is
    said, and `reason` tells why (`pending`: waiting may help). Storms and sick hosts are left out, and told."""
    flt = request_context().at(query.filter())
    return gate(store(), flt, query.run, query.baseline, query.kinds, query.max_new, query.limit)
