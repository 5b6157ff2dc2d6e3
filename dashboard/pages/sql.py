"""The SQL console: an editor beside what the tables mean, examples, kept queries, and the answer as table or chart.

The query stands in the URL behind the '#', because that part never goes to a server: it may be long, and no log holds
it. The browser asks `POST /api/v1/sql` itself (assets/sql-console.js), so that a query can be cancelled by hanging up.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from dash import Dash, html

from dashboard import rendering
from dashboard.page_url import PageUrl
from data.lake.store import Store
from data.sql_console import dictionary, sandbox, saved_queries
from data.sql_console.examples import EXAMPLES

PATH, NAME = "/sql", "SQL"
ROWS = (100, 1_000, 10_000)


def layout() -> html.Div:
    chart = html.Div(
        html.Div(id="sql-chart", className="chart"),
        id="sql-chart-frame",
        hidden=True,
        role="group",
        **{"aria-label": "Chart of the answer; the table holds its data"},
    )
    found = html.Div([html.Div(id="sql-answer"), chart], className="sql-answer")
    return html.Div(
        [
            html.Div([*rendering.html_slot("sql"), found], className="sql-main"),
            html.Aside(rendering.html_slot("sql-side"), **{"aria-label": "Questions and tables"}),
        ],
        className="page sql-columns",
    )


def register(app: Dash) -> None:
    rendering.register(app, "sql", PATH, "sql.html", editor_data)
    rendering.register(app, "sql-side", PATH, "sql_side.html", side_data)


def editor_data(store: Store, url: PageUrl) -> dict[str, Any]:
    return {
        "rows_offered": ROWS,
        "rows": ROWS[1],
        "limits": {
            "seconds": sandbox.SECONDS,
            "memory": sandbox.MEMORY.replace("MB", "\u202fMB"),
            "rows": sandbox.ROWS,
            "megabytes": sandbox.BYTES >> 20,
        },
    }


def side_data(store: Store, url: PageUrl) -> dict[str, Any]:
    return {
        "tables": dictionary.tables(),
        "examples": [(example.question, link(example.sql, example.chart)) for example in EXAMPLES],
        "saved": [row | {"link": link(row["sql"])} for row in saved_queries.saved(store, url.filter)],
    }


def link(sql: str, chart: tuple[str, str, str, str] | None = None) -> str:
    """The address of a query, shown as a chart where one is named (kind, x, y, series)."""
    named = dict(zip(("view", "x", "y", "series"), chart, strict=True)) if chart else {}
    wanted = {"sql": sql} | {name: value for name, value in named.items() if value}
    return f"{PATH}#{urlencode(wanted, quote_via=quote)}"


def as_api_call(store: Store, url: PageUrl) -> None:
    """The browser asks it: its query stands behind the '#' (assets/share.js makes the call)."""
