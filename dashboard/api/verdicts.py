"""Routes about verdicts, failure patterns, and what verdicts leave out: mass failures and bad hosts."""

from __future__ import annotations

from typing import Any

from dashboard.api import lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.lookups import check_exists, valid_id
from dashboard.api.openapi import blueprint, item_responses, list_responses
from dashboard.api.problems import not_found
from dashboard.api.responses import cached_route, request_context
from dashboard.api.runs import find_run
from dashboard.app_state import store
from data.answers.verdicts import Excluded, Failure, FailureDetail, Host, Storm, Verdict
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import failures
from data.verdicts import verdicts
from data.verdicts.disturbances import lists as disturbance_lists
from data.verdicts.rules import KINDS

routes = blueprint("verdicts", "Broken, flaky and fixed tests; failure patterns; mass failures and bad hosts.")


@routes.get("/verdicts", summary="Broken, flaky and fixed tests", responses=list_responses(Verdict))
@cached_route()
def list_verdicts(query: parameters.VerdictsQuery) -> Any:
    """Worst first, each with the evidence from which it can be recomputed. A verdict looks at the newest runs (`runs`,
    default: the configured window) of each release and environment."""

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[Verdict]:
        return verdicts.verdicts(store, flt, query.kinds or KINDS, limit=limit, offset=position or 0)

    if query.at_run is not None:
        check_exists("run", query.at_run, "at_run")
    return lists.list_response(RowSource(Verdict, fetch), query, query.filter())


@routes.get("/verdicts/excluded", summary="Failures that verdicts leave out", responses=item_responses(Excluded))
@cached_route()
def get_excluded(query: parameters.ExcludedQuery) -> Any:
    """Mass failures and bad hosts in the runs that verdicts look at, with the failures left out."""
    if query.at_run is not None:
        check_exists("run", query.at_run, "at_run")
    return verdicts.exclusions(store(), request_context().at(query.filter()))


@routes.get("/failures", summary="Failure patterns, most widespread first", responses=list_responses(Failure))
@cached_route()
def list_failures(query: parameters.FailuresQuery) -> Any:
    """From the newest runs (`runs`, default 10) of each release and environment, or from one run. Patterns that differ
    by a few characters are one cluster; `members` lists them."""

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[Failure]:
        start = position or 0
        top = start + limit if not query.q and query.new != "1" else failures.MAX_CLUSTERS
        found = failures.failures(store, flt, limit=top, run=query.run, since=query.since, like=query.like)
        return failures.matching_pattern(found, query.q or "", query.new == "1")[start : start + limit]

    for run in (query.run, query.since):
        if run is not None:
            find_run(run, request_context().at(Filter()))
    return lists.list_response(RowSource(Failure, fetch), query, query.filter())


@routes.get("/failures/<signature>", summary="One failure pattern", responses=item_responses(FailureDetail))
@cached_route()
def get_failure(path: parameters.SignaturePath, query: parameters.FailureQuery) -> Any:
    """With counts by day, module and host, and the newest examples: of its whole history, or with `runs` or `run` of
    those runs, as in the list."""
    if query.run is not None:
        find_run(query.run, request_context().at(Filter()))
    flt = request_context().at(query.filter())
    found = failures.failure(store(), valid_id("failure pattern", path.signature), flt, run=query.run)
    if found is None:
        raise not_found("failure pattern", path.signature)
    return found


@routes.get("/storms", summary="Mass failures", responses=list_responses(Storm))
@cached_route()
def list_storms(query: parameters.DisturbancesQuery) -> Any:
    """Builds, or modules in them, in which most tests failed at once. Newest first, over the newest runs (`runs`,
    default 60) of each release and environment."""
    return lists.list_response(RowSource(Storm, sliced(disturbance_lists.storm_list)), query, query.filter())


@routes.get("/hosts", summary="Hosts by excess failures", responses=list_responses(Host))
@cached_route()
def list_hosts(query: parameters.HostsQuery) -> Any:
    """Bad hosts first, over the newest runs (`runs`, default 60) of each release and environment."""
    return lists.list_response(RowSource(Host, sliced(disturbance_lists.host_list)), query, query.filter())
