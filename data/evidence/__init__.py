"""Every verdict from its evidence alone: `judge` computes it again, `sentence` says it in plain words.

Evidence is a JSON object whose `rule` names how it is judged. Nothing here reads the store: what a sentence says, the
evidence holds, and whoever doubts a verdict can recompute it from what the API gave out.
"""

from __future__ import annotations

from typing import Any

from data.evidence import cells, classes, disturbances, durations, flaky, history, patterns, rates, words
from data.evidence.numbers import Evidence

# rule: how it is judged, how it is said
_RULES = {
    "words": (words.judge, words.sentence),
    "change_point": (history.judge_change, history.say_change),
    "suspects": (history.judge_suspects, history.say_suspects),
    "flaky": (flaky.judge, flaky.sentence),
    "fisher": (rates.judge, rates.sentence),
    "class": (classes.judge, classes.sentence),
    "cell": (cells.judge, cells.sentence),
    "duration": (durations.judge, durations.sentence),
    "pattern": (patterns.judge, patterns.sentence),
    "storm": (disturbances.judge_storm, disturbances.say_storm),
    "host": (disturbances.judge_host, disturbances.say_host),
}
RULES = tuple(_RULES)


def judge(evidence: Evidence) -> dict[str, Any]:
    """What follows from the evidence, under the names that the answers of the questions use. KeyError for no rule."""
    return _RULES[evidence["rule"]][0](evidence)


def sentence(evidence: Evidence) -> str:
    """One plain sentence (or a few) that says the verdict with its numbers."""
    return _RULES[evidence["rule"]][1](evidence)
