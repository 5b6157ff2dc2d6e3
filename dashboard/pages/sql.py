"""The SQL console: an editor, the tables, examples, saved queries, and the result as a table or chart.

The query is in the URL's fragment, which is never sent to a server: it may be long, and no log keeps it. The browser
calls `POST /api/v1/sql` itself (assets/sql-console.js), so that closing the connection cancels a query.
"""

from __future__ import annotations

from typing import TypedDict
from urllib.parse import quote, urlencode

from dash import Dash, html

from dashboard import rendering
from dashboard.page_url import PageUrl
from data.answers.operations import SavedQuery, TableMeaning
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
        **rendering.attributes(aria_label="Chart of the result; the table has the data"),
    )
    found = html.Div([html.Div(id="sql-answer"), chart], className="sql-answer")
    return html.Div(
        [
            html.Div([*rendering.html_slot("sql"), found], className="sql-main"),
            html.Aside(rendering.html_slot("sql-side"), **rendering.attributes(aria_label="Examples and tables")),
        ],
        className="page sql-columns",
    )


def register(app: Dash) -> None:
    rendering.register(app, "sql", PATH, "sql.html", editor_data)
    rendering.register(app, "sql-side", PATH, "sql_side.html", side_data)


class EditorLimits(TypedDict):
    seconds: float
    memory: str
    rows: int
    megabytes: int


class LinkedQuery(SavedQuery):
    link: str


class SqlEditor(TypedDict):
    """What the editor offers, and its limits."""

    rows_offered: tuple[int, ...]
    rows: int
    limits: EditorLimits


def editor_data(store: Store, url: PageUrl) -> SqlEditor:
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


class SqlSide(TypedDict):
    """Tables, examples (question, link) and saved queries."""

    tables: list[TableMeaning]
    examples: list[tuple[str, str]]
    saved: list[LinkedQuery]


def side_data(store: Store, url: PageUrl) -> SqlSide:
    return {
        "tables": dictionary.tables(),
        "examples": [(example.question, link(example.sql, example.chart)) for example in EXAMPLES],
        "saved": [{**row, "link": link(row["sql"])} for row in saved_queries.saved(store, url.filter)],
    }


def link(sql: str, chart: tuple[str, str, str, str] | None = None) -> str:
    """The URL of a query, with its chart if given (kind, x, y, series)."""
    named = dict(zip(("view", "x", "y", "series"), chart, strict=True)) if chart else {}
    wanted = {"sql": sql} | {name: value for name, value in named.items() if value}
    return f"{PATH}#{urlencode(wanted, quote_via=quote)}"


def as_api_call(store: Store, url: PageUrl) -> None:
    """None: the query is in the URL's fragment, and the browser makes the call (assets/share.js)."""
