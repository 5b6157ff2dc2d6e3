"""One regression run: what changed against another, what broke and why, by module and priority, down to each result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from dashboard.pages.compare import LISTED, MEANINGS, listed
from dashboard.pages.overview import progress
from data.lake.store import Store
from data.model.filters import Filter
from data.queries import bugs, compare, failures, gate, results, runs
from data.verdicts import verdicts
from data.verdicts.rules import KINDS

PATH, NAME = "/runs/<run>", ""
VERDICT_LIMIT = 2_000
VIEWS = ("modules", "gate", "broken", "changes", "patterns", "failed")
STATUSES = ("failed", "skipped", "passed", "all")
OTHERS = 60  # newest runs of all releases among which other lanes are offered as baselines
BESIDE = 40  # runs of its lane that one can go to
PATTERNS = 300
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
    return html.Div(rendering.html_slot("run"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "run", PATH, "run.html", page_data)


@dataclass(frozen=True)
class Shown:
    """What every view of a run is made of. `base` is the run that it is held against, None for the first of its lane;
    `judged` are the verdicts of its lane: today's where it is the newest, else as they stood after it."""

    run: dict[str, Any]
    base: dict[str, Any] | None
    part: Filter
    changes: dict[str, Any] | None
    judged: list[dict[str, Any]]


def page_data(store: Store, url: PageUrl, run: str) -> dict[str, Any]:
    flt = url.filter
    part = Filter(module=flt.module, topology=flt.topology, exclude_flaky=flt.exclude_flaky, as_of=flt.as_of)
    this = _run(store, flt, run, part)
    _in_scope(store, url, this, part)
    lane = Filter(release=this["release"], environment=this["environment"], as_of=flt.as_of)
    beside = runs.runs(store, lane, BESIDE)
    then = None if this["id"] in _current(beside) else this["id"]
    base_id = url.get("base") or this["previous"]
    base = _known(store, base_id, part) if base_id else None
    here = replace(
        lane,
        module=flt.module,
        environment=None if url.get("everywhere") else lane.environment,
        include_storms=flt.include_storms,
        at_run=then,
    )
    shown = Shown(
        this,
        base,
        part,
        _against(store, base, this, part) if base else None,
        verdicts.verdicts(store, here, KINDS, VERDICT_LIMIT),
    )
    kind = url.choice("view", VIEWS, VIEWS[0])
    patterns = failures.failures(store, replace(lane, module=flt.module, topology=flt.topology), PATTERNS, this["id"])
    context = {
        "run": this,
        "base": base,
        "bases": _bases(store, this, beside, flt),
        "beside": beside,
        "running": progress(this, store.now()) if this["state"] == "running" else None,
        "measured": rendering.window_label(store),
        "window": store.settings.measures.window,
        "then": then,
        "everywhere": bool(url.get("everywhere")),
        "view": kind,
        "words": KINDS,
        "by_kind": {word: len({row["test"] for row in shown.judged if word in row["kinds"]}) for word in KINDS},
        "classes": MEANINGS,
        "changes": shown.changes,
        "gate": _gate(store, shown, flt),
        "patterns": sorted(patterns, key=lambda row: not row["new"]),
        "disturbed": _disturbed(store, replace(lane, module=flt.module, at_run=then), this),
        "module": flt.module,
        "flt": flt,
    }
    return context | (_SHOWS[kind](store, url, shown) if kind in _SHOWS else {})


def _against(store: Store, base: dict[str, Any], this: dict[str, Any], part: Filter) -> dict[str, Any]:
    changes = compare.compare(store, base["id"], this["id"], replace(part, exclude_flaky=False), LISTED)
    if this["state"] != "running":
        return changes
    # What has not come in yet has not disappeared.
    counts, classes = changes["counts"] | {"disappeared": 0}, changes["classes"] | {"disappeared": []}
    return changes | {"counts": counts, "classes": classes}


def _gate(store: Store, shown: Shown, flt: Filter) -> dict[str, Any]:
    """What `regtracker gate` says of this run against the same baseline, number for number."""
    this, base = shown.run, shown.base
    asked = Filter(
        this["release"],
        environment=this["environment"],
        module=flt.module,
        topology=flt.topology,
        exclude_flaky=flt.exclude_flaky,
        include_storms=flt.include_storms,
        as_of=flt.as_of,
    )
    # of another release the gate takes the newest run, in the same environment
    baseline = base and (base["release"] if base["release"] != this["release"] else base["id"])
    return gate.gate(store, asked, this["id"], baseline, limit=LISTED)


def _bases(
    store: Store, this: dict[str, Any], beside: Iterable[dict[str, Any]], flt: Filter
) -> list[tuple[str, list[dict[str, Any]]]]:
    """What this run can be held against: (name of the group, runs): its own lane, and the newest of every other."""
    lanes: dict[tuple[str, str], dict[str, Any]] = {}
    for run in runs.runs(store, Filter(as_of=flt.as_of), OTHERS):
        if run["state"] != "running":
            lanes.setdefault((run["release"], run["environment"]), run)
    lanes.pop((this["release"], this["environment"]), None)
    own = [run for run in beside if run["id"] != this["id"] and run["state"] != "running"]
    return [(f"{this['release']} {this['environment']}", own), ("newest of others", list(lanes.values()))]


def _disturbed(store: Store, lane: Filter, this: dict[str, Any]) -> dict[str, Any]:
    """What the verdicts leave out of this lane, the storms of this run first."""
    found = verdicts.exclusions(store, lane)
    return found | {"storms": sorted(found["storms"], key=lambda storm: storm["run"] != this["id"])}


def _run(store: Store, flt: Filter, run: str, part: Filter) -> dict[str, Any]:
    if run == "latest":
        newest = runs.runs(store, replace(flt, module=None, topology=None), 1)
        if not newest:
            raise rendering.UnknownError("No run of this release, version and environment has been read yet.")
        run = newest[0]["id"]
    return _known(store, run, part)


def _known(store: Store, run: str, part: Filter) -> dict[str, Any]:
    found = runs.run(store, run, part)
    if found is None:
        raise rendering.UnknownError(
            f"No run has the id {run}. It may have been deleted, or the address may come from another store."
        )
    return found


def _in_scope(store: Store, url: PageUrl, this: dict[str, Any], part: Filter) -> None:
    """Raises NothingHere where the run has results, and none of the module and topology that the address names; a
    module that it listed and that brought none is broken instead."""
    if this["total"] or (part.module is None and part.topology is None):
        return
    listed = runs.modules(store, this["id"])
    known = part.module is None or part.module in {row["module"] for row in listed}
    if (known and part.topology is None) or not any(row["total"] for row in listed):
        return
    names = [f"{name} {getattr(part, name)}" for name in ("module", "topology") if getattr(part, name) is not None]
    text = f"Run {this['release']} #{this['number']} has no result of {' on '.join(names)}."
    raise rendering.EmptyScopeError(text, url.here(module=None, topology=None, offset=None, case=None))


def _current(beside: list[dict[str, Any]]) -> set[str]:
    """The runs, newest first, that today's verdicts speak of: those that run, and the newest that has ended."""
    ended = next((index for index, run in enumerate(beside) if run["state"] != "running"), len(beside))
    return {run["id"] for run in beside[: ended + 1]}


def _modules(store: Store, url: PageUrl, shown: Shown) -> dict[str, Any]:
    run, base = shown.run["id"], shown.base and shown.base["id"]
    rows = runs.modules(store, run, shown.part, base)
    name = url.choice("sort", (*SORTS, *(f"-{known}" for known in SORTS)), "state")
    key = SORTS[name.removeprefix("-")]
    rows = sorted(sorted(rows, key=SORTS["module"]), key=key, reverse=name.startswith("-"))
    return {
        "modules": rows,
        "sort": name,
        "priorities": runs.priorities(store, run, shown.part, base),
        "bugs": {row["module"]: row for row in bugs.by_module(store, run, shown.part)},
    }


def _bugs(store: Store, shown: Shown, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The bugs of the tests that are listed."""
    return bugs.of_tests(store, tuple(row["test"] for row in rows), Filter(shown.run["release"]))


def _broken(store: Store, url: PageUrl, shown: Shown) -> dict[str, Any]:
    kind, offset = url.choice("kind", KINDS), offset_of(url)
    rows = [verdict for verdict in shown.judged if not kind or kind in verdict["kinds"]]
    page = rows[offset : offset + PAGE_SIZE]
    return {
        "kind": kind,
        "offset": offset,
        "found": len(rows),
        "more": offset + PAGE_SIZE < len(rows),
        "verdicts": page,
        "bugs": _bugs(store, shown, page),
    }


def _changes(store: Store, url: PageUrl, shown: Shown) -> dict[str, Any]:
    if not shown.changes:
        return {"found": None}
    rows = listed(url, shown.changes)
    return {"found": shown.changes, "bugs": _bugs(store, shown, rows["rows"])} | rows


def _failed(store: Store, url: PageUrl, shown: Shown) -> dict[str, Any]:
    offset, status = offset_of(url), url.choice("status", STATUSES, "failed")
    run = shown.run["id"]
    rows = results.of_run(
        store, run, shown.part, None if status == "all" else status, url.get("q") or None, PAGE_SIZE + 1, offset
    )
    return {
        "status": status,
        "offset": offset,
        "more": len(rows) > PAGE_SIZE,
        "results": rows[:PAGE_SIZE],
        "kinds": {verdict["test"]: verdict["kinds"] for verdict in shown.judged},
        "bugs": _bugs(store, shown, rows[:PAGE_SIZE]),
        "modules": sorted({row["module"] for row in runs.modules(store, run)}),
    }


_SHOWS = {"modules": _modules, "broken": _broken, "changes": _changes, "failed": _failed}


def as_api_call(store: Store, url: PageUrl, run: str) -> ApiCall:
    """The table of the view that is open."""
    part = Filter(module=url.filter.module, topology=url.filter.topology, as_of=url.filter.as_of)
    this = _run(store, url.filter, run, part)
    lane = {"release": this["release"], "environment": this["environment"], "version": None, "runs": None}
    shown, base = url.get("view"), url.get("base") or this["previous"]
    if shown == "broken":
        lane |= {"environment": None} if url.get("everywhere") else {}
        beside = runs.runs(store, Filter(this["release"], environment=this["environment"], as_of=part.as_of), BESIDE)
        then = None if this["id"] in _current(beside) else this["id"]
        return api_call(("verdicts",), parameters.VerdictsQuery, url, topology=None, at_run=then, **lane)
    if shown == "gate":
        known = runs.run(store, base) if base else None
        baseline = known and (known["release"] if known["release"] != this["release"] else base)
        whole = {"release": this["release"], "environment": this["environment"], "run": this["id"]}
        return api_call(("gate",), parameters.GateQuery, url, baseline=baseline, kind=None, **whole)
    if shown == "changes" and base:
        return api_call(("compare",), parameters.CompareQuery, url, base=base, candidate=this["id"])
    if shown == "patterns":
        return api_call(("failures",), parameters.FailuresQuery, url, run=this["id"], **lane)
    if shown == "failed":
        status = url.get("status", "failed")
        return api_call(
            ("runs", this["id"], "results"), parameters.ResultsQuery, url, status=None if status == "all" else status
        )
    return api_call(("runs", this["id"], "modules"), parameters.ModulesQuery, url)
