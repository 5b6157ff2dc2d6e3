"""The tracker's bugs: which have failing tests, and in which modules."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TypedDict

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.formats import number
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from data.answers.bugs import ListedBug, StateCounts
from data.answers.runs import RunDetail
from data.answers.tests import TestDetail
from data.lake.store import Store
from data.queries import bugs, runs, tests

PATH, NAME = "/bugs", "Bugs"
ALL = "all"  # open and closed
MAX_BUGS = 100_000


def layout() -> html.Div:
    return html.Div(rendering.html_slot("bugs"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "bugs", PATH, "bugs.html", page_data)


class BugsPage(TypedDict):
    """The bugs of the URL's filter; `modules` with their numbers of bugs."""

    state_counts: StateCounts
    status: str
    offered: tuple[str, ...]
    run: RunDetail | None
    test: TestDetail | None
    modules: list[tuple[str, int]]
    module: str | None
    found: int
    failing: int
    rows: list[ListedBug]
    offset: int
    more: bool
    heading: str
    empty_reason: str


def page_data(store: Store, url: PageUrl) -> BugsPage:
    """`run` keeps the bugs of its failed and skipped tests, `test` those of one test."""
    flt, offset, status = url.filter, offset_of(url), _status(url)
    run_id, test_id = url.get("run") or None, url.get("test") or None
    run = runs.run(store, run_id) if run_id else None
    if run_id and run is None:
        raise rendering.UnknownError(f"No run {run_id}. The link may belong to another installation.")
    find = partial(
        bugs.bugs, store, state=_status_parameter(status), q=url.get("q"), test=test_id, run=run_id, limit=MAX_BUGS
    )
    everywhere = find(replace(flt, module=None))
    found = find(flt) if flt.module else everywhere
    modules = Counter(module for row in everywhere for module in row["modules"])
    return {
        "state_counts": bugs.state_counts(store),
        "status": status,
        "offered": (*bugs.STATES, ALL),
        "run": run,
        "test": tests.test(store, test_id) if test_id else None,
        "modules": modules.most_common(),
        "module": flt.module,
        "found": len(found),
        "failing": sum(row["failing"] > 0 for row in found),
        "rows": found[offset : offset + PAGE_SIZE],
        "offset": offset,
        "more": offset + PAGE_SIZE < len(found),
        "heading": _heading(status, len(found)),
        "empty_reason": _empty_reason(url, status, flt.module),
    }


_ADJECTIVES = {"open": "open ", "closed": "closed ", "gone": "", ALL: ""}


def _heading(status: str, count: int) -> str:
    bugs_in_words = f"{_ADJECTIVES[status]}bug" + ("" if count == 1 else "s")
    return (f"{number(count)} {bugs_in_words}" if count else f"No {bugs_in_words}") + (
        " no longer in the feed" if status == "gone" else ""
    )


def _empty_reason(url: PageUrl, status: str, module: str | None) -> str:
    """Why no bug is listed."""
    parts = [f"No {_ADJECTIVES[status]}bug"]
    if url.get("q"):
        parts.append(f"matches “{url.get('q')}”")
    if module:
        parts.append(f"{'and' if url.get('q') else 'has'} tests of {module}")
    if any(url.get(name) for name in ("release", "environment", "version")):
        parts.append("in this scope")
    return " ".join(parts) + "."


def _status(url: PageUrl) -> str:
    """The chosen status; by default open, or all for the bugs of a run or test, where a closed bug matters too."""
    status = url.get("status")
    if status in (*bugs.STATES, ALL):
        return status
    return ALL if url.get("run") or url.get("test") else bugs.STATES[0]


def _status_parameter(status: str) -> str | None:
    return None if status == ALL else status


def as_api_call(store: Store, url: PageUrl) -> ApiCall:
    return api_call(("bugs",), parameters.BugsQuery, url, status=_status_parameter(_status(url)))
