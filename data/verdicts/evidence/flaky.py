"""How flaky a test is: its flip score with its interval, and whether it has recovered."""

from __future__ import annotations

import re

from data.answers.base import Count
from data.answers.evidence import FailureRate, FlakyEvidence
from data.number_text import counted
from data.verdicts.evidence.rates import interval, rate
from data.verdicts.statistics.flips import flips, onsets, recovered

_SHORT = re.compile("K|(?<!F)F{1,2}(?!F)")


class FlakyFinding(FailureRate):
    score: float
    flips: Count
    considered: Count
    score_interval_95: list[float]
    onsets: float
    rescued: Count
    disagreed: Count
    disturbed: list[int]  # indices of the results that were flaky
    clean_results: Count
    clean_days: float
    recovered: bool


def judge(evidence: FlakyEvidence) -> FlakyFinding:
    statuses, disagreed, rescued = evidence["statuses"], set(evidence["disagreed"]), set(evidence["rescued"])
    flipped, considered, score = flips(statuses)
    disturbed = [
        index
        for stretch in _SHORT.finditer(statuses)
        for index in range(*stretch.span())
        if stretch.end() < len(statuses) or stretch.group() == "K" or index in disagreed
    ]
    disturbed = sorted({*disturbed, *(index for index in disagreed if statuses[index] == "F")})
    clean, days = len(statuses) - 1 - disturbed[-1], evidence["days_ago"][disturbed[-1]]
    return {
        "score": score,
        "flips": flipped,
        "considered": considered,
        "score_interval_95": [100 * end for end in interval(flipped, considered)],
        "onsets": onsets(statuses),
        "rescued": statuses.count("K") + len(rescued),
        "disagreed": len(disagreed - rescued),
        **rate(statuses.count("F"), len(statuses)),
        "disturbed": disturbed,
        "clean_results": clean,
        "clean_days": days,
        "recovered": recovered(clean, days),
    }


def sentence(evidence: FlakyEvidence) -> str:
    found = judge(evidence)
    low, high = found["score_interval_95"]
    text = (
        f"Flipped to failing {counted(found['flips'], 'time')} in {counted(found['considered'], 'result')}: "
        f"{found['score']:.0f} % (95 %: {low:.0f} to {high:.0f} %)"
    )
    if found["rescued"]:
        text += f"; passed on rerun {counted(found['rescued'], 'time')}"
    if found["disagreed"]:
        text += "; failed and passed on the same commit"
    number, clean = evidence["numbers"][found["disturbed"][-1]], found["clean_results"]
    if found["recovered"]:
        return f"{text}. Recovered: stable for {counted(clean, 'result')} since #{number}."
    return f"{text}. Last in #{number}, {counted(clean, 'result') + ' ago' if clean else 'its latest run'}."
