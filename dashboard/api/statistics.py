"""Statistics: flaky tests, rising failure rates, suspects, changed durations."""

from __future__ import annotations

from typing import Any

from flask import Response

from dashboard.api import lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.lookups import check_exists
from dashboard.api.openapi import FILE_CONTENT, blueprint, item_responses, list_responses
from dashboard.api.problems import not_found
from dashboard.api.responses import cached_route
from data.answers.statistics import (
    ChangedDuration,
    ChangedTest,
    Flaky,
    RisingRates,
    RisingTest,
    RisingTestList,
    Suspects,
)
from data.lake.store import Store
from data.model.filters import Filter
from data.verdicts import durations, failure_rates, flaky_ranking, suspects

routes = blueprint("statistics", "Statistics: flaky tests, rising failure rates, suspects, changed durations.")


@routes.get("/flaky", summary="Flaky tests, most disruptive first", responses=list_responses(Flaky))
@cached_route()
def list_flaky(query: parameters.FlakyQuery) -> Any:
    """Over the newest runs (`runs`, default 60) of each release and environment; recovered tests last. The `flaky` of a
    tile counts the tests whose worst verdict in the verdict window (10 results by default) is flaky: fewer."""

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[Flaky]:
        return flaky_ranking.flaky(store, flt, limit=limit, offset=position or 0)

    return lists.list_response(RowSource(Flaky, fetch), query, query.filter())


@routes.get(
    "/regressions",
    summary="Tests that fail more often than before",
    responses=item_responses(RisingTestList, FILE_CONTENT),
)
@cached_route()
def list_regressions(query: parameters.RegressionsQuery) -> Any:
    """The newest runs of a release (`runs`, default 10) compared with the runs before, or with the release `base`.
    Confirmed first: corrected for multiple comparisons, at most 5 % are chance."""
    summary: list[RisingRates] = []
    if query.base is not None:
        check_exists("release", query.base, "base")

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[RisingTest]:
        found = failure_rates.regressions(store, flt, query.base, limit=limit, offset=position or 0)
        if found is None:
            raise not_found("run of the releases", f"{query.release}, {query.base or query.release}")
        summary[:] = [found]
        return found["tests"]

    page = lists.list_response(RowSource(RisingTest, fetch), query, query.filter())
    if isinstance(page, Response):
        return page
    facts = {name: value for found in summary for name, value in found.items() if name != "tests"}
    return facts | page


@routes.get("/tests/<test>/suspects", summary="Which commit broke a test", responses=list_responses(Suspects))
@cached_route()
def list_suspects(path: parameters.TestPath, query: parameters.SuspectsQuery) -> Any:
    """For each release and environment in which it fails now: the commits since it passed, most likely first."""

    def fetch(store: Store, flt: Filter) -> list[Suspects]:
        return suspects.suspects(store, path.test, flt)

    return lists.list_response(RowSource(Suspects, sliced(fetch), parent=("test", path.test)), query, query.filter())


@routes.get("/durations/tests", summary="Tests whose duration changed", responses=list_responses(ChangedTest))
@cached_route()
def list_changed_tests(query: parameters.TestDurationsQuery) -> Any:
    """Lasting changes within the newest runs (`runs`, default 60); the greatest slowdown first."""

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[ChangedTest]:
        return durations.changed_tests(store, flt, limit=limit, offset=position or 0)

    return lists.list_response(RowSource(ChangedTest, fetch), query, query.filter())


@routes.get(
    "/durations/modules",
    summary="Modules whose duration changed",
    responses=list_responses(ChangedDuration),
)
@cached_route()
def list_changed_modules(query: parameters.DurationsQuery) -> Any:
    """Compares the mean duration of a result."""
    return lists.list_response(RowSource(ChangedDuration, sliced(durations.changed_modules)), query, query.filter())
