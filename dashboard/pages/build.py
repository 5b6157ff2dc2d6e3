"""One Jenkins build: where it ran, what it was made of, and every result in it by status, topology, host and module."""

from __future__ import annotations

from typing import Any

from dash import Dash, html

from dashboard import render
from dashboard.api import parameters
from dashboard.calls import Call, call
from dashboard.pages.run import PAGE_SIZE, offset_of
from dashboard.place import Place
from data.filters import Filter
from data.queries import builds
from data.store import Store

PATH, NAME = "/builds/<build>", ""
FACETS = ("topology", "host", "module")
# What a build's flags mean to the person who reads its numbers.
FLAGS = {
    "no_results": "no report was found: its tests are missing, not failed",
    "recovered": "a report was damaged and read as far as it goes",
    "count_mismatch": "the reports hold another number of results than Jenkins counted",
}


def layout() -> html.Div:
    return html.Div(render.sink("build"), className="page")


def register(app: Dash) -> None:
    render.register(app, "build", PATH, "build.html", view)


def view(store: Store, place: Place, build: str) -> dict[str, Any]:
    this = builds.build(store, build)
    if this is None:
        raise render.UnknownError(
            f"No build has the id {build}. It may have been deleted, or the address may come from another store."
        )
    facets = builds.facets(store, build)
    status, offset = place.get("status") or ("failed" if this["failed"] else "all"), offset_of(place)
    part = Filter(module=place.filter.module, topology=place.filter.topology)
    rows = builds.results(
        store,
        build,
        part,
        status=None if status == "all" else status,
        text=place.get("q") or None,
        host=place.get("host") or None,
        attempts=bool(place.get("attempts")),
        limit=PAGE_SIZE + 1,
        offset=offset,
    )
    return {
        "build": this,
        "facets": {name: facets.get(name, []) for name in FACETS},
        "flags": [(flag, FLAGS.get(flag, flag.replace("_", " "))) for flag in this["flags"]],
        "status": status,
        "offset": offset,
        "more": len(rows) > PAGE_SIZE,
        "results": rows[:PAGE_SIZE],
        "kinds": {},
        "module": place.filter.module,
        "measured": render.measured(store),
    }


def asks(store: Store, place: Place, build: str) -> Call:
    this = builds.build(store, build) or {"failed": 0}
    status = place.get("status") or ("failed" if this["failed"] else None)
    return call(
        ("builds", build, "results"), parameters.BuildResultsQuery, place, status=None if status == "all" else status
    )
