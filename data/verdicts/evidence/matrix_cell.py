"""One cell of the matrix: may a module ship, by its results in one environment or on one topology?

A cell has broken tests or it has none. A test that failed on its only run makes the cell red, but does not count as
broken. Without usable results (none, or a mass failure) there is no answer.
"""

from __future__ import annotations

from typing import Any

from data.verdicts.evidence.number_text import Evidence, counted

# Worst first: a row or column takes the state of its worst cell.
STATES = ("failing", "broken", "missing", "ok", "empty")
BROKEN_KINDS = ("regression", "new_failure", "always_failing")  # what keeps a module from shipping
_NAMES = {"regression": "regression", "new_failure": "new failure", "always_failing": "always failing test"}


def judge(evidence: Evidence) -> dict[str, Any]:
    total = evidence["total"]
    tests = sum(evidence["words"][word] for word in BROKEN_KINDS) if total else 0
    unjudged = evidence["unjudged"] if total else 0
    if not total:
        state = "broken" if evidence["ended"] else "missing" if evidence["expected"] else "empty"
    elif evidence["stormy"] == total and not tests:
        state = "broken"
    else:
        failures = evidence["unread"] and evidence["failed"] - evidence["stormy_failures"]
        state = "failing" if tests or unjudged or failures else "ok"
    return {"state": state, "tests": tests, "unjudged": unjudged}


def sentence(evidence: Evidence) -> str:
    found, where = judge(evidence), f"{evidence['module']} on {evidence['column'] or 'no topology'}"
    runs = " and ".join(f"#{number}" for number in evidence["numbers"])
    if found["state"] == "empty":
        return f"{where}: not tested here lately."
    if found["state"] == "missing":
        return f"{where}: no results in {runs}, but tested here before."
    if not evidence["total"]:
        return f"{where}: no usable results, its build in {runs} has none."
    counts = f"{evidence['passed']} of {counted(evidence['total'], 'result')} passed in {runs}"
    if found["state"] == "broken":
        return f"{where}: no usable results, most tests failed at once (mass failure); {counts}."
    if evidence["unread"]:
        waiting = counted(evidence["unread"], "build")
        return f"{where}: not judged yet, history is still being read ({waiting} waiting); {counts}."
    return f"{where}: {_failing_text(evidence, found['unjudged'])}; {counts}{_left_out_text(evidence)}."


def _failing_text(evidence: Evidence, unjudged: int) -> str:
    parts = [counted(evidence["words"][kind], _NAMES[kind]) for kind in BROKEN_KINDS if evidence["words"][kind]]
    if unjudged:
        parts.append(f"{counted(unjudged, 'test')} failed on {'its' if unjudged == 1 else 'their'} only run")
    return ", ".join(parts) if parts else "no broken test"


def _left_out_text(evidence: Evidence) -> str:
    parts = []
    if evidence["words"]["flaky"]:
        parts.append(counted(evidence["words"]["flaky"], "flaky test"))
    if evidence["stormy_failures"]:
        parts.append(f"{counted(evidence['stormy_failures'], 'failure')} in mass failures")
    if evidence["sick"]:
        parts.append(f"{counted(evidence['sick'], 'test')} failing on bad hosts only")
    return f" (excluding {' and '.join(parts)})" if parts else ""
