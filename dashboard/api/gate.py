"""The gate: CI jobs call it before they continue."""

from __future__ import annotations

from typing import Any

from dashboard.api import parameters
from dashboard.api.openapi import blueprint, item_responses
from dashboard.api.responses import cached_route, request_context
from dashboard.app_state import store
from data.answers.gate import Gate
from data.queries.gate import gate

routes = blueprint("gate", "The gate for CI jobs: does a run have new failures?")


@routes.get("/gate", summary="Does a run have new failures?", responses=item_responses(Gate))
@cached_route()
def get_gate(query: parameters.GateQuery) -> Any:
    """`state` is passed, closed (blocked) or unknown: the run does not exist, is not finished, or lacks results.
    `reason` explains it; `pending`: ask again later. Failures in mass failures and on bad hosts do not count; they are
    listed."""
    flt = request_context().pin(query.filter())  # an unknown name has an answer of the gate's own: unknown
    return gate(store(), flt, query.run, query.baseline, query.kinds, query.max_new, query.limit)
