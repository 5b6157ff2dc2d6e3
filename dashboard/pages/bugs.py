"""The tracker's bugs: which break tests now, in which modules, and what people say of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from data.lake.store import Store
from data.queries import bugs, runs, tests

PATH, NAME = "/bugs", "Bugs"
ALL = "all"  # open and closed ones
MOST = 100_000


def layout() -> html.Div:
    return html.Div(rendering.html_slot("bugs"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "bugs", PATH, "bugs.html", page_data)


def page_data(store: Store, url: PageUrl) -> dict[str, Any]:
    """`run` leaves the bugs of its failed and skipped tests, `test` those of one test."""
    flt, offset, status = url.filter, offset_of(url), _status(url)
    of = {"q": url.get("q"), "test": url.get("test") or None, "run": url.get("run") or None}
    run = runs.run(store, of["run"]) if of["run"] else None
    if of["run"] and run is None:
        raise rendering.UnknownError(f"No run has the id {of['run']}. It may come from another store.")
    everywhere = bugs.bugs(store, replace(flt, module=None), _asked(status), limit=MOST, **of)
    found = bugs.bugs(store, flt, _asked(status), limit=MOST, **of) if flt.module else everywhere
    modules = Counter(module for row in everywhere for module in row["modules"])
    return {
        "known": bugs.known(store),
        "status": status,
        "offered": (*bugs.STATES, ALL),
        "run": run,
        "test": tests.test(store, of["test"]) if of["test"] else None,
        "modules": modules.most_common(),
        "module": flt.module,
        "found": len(found),
        "failing": sum(row["failing"] > 0 for row in found),
        "rows": found[offset : offset + PAGE_SIZE],
        "offset": offset,
        "more": offset + PAGE_SIZE < len(found),
    }


def _status(url: PageUrl) -> str:
    """Which bugs are shown: open ones, unless told or asked about a run or test, where a closed one is news."""
    status = url.get("status")
    if status in (*bugs.STATES, ALL):
        return status
    return ALL if url.get("run") or url.get("test") else bugs.STATES[0]


def _asked(status: str) -> str | None:
    return None if status == ALL else status


def as_api_call(store: Store, url: PageUrl) -> ApiCall:
    return api_call(("bugs",), parameters.BugsQuery, url, status=_asked(_status(url)))
