"""Two sides of a comparison: KernelCI's seven classes (docs/tree-compare.md of its dashboard)."""

from __future__ import annotations

from typing import Any

from data.verdicts.evidence.number_text import Evidence

CLASSES = ("regression", "new_failure", "still_failing", "fixed", "new_pass", "appeared", "disappeared")


def _status(side: dict[str, Any]) -> str | None:
    """A test's worst status on one side of a comparison; None where it was not there."""
    return next((status for status in ("failed", "passed", "skipped") if side[status]), None)


def judge(evidence: Evidence) -> dict[str, Any]:
    before, after = _status(evidence["base"]), _status(evidence["candidate"])
    if after == "failed":
        found = {"failed": "still_failing", "passed": "regression"}.get(before or "", "new_failure")
    elif after == "passed":
        found = {"failed": "fixed", "passed": None}.get(before or "", "new_pass")
    elif before is None:
        found = "appeared" if after else None
    else:
        found = None if before == after else "disappeared"
    return {"class": found, "before": before, "after": after}


def sentence(evidence: Evidence) -> str:
    sides = []
    for side in (evidence["base"], evidence["candidate"]):
        results = side["passed"] + side["failed"] + side["skipped"]
        status = _status(side)
        if status is None:
            sides.append(f"absent in {side['of']}")
        elif results > 1:
            sides.append(f"{status} in {side['of']} ({side[status]} of {results} results)")
        else:
            sides.append(f"{status} in {side['of']}")
    said = f"{sides[0].capitalize()}, {sides[1]}."
    return f"{said} It is flaky." if "flaky" in evidence["kinds"] else said
