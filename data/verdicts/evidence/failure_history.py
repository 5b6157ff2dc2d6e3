"""What a longer history tells: where the failure rate changed, and which commit changed it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from data.verdicts.evidence.number_text import Evidence, counted, percent
from data.verdicts.statistics.change_points import FAILED_PRIOR, Change, change_points
from data.verdicts.statistics.suspects import posterior, rank

# A change that is not certain enough to be claimed still tells best where to look for who did it.
LIKELIEST = 0.3


def trailing_failures(statuses: str) -> int:
    """How many failures a sequence ends in."""
    return len(statuses) - len(statuses.rstrip("F"))


def breakage_bounds(statuses: str, threshold: float) -> tuple[int, int, int] | None:
    """Places in a history: where its last segments begin, the last run surely without what broke it, and the first
    surely with it. Where no change is certain: the failures that it ends in, if nothing failed before them, else the
    likeliest change. None where there is nothing between good and bad."""
    found = changes(statuses, threshold)
    rising = bool(found) and found[-1].rate_after > found[-1].rate_before
    if not rising:
        first_bad, start = len(statuses) - trailing_failures(statuses), found[-1].index if found else 0
        if start < first_bad < len(statuses) and "F" not in statuses[start:first_bad]:
            return start, first_bad - 1, first_bad
        found = changes(statuses, max(threshold, LIKELIEST))
        rising = bool(found) and found[-1].rate_after > found[-1].rate_before
    return (found[-2].index if len(found) > 1 else 0, found[-1].after, found[-1].until) if rising else None


def last_rise(statuses: str, threshold: float) -> Change | None:
    """The newest change of a history of letters (P or K passed, F failed), if the failure rate rose there."""
    found = changes(statuses, threshold)
    return found[-1] if found and found[-1].rate_after > found[-1].rate_before else None


@lru_cache(maxsize=4096)
def changes(statuses: str, threshold: float) -> tuple[Change, ...]:
    """The change points of a history of letters, oldest first; their positions are places in it."""
    runs = len(statuses)
    failed = [letter == "F" for letter in statuses]
    return tuple(change_points(range(runs), [1] * runs, failed, threshold=threshold))


def judge_change(evidence: Evidence) -> dict[str, Any]:
    change = last_rise(evidence["statuses"], evidence["threshold"])
    if change is None:
        return {"range_99": None}
    numbers = evidence["numbers"]
    return {
        "range_99": {
            "after": numbers[change.after],
            "until": numbers[change.until],
            "most_likely": numbers[change.position],
            "rate_before": change.rate_before,
            "rate_after": change.rate_after,
            "runs_before": change.runs_before,
            "runs": len(numbers),
            "threshold": evidence["threshold"],
        }
    }


def say_change(evidence: Evidence) -> str:
    found = judge_change(evidence)["range_99"]
    if found is None:
        return "No change of its failure rate is certain."
    before, after = percent(found["rate_before"]), percent(found["rate_after"])
    return (
        f"With 99 % certainty it broke after #{found['after']} and not later than #{found['until']} "
        f"(failing {before} before, {after} since)."
    )


def judge_suspects(evidence: Evidence) -> dict[str, Any]:
    commits = len(evidence["commits"])
    seen = [
        (included, letter == "F")
        for letter, included in list(zip(evidence["statuses"], evidence["included"], strict=True))[evidence["first"] :]
        if included is not None
    ]
    # Rates as the change point expects them, so that neither is ever 0 or 1.
    without = _expected(failed for included, failed in seen if not included)
    within = _expected(failed for included, failed in seen if included == commits)
    chances = posterior(commits, seen, min(without, within / 2), break_rate=within, weights=[*evidence["weights"], 1.0])
    return {
        "probabilities": [float(chance) for chance in chances[:-1]],
        "none": float(chances[-1]),
        "ranked": rank(chances),
        "builds": len(seen),
    }


def _expected(outcomes: Iterable[bool]) -> float:
    """The mean of the failure rate after these outcomes, beginning from the prior of change points."""
    known = list(outcomes)
    return (sum(known) + FAILED_PRIOR[0]) / (len(known) + sum(FAILED_PRIOR))


def say_suspects(evidence: Evidence) -> str:
    found, numbers = judge_suspects(evidence), evidence["numbers"]
    between = f"after #{numbers[evidence['after']]} and up to #{numbers[evidence['until']]}"
    if not evidence["commits"]:
        return f"It broke {between}; no commit is stored for the builds in between."
    first = found["ranked"][0]
    return (
        f"It broke {between}, which {counted(len(evidence['commits']), 'commit')} came into: "
        f"{evidence['commits'][first][:10]} with {percent(found['probabilities'][first])}, judged by "
        f"{counted(found['builds'], 'build')}."
    )
