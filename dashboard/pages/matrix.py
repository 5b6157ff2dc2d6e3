"""Is a release ready to ship? Modules by environment or topology, and the broken tests of each red cell."""

from __future__ import annotations

from dataclasses import replace
from typing import NotRequired, Required, TypedDict

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.formats import plural
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from data.answers.bugs import Bug
from data.answers.matrix import Matrix, MatrixCell, MatrixColumn, OverallMatrix, UnjudgedTest
from data.answers.verdicts import Verdict
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import bugs, matrix, matrix_tests, releases
from data.queries.lane_states import NOT_READY

PATH, NAME = "/matrix", "Matrix"
# What each state of a cell means, for the legend and the tooltips.
MEANINGS = {
    "ok": "no broken test",
    "failing": "broken tests",
    "unjudged": "failed on its only run: not enough data",
    "broken": "no usable results, or a mass failure",
    "incomplete": "builds are missing, partial or were aborted",
    "missing": "ran here before, no result now",
    "empty": "not tested here",
}


def layout() -> html.Div:
    return html.Div(rendering.html_slot("matrix"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "matrix", PATH, "matrix.html", page_data)


class _Headline(TypedDict):
    """The page's title, in red if `blocked`. For all releases also `count`, how many are not ready, and `ship`, per
    release (column, verdict, why)."""

    headline: str
    details: str
    blocked: NotRequired[bool]
    count: NotRequired[int]
    ship: NotRequired[list[tuple[MatrixColumn, str, str]]]


class MatrixPage(TypedDict, total=False):
    """The matrix, its title, and the tests of the chosen cells."""

    release: Required[str | None]
    found: Required[Matrix | OverallMatrix | None]
    by: Required[str]
    axes: Required[tuple[str, ...]]
    meanings: Required[dict[str, str]]
    headline: str
    details: str
    blocked: bool
    count: int
    ship: list[tuple[MatrixColumn, str, str]]
    row: str
    column: str | None
    cell: MatrixCell | None
    plurals: dict[str, str]
    tests: list[Verdict]
    bugs: dict[str, list[Bug]]
    unjudged: list[UnjudgedTest]
    of: int
    offset: int
    more: bool


def page_data(store: Store, url: PageUrl) -> MatrixPage:
    """`by` sets the columns, `row` and `column` select the cells whose tests are listed. Without a release the columns
    are the releases, and a cell links to its release's matrix."""
    flt = url.filter
    release = _release(store, flt)
    if release is None:
        overall = matrix.overall(store, flt)
        page: MatrixPage = {
            "release": None,
            "found": overall,
            "by": "release",
            "axes": matrix.AXES,
            "meanings": MEANINGS,
        }
        return {**page, **_overall_headline(overall)} if overall else page
    by, row, column = url.read(parameters.MatrixQuery).by, url.get("row"), url.query.get("column")
    column = "" if column == "none" else column  # a topology without a name
    found = matrix.matrix(store, release, flt, by)
    page = {"release": release, "found": found, "by": by, "axes": matrix.AXES, "meanings": MEANINGS}
    if found is None:
        return page
    tests = matrix_tests.broken(store, release, replace(flt, module=row or flt.module), by, column)
    offset = offset_of(url)
    shown = tests[offset : offset + PAGE_SIZE]
    unjudged = matrix_tests.unjudged(store, release, replace(flt, module=row or flt.module), by, column)
    return {
        **page,
        **_headline(found),
        "row": row,
        "column": column,
        "cell": _cell(found, row, column),
        "plurals": {"environment": "environments", "topology": "topologies", "release": "releases"},
        "tests": shown,
        "bugs": bugs.bugs_of_tests(store, tuple(verdict["test"] for verdict in shown), Filter(release)),
        "unjudged": unjudged,
        "of": len({verdict["test"] for verdict in tests}),
        "offset": offset,
        "more": offset + PAGE_SIZE < len(tests),
    }


def _overall_headline(found: OverallMatrix) -> _Headline:
    columns = found["columns"]
    blocked = sum(column["state"] in NOT_READY for column in columns)
    stale = sum(column["state"] == "stale" for column in columns)
    if blocked:
        title = f"of {plural(len(columns), 'release')} {'is' if blocked == 1 else 'are'} not ready"
    elif stale:
        title = f"No new runs for {stale} of {plural(len(columns), 'release')}"
    else:
        title = ("The release" if len(columns) == 1 else "All releases") + " may ship"
    return {"count": blocked, "headline": title, "details": "", "ship": _ship_rows(found)}


def _headline(found: Matrix) -> _Headline:
    rows = found["rows"]
    modules = plural(len(rows), "module")
    headline, details = _SHIP_TEXTS[found["state"]], " ".join(found["reasons"])
    if found["state"] == "failing":
        broken = sum(bool(row["tests"]) for row in rows)
        once = sum(bool(row["unjudged"]) for row in rows)
        details = _why(found, f"{broken} of {modules}", f"{once} of {modules}")
    elif found["state"] == "ok":
        details = f"no broken tests in {modules}"
    return {"headline": headline, "blocked": found["state"] in NOT_READY, "details": details}


def _why(counts: Matrix | MatrixColumn, broken_in: str, once_in: str) -> str:
    """Why a release is not ready: its broken tests, and those that failed on their only run."""
    parts = []
    if counts["tests"]:
        parts.append(f"{plural(counts['tests'], 'broken test')} in {broken_in}")
    if counts["unjudged"]:
        owner = "its" if counts["unjudged"] == 1 else "their"
        parts.append(f"{plural(counts['unjudged'], 'test')} failed on {owner} only run in {once_in}")
    if counts["incomplete"]:
        parts.append("results are missing")
    if counts.get("stale"):
        parts.append("no recent run")
    return ", ".join(parts)


_SHIP_TEXTS = {
    **dict.fromkeys(NOT_READY, "is not ready"),
    "stale": "has no recent run",
    "ok": "may ship",
    "running": "is running",
    "empty": "is not tested",
}


def _ship_rows(found: OverallMatrix) -> list[tuple[MatrixColumn, str, str]]:
    answer = []
    for index, column in enumerate(found["columns"]):
        cells = [row["cells"][index] for row in found["rows"]]
        why = " ".join(column.get("reasons") or ()) or "no broken tests"
        if column["state"] == "failing":
            broken = plural(sum(bool(cell["tests"]) for cell in cells), "module")
            why = _why(column, broken, plural(sum(bool(cell["unjudged"]) for cell in cells), "module"))
        answer.append((column, _SHIP_TEXTS[column["state"]], why))
    return answer


def _release(store: Store, flt: Filter) -> str | None:
    """The release of the filter, or the only one there is; None for all releases."""
    known = releases.choices(store, Filter(as_of=flt.as_of))["releases"]
    return flt.release or (known[0] if len(known) == 1 else None)


def _cell(found: Matrix, module: str, column: str | None) -> MatrixCell | None:
    index = next((index for index, one in enumerate(found["columns"]) if one["value"] == column), None)
    row = next((row for row in found["rows"] if row["module"] == module), None)
    return row["cells"][index] if row and index is not None else None


def as_api_call(store: Store, url: PageUrl) -> ApiCall:
    release = _release(store, url.filter)
    if release is None:
        return api_call(("matrix",), parameters.OverallMatrixQuery, url)
    return api_call(("releases", release, "matrix"), parameters.MatrixQuery, url)
