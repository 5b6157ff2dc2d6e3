"""The state of each lane (release and environment): the one judgement that tiles, matrix, badge, API and MCP show.

The facts are counted once per snapshot from the cells of the matrix; data/verdicts/evidence/lane_state.py judges them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypedDict

from data.answers.base import UnreadHistory
from data.answers.evidence import KindCounts, LaneEvidence, LaneFacts, RunFacts
from data.answers.runs import LaneState, Run
from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model.filters import Filter
from data.queries.matrix_cells import (
    UNJUDGED,
    Cell,
    cell_facts,
    finished_runs,
    matrix_lane,
    newest_runs,
    read_cells,
)
from data.queries.runs import runs
from data.verdicts.evidence import lane_state, matrix_cell
from data.verdicts.rules import KINDS
from data.verdicts.unread_history import unread_histories

RUNS = 60  # the most runs of a lane
# Worst first.
STATES: tuple[LaneState, ...] = ("broken", "failing", "incomplete", "running", "stale", "ok", "empty")
NOT_READY = lane_state.NOT_READY


class StateOfLane(TypedDict):
    state: LaneState
    incomplete: bool
    stale: bool


class LaneStatus(StateOfLane):
    """The state of a lane and what it follows from: `words` (tests by their worst verdict kind), `runs` (newest first),
    `latest` (its newest finished run), `running` (a run that goes on), `unread` (its history, if that is still being
    read), `age_s` (of its newest run)."""

    environment: str | None
    reasons: list[str]
    words: KindCounts
    unjudged: int
    runs: list[Run]
    latest: Run | None
    running: Run | None
    unread: UnreadHistory | None
    age_s: float | None


class _Lane(TypedDict):
    """A lane without the clock."""

    environment: str | None
    runs: list[Run]
    latest: Run | None
    running: Run | None
    unread: UnreadHistory | None
    facts: LaneFacts


class LaneSummary(StateOfLane):
    reasons: list[str]


def lane_states(store: Store, flt: Filter) -> list[LaneStatus]:
    """The lanes of the filter's release, the one that tests most first.

    Not cached as a whole: staleness follows the clock.
    """
    now = (store if flt.as_of is None else store.at(flt.as_of)).now()
    hours = store.settings.measures.stale_hours
    return [_with_state(lane, now, hours) for lane in _lanes(store, flt)]


def worst_state(lanes: Sequence[StateOfLane]) -> StateOfLane:
    """The worst state of several lanes or releases, with `incomplete` and `stale` where any is."""
    return {
        "state": min((lane["state"] for lane in lanes), key=STATES.index),
        "incomplete": any(lane["incomplete"] for lane in lanes),
        "stale": any(lane["stale"] for lane in lanes),
    }


def worst_lane(lanes: Sequence[LaneStatus]) -> LaneSummary:
    """The worst state of a release's lanes; the reasons name their lane if there are several."""
    several = len(lanes) > 1
    return {
        **worst_state(lanes),
        "reasons": [
            f"{lane['environment']}: {reason}" if several else reason for lane in lanes for reason in lane["reasons"]
        ],
    }


def _with_state(lane: _Lane, now: datetime, stale_hours: float) -> LaneStatus:
    age = (now - datetime.fromisoformat(lane["runs"][0]["started_at"].rstrip("Z"))).total_seconds()
    evidence: LaneEvidence = {**lane["facts"], "age_s": age, "stale_hours": stale_hours}
    return {
        "environment": lane["environment"],
        **lane_state.judge(evidence),
        "reasons": lane_state.reasons(evidence),
        "words": evidence["words"],
        "unjudged": evidence["unjudged"],
        "runs": lane["runs"],
        "latest": lane["latest"],
        "running": lane["running"],
        "unread": lane["unread"],
        "age_s": age,
    }


@cached_query(of_release)
def _lanes(store: Store, flt: Filter) -> list[_Lane]:
    assert flt.release is not None
    of_release = matrix_lane(flt.release, flt)
    cells = read_cells(store, of_release, "environment")
    finished = finished_runs(store, of_release)
    shown = newest_runs(finished)
    by_environment: dict[str | None, list[Run]] = {}
    for run in runs(store, flt, RUNS):
        by_environment.setdefault(run["environment"], []).append(run)
    for missing in {key[0] for key in finished} - by_environment.keys():
        by_environment[missing] = runs(store, replace(flt, environment=missing), RUNS)
    unread = {history.environment: history.row() for history in unread_histories(store, of_release)}
    lanes: list[_Lane] = []
    for environment, lane_runs in by_environment.items():
        own = {
            module: cell
            for (module, column), cell in cells.items()
            if column == environment and flt.module in (None, module)
        }
        newest = [run for run in shown.values() if run["environment"] == environment]
        running = next((run for run in lane_runs if run["state"] == "running"), None)
        history = unread.get(environment or "")
        sentence = history["sentence"] if history else None
        lanes.append(
            {
                "environment": environment,
                "runs": lane_runs,
                "latest": next((run for run in lane_runs if run["state"] != "running"), None),
                "running": running,
                "unread": history,
                "facts": _facts(own, newest, flt.module, running is not None, sentence),
            }
        )
    lanes.sort(key=lambda lane: (_most_results(lane["runs"]), len(lane["runs"])), reverse=True)
    return lanes


def _most_results(lane_runs: Sequence[Run]) -> int:
    return max((run["total"] for run in lane_runs if run["state"] != "running"), default=-1)


def _facts(
    cells: Mapping[str, Cell], newest: Sequence[Run], module: str | None, running: bool, unread: str | None
) -> LaneFacts:
    """What the state of a lane is judged on (data/verdicts/evidence/lane_state.py), from its cells by module and the
    newest finished run of each of its jobs."""
    states = {name: matrix_cell.judge(cell_facts(cell))["state"] for name, cell in cells.items()}
    usable = {name for name, cell in cells.items() if cell.counts["total"] and states[name] != "broken"}
    run = next((run for run in newest if run["incomplete"]), next(iter(newest), None))
    lacking = any(cell.lacking for cell in cells.values())
    so_far = {test: number for cell in cells.values() for test, number in cell.so_far.items()}
    tests = {kind: len({test for cell in cells.values() for test in cell.tests[kind]}) for kind in KINDS}
    return {
        "run": run and _run_facts(run, lacking or (module is None and run["incomplete"])),
        "running": running,
        "unread": unread,
        "words": {
            "regression": tests["regression"],
            "new_failure": tests["new_failure"],
            "always_failing": tests["always_failing"],
            "flaky": tests["flaky"],
            "fixed": tests["fixed"],
        },
        "so_far": len(so_far),
        "running_numbers": sorted(set(so_far.values())),
        "unjudged": len({test for cell in cells.values() for test in cell.tests[UNJUDGED]}),
        "failing": "failing" in states.values(),
        "usable": bool(usable),
        "unusable": sorted(name for name in cells.keys() - usable if states[name] != "empty"),
    }


def _run_facts(run: Run, incomplete: bool) -> RunFacts:
    return {
        "number": run["number"],
        "missing": run["missing"],
        "aborted": run["aborted"],
        "partial": run["partial"],
        "first_partial": run["first_partial"],
        "result": run["result"],
        "builds": run["builds"],
        "incomplete": incomplete,
    }
