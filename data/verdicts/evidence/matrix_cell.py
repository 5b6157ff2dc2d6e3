"""One cell of the matrix: may a module ship as far as one environment or topology tells?

There is no middle: a cell has a broken test or it has none; one that failed the only time it ran, of which nothing can
be said yet, keeps it red without being counted as broken. What brought nothing, or only a storm, says neither.
"""

from __future__ import annotations

from typing import Any

from data.verdicts.evidence.number_text import Evidence, counted

# The worst first: of a row or column the worst cell stands for all.
STATES = ("failing", "broken", "missing", "ok", "empty")
BROKEN_KINDS = ("regression", "new_failure", "always_failing")  # what keeps a module from shipping
_SAID = {"regression": "regression", "new_failure": "new failure", "always_failing": "always failing test"}


def judge(evidence: Evidence) -> dict[str, Any]:
    total = evidence["total"]
    tests = sum(evidence["words"][word] for word in BROKEN_KINDS) if total else 0
    unjudged = evidence["unjudged"] if total else 0
    if not total:
        state = "broken" if evidence["ended"] else "missing" if evidence["expected"] else "empty"
    elif evidence["stormy"] == total and not tests:
        state = "broken"
    else:
        state = "failing" if tests or unjudged else "ok"
    return {"state": state, "tests": tests, "unjudged": unjudged}


def sentence(evidence: Evidence) -> str:
    found, where = judge(evidence), f"{evidence['module']} on {evidence['column'] or 'no topology'}"
    runs = " and ".join(f"#{number}" for number in evidence["numbers"])
    if found["state"] == "empty":
        return f"{where}: not tested here in the last runs."
    if found["state"] == "missing":
        return f"{where}: no result in {runs}, though it ran here before; nothing is known."
    if not evidence["total"]:
        return f"{where}: its build in {runs} brought no results."
    counts = f"{evidence['passed']} of {counted(evidence['total'], 'result')} passed in {runs}"
    if found["state"] == "broken":
        return f"{where}: {counts}, and a storm broke the whole column, so nothing is known of its tests."
    told = [counted(evidence["words"][word], _SAID[word]) for word in BROKEN_KINDS if evidence["words"][word]]
    if found["unjudged"]:
        told.append(f"{counted(found['unjudged'], 'test')} failed that ran too seldom to be judged")
    said = f"{where}: {', '.join(told) if told else 'no broken test'}; {counts}"
    left = [counted(evidence["words"]["flaky"], "flaky test")] if evidence["words"]["flaky"] else []
    left += [f"{counted(evidence['stormy_failures'], 'failure')} of a storm"] if evidence["stormy_failures"] else []
    left += [f"{counted(evidence['sick'], 'test')} that failed on a sick host"] if evidence["sick"] else []
    return f"{said} ({' and '.join(left)} left out)." if left else f"{said}."
