"""One cell of the matrix: may a module ship, by its results in one environment or on one topology?

A cell has broken tests or it has none. A test that failed on its only run makes the cell red, but does not count as
broken. Without usable results (none, or a mass failure) there is no answer; with builds missing there is half of one.
"""

from __future__ import annotations

from typing import Literal, TypedDict

from data.answers.evidence import CellEvidence, CellFacts, LaneFacts
from data.answers.matrix import CellState
from data.number_text import counted

BrokenKind = Literal["regression", "new_failure", "always_failing"]
# Worst first: a row takes the state of its worst cell.
STATES: tuple[CellState, ...] = ("broken", "failing", "incomplete", "missing", "ok", "empty")
# What keeps a module from shipping.
BROKEN_KINDS: tuple[BrokenKind, ...] = ("regression", "new_failure", "always_failing")
_NAMES: dict[BrokenKind, str] = {
    "regression": "regression",
    "new_failure": "new failure",
    "always_failing": "always failing test",
}


class CellFinding(TypedDict):
    state: CellState
    incomplete: bool
    tests: int
    unjudged: int


def judge(evidence: CellFacts) -> CellFinding:
    total, lacking = evidence["total"], evidence["lacking"]
    tests = sum(evidence["words"][word] for word in BROKEN_KINDS)
    unjudged = evidence["unjudged"]
    failures = evidence["unread"] and evidence["failed"] - evidence["stormy_failures"]
    state: CellState
    if (not total and evidence["ended"]) or (total and evidence["stormy"] == total and not tests):
        state = "broken"
    elif tests or unjudged or failures:
        state = "failing"
    elif total:
        state = "incomplete" if lacking else "ok"
    else:
        state = "missing" if evidence["expected"] else "empty"
    incomplete = lacking or state in ("broken", "missing") or (state == "failing" and not total)
    return {"state": state, "incomplete": incomplete, "tests": tests, "unjudged": unjudged}


def sentence(evidence: CellEvidence) -> str:
    found, where = judge(evidence), f"{evidence['module']} on {evidence['column'] or 'no topology'}"
    runs = " and ".join(f"#{number}" for number in evidence["numbers"])
    usual = f" (usually about {evidence['expected_total']})" if evidence["expected_total"] else ""
    if found["state"] == "empty":
        return f"{where}: not tested here lately."
    if found["state"] == "missing":
        return f"{where}: no results in {runs}{usual}, but tested here before."
    if not evidence["total"]:
        text = f"{where}: no usable results, its build in {runs} has none{usual}"
        return (
            f"{text}. Before: {_failing_text(evidence, found)}." if found["tests"] or found["unjudged"] else f"{text}."
        )
    counts = f"{evidence['passed']} of {counted(evidence['total'], 'result')} passed in {runs}"
    if evidence["lacking"]:
        counts += f", incomplete{usual}"
    if found["state"] == "broken":
        return f"{where}: no usable results, most tests failed at once (mass failure); {counts}."
    if evidence["unread"]:
        waiting = counted(evidence["unread"], "build")
        return f"{where}: not judged yet, history is still being read ({waiting} waiting); {counts}."
    return f"{where}: {_failing_text(evidence, found)}; {counts}{_left_out_text(evidence)}."


def broken_text(evidence: CellFacts | LaneFacts) -> str:
    """Such as "2 regressions, 1 new failure (1 of them so far in #13, which is running)"; empty without any."""
    words, so_far = evidence["words"], evidence["so_far"]
    text = ", ".join(counted(words[kind], _NAMES[kind]) for kind in BROKEN_KINDS if words[kind])
    if not so_far:
        return text
    of_them = "" if so_far == sum(words[kind] for kind in BROKEN_KINDS) else f"{so_far} of them "
    runs = " and ".join(f"#{number}" for number in evidence["running_numbers"])
    return (
        f"{text} ({of_them}so far in {runs}, which {'is' if len(evidence['running_numbers']) == 1 else 'are'} running)"
    )


def only_run_text(tests: int) -> str:
    return f"{counted(tests, 'test')} failed on {'its' if tests == 1 else 'their'} only run"


def _failing_text(evidence: CellEvidence, found: CellFinding) -> str:
    parts = [text] if (text := broken_text(evidence)) else []
    if found["unjudged"]:
        parts.append(only_run_text(found["unjudged"]))
    return ", ".join(parts) if parts else "no broken test"


def _left_out_text(evidence: CellEvidence) -> str:
    parts = []
    if evidence["words"]["flaky"]:
        parts.append(counted(evidence["words"]["flaky"], "flaky test"))
    if evidence["stormy_failures"]:
        parts.append(f"{counted(evidence['stormy_failures'], 'failure')} in mass failures")
    if evidence["sick"]:
        parts.append(f"{counted(evidence['sick'], 'test')} failing on bad hosts only")
    return f" (excluding {' and '.join(parts)})" if parts else ""
