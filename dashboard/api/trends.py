"""Trends over many runs, and the grid of tests x runs."""

from __future__ import annotations

from typing import Any

from flask import Response

from dashboard.api import lists, parameters
from dashboard.api.lists import RowSource, sliced
from dashboard.api.openapi import FILE_CONTENT, blueprint, item_responses
from dashboard.api.responses import cached_route, request_context
from dashboard.app_state import store
from data.answers.trends import Grid, GridRow, GridRun, Point, Trend
from data.lake.store import Store
from data.model.filters import Filter, time_range
from data.queries import grid, trends

routes = blueprint("trends", "Trends over many runs, and the grid of tests x runs.")


@routes.get(
    "/trends", summary="Counts, pass rate and duration over time", responses=item_responses(Trend, FILE_CONTENT)
)
@cached_route()
def get_trends(query: parameters.TrendsQuery) -> Any:
    """Oldest point first, over the newest runs (`runs`, default 100) of each release. A file has one row per point,
    with the name of its series."""
    since, until = time_range({"since": query.since, "until": query.until})
    if request_context().format == "json":
        answer = trends.trend(store(), request_context().at(query.filter()), query.by, query.group, since, until)
        return {**answer, "snapshot": request_context().changed_at}

    def fetch(store: Store, flt: Filter) -> list[Point]:
        found = trends.trend(store, flt, query.by, query.group, since, until)["series"]
        return [{"series": series["name"], **point} for series in found for point in series["points"]]

    return lists.export_file(RowSource(Point, sliced(fetch)), request_context().at(query.filter()), [])


@routes.get("/grid", summary="Tests x runs", responses=item_responses(Grid, FILE_CONTENT))
@cached_route()
def get_grid(query: parameters.GridQuery) -> Any:
    """The newest runs (`runs`, default 30), newest first, and for each test one letter per run: P passed, F failed, K
    passed after a failed attempt, S skipped, - did not run. Paging is by test."""

    columns: list[GridRun] = []

    def fetch(store: Store, flt: Filter, position: int | None, limit: int) -> list[GridRow]:
        found = grid.grid(
            store, flt, limit=limit, offset=position or 0, kinds=query.kinds, text=query.q, order=query.order
        )
        columns[:] = found["runs"]
        return [{**test, "cells": cells} for test, cells in zip(found["tests"], found["cells"], strict=True)]

    page = lists.list_response(RowSource(GridRow, fetch), query, query.filter())
    if isinstance(page, Response):
        return page
    cells = [row.pop("cells") for row in page["items"]]
    return {"runs": columns, "tests": page["items"], "cells": cells, "next": page["next"], "snapshot": page["snapshot"]}
