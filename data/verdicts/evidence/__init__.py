"""Every verdict from its evidence alone: `judge` computes it again, `sentence` says it in plain words.

Evidence is a JSON object whose `rule` names how it is judged. Nothing here reads the store: what a sentence says, the
evidence holds, and whoever doubts a verdict can recompute it from what the API gave out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
from data.verdicts.evidence.number_text import Evidence

# rule: how it is judged, how it is said
RULES: dict[str, tuple[Callable[[Evidence], dict[str, Any]], Callable[[Evidence], str]]] = {
    "words": (verdict.judge, verdict.sentence),
    "change_point": (failure_history.judge_change, failure_history.say_change),
    "suspects": (failure_history.judge_suspects, failure_history.say_suspects),
    "flaky": (flaky.judge, flaky.sentence),
    "fisher": (failure_rates.judge, failure_rates.sentence),
    "class": (comparison.judge, comparison.sentence),
    "cell": (matrix_cell.judge, matrix_cell.sentence),
    "duration": (durations.judge, durations.sentence),
    "pattern": (patterns.judge, patterns.sentence),
    "storm": (disturbances.judge_storm, disturbances.say_storm),
    "host": (disturbances.judge_host, disturbances.say_host),
}


def judge(evidence: Evidence) -> dict[str, Any]:
    """What follows from the evidence, under the names that the answers of the questions use. KeyError for no rule."""
    return RULES[evidence["rule"]][0](evidence)


def sentence(evidence: Evidence) -> str:
    """One plain sentence (or a few) that says the verdict with its numbers."""
    return RULES[evidence["rule"]][1](evidence)
