"""One failure pattern: when it came, how often on each day, where it was told, and its newest examples."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from dash import Dash, html

from dashboard import render
from dashboard.api import parameters
from dashboard.calls import Call, call
from dashboard.place import Place
from data.queries import failures
from data.store import Store

PATH, NAME = "/failures/<signature>", ""
DAYS = 60


def layout() -> html.Div:
    return html.Div(render.sink("failure"), className="page")


def register(app: Dash) -> None:
    render.register(app, "failure", PATH, "failure.html", view)


def view(store: Store, place: Place, signature: str) -> dict[str, Any]:
    pattern = failures.failure(store, signature, place.filter)
    if pattern is None:
        raise render.UnknownError(f"No failure pattern has the id {signature}. It may come from another store.")
    return {"pattern": pattern, "bars": bars(pattern["days"])}


def bars(days: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last `DAYS` days up to the newest, those without a failure too, with heights in percent of the worst."""
    if not days:
        return []
    counts = {row["day"]: row["count"] for row in days}
    last = date.fromisoformat(max(counts))
    first = max(date.fromisoformat(min(counts)), last - timedelta(days=DAYS - 1))
    shown = [str(first + timedelta(days=step)) for step in range((last - first).days + 1)]
    worst = max(counts.get(day, 0) for day in shown)
    return [
        {"day": day, "count": counts.get(day, 0), "height": round(100 * counts.get(day, 0) / worst, 1)} for day in shown
    ]


def asks(store: Store, place: Place, signature: str) -> Call:
    return call(("failures", signature), parameters.FailureQuery, place)
