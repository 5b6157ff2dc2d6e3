"""Pass rate, counts and duration over runs or days, in one line or several."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypedDict

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from flask import Response, request

from dashboard import dash_internals, rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.app_state import store as open_store
from dashboard.figures import trend as figures
from dashboard.page_url import PageUrl
from data.answers.trends import Point, Series
from data.lake.connection import StoreError
from data.lake.store import Store
from data.model.filters import Filter, FilterError, time_range
from data.model.measures import iso
from data.queries import trends

PATH, NAME = "/trends", "Trends"
# Value of `group` -> its label.
GROUPS = {
    "lane": "release and environment",
    "release": "release",
    "environment": "environment",
    "module": "module",
}
RUNS = ("30", "100", "300")
TABLE_ROWS = 60
_CHARTS = {"rate": "Pass rate", "counts": "Results", "duration": "Test time"}


def layout() -> html.Div:
    charts = []
    for name, title in _CHARTS.items():
        charts += [
            html.Section(
                [
                    html.H2(title),
                    dcc.Store(id=f"trend-{name}-figure"),
                    html.Div(
                        id=f"trend-{name}",
                        className="chart",
                        role="group",
                        **rendering.attributes(aria_label=f"Chart of {title.lower()}; the table below has the data"),
                    ),
                ],
                className="chart-section",
            )
        ]
    return html.Div(
        [
            *rendering.html_slot("trends-head"),
            html.Div(charts, id="trend-charts"),
            *rendering.html_slot("trends-table"),
        ],
        className="page trends",
    )


def register(app: Dash) -> None:
    rendering.register(app, "trends-head", PATH, "trends.html", head_data)

    @app.server.after_request
    def preload_plotly(response: Response) -> Response:
        """Let the browser load Plotly while it still reads the page's own scripts."""
        if request.path == PATH:
            response.headers["Link"] = f"<{dash_internals.PLOTLY_PATH}>; rel=preload; as=script"
        return response

    rendering.register(app, "trends-table", PATH, "trends_table.html", table_data)

    @app.callback(
        *(Output(f"trend-{name}-figure", "data") for name in _CHARTS),
        Input("url", "href"),
        Input("snapshot", "data"),
    )
    def draw(href: str, _snapshot: int | None) -> Any:
        url = PageUrl.of(href)
        if url.path != PATH:
            return no_update, no_update, no_update
        try:
            with open_store().read(url.filter.as_of) as opened:
                series = query(opened, url)
        except (FilterError, StoreError):  # the head of the page shows the error
            series = []
        # Plotly keeps zoom and hidden lines while this stays the same.
        same = {"uirevision": url.here()}
        plots = (
            figures.rates(series),
            figures.counts(series, passed=url.get("bars") == "all"),
            figures.durations(series),
        )
        return tuple(figure | {"layout": figure["layout"] | same} for figure in plots)

    for name in _CHARTS:
        figure = f"trend-{name}-figure"
        app.clientside_callback(ClientsideFunction("rt", "chart"), Input(figure, "data"), State(figure, "id"))


def query(store: Store, url: PageUrl) -> list[Series]:
    flt, by, group = _parameters(url)
    return trends.trend(store, flt, by, group, *time_range(url.query))["series"]


class TrendsHead(TypedDict):
    """The head of the trends; `mixed`: environments that share a line."""

    by: str
    group: str | None
    groups: dict[str, str]
    bars: str
    runs: str
    runs_offered: tuple[str, ...]
    series: list[Series]
    panels: int
    mixed: list[str]
    span: list[str | None]
    points: int
    pass_rate_definition: str


def head_data(store: Store, url: PageUrl) -> TrendsHead:
    flt, by, group = _parameters(url)
    series = query(store, url)
    return {
        "by": by,
        "group": group,
        "groups": GROUPS,
        "bars": url.get("bars"),
        "runs": str(flt.runs),
        "runs_offered": RUNS,
        "series": series,
        "panels": figures.PANELS,
        "mixed": _mixed(series) if by == "run" else [],
        "span": [iso(moment) for moment in time_range(url.query)],
        "points": sum(len(line["points"]) for line in series),
        "pass_rate_definition": rendering.pass_rate_definition(store),
    }


def _mixed(series: list[Series]) -> list[str]:
    """The environments that share a line."""
    found = [{point.get("environment") for point in line["points"]} for line in series]
    return sorted({name or "none" for names in found if len(names) > 1 for name in names})


class TrendsTable(TypedDict):
    """The newest points."""

    rows: list[Point]
    of: int
    by: str


def table_data(store: Store, url: PageUrl) -> TrendsTable:
    rows: list[Point] = [{**point, "series": line["name"]} for line in query(store, url) for point in line["points"]]
    rows.sort(key=lambda point: (point.get("day") or "", point.get("rank") or 0), reverse=True)
    return {"rows": rows[:TABLE_ROWS], "of": len(rows), "by": _parameters(url)[1]}


def _parameters(url: PageUrl) -> tuple[Filter, str, str | None]:
    """(filter, by, group); by default releases and environments get lines of their own."""
    flt = url.filter
    by = url.choice("by", ("run", "day"), "run")
    # a line mixes environments only if the URL says so
    default_group = (
        ("all" if flt.environment else "environment") if flt.release else "release" if flt.environment else "lane"
    )
    group = url.choice("group", (*GROUPS, "all"), default_group)
    return replace(flt, runs=flt.runs or int(RUNS[1])), by, None if group == "all" else group


def as_api_call(store: Store, url: PageUrl) -> ApiCall:
    flt, by, group = _parameters(url)
    return api_call(("trends",), parameters.TrendsQuery, url, runs=flt.runs, by=by, group=group)
