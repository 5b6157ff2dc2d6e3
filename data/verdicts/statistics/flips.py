"""How flaky tests are: flips and onsets over windows of runs, and disagreement on one commit.

Statuses are letters, oldest run first: P passed, F failed, K passed after a failed attempt in the same run; any other
letter (S) is no result and is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from typing import NamedTuple

LASTING = 3  # a stretch of this many failures is a breakage, not a flake: left out of the flip score
ONSET_WINDOW = 10

_NO_RESULT = re.compile("[^PFK]")
_LASTING = re.compile(f"F{{{LASTING},}}")
_FAILING = re.compile("F+")


class Flips(NamedTuple):
    """Flips to failing, results considered, and 100 x flips / considered (0 where nothing is)."""

    flips: int
    considered: int
    score: float


def flips(statuses: str) -> Flips:
    """TestGrid's flip flakiness.

    Only pass to fail counts, a run that passed after a failed attempt is a flip in itself, and stretches of three or
    more failures are left out whole. Infrastructure failures must have been removed. Source: GoogleCloudPlatform/
    testgrid, pkg/summarizer/analyzers/flipanalyzer.go.
    """
    counted = _LASTING.sub("", _NO_RESULT.sub("", statuses))
    # A stretch of failures has a pass before it, or nothing, which counts as one.
    total = counted.count("K") + len(_FAILING.findall(counted))
    return Flips(total, len(counted), 100.0 * total / max(len(counted), 1))


def onsets(statuses: str, window: int = ONSET_WINDOW) -> float:
    """Onsets (pass to fail) among the last `window` results, divided by `window` always.

    Source: Buildkite test engine, transition count monitor, as its text defines it (its picture counts both
    directions). A run that passed after a failed attempt counts as passed.
    """
    return _NO_RESULT.sub("", statuses)[-window:].replace("K", "P").count("PF") / window


def disagreements(results: Iterable[tuple[Hashable, str]]) -> set[Hashable]:
    """The commits on which one test both passed and failed; `results` are (commit, letter) in any order.

    The strongest single sign of a flaky test, as the code was the same. K disagrees by itself, S says nothing.
    """
    seen: dict[Hashable, set[str]] = {}
    for commit, letter in results:
        seen.setdefault(commit, set()).update("PF" if letter == "K" else letter)
    return {commit for commit, outcomes in seen.items() if {"P", "F"} <= outcomes}


def recovered(clean_results: int, clean_days: float, *, results: int = 100, days: float = 7.0) -> bool:
    """Whether a flaky test may be taken off the list: `results` results or `days` days since it last disagreed.

    Days alone are not enough where it never ran. Source: Buildkite test engine, pass-on-retry monitor.
    """
    return clean_results >= results or (clean_days >= days and clean_results > 0)
