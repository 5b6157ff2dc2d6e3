"""The verdict kinds of a test: new failure, regression, always failing, flaky, fixed."""

from __future__ import annotations

from typing import TypedDict

from data.answers.base import Count, Rate, VerdictKind
from data.answers.evidence import ExcludedRun, StatusEvidence, Stretch
from data.verdicts.evidence.failure_history import change_sentence
from data.verdicts.evidence.rates import rate
from data.verdicts.rules import KINDS, classify, worst_kind

# Why a failure does not count, in words.
EXCLUDED = {"storm": "mass failure", "host": "bad host", "aborted": "aborted build", "running": "build still running"}


class KindsFinding(TypedDict):
    """The verdict of a test; `kind` is None for a healthy one."""

    kind: VerdictKind | None
    kinds: list[VerdictKind]
    failed: Count
    of: Count
    rate: Rate | None
    interval_95: list[float]


def judge(evidence: StatusEvidence) -> KindsFinding:
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


def sentence(evidence: StatusEvidence) -> str:
    """Such as "Failed in the last 2 runs, since #3; passed in #2. Has not run since #4."."""
    found, numbers = judge(evidence), evidence["numbers"]
    text = _kind_text(evidence, found)
    if "flaky" in found["kinds"] and found["kind"] != "flaky":
        text += " Also flaky."
    excluded = [run["number"] for run in evidence["excluded"]]
    if evidence["newest"] not in (numbers[-1], *excluded):
        text += f" Has not run since #{max([numbers[-1], *excluded])}."
    if "change_point" in evidence:
        text += f" {change_sentence(evidence['change_point'])}"
    return text + _excluded_text(evidence["excluded"])


def _kind_text(evidence: StatusEvidence, found: KindsFinding) -> str:
    numbers, kind = evidence["numbers"], found["kind"]
    if kind in ("regression", "always_failing"):
        return _stretch_text(evidence["stretch"])
    if kind == "new_failure":
        return f"Failed in #{numbers[-1]}; passed in #{numbers[-2]}."
    if kind == "fixed":
        return f"Passed in #{numbers[-1]}; failed in #{numbers[-2]}."
    return _flaky_text(evidence, found)


def _stretch_text(stretch: Stretch) -> str:
    """The failures at the end of the history, which may be more than the window shows."""
    if stretch["passed"] is None:
        return f"Failed in all of its last {stretch['runs']} runs, since #{stretch['since']}."
    return f"Failed in the last {stretch['runs']} runs, since #{stretch['since']}; passed in #{stretch['passed']}."


def _flaky_text(evidence: StatusEvidence, found: KindsFinding) -> str:
    of, failed = found["of"], found["failed"]
    in_window = evidence["statuses"][-of:]
    oldest = len(evidence["statuses"]) - of
    rescued = in_window.count("K") + sum(index >= oldest for index in evidence["rescued"])
    parts = [f"failed in {failed} and recovered"] if failed else []
    if rescued:
        parts.append(f"passed only on rerun in {rescued}")
    text = f"Of its last {of} runs, {', '.join(parts) or 'failed in none'}"
    on_one_commit = set(evidence["disagreed"]) - set(evidence["rescued"])
    return f"{text}; failed and passed on the same commit." if on_one_commit else f"{text}."


def _excluded_text(excluded: list[ExcludedRun]) -> str:
    if not excluded:
        return ""
    runs = ", ".join(f"#{run['number']} ({EXCLUDED[run['why']]})" for run in excluded)
    return f" Failure{'' if len(excluded) == 1 else 's'} not counted: {runs}."
