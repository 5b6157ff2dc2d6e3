"""Durations that changed for good."""

from __future__ import annotations

from statistics import median
from typing import TypedDict

from data.answers.evidence import DurationEvidence
from data.verdicts.statistics.e_divisive import shifts

# A change is reported if it is at least a fifth, at least a tenth of a second, and has lasted for three runs.
MIN_CHANGE, MIN_SECONDS, MIN_LASTING = 0.2, 0.1, 3


class DurationFinding(TypedDict):
    """A lasting change; `index` is that of the first run at the new level."""

    slower: bool
    before_s: float
    after_s: float
    factor: float
    p: float
    index: int


class NoChange(TypedDict):
    slower: None
    before_s: None
    after_s: None
    factor: None
    p: None
    index: None


NO_CHANGE: NoChange = {"slower": None, "before_s": None, "after_s": None, "factor": None, "p": None, "index": None}


def find_change(evidence: DurationEvidence) -> DurationFinding | None:
    """The newest change if it lasts and is large enough."""
    seconds = evidence["seconds"]
    found = shifts(seconds, min_magnitude=MIN_CHANGE)
    if not found:
        return None
    index, p = found[-1].index, found[-1].p
    before = median(seconds[found[-2].index if len(found) > 1 else 0 : index])
    after = median(seconds[index:])
    lasting = len(seconds) - index >= MIN_LASTING
    if not lasting or not before or abs(after - before) < max(MIN_SECONDS, MIN_CHANGE * min(before, after)):
        return None
    return {
        "slower": after > before,
        "before_s": before,
        "after_s": after,
        "factor": after / before,
        "p": p,
        "index": index,
    }


def judge(evidence: DurationEvidence) -> DurationFinding | NoChange:
    return find_change(evidence) or NO_CHANGE


def sentence(evidence: DurationEvidence) -> str:
    found = find_change(evidence)
    if found is None:
        return "No lasting change of its duration."
    number, after, before = evidence["numbers"][found["index"]], found["after_s"], found["before_s"]
    what = "Mean duration per result" if evidence["of"] == "module" else "Duration"
    change = f"{found['factor']:.2g}x; medians, p = {found['p']:.1g}"
    return f"{what} since #{number}: {after:.3g} s, before {before:.3g} s ({change})."
