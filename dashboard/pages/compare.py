"""Two runs side by side: which tests moved between them, and how."""

from __future__ import annotations

from typing import Any

from dash import Dash, html

from dashboard import render
from dashboard.api import parameters
from dashboard.calls import Call, call
from dashboard.place import PAGE_SIZE, Place, offset_of
from data.filters import Filter
from data.queries import bugs, compare, runs
from data.store import Store

PATH, NAME = "/compare", "Compare"
OFFERED = 60
LISTED = 1_000  # tests of a class
# What each class means to a person, and the glyph that it has.
MEANINGS = {
    "regression": ("regression", "passed before, fails now"),
    "new_failure": ("new_failure", "fails now; was skipped or not there before"),
    "still_failing": ("always_failing", "fails in both"),
    "fixed": ("fixed", "failed before, passes now"),
    "new_pass": ("ok", "passes now; was skipped or not there before"),
    "appeared": ("skipped", "skipped now; not there before"),
    "disappeared": ("missing", "not there any more"),
}


def layout() -> html.Div:
    return html.Div(render.sink("compare"), className="page")


def register(app: Dash) -> None:
    render.register(app, "compare", PATH, "compare.html", view)


def view(store: Store, place: Place) -> dict[str, Any]:
    """`base` and `candidate` are runs (ids); without them the newest run and the one before it."""
    flt = place.filter
    part = Filter(module=flt.module, topology=flt.topology, as_of=flt.as_of)
    offered, base, candidate = _chosen(store, place, part)
    context = {
        "offered": offered,
        "base_id": base,
        "candidate_id": candidate,
        "classes": MEANINGS,
        "module": flt.module,
    }
    if not base or not candidate:
        return context | {"found": None}
    for run in (base, candidate):
        _known(store, run, part)
    found = compare.compare(store, base, candidate, part, LISTED)
    shown = listed(place, found)
    known = bugs.of_tests(store, tuple(row["test"] for row in shown["rows"]), Filter(found["candidate"]["release"]))
    return context | {"found": found, "measured": render.measured(store), "bugs": known} | shown


def listed(place: Place, found: dict[str, Any]) -> dict[str, Any]:
    """What classes.html shows of a comparison: the class that the URL names (else the first that is not empty)."""
    chosen = place.get("class")
    if chosen not in compare.CLASSES:
        chosen = next((name for name in compare.CLASSES if found["counts"][name]), compare.CLASSES[0])
    rows, offset = found["classes"][chosen], offset_of(place)
    return {
        "classes": MEANINGS,
        "chosen": chosen,
        "rows": rows[offset : offset + PAGE_SIZE],
        "offset": offset,
        "more": offset + PAGE_SIZE < len(rows),
        "listed": len(rows),
    }


def _chosen(store: Store, place: Place, part: Filter) -> tuple[list[dict[str, Any]], str, str]:
    """(runs to choose from, base, candidate); "" where there is none."""
    flt = place.filter
    offered = runs.runs(store, Filter(flt.release, flt.version, flt.environment, as_of=flt.as_of), OFFERED)
    candidate = place.get("candidate") or next((run["id"] for run in offered if run["state"] != "running"), "")
    base = place.get("base") or (_known(store, candidate, part)["previous"] or "" if candidate else "")
    return offered, base, candidate


def _known(store: Store, run: str, part: Filter) -> dict[str, Any]:
    found = runs.run(store, run, part)
    if found is None:
        raise render.UnknownError(f"No run has the id {run}. It may have been deleted.")
    return found


def asks(store: Store, place: Place) -> Call | None:
    _, base, candidate = _chosen(store, place, Filter(as_of=place.filter.as_of))
    if not base or not candidate:
        return None
    return call(("compare",), parameters.CompareQuery, place, base=base, candidate=candidate)
