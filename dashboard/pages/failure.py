"""One failure pattern: when and where it occurs, how often per day, and its latest examples.

Of the newest runs, of one run, or of all."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TypedDict

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from data.answers.runs import RunDetail
from data.answers.verdicts import DayCount, FailureDetail
from data.lake.store import Store
from data.queries import failures, runs

PATH, NAME = "/failures/<signature>", ""
DAYS = 60
SHARES = 12  # modules and hosts that are drawn


def layout() -> html.Div:
    return html.Div(rendering.html_slot("failure"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "failure", PATH, "failure.html", page_data)


class NamedCount(TypedDict):
    name: str
    count: int


class DayBar(DayCount):
    """A day; `height` is in percent of the worst one."""

    height: float


class FailurePage(TypedDict):
    """A failure pattern of the newest `runs`, of one run, or of all."""

    pattern: FailureDetail
    bars: list[DayBar]
    by_module: list[NamedCount]
    by_host: list[NamedCount]
    runs: int | None
    run: RunDetail | None
    offset: int
    more: bool


def page_data(store: Store, url: PageUrl, signature: str) -> FailurePage:
    offset, flt, run = offset_of(url), url.filter, _run(store, url)
    pattern = failures.failure(store, signature, flt, PAGE_SIZE, offset, run["id"] if run else None)
    if pattern is None:
        raise rendering.UnknownError(f"No failure pattern {signature}. The link may belong to another installation.")
    return {
        "pattern": pattern,
        "bars": bars(pattern["days"]),
        "by_module": [{"name": row["module"], "count": row["count"]} for row in pattern["by_module"][:SHARES]],
        "by_host": [{"name": row["host"] or "no host", "count": row["count"]} for row in pattern["by_host"][:SHARES]],
        "runs": flt.runs,
        "run": run,
        "offset": offset,
        "more": offset + PAGE_SIZE < pattern["count"],
    }


def _run(store: Store, url: PageUrl) -> RunDetail | None:
    """The run to which the URL narrows the page."""
    if not url.get("run"):
        return None
    found = runs.run(store, url.get("run"))
    if found is None:
        raise rendering.UnknownError(f"No run {url.get('run')}. The link may belong to another installation.")
    return found


def bars(days: list[DayCount]) -> list[DayBar]:
    """The last `DAYS` days including those without failures; heights in percent of the worst day."""
    if not days:
        return []
    counts = {row["day"]: row["count"] for row in days}
    last = date.fromisoformat(max(counts))
    shown = [str(last - timedelta(days=ago)) for ago in reversed(range(DAYS))]
    worst = max(counts.get(day, 0) for day in shown)
    return [
        {"day": day, "count": counts.get(day, 0), "height": round(100 * counts.get(day, 0) / worst, 1)} for day in shown
    ]


def as_api_call(store: Store, url: PageUrl, signature: str) -> ApiCall:
    return api_call(("failures", signature), parameters.FailureQuery, url)
