"""Two sides of a comparison: KernelCI's seven classes (docs/tree-compare.md of its dashboard), and an eighth for the
tests of builds that one side lacks."""

from __future__ import annotations

from typing import TypedDict, get_args

from data.answers.base import Status
from data.answers.evidence import ComparedSide, ComparisonClass, ComparisonEvidence

CLASSES: tuple[ComparisonClass, ...] = get_args(ComparisonClass)
STATUSES: tuple[Status, ...] = ("failed", "passed", "skipped")  # worst first


# The class of a test (None: none), and its status on each side (None: absent).
ClassFinding = TypedDict(
    "ClassFinding", {"class": ComparisonClass | None, "before": Status | None, "after": Status | None}
)


def _status(side: ComparedSide) -> Status | None:
    """A test's worst status on one side of a comparison; None if it is absent."""
    return next((status for status in STATUSES if side[status]), None)


def judge(evidence: ComparisonEvidence) -> ClassFinding:
    before, after = _status(evidence["base"]), _status(evidence["candidate"])
    lacking = evidence["base"].get("lacking") or evidence["candidate"].get("lacking")
    return {"class": "not_compared" if lacking else status_class(before, after), "before": before, "after": after}


def status_class(before: Status | None, after: Status | None) -> ComparisonClass | None:
    """The class of a test with these statuses; None if it does not differ, or neither passes nor fails."""
    if after == "failed":
        return "still_failing" if before == "failed" else "regression" if before == "passed" else "new_failure"
    if after == "passed":
        return "fixed" if before == "failed" else None if before == "passed" else "new_pass"
    if before is None:
        return "appeared" if after else None
    return None if before == after else "disappeared"


def sentence(evidence: ComparisonEvidence) -> str:
    """Such as "Passed in #2, failed in #3. Flaky."."""
    before, after = _side_text(evidence["base"]), _side_text(evidence["candidate"])
    text = f"{before.capitalize()}, {after}."
    return f"{text} Flaky." if "flaky" in evidence["kinds"] else text


def _side_text(side: ComparedSide) -> str:
    results = side["passed"] + side["failed"] + side["skipped"]
    status = _status(side)
    if side.get("lacking"):
        return f"not in {side['of']}, which lacks results of its build"
    if status is None:
        return f"absent in {side['of']}"
    if results > 1:
        return f"{status} in {side['of']} ({side[status]} of {results} results)"
    return f"{status} in {side['of']}"
