"""Tests by runs: a small cell a result, so that a thousand tests over two hundred runs are seen at once.

The server sends names and one string of letters a test; assets/grid.js paints them. As markup the same grid would be
two hundred thousand elements from a template, morphed one by one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.app_state import store as the_store
from dashboard.page_url import PageUrl, offset_of
from data.lake.store import Store, StoreError
from data.model.filters import Filter, FilterError
from data.queries import grid, releases
from data.verdicts.rules import KINDS

PATH, NAME = "/grid", "Grid"
RUNS = ("30", "60", "100", "200")
ROWS = 1_000
MOST_RUNS = 200


def layout() -> html.Div:
    return html.Div(
        [
            *rendering.html_slot("grid-head"),
            dcc.Store(id="grid-data"),
            html.Div(id="grid", className="cells-frame", role="region", **{"aria-label": "Tests by runs"}),
        ],
        className="page grid-page",
    )


def register(app: Dash) -> None:
    rendering.register(app, "grid-head", PATH, "grid.html", head)

    @app.callback(Output("grid-data", "data"), Input("url", "href"), Input("snapshot", "data"))
    def cells(href: str, _snapshot: int | None) -> Any:
        place = PageUrl.of(href)
        if place.path != PATH:
            return no_update
        try:
            return answer(the_store(place.filter.as_of), place)
        except (FilterError, ValueError, StoreError):  # the head of the page says what is wrong
            return None

    app.clientside_callback(ClientsideFunction("rt", "grid"), Input("grid-data", "data"), State("grid", "id"))


def answer(store: Store, place: PageUrl) -> dict[str, Any]:
    """What is painted: {"at" (the address that it answers), "release",
    "runs": [[id, number, started_at, environment, version, state]],
    "tests": [[test, name, key, note, kinds, what tells it from its namesakes]], "cells": [the letters of a test]}."""
    found = ask(store, place)
    facts = ("id", "number", "started_at", "environment", "version", "state")
    notes = [" · ".join(part for part in (row["priority"], row["module"]) if part) for row in found["tests"]]
    return {
        "at": place.here(case=None),
        "release": found["release"],
        "runs": [[run[name] for name in facts] for run in found["runs"]],
        "tests": [
            [row["test"], row["name"], row["key"], note, row["kinds"], label]
            for row, note, label in zip(found["tests"], notes, apart(found["tests"]), strict=True)
        ],
        "cells": found["cells"],
    }


def apart(tests: list[dict[str, Any]]) -> list[str]:
    """For each test the shortest part of its key that no other test of the same name has: its class, its file's name,
    or as much as it takes; "" where the name is enough."""
    namesakes: dict[str, list[int]] = defaultdict(list)
    for place, row in enumerate(tests):
        namesakes[row["name"]].append(place)
    labels = [""] * len(tests)
    for name, places in namesakes.items():
        if len(places) == 1:
            continue
        owners = [tests[place]["key"][: -len(name) - 2].partition("::")[::2] for place in places]
        for label in (
            lambda file, owner: owner.rpartition(".")[2],
            lambda file, _: file.rpartition("/")[2],
            lambda file, owner: f"{file.rpartition('/')[2]} {owner.rpartition('.')[2]}",
            lambda file, owner: f"{file} {owner}",
        ):
            found = [label(*owner).strip() for owner in owners]
            if len(set(found)) == len(found):
                break
        for place, text in zip(places, found, strict=True):
            labels[place] = text
    return labels


def ask(store: Store, place: PageUrl) -> dict[str, Any]:
    """The grid of the release that the address names, or else of the one with the newest activity: runs of several
    releases are no one history."""
    flt = place.filter
    release = flt.release or next((tile["release"] for tile in releases.tiles(store, replace(flt, version=None))), None)
    kind, order = place.choice("kind", KINDS), place.choice("order", grid.ORDERS, "failing")
    kinds = (kind,) if kind else ()
    asked = replace(flt, release=release, runs=min(flt.runs or int(RUNS[0]), MOST_RUNS))
    return grid.grid(store, asked, ROWS, offset_of(place), kinds, place.get("q") or None, order) | {"release": release}


def head(store: Store, place: PageUrl) -> dict[str, Any]:
    found, offset = ask(store, place), offset_of(place)
    return {
        "release": found["release"],
        "releases": [] if place.filter.release else _known(store, place),
        "unknown": None if found["runs"] else _others(store, place),
        "tests": len(found["tests"]),
        "columns": len(found["runs"]),
        "words": KINDS,
        "kind": place.get("kind"),
        "order": place.get("order") or "failing",
        "orders": grid.ORDERS,
        "topologies": _offered(grid.topologies(store, place.filter, found["release"]), place.filter.topology),
        "topology": place.filter.topology,
        "priorities": _offered(grid.priorities(store, found["release"]), place.filter.priority),
        "priority": place.filter.priority,
        "runs": str(min(place.filter.runs or int(RUNS[0]), MOST_RUNS)),
        "runs_offered": RUNS,
        "offset": offset,
        "size": ROWS,
        "more": len(found["tests"]) == ROWS,
    }


def _known(store: Store, place: PageUrl) -> list[str]:
    return releases.choices(store, Filter(as_of=place.filter.as_of))["releases"]


def _others(store: Store, place: PageUrl) -> list[str] | None:
    """The releases that there are, where the address names one that is not among them."""
    known = _known(store, place)
    return known if place.filter.release and place.filter.release not in known else None


def _offered(known: list[str], chosen: str | None) -> list[str]:
    """What a selector offers; what the address names stands there even where the store does not know it."""
    return known if chosen is None or chosen in known else [chosen, *known]


def asks(store: Store, place: PageUrl) -> ApiCall:
    kind = place.get("kind") if place.get("kind") in KINDS else None
    runs = min(place.filter.runs or int(RUNS[0]), MOST_RUNS)
    return api_call(("grid",), parameters.GridQuery, place, release=ask(store, place)["release"], runs=runs, kind=kind)
