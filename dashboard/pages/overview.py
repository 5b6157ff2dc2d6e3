"""The overview: one tile per release, and the latest runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal, TypedDict

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.page_url import PageUrl
from data.answers.runs import LaneState, Run, SparkPoint, Tile, TileLane
from data.lake.store import Store
from data.model.filters import Filter
from data.model.measures import iso
from data.queries import grid, releases, runs
from data.queries.lane_states import NOT_READY, STATES, worst_state

PATH, NAME = "/", "Overview"
RECENT = 12
_BrokenCount = Literal["regressions", "new_failures", "always_failing"]
_BROKEN: tuple[_BrokenCount, ...] = ("regressions", "new_failures", "always_failing")


class _Untested(TypedDict):
    """What the tile of a release that never ran the filter's module or topology shows."""

    state: LaneState
    incomplete: bool
    stale: bool
    latest_run: None
    running_run: None
    spark: list[SparkPoint]
    lanes: list[TileLane]
    reasons: list[str]


_EMPTY: _Untested = {
    "state": "empty",
    "incomplete": False,
    "stale": False,
    "latest_run": None,
    "running_run": None,
    "spark": [],
    "lanes": [],
    "reasons": [],
}


def layout() -> html.Div:
    return html.Div(rendering.html_slot("overview"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "overview", PATH, "overview.html", page_data)


class ShownTile(Tile):
    """A tile with the progress of its running run, and the reasons that its chips do not show."""

    running: RunProgressRow | None
    notes: list[str]


class OverviewPage(TypedDict):
    """The tiles, the worst first, and the latest runs; `narrowed`: what the filter leaves out."""

    narrowed: list[str]
    wider: str
    tiles: list[ShownTile]
    not_ready: int
    quiet: int
    recent: list[Run]
    is_empty: bool
    sources: list[str]
    pass_rate_definition: str
    window: int


def page_data(store: Store, url: PageUrl) -> OverviewPage:
    flt = replace(url.filter, version=None)
    found = releases.tiles(store, flt)
    tested = {tile["release"] for tile in found if _tested(store, tile["release"], flt)}
    tiles: list[Tile] = [tile if tile["release"] in tested else {**tile, **_EMPTY} for tile in found]
    worst = {tile["release"]: worst_state(tile["lanes"])["state"] if tile["lanes"] else "empty" for tile in tiles}
    tiles.sort(key=lambda tile: STATES.index(worst[tile["release"]]))  # within a state, latest activity first
    narrowed = [name for name in ("environment", "module", "topology") if url.query.get(name)]
    return {
        "narrowed": [f"{name} {url.get(name)}" for name in narrowed],
        "wider": url.here(**dict.fromkeys(narrowed)),
        "tiles": [
            {
                **tile,
                "running": _progress(store, tile["running_run"]),
                "notes": _notes(tile),
            }
            for tile in tiles
        ],
        "not_ready": sum(state in NOT_READY for state in worst.values()),
        "quiet": sum(state in ("stale", "empty") for state in worst.values()),
        "recent": [run for run in runs.runs(store, url.filter, RECENT) if run["release"] in tested],
        "is_empty": bool(narrowed) and all(tile["state"] == "empty" for tile in tiles),
        "sources": [source.name for source in store.settings.source],
        "pass_rate_definition": rendering.pass_rate_definition(store),
        "window": store.settings.measures.window,
    }


def _notes(tile: Tile) -> list[str]:
    """The reasons of the tile's state that its chips do not show."""
    counted = tile["state"] != "broken" and any(tile[name] for name in _BROKEN)
    return tile["reasons"][1 if counted else 0 :]


def _tested(store: Store, release: str, flt: Filter) -> bool:
    """Whether the release ever ran the module and topology of the filter."""
    if flt.module is not None:
        known = releases.choices(store, Filter(release, as_of=flt.as_of))["modules"]
        if flt.module not in known:
            return False
    return flt.topology is None or flt.topology in grid.topologies(store, flt, release)


class ExpectedRun(Run):
    expected_s: float | None


class RunProgressRow(ExpectedRun):
    """A running run: the share of finished builds, and the seconds left and expected end by the duration of like runs,
    None where they say nothing. `over`: finished in Jenkins, with results still to be read."""

    over: bool
    share: float
    age_s: float
    left_s: float | None
    end_at: str | None


def progress(run: ExpectedRun, now: datetime) -> RunProgressRow:
    started = datetime.fromisoformat(run["started_at"].rstrip("Z"))
    age = (now - started).total_seconds()
    over = run["duration_s"] is not None
    share = run["builds_final"] / run["builds"] if run["builds"] else 0.0
    expected = None if over else run["expected_s"]
    if expected and share > 2 * age / expected + 0.25:
        expected = None  # it is much faster than the earlier runs: their durations say nothing
    return {
        **run,
        "over": over,
        "share": share,
        "age_s": max(age, 0.0),
        "left_s": expected - age if expected else None,
        "end_at": iso(started + timedelta(seconds=expected)) if expected else None,
    }


def _progress(store: Store, run: Run | None) -> RunProgressRow | None:
    return run and progress({**run, "expected_s": runs.expected(store, run["id"])}, store.now())


def as_api_call(store: Store, url: PageUrl) -> ApiCall:
    return api_call(("releases",), parameters.ReleasesQuery, url, version=None, limit=None)
