"""Failure patterns: failures grouped by message; those of most tests in the newest runs first."""

from __future__ import annotations

from typing import TypedDict

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from data.answers.verdicts import Failure
from data.lake.store import Store
from data.queries import failures

PATH, NAME = "/failures", "Failures"
RUNS = ("5", "10", "30", "60")
# Equal rows keep the order of the query: most tests first.
SORTS = {
    "newest": lambda row: (-row["newest_tests"], not row["new"]),
    "new": lambda row: not row["new"],
    "tests": lambda row: -row["tests"],
    "count": lambda row: -row["count"],
    "first": lambda row: row["first_seen"] or "",
}


def layout() -> html.Div:
    return html.Div(rendering.html_slot("failures"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "failures", PATH, "failures.html", page_data)


class FailuresPage(TypedDict):
    """Failure patterns, of which `new` began lately."""

    patterns: list[Failure]
    found: int
    of: int
    new: int
    failures: int
    offset: int
    more: bool
    sort: str
    runs: str
    runs_offered: tuple[str, ...]
    empty_reason: str


def page_data(store: Store, url: PageUrl) -> FailuresPage:
    flt, offset = url.filter, offset_of(url)
    found = failures.failures(store, flt, failures.MAX_CLUSTERS)
    given = url.read(parameters.FailuresQuery)
    shown = failures.matching_pattern(found, given.q or "", given.new == "1")
    sort = url.choice("sort", SORTS, "newest")
    # By first seen, the newest comes first.
    shown.sort(key=SORTS[sort], reverse=sort == "first")
    return {
        "patterns": shown[offset : offset + PAGE_SIZE],
        "found": len(shown),
        "of": len(found),
        "new": sum(row["new"] for row in found),
        "failures": sum(row["count"] for row in found),
        "offset": offset,
        "more": offset + PAGE_SIZE < len(shown),
        "sort": sort,
        "runs": str(flt.runs or failures.RECENT_RUNS),
        "runs_offered": RUNS,
        "empty_reason": _empty_reason(url, flt.runs or failures.RECENT_RUNS),
    }


def _empty_reason(url: PageUrl, count: int) -> str:
    """Why no pattern is listed."""
    kind = "new failure pattern" if url.get("new") == "1" else "failure"
    matches = f"matches “{url.get('q')}”" if url.get("q") else "in this scope"
    return f"No {kind} of the last {count} runs {matches}."


def as_api_call(store: Store, url: PageUrl) -> ApiCall:
    return api_call(("failures",), parameters.FailuresQuery, url)
