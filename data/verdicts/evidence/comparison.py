"""Two sides of a comparison: KernelCI's seven classes (docs/tree-compare.md of its dashboard), and an eighth for the
tests of builds that one side lacks."""

from __future__ import annotations

from typing import Any

from data.verdicts.evidence.number_text import Evidence

CLASSES = ("regression", "new_failure", "still_failing", "fixed", "new_pass", "appeared", "disappeared", "not_compared")


def _status(side: dict[str, Any]) -> str | None:
    """A test's worst status on one side of a comparison; None if it is absent."""
    return next((status for status in ("failed", "passed", "skipped") if side[status]), None)


def judge(evidence: Evidence) -> dict[str, Any]:
    before, after = _status(evidence["base"]), _status(evidence["candidate"])
    lacking = any(evidence[side].get("lacking") for side in ("base", "candidate"))
    return {"class": "not_compared" if lacking else _class(before, after), "before": before, "after": after}


def _class(before: str | None, after: str | None) -> str | None:
    if after == "failed":
        return {"failed": "still_failing", "passed": "regression"}.get(before or "", "new_failure")
    if after == "passed":
        return {"failed": "fixed", "passed": None}.get(before or "", "new_pass")
    if before is None:
        return "appeared" if after else None
    return None if before == after else "disappeared"


def sentence(evidence: Evidence) -> str:
    """Such as "Passed in #2, failed in #3. Flaky."."""
    before, after = (_side_text(evidence[side]) for side in ("base", "candidate"))
    text = f"{before.capitalize()}, {after}."
    return f"{text} Flaky." if "flaky" in evidence["kinds"] else text


def _side_text(side: dict[str, Any]) -> str:
    results = side["passed"] + side["failed"] + side["skipped"]
    status = _status(side)
    if side.get("lacking"):
        return f"not in {side['of']}, which lacks results of its build"
    if status is None:
        return f"absent in {side['of']}"
    if results > 1:
        return f"{status} in {side['of']} ({side[status]} of {results} results)"
    return f"{status} in {side['of']}"
