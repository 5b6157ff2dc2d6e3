"""May a release ship? Modules against environments or topologies, and the broken tests behind each red cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import bugs, matrix, matrix_tests, releases

PATH, NAME = "/matrix", "Matrix"
# What each state of a cell means; the legend and the hover say the same.
MEANINGS = {
    "ok": "no broken test",
    "failing": "broken tests, and how many",
    "unjudged": "failed the only time they ran: too seldom to be judged",
    "broken": "the build brought nothing, or only a storm",
    "missing": "ran here before, no result now",
    "empty": "not tested here",
}


def layout() -> html.Div:
    return html.Div(rendering.html_slot("matrix"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "matrix", PATH, "matrix.html", page_data)


def page_data(store: Store, url: PageUrl) -> dict[str, Any]:
    """`by` chooses the columns; `row` and `column` the cells whose tests are listed. Without a release the columns are
    the releases, and a cell leads to its own matrix."""
    flt = url.filter
    release = _release(store, flt)
    if release is None:
        found = matrix.overall(store, flt)
        return {"release": None, "found": found, "by": "release", "axes": matrix.AXES, "meanings": MEANINGS}
    by, row, column = url.choice("by", matrix.AXES, "environment"), url.get("row"), url.query.get("column")
    column = "" if column == "none" else column  # a topology without a name
    found = matrix.matrix(store, release, flt, by)
    context = {"release": release, "found": found, "by": by, "axes": matrix.AXES, "meanings": MEANINGS}
    if found is None:
        return context
    tests = matrix_tests.broken(store, release, replace(flt, module=row or flt.module), by, column)
    offset = offset_of(url)
    shown = tests[offset : offset + PAGE_SIZE]
    seldom = matrix_tests.unjudged(store, release, replace(flt, module=row or flt.module), by, column)
    return context | {
        "row": row,
        "column": column,
        "cell": _cell(found, row, column),
        "tests": shown,
        "bugs": bugs.of_tests(store, tuple(verdict["test"] for verdict in shown), Filter(release)),
        "unjudged": seldom,
        "of": len({verdict["test"] for verdict in tests}),
        "offset": offset,
        "more": offset + PAGE_SIZE < len(tests),
    }


def _release(store: Store, flt: Filter) -> str | None:
    """The release that is asked about, or the only one that there is; None: all of them."""
    known = releases.choices(store, Filter(as_of=flt.as_of))["releases"]
    return flt.release or (known[0] if len(known) == 1 else None)


def _cell(found: dict[str, Any], module: str, column: str | None) -> dict[str, Any] | None:
    index = next((index for index, known in enumerate(found["columns"]) if known["value"] == column), None)
    row = next((row for row in found["rows"] if row["module"] == module), None)
    return row["cells"][index] if row and index is not None else None


def as_api_call(store: Store, url: PageUrl) -> ApiCall:
    release = _release(store, url.filter)
    if release is None:
        return api_call(("matrix",), parameters.OverallMatrixQuery, url)
    return api_call(("releases", release, "matrix"), parameters.MatrixQuery, url)
