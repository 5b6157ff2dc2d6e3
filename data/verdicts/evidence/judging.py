"""Any verdict from its evidence: `judge` recomputes it, `sentence` states it in plain English."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from data.answers.evidence import Evidence, HostFinding
from data.verdicts.evidence import (
    comparison,
    disturbances,
    durations,
    failure_history,
    failure_rates,
    flaky,
    matrix_cell,
    patterns,
    verdict,
)

Judgement = (
    verdict.KindsFinding
    | failure_history.ChangeFinding
    | failure_history.SuspectsFinding
    | flaky.FlakyFinding
    | failure_rates.RateFinding
    | comparison.ClassFinding
    | matrix_cell.CellFinding
    | durations.DurationFinding
    | durations.NoChange
    | patterns.PatternFinding
    | disturbances.StormFinding
    | HostFinding
)
# rule -> (computes the verdict, writes the sentence); each takes the evidence of its rule
RULES: dict[str, tuple[Callable[[Any], Judgement], Callable[[Any], str]]] = {
    "words": (verdict.judge, verdict.sentence),
    "change_point": (failure_history.judge_change, failure_history.change_sentence),
    "suspects": (failure_history.judge_suspects, failure_history.suspects_sentence),
    "flaky": (flaky.judge, flaky.sentence),
    "fisher": (failure_rates.judge, failure_rates.sentence),
    "class": (comparison.judge, comparison.sentence),
    "cell": (matrix_cell.judge, matrix_cell.sentence),
    "duration": (durations.judge, durations.sentence),
    "pattern": (patterns.judge, patterns.sentence),
    "storm": (disturbances.judge_storm, disturbances.storm_sentence),
    "host": (disturbances.judge_host, disturbances.host_sentence),
}


def judge(evidence: Evidence) -> Judgement:
    """Compute what follows from the evidence, under the names used in answers. Raises KeyError for an unknown rule."""
    return RULES[evidence["rule"]][0](evidence)


def sentence(evidence: Evidence) -> str:
    """State the verdict with its numbers, in one sentence or a few. Raises KeyError for an unknown rule."""
    return RULES[evidence["rule"]][1](evidence)
