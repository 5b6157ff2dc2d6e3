"""Tests by runs: one small cell per result, so that 1,000 tests over 200 runs fit on a screen.

The server sends names and one string of status letters per test; assets/grid.js paints them. As markup the same grid
would be 200,000 elements.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypedDict

from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.app_state import store as open_store
from dashboard.page_url import PageUrl, offset_of
from dashboard.run_names import run_namer
from data.answers.base import VerdictKind
from data.answers.trends import GridTest, TestGrid
from data.lake.connection import StoreError
from data.lake.store import Store
from data.model.filters import Filter, FilterError
from data.queries import grid, releases
from data.verdicts.rules import KINDS

PATH, NAME = "/grid", "Grid"
RUNS = ("30", "60", "100", "200")
ROWS = 1_000
MAX_RUNS = 200


def layout() -> html.Div:
    return html.Div(
        [
            *rendering.html_slot("grid-head"),
            dcc.Store(id="grid-data"),
            html.Div(
                id="grid", className="cells-frame", role="region", **rendering.attributes(aria_label="Tests by runs")
            ),
        ],
        className="page grid-page",
    )


def register(app: Dash) -> None:
    rendering.register(app, "grid-head", PATH, "grid.html", head_data)

    @app.callback(Output("grid-data", "data"), Input("url", "href"), Input("snapshot", "data"))
    def cells(href: str, _snapshot: int | None) -> Any:
        url = PageUrl.of(href)
        if url.path != PATH:
            return no_update
        try:
            with open_store().read(url.filter.as_of) as opened:
                return grid_data(opened, url)
        except (FilterError, ValueError, StoreError):  # the head of the page shows the error
            return None

    app.clientside_callback(ClientsideFunction("rt", "grid"), Input("grid-data", "data"), State("grid", "id"))


class GridData(TypedDict):
    """What grid.js paints. A run: id, number, start, environment, version, state, name. A test: id, name, key, note,
    kinds, and what distinguishes it from tests of the same name."""

    at: str
    release: str | None
    runs: list[tuple[str, int, str, str | None, str | None, str, str]]
    tests: list[tuple[str, str, str, str, list[VerdictKind], str]]
    cells: list[str]


def grid_data(store: Store, url: PageUrl) -> GridData:
    shown = query(store, url)
    found = shown.grid
    name = run_namer(found["runs"], one_release=True)
    notes = [" · ".join(part for part in (row["priority"], row["module"]) if part) for row in found["tests"]]
    return {
        "at": url.here(case=None),
        "release": shown.release,
        "runs": [
            (run["id"], run["number"], run["started_at"], run["environment"], run["version"], run["state"], name(run))
            for run in found["runs"]
        ],
        "tests": [
            (row["test"], row["name"], row["key"], note, row["kinds"], label)
            for row, note, label in zip(found["tests"], notes, distinguishing_labels(found["tests"]), strict=True)
        ],
        "cells": found["cells"],
    }


def distinguishing_labels(tests: list[GridTest]) -> list[str]:
    """For each test the shortest part of its key that no other test of the same name has: its class, its file's name,
    or more; "" if the name is unique."""
    namesakes: dict[str, list[int]] = defaultdict(list)
    for index, row in enumerate(tests):
        namesakes[row["name"]].append(index)
    labels = [""] * len(tests)
    for name, indexes in namesakes.items():
        if len(indexes) == 1:
            continue
        owners = [tests[index]["key"][: -len(name) - 2].partition("::")[::2] for index in indexes]
        for label in (
            lambda file, owner: owner.rpartition(".")[2],
            lambda file, _: file.rpartition("/")[2],
            lambda file, owner: f"{file.rpartition('/')[2]} {owner.rpartition('.')[2]}",
            lambda file, owner: f"{file} {owner}",
        ):
            found = [label(*owner).strip() for owner in owners]
            if len(set(found)) == len(found):
                break
        for index, text in zip(indexes, found, strict=True):
            labels[index] = text
    return labels


class _Shown(NamedTuple):
    """The grid, and what it is of: one environment of one release. `environments`: the release's."""

    release: str | None
    environment: str | None
    environments: Sequence[str]
    grid: TestGrid


def query(store: Store, url: PageUrl) -> _Shown:
    """The grid of the release in the URL, by default of the one with the latest activity, in its environment, by
    default in the one that tests most: runs of several are not one history."""
    flt = url.filter
    release = flt.release or next((tile["release"] for tile in releases.tiles(store, replace(flt, version=None))), None)
    tile = releases.release(store, release, Filter(version=flt.version, as_of=flt.as_of)) if release else None
    environment, environments = (tile["environment"], tile["environments"]) if tile else (None, [])
    given = url.read(parameters.GridQuery)
    environment = flt.environment or environment
    scope = replace(flt, release=release, environment=environment, runs=min(flt.runs or int(RUNS[0]), MAX_RUNS))
    found = grid.grid(store, scope, ROWS, offset_of(url), given.kinds, given.q, given.order)
    return _Shown(release, environment, environments, found)


class GridHead(TypedDict):
    """The head of the grid: its size and what can be chosen."""

    release: str | None
    releases: list[str]
    environment: str | None
    environments: Sequence[str]
    unknown: list[str] | None
    tests: int
    columns: int
    words: tuple[VerdictKind, ...]
    kind: str
    order: str
    orders: tuple[str, ...]
    topologies: list[str]
    topology: str | None
    priorities: list[str]
    priority: str | None
    runs: str
    runs_offered: tuple[str, ...]
    offset: int
    size: int
    more: bool
    plurals: dict[str, str]
    empty_reason: str


def head_data(store: Store, url: PageUrl) -> GridHead:
    shown, offset = query(store, url), offset_of(url)
    found, release = shown.grid, shown.release
    return {
        "release": release,
        "releases": [] if url.filter.release else _releases(store, url),
        "environment": shown.environment,
        "environments": [] if url.filter.environment else shown.environments,
        "unknown": None if found["runs"] else _others(store, url),
        "tests": len(found["tests"]),
        "columns": len(found["runs"]),
        "words": KINDS,
        "kind": url.get("kind"),
        "order": url.get("order") or "failing",
        "orders": grid.ORDERS,
        "topologies": _offered(grid.topologies(store, url.filter, release), url.filter.topology),
        "topology": url.filter.topology,
        "priorities": _offered(grid.priorities(store, release), url.filter.priority),
        "priority": url.filter.priority,
        "runs": str(min(url.filter.runs or int(RUNS[0]), MAX_RUNS)),
        "runs_offered": RUNS,
        "offset": offset,
        "size": ROWS,
        "more": len(found["tests"]) == ROWS,
        "plurals": {"priority": "priorities", "topology": "topologies"},
        "empty_reason": _empty_reason(url),
    }


def _empty_reason(url: PageUrl) -> str:
    """Why no test is listed."""
    kind = url.get("kind").replace("_", " ")
    text = (
        f"No test in this scope matches “{url.get('q')}”" if url.get("q") else "No test in this scope ran in these runs"
    )
    return text + (f" and is {kind}." if kind else ".")


def _releases(store: Store, url: PageUrl) -> list[str]:
    return releases.choices(store, Filter(as_of=url.filter.as_of))["releases"]


def _others(store: Store, url: PageUrl) -> list[str] | None:
    """The known releases, if the one in the URL is not among them."""
    known = _releases(store, url)
    return known if url.filter.release and url.filter.release not in known else None


def _offered(known: list[str], chosen: str | None) -> list[str]:
    """The options of a selector; the chosen value is among them even if the store does not know it."""
    return known if chosen is None or chosen in known else [chosen, *known]


def as_api_call(store: Store, url: PageUrl) -> ApiCall:
    kind = url.get("kind") if url.get("kind") in KINDS else None
    runs = min(url.filter.runs or int(RUNS[0]), MAX_RUNS)
    shown = query(store, url)
    return api_call(
        ("grid",),
        parameters.GridQuery,
        url,
        release=shown.release,
        environment=shown.environment,
        runs=runs,
        kind=kind,
    )
