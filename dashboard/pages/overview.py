"""The wall: a tile per release line, and the newest runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from dash import Dash, html

from dashboard import render
from dashboard.api import parameters
from dashboard.calls import Call, call
from dashboard.place import Place
from data.measures import iso
from data.queries import releases, runs
from data.store import Store

PATH, NAME = "/", "Overview"
RECENT = 12
_ORDER = ("failing", "broken", "running", "ok", "stale", "empty")


def layout() -> html.Div:
    return html.Div(render.sink("overview"), className="page")


def register(app: Dash) -> None:
    render.register(app, "overview", PATH, "overview.html", view)


def view(store: Store, place: Place) -> dict[str, Any]:
    flt = replace(place.filter, version=None)
    tiles = releases.tiles(store, flt)
    tiles.sort(key=lambda tile: _ORDER.index(tile["state"]))  # within a state: newest activity first, as they came
    return {
        "tiles": [
            tile | {"running": progress(tile["running_run"], tile["latest_run"], store.moment())} for tile in tiles
        ],
        "recent": runs.runs(store, place.filter, RECENT),
        "sources": [source.name for source in store.settings.source],
        "measured": render.measured(store),
        "window": store.settings.measures.window,
    }


def progress(run: dict[str, Any] | None, earlier: dict[str, Any] | None, now: datetime) -> dict[str, Any] | None:
    """How far a running run is: its share of builds that have ended, and the seconds left and the moment of its end if
    it takes as long as the run before it did."""
    if run is None:
        return None
    started = datetime.fromisoformat(run["started_at"].rstrip("Z"))
    age = (now - started).total_seconds()
    expected = run.get("expected_s") or (earlier or {}).get("duration_s")
    return run | {
        "share": run["builds_final"] / run["builds"] if run["builds"] else 0.0,
        "age_s": max(age, 0.0),
        "left_s": expected - age if expected else None,
        "end_at": iso(started + timedelta(seconds=expected)) if expected else None,
    }


def asks(store: Store, place: Place) -> Call:
    return call(("releases",), parameters.ReleasesQuery, place, version=None, limit=None)
