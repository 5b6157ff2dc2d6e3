"""The words of a test: new failure, regression, always failing, flaky, fixed."""

from __future__ import annotations

from typing import Any

from data.verdicts.evidence.failure_history import say_change, trailing_failures
from data.verdicts.evidence.number_text import Evidence, rate
from data.verdicts.rules import KINDS, classify, worst_kind


def judge(evidence: Evidence) -> dict[str, Any]:
    statuses, size = evidence["statuses"], evidence["window"]
    disagreed = set(evidence["disagreed"])
    flags = tuple(place in disagreed for place in range(len(statuses))) if disagreed else ()
    kinds = classify(statuses, disagreed=flags, window=size)
    judged = statuses[-size:]
    return {
        "kind": worst_kind(kinds),
        "kinds": sorted(kinds, key=KINDS.index),
        **rate(judged.count("F"), len(judged)),
    }


def sentence(evidence: Evidence) -> str:
    statuses, numbers = evidence["statuses"], evidence["numbers"]
    found = judge(evidence)
    length, of, failed = trailing_failures(statuses), found["of"], found["failed"]
    kind = found["kind"]
    if kind == "regression":
        said = f"Failed in the last {length} runs, since #{numbers[-length]}; passed in #{numbers[-length - 1]}."
    elif kind == "new_failure":
        said = f"Failed in #{numbers[-1]} after passing in #{numbers[-2]}."
    elif kind == "always_failing":
        said = f"Failed in all of the last {of} runs in which it ran."
    elif kind == "fixed":
        said = f"Passed in #{numbers[-1]} after failing in #{numbers[-2]}."
    else:
        said = _say_flaky(statuses[-of:], failed, evidence["disagreed"])
    if "flaky" in found["kinds"] and kind != "flaky":
        said += " It is flaky besides."
    told = [run["number"] for run in evidence["excluded"]]
    if evidence["newest"] not in (numbers[-1], *told):
        said += f" It has not run since #{max([numbers[-1], *told])}."
    if evidence.get("change_point"):
        said += f" {say_change(evidence['change_point'])}"
    return said + _say_excluded(evidence["excluded"])


def _say_flaky(judged: str, failed: int, disagreed: list[int]) -> str:
    rescued = judged.count("K")
    parts = []
    if failed:
        parts.append(f"failed in {failed} and recovered")
    if rescued:
        parts.append(f"passed only when run again in {rescued}")
    said = f"Of the last {len(judged)} runs it {', and '.join(parts) or 'failed in none'}"
    return f"{said}; the same commit both failed and passed." if disagreed else f"{said}."


def _say_excluded(excluded: list[dict[str, Any]]) -> str:
    if not excluded:
        return ""
    why = {"storm": "a storm", "host": "a sick host"}
    named = ", ".join(f"#{run['number']} ({why[run['why']]})" for run in excluded)
    return f" Its failure in {named} is left out." if len(excluded) == 1 else f" Its failures in {named} are left out."
