"""One regression run: what it brought by module and priority, which tests failed in it, and what that means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from dash import Dash, html

from dashboard import render
from dashboard.api import parameters
from dashboard.calls import Call, call
from dashboard.pages.overview import progress
from dashboard.place import Place
from data.filters import Filter
from data.queries import runs, verdicts
from data.stats.words import WORDS
from data.store import Store

PATH, NAME = "/runs/<run>", ""
PAGE_SIZE = 50
VERDICT_LIMIT = 2_000
VIEWS = ("modules", "broken", "failed")
# What a column of the modules is sorted by; None counts as least.
_STATES = ("failing", "broken", "missing", "running", "ok")
SORTS = {
    "state": lambda row: (_STATES.index(row["state"]), -row["failed"]),
    "module": lambda row: row["module"].lower(),
    "pass_rate": lambda row: -1.0 if row["pass_rate"] is None else row["pass_rate"],
    "delta": lambda row: (row["delta"] or {}).get("pass_rate", 0.0),
    "total": lambda row: row["total"],
    "passed": lambda row: row["passed"],
    "failed": lambda row: row["failed"],
    "skipped": lambda row: row["skipped"],
    "duration": lambda row: row["duration_s"] or 0.0,
}


def layout() -> html.Div:
    return html.Div(render.sink("run"), className="page")


def register(app: Dash) -> None:
    render.register(app, "run", PATH, "run.html", view)


def view(store: Store, place: Place, run: str) -> dict[str, Any]:
    flt = place.filter
    part = Filter(module=flt.module, topology=flt.topology, as_of=flt.as_of)
    this = _run(store, flt, run, part)
    lane = Filter(release=this["release"], environment=this["environment"], as_of=flt.as_of)
    beside = runs.runs(store, lane, 40)
    context = {
        "run": this,
        "beside": beside,
        "running": progress(this, None, store.moment()) if this["state"] == "running" else None,
        "measured": render.measured(store),
        "newest": this["id"] in _current(beside),
        "everywhere": bool(place.get("everywhere")),
        "before": _before(store, this, part),
        "view": place.get("view") if place.get("view") in VIEWS else VIEWS[0],
        "words": WORDS,
        "module": flt.module,
    }
    judged = []
    if context["newest"]:
        here = replace(lane, module=flt.module, environment=None if context["everywhere"] else lane.environment)
        judged = verdicts.verdicts(store, here, WORDS, VERDICT_LIMIT)
    context["by_kind"] = {
        word: len({verdict["test"] for verdict in judged if word in verdict["kinds"]}) for word in WORDS
    }
    return context | _SHOWS[context["view"]](store, place, this["id"], part, judged)


def _run(store: Store, flt: Filter, run: str, part: Filter) -> dict[str, Any]:
    if run == "latest":
        newest = runs.runs(store, replace(flt, module=None, topology=None), 1)
        if not newest:
            raise render.UnknownError("No run of this release, version and environment has been read yet.")
        run = newest[0]["id"]
    this = runs.run(store, run, part)
    if this is None:
        raise render.UnknownError(
            f"No run has the id {run}. It may have been deleted, or the address may come from another store."
        )
    return this


def _current(beside: list[dict[str, Any]]) -> set[str]:
    """The runs, newest first, that today's verdicts speak of: those that run, and the newest that has ended."""
    ended = next((place for place, run in enumerate(beside) if run["state"] != "running"), len(beside))
    return {run["id"] for run in beside[: ended + 1]}


def _before(store: Store, this: dict[str, Any], part: Filter) -> dict[str, Any] | None:
    """The run that this one is compared with."""
    return runs.run(store, this["previous"], part) if this["previous"] else None


def _modules(store: Store, place: Place, run: str, part: Filter, judged: list[dict[str, Any]]) -> dict[str, Any]:
    rows = runs.modules(store, run, part)
    name = place.get("sort", "state")
    key = SORTS.get(name.removeprefix("-"), SORTS["state"])
    rows = sorted(sorted(rows, key=SORTS["module"]), key=key, reverse=name.startswith("-"))
    return {"modules": rows, "sort": name, "priorities": runs.priorities(store, run, part)}


def _broken(store: Store, place: Place, run: str, part: Filter, judged: list[dict[str, Any]]) -> dict[str, Any]:
    kind = place.get("kind")
    shown = [verdict for verdict in judged if not kind or kind in verdict["kinds"]]
    offset = offset_of(place)
    return {"kind": kind, "offset": offset, "found": len(shown), "verdicts": shown[offset : offset + PAGE_SIZE]}


def _failed(store: Store, place: Place, run: str, part: Filter, judged: list[dict[str, Any]]) -> dict[str, Any]:
    offset, status = offset_of(place), place.get("status", "failed")
    rows = runs.results(
        store, run, part, None if status == "all" else status, place.get("q") or None, PAGE_SIZE + 1, offset
    )
    return {
        "status": status,
        "offset": offset,
        "more": len(rows) > PAGE_SIZE,
        "results": rows[:PAGE_SIZE],
        "kinds": {verdict["test"]: verdict["kinds"] for verdict in judged},
        "modules": sorted({row["module"] for row in runs.modules(store, run)}),
    }


def offset_of(place: Place) -> int:
    """Where a paged list starts; what is no number starts it at its head."""
    text = place.get("offset", "0")
    return int(text) if text.isascii() and text.isdigit() else 0


_SHOWS = {"modules": _modules, "broken": _broken, "failed": _failed}


def asks(store: Store, place: Place, run: str) -> Call:
    """The table of the view that is open."""
    part = Filter(module=place.filter.module, topology=place.filter.topology, as_of=place.filter.as_of)
    this = _run(store, place.filter, run, part)
    if place.get("view") == "broken":
        environment = None if place.get("everywhere") else this["environment"]
        lane = {"release": this["release"], "environment": environment, "version": None, "topology": None, "runs": None}
        return call(("verdicts",), parameters.VerdictsQuery, place, **lane)
    if place.get("view") == "failed":
        status = place.get("status", "failed")
        return call(
            ("runs", this["id"], "results"), parameters.ResultsQuery, place, status=None if status == "all" else status
        )
    return call(("runs", this["id"], "modules"), parameters.ModulesQuery, place, base=None)
