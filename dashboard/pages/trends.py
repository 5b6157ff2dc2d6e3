"""How pass rate, counts and duration moved, over runs or days, for one line or several side by side."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from flask import Response, request

from dashboard import rendering, static_files
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.app_state import store as the_store
from dashboard.figures import trend as figures
from dashboard.page_url import PageUrl
from data.lake.connection import StoreError
from data.lake.store import Store
from data.model.filters import Filter, FilterError, span
from data.model.measures import iso
from data.queries import trends

PATH, NAME = "/trends", "Trends"
# What a line is for, in words.
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
                        **{"aria-label": f"Chart of {title.lower()}; the table below holds its data"},
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
    def hasten(response: Response) -> Response:
        """Plotly is on its way while the page's own scripts are still being read."""
        if request.path == PATH:
            response.headers["Link"] = f"<{static_files.PLOTLY_PATH}>; rel=preload; as=script"
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
            series = ask(the_store(url.filter.as_of), url)
        except (FilterError, StoreError):  # the page's head says what is wrong
            series = []
        # A figure keeps zoom and hidden lines while this stays the same: while the question does.
        same = {"uirevision": url.here()}
        drawn = (
            figures.rates(series),
            figures.counts(series, passed=url.get("bars") == "all"),
            figures.durations(series),
        )
        return tuple(figure | {"layout": figure["layout"] | same} for figure in drawn)

    for name in _CHARTS:
        figure = f"trend-{name}-figure"
        app.clientside_callback(ClientsideFunction("rt", "chart"), Input(figure, "data"), State(figure, "id"))


def ask(store: Store, url: PageUrl) -> list[dict[str, Any]]:
    flt, by, group = _question(url)
    return trends.trend(store, flt, by, group, *span(url.query))["series"]


def head_data(store: Store, url: PageUrl) -> dict[str, Any]:
    flt, by, group = _question(url)
    series = ask(store, url)
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
        "span": [iso(moment) for moment in span(url.query)],
        "points": sum(len(line["points"]) for line in series),
        "measured": rendering.window_label(store),
    }


def _mixed(series: list[dict[str, Any]]) -> list[str]:
    """The environments that stand in one line, where some do."""
    found = [{point["environment"] for point in line["points"]} for line in series]
    return sorted({name or "none" for names in found if len(names) > 1 for name in names})


def table_data(store: Store, url: PageUrl) -> dict[str, Any]:
    rows = [point | {"series": line["name"]} for line in ask(store, url) for point in line["points"]]
    rows.sort(key=lambda point: point.get("started_at") or point["day"], reverse=True)
    return {"rows": rows[:TABLE_ROWS], "of": len(rows), "by": _question(url)[1]}


def _question(url: PageUrl) -> tuple[Filter, str, str | None]:
    """(filter, by, group); what is not the same is drawn apart unless the URL says otherwise."""
    flt = url.filter
    by = url.choice("by", ("run", "day"), "run")
    # one line never holds two environments unless it was asked for
    usual = ("all" if flt.environment else "environment") if flt.release else "release" if flt.environment else "lane"
    group = url.choice("group", (*GROUPS, "all"), usual)
    return replace(flt, runs=flt.runs or int(RUNS[1])), by, None if group == "all" else group


def as_api_call(store: Store, url: PageUrl) -> ApiCall:
    flt, by, group = _question(url)
    return api_call(("trends",), parameters.TrendsQuery, url, runs=flt.runs, by=by, group=group)
