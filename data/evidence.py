"""Every verdict from its evidence alone: `judge` computes it again, `sentence` says it in plain words.

Evidence is a JSON object whose `rule` names how it is judged. Nothing here reads the store: what a sentence says, the
evidence holds, and whoever doubts a verdict can recompute it from what the API gave out.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from data.stats.changepoint import Change, change_points
from data.stats.fisher import Rules, Status, compare
from data.stats.flips import flips, letters, onsets, recovered
from data.stats.intervals import wilson
from data.stats.storms import LONGEST as LONGEST_STORM
from data.stats.storms import Storm, sick_hosts, storms
from data.stats.words import WORDS, words, worst

Evidence = dict[str, Any]

# How a regression is judged everywhere: Sippy's rules, and a correction that knows how coarse p is for few failures.
FISHER = Rules(correction="discrete")
# KernelCI's seven classes (docs/tree-compare.md of its dashboard); what passes in both is in none of them.
CLASSES = ("regression", "new_failure", "still_failing", "fixed", "new_pass", "appeared", "disappeared")
CLAIMS = ("confirmed", "suspected", "required")


def judge(evidence: Evidence) -> dict[str, Any]:
    """What follows from the evidence, under the names that the answers of the questions use. KeyError for no rule."""
    return _JUDGES[evidence["rule"]](evidence)


def sentence(evidence: Evidence) -> str:
    """One plain sentence (or two) that says the verdict with its numbers."""
    return _SENTENCES[evidence["rule"]](evidence)


def rate(failed: int, of: int) -> dict[str, Any]:
    """A failure rate as every evidence prints it: the counts, the rate and its Wilson 95 % interval."""
    return {"failed": failed, "of": of, "rate": failed / of if of else None, "interval_95": list(_wilson(failed, of))}


@lru_cache(maxsize=4096)
def _wilson(hits: int, total: int) -> tuple[float, float]:
    low, high = wilson(hits, total)
    return float(low), float(high)


def tail(statuses: str) -> int:
    """How many failures a sequence ends in."""
    return len(statuses) - len(statuses.rstrip("F"))


def _judge_words(evidence: Evidence) -> dict[str, Any]:
    statuses, size = evidence["statuses"], evidence["window"]
    flags = tuple(place in set(evidence["disagreed"]) for place in range(len(statuses)))
    kinds = words(statuses, disagreed=flags, window=size)
    judged = statuses[-size:]
    return {
        "kind": worst(kinds),
        "kinds": sorted(kinds, key=WORDS.index),
        **rate(judged.count("F"), len(judged)),
    }


def _say_words(evidence: Evidence) -> str:
    statuses, numbers = evidence["statuses"], evidence["numbers"]
    found = _judge_words(evidence)
    length, of, failed = tail(statuses), found["of"], found["failed"]
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
    if evidence.get("change_point"):
        said += f" {_say_change(evidence['change_point'])}"
    return said + _say_excluded(evidence.get("excluded", []))


def _say_flaky(judged: str, failed: int, disagreed: list[int]) -> str:
    rescued = judged.count("K")
    parts = []
    if failed:
        parts.append(f"failed in {failed} and recovered")
    if rescued:
        parts.append(f"passed only when run again in {rescued}")
    said = f"Of the last {len(judged)} runs it {' and '.join(parts) or 'failed in none'}"
    return f"{said}; the same commit both failed and passed." if disagreed else f"{said}."


def _say_excluded(excluded: list[dict[str, Any]]) -> str:
    if not excluded:
        return ""
    why = {"storm": "a storm", "host": "a sick host"}
    named = ", ".join(f"#{run['number']} ({why[run['why']]})" for run in excluded)
    return f" Its failure in {named} is left out." if len(excluded) == 1 else f" Its failures in {named} are left out."


@lru_cache(maxsize=4096)
def last_change(statuses: str, threshold: float) -> Change | None:
    """The newest change of a history of letters (P or K passed, F failed), if the failure rate rose there."""
    found = change_points(
        range(len(statuses)), [1] * len(statuses), [letter == "F" for letter in statuses], threshold=threshold
    )
    return found[-1] if found and found[-1].rate_after > found[-1].rate_before else None


def _judge_change(evidence: Evidence) -> dict[str, Any]:
    change = last_change(evidence["statuses"], evidence["threshold"])
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


def _say_change(evidence: Evidence) -> str:
    found = _judge_change(evidence)["range_99"]
    if found is None:
        return "No change of its failure rate is certain."
    before, after = _percent(found["rate_before"]), _percent(found["rate_after"])
    return (
        f"With 99 % certainty it broke after #{found['after']} and not later than #{found['until']} "
        f"(failing {before} before, {after} since)."
    )


def _judge_storm(evidence: Evidence) -> dict[str, Any]:
    kind = Storm(int(storms(evidence["total"], evidence["failed"], min(evidence["top"], evidence["failed"]))))
    return {"kind": kind.name.lower() if evidence["stretch"] <= LONGEST_STORM else "none"}


def _say_storm(evidence: Evidence) -> str:
    failed, total, top = evidence["failed"], evidence["total"], evidence["top"]
    said = f"{failed} of {total} results of {evidence['column']} failed in #{evidence['number']}"
    if evidence["message"] is not None and top > 1:
        said += f", {top} of them with one message"
    return f"{said}: taken for a storm."


def _judge_host(evidence: Evidence) -> dict[str, Any]:
    names = sorted(evidence["hosts"])
    judged = sick_hosts(*np.array([evidence["hosts"][name] for name in names], dtype=float).T)
    here = names.index(evidence["host"])
    total, failed, expected = evidence["hosts"][evidence["host"]]
    return {
        "sick": bool(judged.sick[here]),
        "expected": expected,
        **{name: _number(getattr(judged, name)[here]) for name in ("ratio", "p", "q")},
        **rate(failed, total),
    }


def _say_host(evidence: Evidence) -> str:
    found = _judge_host(evidence)
    said = (
        f"On {evidence['host']}, tests that fail somewhere failed {found['failed']} of {found['of']} times in "
        f"{evidence['runs']} runs (its worst, #{evidence['left_out']}, left out); {found['expected']:.1f} were expected"
    )
    if found["q"] is None:
        return f"{said}: too few to judge."
    return f"{said} (q = {found['q']:.2g}): {'it is sick' if found['sick'] else 'no sign of a sick host'}."


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _judge_pattern(evidence: Evidence) -> dict[str, Any]:
    first, since = evidence["first_seen"], evidence["since"]
    return {"new": first is not None and since is not None and first >= since}


def _say_pattern(evidence: Evidence) -> str:
    modules, hosts = evidence["modules"], evidence["hosts"]
    where = f" on {hosts[0]} alone" if len(hosts) == 1 else f" on {len(hosts)} hosts" if hosts else ""
    said = (
        f"{_many(evidence['count'], 'failure')} of {_many(evidence['tests'], 'test')} in "
        f"{modules[0] if len(modules) == 1 else _many(len(modules), 'module')}{where}; first seen on "
        f"{evidence['first_seen'][:10]}"
    )
    return f"{said}, which is new." if _judge_pattern(evidence)["new"] else f"{said}."


def cuts(p: np.ndarray, q: np.ndarray) -> dict[str, float | None]:
    """The largest p that is confirmed, and that keeps an open regression open: q rises with p, so these stand for the
    whole correction in the evidence of one test."""
    levels = {"cut": FISHER.confidence, "cut_open": FISHER.confidence - FISHER.open_confidence}
    return {name: _largest(p[q < 1 - confidence / 100]) for name, confidence in levels.items()}


def _largest(p: np.ndarray) -> float | None:
    return float(p.max()) if len(p) else None


def _judge_fisher(evidence: Evidence) -> dict[str, Any]:
    base, sample, opened = evidence["base"], evidence["sample"], evidence["opened"]
    counts = (base["failed"], base["of"], sample["failed"], sample["of"])
    single = compare(*counts, rules=replace(FISHER, correction="none"))
    held = compare(*counts, opened=opened, rules=replace(FISHER, correction="none"))
    p = _number(single.p[0])
    cut = evidence["cut_open"] if opened else evidence["cut"]
    # Without a base a test is held against a required pass rate, where nothing is left to chance.
    kept, suspected = held.status[0] <= Status.REGRESSION, single.status[0] <= Status.REGRESSION
    if p is None:
        claim = "required" if kept else None
    else:
        claim = "confirmed" if kept and cut is not None and p <= cut else "suspected" if suspected else None
    return {
        "claim": claim,
        "extreme": bool(held.status[0] == Status.EXTREME_REGRESSION),
        "opened": opened,
        "p": p,
        "base": base | rate(base["failed"], base["of"]),
        "sample": sample | rate(sample["failed"], sample["of"]),
    }


def _say_fisher(evidence: Evidence) -> str:
    found = _judge_fisher(evidence)
    base, sample = found["base"], found["sample"]
    low, high = (_percent(end) for end in sample["interval_95"])
    said = (
        f"Failed {sample['failed']} of {sample['of']} times ({_percent(sample['rate'])}, 95 %: {low} to {high}) in "
        f"{sample['release']}"
    )
    if found["p"] is None:
        return f"{said}; {_percent(FISHER.required_new / 100)} passes are asked of a test that is new."
    before = f" in {base['release']}" if base["release"] != sample["release"] else " before"
    said += f"; {base['failed']} of {base['of']} ({_percent(base['rate'])}){before}. p = {found['p']:.2g}"
    if found["claim"] == "confirmed":
        return f"{said}, confirmed among all tests compared" + (" (open before)." if found["opened"] else ".")
    return f"{said}, which some of many tests show by chance."


def _status(side: dict[str, Any]) -> str | None:
    """A test's worst status on one side of a comparison; None where it was not there."""
    return next((status for status in ("failed", "passed", "skipped") if side[status]), None)


def _judge_class(evidence: Evidence) -> dict[str, Any]:
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


def _say_class(evidence: Evidence) -> str:
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


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _judge_flaky(evidence: Evidence) -> dict[str, Any]:
    statuses, disagreed = evidence["statuses"], set(evidence["disagreed"])
    runs = letters([statuses])
    scored = flips(runs)
    flipped, considered = int(scored.flips[0]), int(scored.considered[0])
    disturbed = [
        place
        for stretch in re.finditer("K|(?<!F)F{1,2}(?!F)", statuses)
        for place in range(*stretch.span())
        if stretch.end() < len(statuses) or stretch.group() == "K" or place in disagreed
    ]
    disturbed = sorted({*disturbed, *(place for place in disagreed if statuses[place] == "F")})
    clean, days = len(statuses) - 1 - disturbed[-1], evidence["days_ago"][disturbed[-1]]
    return {
        "score": float(scored.score[0]),
        "flips": flipped,
        "considered": considered,
        "score_interval_95": [100 * end for end in _wilson(flipped, considered)],
        "onsets": float(onsets(runs)[0]),
        "rescued": statuses.count("K"),
        "disagreed": len(disagreed),
        **rate(statuses.count("F"), len(statuses)),
        "disturbed": disturbed,
        "clean_results": clean,
        "clean_days": days,
        "recovered": recovered(clean, days),
    }


def _say_flaky_test(evidence: Evidence) -> str:
    found = _judge_flaky(evidence)
    low, high = found["score_interval_95"]
    said = (
        f"Flipped to failing {_many(found['flips'], 'time')} in {found['considered']} results: "
        f"{found['score']:.0f} % (95 %: {low:.0f} to {high:.0f} %)"
    )
    if found["rescued"]:
        said += f"; {_many(found['rescued'], 'time')} it passed when run again"
    if found["disagreed"]:
        said += "; on the same commit it both failed and passed"
    number = evidence["numbers"][found["disturbed"][-1]]
    if found["recovered"]:
        return f"{said}. Quiet since #{number}, for {_many(found['clean_results'], 'result')}: recovered."
    since = found["clean_results"]
    return f"{said}. Last in #{number}, {_many(since, 'result') + ' ago' if since else 'its newest'}."


_JUDGES = {
    "words": _judge_words,
    "change_point": _judge_change,
    "storm": _judge_storm,
    "host": _judge_host,
    "pattern": _judge_pattern,
    "flaky": _judge_flaky,
    "fisher": _judge_fisher,
    "class": _judge_class,
}
_SENTENCES = {
    "words": _say_words,
    "change_point": _say_change,
    "storm": _say_storm,
    "host": _say_host,
    "pattern": _say_pattern,
    "flaky": _say_flaky_test,
    "fisher": _say_fisher,
    "class": _say_class,
}
