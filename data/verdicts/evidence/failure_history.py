"""The longer history of a test: where its failure rate changed, and which commit changed it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, TypedDict

from data.answers.evidence import ChangePointEvidence, SuspectsEvidence, SuspectsFacts
from data.answers.verdicts import Range
from data.number_text import counted, percent
from data.verdicts.statistics.change_points import FAILED_PRIOR, Change, change_points
from data.verdicts.statistics.suspects import posterior, rank

# A change too uncertain to be reported is still the best guide to where the suspects are.
LIKELIEST = 0.3


def trailing_failures(statuses: str) -> int:
    """The number of failures at the end of `statuses`."""
    return len(statuses) - len(statuses.rstrip("F"))


class Beginning(NamedTuple):
    """Indices into a history that ends with a failure: the start of the failures at its end; its first bad run, which
    is inside the range of `change`; and the last pass before that. `change` is None if no range is certain."""

    since: int
    first_bad: int
    last_good: int | None
    change: Change | None


def find_beginning(statuses: str, threshold: float | None) -> Beginning:
    """Where the failures at the end of a history began: the first failure in the 99 % range, or without one (or a
    threshold for one) the first of the failures at its end."""
    since = first_bad = len(statuses) - trailing_failures(statuses)
    change = None if threshold is None else last_rise(statuses, threshold)
    if change is not None:
        first_bad = statuses.index("F", change.after + 1)
    passed = len(statuses[:first_bad].rstrip("F"))
    return Beginning(since, first_bad, passed - 1 if passed else None, change)


def breakage_bounds(statuses: str, threshold: float) -> tuple[int, int, int] | None:
    """Indices into a history: the start of its last good segment, the last run that is certainly good, and the first
    that is certainly broken. Without a certain change: the bounds of the trailing failures if nothing failed before
    them, else of the likeliest change. None if there is no good run before the failures."""
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
    """The newest change of a history of statuses (P or K passed, F failed), if the failure rate rose there."""
    found = changes(statuses, threshold)
    return found[-1] if found and found[-1].rate_after > found[-1].rate_before else None


@lru_cache(maxsize=4096)
def changes(statuses: str, threshold: float) -> tuple[Change, ...]:
    """The change points of a history of statuses, oldest first; their positions are indices into it."""
    runs = len(statuses)
    failed = [letter == "F" for letter in statuses]
    return tuple(change_points(range(runs), [1] * runs, failed, threshold=threshold))


class ChangeFinding(TypedDict):
    range_99: Range | None


class SuspectsFinding(TypedDict):
    """The probability of each commit and of none of them, and the commits by probability (indices)."""

    probabilities: list[float]
    none: float
    ranked: list[int]
    builds: int


def judge_change(evidence: ChangePointEvidence) -> ChangeFinding:
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


def change_sentence(evidence: ChangePointEvidence) -> str:
    statuses, numbers = evidence["statuses"], evidence["numbers"]
    change = last_rise(statuses, evidence["threshold"])
    if change is None:
        return "No certain change of its failure rate."
    where = _between(numbers, change.after, change.until)
    before, after = percent(change.rate_before), percent(change.rate_after)
    text = f"Broke {where} (99 % sure); failed in {before} of runs before, {after} since."
    since, first_bad, _, _ = find_beginning(statuses, evidence["threshold"])
    if not statuses.endswith("F") or first_bad == since:
        return text
    passes = len(statuses[first_bad:since].replace("F", ""))
    fit = "a pass since then fits" if passes == 1 else f"{passes} passes since then fit"
    return f"{text} First failed in #{numbers[first_bad]}; {fit} that rate."


def _between(numbers: list[int], after: int, until: int) -> str:
    """The runs after index `after` up to index `until`, by number."""
    first, last = numbers[after + 1], numbers[until]
    return f"in #{last}" if first == last else f"between #{first} and #{last}"


def judge_suspects(evidence: SuspectsFacts) -> SuspectsFinding:
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


def suspects_sentence(evidence: SuspectsEvidence) -> str:
    """Such as "Broke between #193 and #198 (15 commits). Most likely: 74b4616 (90 %)."."""
    found = judge_suspects(evidence)
    where = _between(evidence["numbers"], evidence["after"], evidence["until"])
    if not evidence["commits"]:
        return f"Broke {where}. No commits are stored for these builds."
    first = found["ranked"][0]
    return (
        f"Broke {where} ({counted(len(evidence['commits']), 'commit')}). "
        f"Most likely: {(evidence['commits'][first] or '')[:7]} ({percent(found['probabilities'][first])})."
    )
