"""One regression run: verdicts, gate, changes since another run, and results by module and priority."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Required, TypedDict

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.formats import THIN, plural
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from dashboard.pages.compare import MAX_ROWS, MEANINGS, ClassRows, class_rows
from dashboard.pages.overview import RunProgressRow, progress
from data.answers.base import VerdictKind
from data.answers.bugs import Bug, ModuleBugs
from data.answers.gate import Gate, GateLeftOut
from data.answers.runs import Comparison, Module, Priority, Result, Run, RunDetail
from data.answers.verdicts import Excluded, Failure, Verdict
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.queries import bugs, compare, failures, gate, results, runs
from data.verdicts import verdicts
from data.verdicts.evidence.lane_state import incomplete_text
from data.verdicts.rules import KINDS

PATH, NAME = "/runs/<run>", ""
VERDICT_LIMIT = 2_000
VIEWS = ("modules", "gate", "broken", "changes", "patterns", "failed")
STATUSES = ("failed", "skipped", "passed", "all")
OTHERS = 60  # newest runs of all releases from which baselines of other lanes are offered
LANE_RUNS = 40  # runs of the same lane in the run selector
PATTERNS = 300
# Sort key of each column of the modules; None sorts first.
_STATES = ("broken", "failing", "missing", "incomplete", "running", "ok")
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
class RunData:
    """What the address asks for, for the data of all views and for their API calls. `base` is the run to compare with,
    None without an earlier complete run in its lane; `verdict_scope` gives the verdicts of its lane: current for the
    newest run, else as of this run, which `then` names."""

    run: RunDetail
    base: RunDetail | None
    baseline: str | None
    scope: Filter
    lane: Filter
    lane_runs: list[Run]
    then: str | None
    verdict_scope: Filter
    view: str


def _read(store: Store, url: PageUrl, run: str) -> RunData:
    flt = url.filter
    scope = Filter(module=flt.module, topology=flt.topology, exclude_flaky=flt.exclude_flaky, as_of=flt.as_of)
    this = _run(store, flt, run, scope)
    lane = Filter(release=this["release"], environment=this["environment"], as_of=flt.as_of)
    lane_runs = runs.runs(store, lane, LANE_RUNS)
    then = None if this["id"] in _current(lane_runs) else this["id"]
    baseline = runs.baseline(store, this["id"], scope)
    base_id = url.get("base") or baseline
    verdict_scope = replace(
        lane,
        module=flt.module,
        environment=None if url.get("everywhere") else lane.environment,
        include_storms=flt.include_storms,
        at_run=then,
    )
    return RunData(
        run=this,
        base=_load_run(store, base_id, scope) if base_id else None,
        baseline=baseline,
        scope=scope,
        lane=lane,
        lane_runs=lane_runs,
        then=then,
        verdict_scope=verdict_scope,
        view=url.choice("view", VIEWS, VIEWS[0]),
    )


class RunPage(TypedDict):
    """What all views of a run show."""

    run: RunDetail
    base: RunDetail | None
    bases: list[tuple[str, list[Run]]]
    baseline: str | None
    lane_runs: list[Run]
    running: RunProgressRow | None
    pass_rate_definition: str
    window: int
    then: str | None
    everywhere: bool
    view: str
    verdict_kinds: tuple[VerdictKind, ...]
    by_kind: dict[VerdictKind, int]
    incomplete_text: str
    no_results_text: str
    delta: float | None
    classes: Mapping[str, tuple[str, str]]
    changes: Comparison | None
    gate: Gate
    excluded_text: str
    patterns: list[Failure]
    exclusions: Excluded
    module: str | None
    flt: Filter


def page_data(store: Store, url: PageUrl, run: str) -> Mapping[str, object]:
    """RunPage, and the data of the open view."""
    flt, data = url.filter, _read(store, url, run)
    this, base, lane = data.run, data.base, data.lane
    _check_scope(store, url, this, data.scope)
    # Of a view that is closed, only the counts are asked for.
    compared = replace(data.scope, exclude_flaky=False), MAX_ROWS if data.view == "changes" else 0
    changes = compare.compare(store, base["id"], this["id"], *compared) if base else None
    patterns = failures.failures(store, replace(lane, module=flt.module, topology=flt.topology), PATTERNS, this["id"])
    page: RunPage = {
        "run": this,
        "base": base,
        "baseline": data.baseline,
        "bases": _bases(store, this, data.lane_runs, flt),
        "lane_runs": data.lane_runs,
        "running": progress(this, store.now()) if this["state"] == "running" else None,
        "pass_rate_definition": rendering.pass_rate_definition(store),
        "window": store.settings.measures.window,
        "then": data.then,
        "everywhere": bool(url.get("everywhere")),
        "view": data.view,
        "verdict_kinds": KINDS,
        "by_kind": verdicts.kind_counts(store, data.verdict_scope),
        "incomplete_text": incomplete_text(this) if this["incomplete"] else "",
        "no_results_text": _no_results_text(this),
        "delta": _delta(this, base),
        "classes": MEANINGS,
        "changes": changes,
        "gate": (gate_result := _gate(store, data, flt, MAX_ROWS if data.view == "gate" else 0)),
        "excluded_text": _excluded_text(gate_result["left_out"]),
        "patterns": sorted(patterns, key=lambda row: not row["new"]),
        "exclusions": _exclusions(store, replace(lane, module=flt.module, at_run=data.then), this),
        "module": flt.module,
        "flt": flt,
    }
    if data.view == "changes":
        return {**page, **_changes(store, url, data, changes)}
    return {**page, **_VIEW_DATA[data.view](store, url, data)} if data.view in _VIEW_DATA else page


def _no_results_text(run: RunDetail) -> str:
    """Why a run that ended has no results; "" if it has some, or goes on."""
    if run["total"] or run["state"] == "running":
        return ""
    why = run["first_partial"] or "the builds finished before a test ran, or their reports were not found"
    return f"No results: {why}. This run counts as broken, not as 0{THIN}%."


def _delta(run: RunDetail, base: RunDetail | None) -> float | None:
    """The change of the pass rate since the base; None where either is incomplete, or the run goes on."""
    if base is None or run["state"] == "running" or run["incomplete"] or base["incomplete"]:
        return None
    if run["pass_rate"] is None or base["pass_rate"] is None:
        return None
    return run["pass_rate"] - base["pass_rate"]


def _gate(store: Store, data: RunData, flt: Filter, limit: int) -> Gate:
    """The answer of `regtracker gate` for this run and baseline."""
    this = data.run
    gate_filter = Filter(
        this["release"],
        environment=this["environment"],
        module=flt.module,
        topology=flt.topology,
        exclude_flaky=flt.exclude_flaky,
        include_storms=flt.include_storms,
        as_of=flt.as_of,
    )
    return gate.gate(store, gate_filter, this["id"], _gate_baseline(data), limit=limit)


def _gate_baseline(data: RunData) -> str | None:
    """The base; of another release the gate takes the newest run in the same environment."""
    base = data.base
    return base and (base["id"] if base["release"] == data.run["release"] else base["release"])


def _excluded_text(excluded: GateLeftOut) -> str:
    """ "12 failures of a mass failure and bad hosts", or "" if nothing is excluded."""
    if not excluded["failures"]:
        return ""
    causes = [
        f"a {name}" if count == 1 else f"{name}s"
        for count, name in ((len(excluded["storms"]), "mass failure"), (len(excluded["hosts"]), "bad host"))
        if count
    ]
    return f"{plural(excluded['failures'], 'failure')} of {' and '.join(causes)}"


def _bases(store: Store, this: RunDetail, lane_runs: Iterable[Run], flt: Filter) -> list[tuple[str, list[Run]]]:
    """Runs to compare with, as (group name, runs): those of its lane, and the newest of every other lane."""
    lanes: dict[tuple[str, str | None], Run] = {}
    for run in runs.runs(store, Filter(as_of=flt.as_of), OTHERS):
        if run["state"] != "running":
            lanes.setdefault((run["release"], run["environment"]), run)
    lanes.pop((this["release"], this["environment"]), None)
    own = [run for run in lane_runs if run["id"] != this["id"] and run["state"] != "running"]
    return [(f"{this['release']} {this['environment']}", own), ("latest of other environments", list(lanes.values()))]


def _exclusions(store: Store, lane: Filter, this: RunDetail) -> Excluded:
    """What verdicts exclude in this lane, the mass failures of this run first."""
    found = verdicts.exclusions(store, lane)
    return {**found, "storms": sorted(found["storms"], key=lambda storm: storm["run"] != this["id"])}


def _run(store: Store, flt: Filter, run: str, scope: Filter) -> RunDetail:
    if run == "latest":
        newest = runs.runs(store, replace(flt, module=None, topology=None), 1)
        if not newest:
            raise rendering.UnknownError("No runs of this release, version and environment yet.")
        run = newest[0]["id"]
    return _load_run(store, run, scope)


def _load_run(store: Store, run: str, scope: Filter) -> RunDetail:
    found = runs.run(store, run, scope)
    if found is None:
        raise rendering.UnknownError(
            f"No run {run}. It may have been deleted, or the link may belong to another installation."
        )
    return found


def _check_scope(store: Store, url: PageUrl, this: RunDetail, scope: Filter) -> None:
    """Raise EmptyScopeError if the run has results but none of the module and topology in the URL. A module that the
    run lists without results is shown as broken instead."""
    if this["total"] or (scope.module is None and scope.topology is None):
        return
    modules = runs.modules(store, this["id"])
    known = scope.module is None or scope.module in {row["module"] for row in modules}
    if (known and scope.topology is None) or not any(row["total"] for row in modules):
        return
    names = [f"{name} {getattr(scope, name)}" for name in ("module", "topology") if getattr(scope, name) is not None]
    text = f"Run {this['release']} #{this['number']} has no results of {' on '.join(names)}."
    raise rendering.EmptyScopeError(text, url.here(module=None, topology=None, offset=None, case=None))


def _current(lane_runs: list[Run]) -> set[str]:
    """The ids of the runs that current verdicts cover: running ones and the newest finished one."""
    ended = next((index for index, run in enumerate(lane_runs) if run["state"] != "running"), len(lane_runs))
    return {run["id"] for run in lane_runs[: ended + 1]}


class ModulesView(TypedDict):
    """The modules, sorted, and the priorities."""

    modules: list[Module]
    sort: str
    priorities: list[Priority]
    bugs: dict[str, ModuleBugs]


def _modules(store: Store, url: PageUrl, data: RunData) -> ModulesView:
    run, base = data.run["id"], data.base["id"] if data.base else None
    rows = runs.modules(store, run, data.scope, base)
    name = url.choice("sort", (*SORTS, *(f"-{known}" for known in SORTS)), "state")
    key = SORTS[name.removeprefix("-")]
    rows = sorted(sorted(rows, key=SORTS["module"]), key=key, reverse=name.startswith("-"))
    return {
        "modules": rows,
        "sort": name,
        "priorities": runs.priorities(store, run, data.scope, base),
        "bugs": {row["module"]: row for row in bugs.by_module(store, run, data.scope)},
    }


def _bugs(store: Store, data: RunData, tests: Iterable[str]) -> dict[str, list[Bug]]:
    """The bugs of these tests (ids)."""
    return bugs.bugs_of_tests(store, tuple(tests), Filter(data.run["release"]))


class BrokenView(TypedDict):
    """The tests with a verdict."""

    kind: str
    offset: int
    found: int
    more: bool
    verdicts: list[Verdict]
    bugs: dict[str, list[Bug]]


def _broken(store: Store, url: PageUrl, data: RunData) -> BrokenView:
    kind, offset = url.choice("kind", KINDS, ""), offset_of(url)
    found = verdicts.verdicts(store, data.verdict_scope, KINDS, VERDICT_LIMIT)
    rows = [verdict for verdict in found if not kind or kind == verdict["kind"]]
    page = rows[offset : offset + PAGE_SIZE]
    return {
        "kind": kind,
        "offset": offset,
        "found": len(rows),
        "more": offset + PAGE_SIZE < len(rows),
        "verdicts": page,
        "bugs": _bugs(store, data, (row["test"] for row in page)),
    }


class ChangesView(ClassRows, total=False):
    """The tests of a class of the comparison."""

    found: Required[Comparison | None]
    bugs: dict[str, list[Bug]]


def _changes(store: Store, url: PageUrl, data: RunData, found: Comparison | None) -> ChangesView:
    if found is None:
        return {"found": None}
    rows = class_rows(url, found)
    shown = (*rows["rows"], *rows["noise"])
    return {"found": found, "bugs": _bugs(store, data, (row["test"] for row in shown)), **rows}


class FailedView(TypedDict):
    """Results of one status."""

    status: str
    offset: int
    more: bool
    results: list[Result]
    kinds: dict[str, list[VerdictKind]]
    bugs: dict[str, list[Bug]]
    modules: list[str]


def _status(url: PageUrl) -> str | None:
    """The status of the results; None for all."""
    status = url.choice("status", STATUSES, "failed")
    return None if status == "all" else status


def _failed(store: Store, url: PageUrl, data: RunData) -> FailedView:
    offset, run = offset_of(url), data.run["id"]
    rows = results.run_results(store, run, data.scope, _status(url), url.get("q") or None, PAGE_SIZE + 1, offset)
    return {
        "status": _status(url) or "all",
        "offset": offset,
        "more": len(rows) > PAGE_SIZE,
        "results": rows[:PAGE_SIZE],
        "kinds": {ids.text(test): kinds for test, kinds in verdicts.kinds_of_tests(store, data.verdict_scope).items()},
        "bugs": _bugs(store, data, (row["test"] for row in rows[:PAGE_SIZE])),
        "modules": sorted({row["module"] for row in runs.modules(store, run)}),
    }


ViewData = ModulesView | BrokenView | FailedView
_VIEW_DATA: dict[str, Callable[[Store, PageUrl, RunData], ViewData]] = {
    "modules": _modules,
    "broken": _broken,
    "failed": _failed,
}


def as_api_call(store: Store, url: PageUrl, run: str) -> ApiCall:
    """The API call for the open view."""
    data = _read(store, url, run)
    this, base, view = data.run, data.base, data.view
    lane = {"release": this["release"], "environment": this["environment"], "version": None, "runs": None}
    if view == "broken":
        lane["environment"] = data.verdict_scope.environment
        return api_call(("verdicts",), parameters.VerdictsQuery, url, topology=None, at_run=data.then, **lane)
    if view == "gate":
        of_run = {"release": this["release"], "environment": this["environment"], "run": this["id"]}
        return api_call(("gate",), parameters.GateQuery, url, baseline=_gate_baseline(data), kind=None, **of_run)
    if view == "changes" and base:
        return api_call(("compare",), parameters.CompareQuery, url, base=base["id"], candidate=this["id"])
    if view == "patterns":
        return api_call(("failures",), parameters.FailuresQuery, url, run=this["id"], **lane)
    if view == "failed":
        return api_call(("runs", this["id"], "results"), parameters.ResultsQuery, url, status=_status(url))
    return api_call(("runs", this["id"], "modules"), parameters.ModulesQuery, url)
