"""Durations that changed for good."""

from __future__ import annotations

from statistics import median
from typing import Any

from data.verdicts.evidence.number_text import Evidence
from data.verdicts.statistics.e_divisive import shifts

# A change is reported if it is at least a fifth, at least a tenth of a second, and has lasted for three runs.
MIN_CHANGE, MIN_SECONDS, MIN_LASTING = 0.2, 0.1, 3


def judge(evidence: Evidence) -> dict[str, Any]:
    seconds = evidence["seconds"]
    found = shifts(seconds, min_magnitude=MIN_CHANGE)
    before, after, p, index = None, None, None, None
    if found:
        index, p = found[-1].index, found[-1].p
        before = median(seconds[found[-2].index if len(found) > 1 else 0 : index])
        after = median(seconds[index:])
    lasting = index is not None and len(seconds) - index >= MIN_LASTING
    if not lasting or not before or abs(after - before) < max(MIN_SECONDS, MIN_CHANGE * min(before, after)):
        return dict.fromkeys(("slower", "before_s", "after_s", "factor", "p", "index"))
    return {
        "slower": after > before,
        "before_s": before,
        "after_s": after,
        "factor": after / before,
        "p": p,
        "index": index,
    }


def sentence(evidence: Evidence) -> str:
    found = judge(evidence)
    if found["factor"] is None:
        return "No lasting change of its duration."
    number, after, before = evidence["numbers"][found["index"]], found["after_s"], found["before_s"]
    what = "Mean duration per result" if evidence["of"] == "module" else "Duration"
    change = f"{found['factor']:.2g}x; medians, p = {found['p']:.1g}"
    return f"{what} since #{number}: {after:.3g} s, before {before:.3g} s ({change})."
