"""The verdict kinds of a test: new failure, regression, always failing, flaky, fixed."""

from __future__ import annotations

from typing import Any

from data.verdicts.evidence.failure_history import change_sentence, trailing_failures
from data.verdicts.evidence.number_text import Evidence, rate
from data.verdicts.rules import KINDS, classify, worst_kind


def judge(evidence: Evidence) -> dict[str, Any]:
    statuses, size = evidence["statuses"], evidence["window"]
    disagreed = set(evidence["disagreed"])
    flags = tuple(index in disagreed for index in range(len(statuses))) if disagreed else ()
    kinds = classify(statuses, disagreed=flags, window=size)
    in_window = statuses[-size:]
    return {
        "kind": worst_kind(kinds),
        "kinds": sorted(kinds, key=KINDS.index),
        **rate(in_window.count("F"), len(in_window)),
    }


def sentence(evidence: Evidence) -> str:
    """Such as "Failed in the last 2 runs, since #3; passed in #2. Has not run since #4."."""
    found, numbers = judge(evidence), evidence["numbers"]
    text = _kind_text(evidence, found)
    if "flaky" in found["kinds"] and found["kind"] != "flaky":
        text += " Also flaky."
    excluded = [run["number"] for run in evidence["excluded"]]
    if evidence["newest"] not in (numbers[-1], *excluded):
        text += f" Has not run since #{max([numbers[-1], *excluded])}."
    if evidence.get("change_point"):
        text += f" {change_sentence(evidence['change_point'])}"
    return text + _excluded_text(evidence["excluded"])


def _kind_text(evidence: Evidence, found: dict[str, Any]) -> str:
    statuses, numbers, kind = evidence["statuses"], evidence["numbers"], found["kind"]
    length = trailing_failures(statuses)
    if kind == "regression":
        return f"Failed in the last {length} runs, since #{numbers[-length]}; passed in #{numbers[-length - 1]}."
    if kind == "new_failure":
        return f"Failed in #{numbers[-1]}; passed in #{numbers[-2]}."
    if kind == "always_failing":
        return f"Failed in all of its last {found['of']} runs."
    if kind == "fixed":
        return f"Passed in #{numbers[-1]}; failed in #{numbers[-2]}."
    return _flaky_text(statuses[-found["of"] :], found["failed"], evidence["disagreed"])


def _flaky_text(in_window: str, failed: int, disagreed: list[int]) -> str:
    rescued = in_window.count("K")
    parts = [f"failed in {failed} and recovered"] if failed else []
    if rescued:
        parts.append(f"passed only on rerun in {rescued}")
    text = f"Of its last {len(in_window)} runs, {', '.join(parts) or 'failed in none'}"
    return f"{text}; failed and passed on the same commit." if disagreed else f"{text}."


def _excluded_text(excluded: list[dict[str, Any]]) -> str:
    if not excluded:
        return ""
    why = {"storm": "mass failure", "host": "bad host"}
    runs = ", ".join(f"#{run['number']} ({why[run['why']]})" for run in excluded)
    return f" Failure{'' if len(excluded) == 1 else 's'} not counted: {runs}."
