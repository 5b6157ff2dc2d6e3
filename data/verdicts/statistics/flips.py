"""How much a flaky test flips: scores over its runs. What decides that it is flaky is in `data/verdicts/rules.py`.

Statuses are letters, oldest run first: P passed, F failed, K passed after a failed attempt in the same run; any other
letter (S) is not a result and is ignored.
"""

from __future__ import annotations

import re
from typing import NamedTuple

EXCLUDED_STRETCH = 3  # failures in a row that TestGrid leaves out of the flip score, as a breakage
ONSET_WINDOW = 10

_NO_RESULT = re.compile("[^PFK]")
_EXCLUDED = re.compile(f"F{{{EXCLUDED_STRETCH},}}")
_FAILING = re.compile("F+")


class Flips(NamedTuple):
    """Flips to failing, results considered, and 100 x flips / considered (0 if none are)."""

    flips: int
    considered: int
    score: float


def flips(statuses: str) -> Flips:
    """Return TestGrid's flip score.

    Only pass to fail counts; a run that passed after a failed attempt is one flip, and stretches of three or more
    failures are left out whole. The caller removes infrastructure failures. Source: GoogleCloudPlatform/testgrid,
    pkg/summarizer/analyzers/flipanalyzer.go.
    """
    counted = _EXCLUDED.sub("", _NO_RESULT.sub("", statuses))
    # Before a stretch of failures is a pass, or nothing, which counts as one.
    total = counted.count("K") + len(_FAILING.findall(counted))
    return Flips(total, len(counted), 100.0 * total / max(len(counted), 1))


def onsets(statuses: str, window: int = ONSET_WINDOW) -> float:
    """Return the onsets (pass to fail) among the last `window` results, always divided by `window`.

    A run that passed after a failed attempt counts as passed. Source: Buildkite Test Engine, transition count monitor,
    as its text defines it (its picture counts both directions).
    """
    return _NO_RESULT.sub("", statuses)[-window:].replace("K", "P").count("PF") / window


def recovered(clean_results: int, clean_days: float, *, results: int = 100, days: float = 7.0) -> bool:
    """Whether a flaky test has recovered: `results` results, or `days` days with any result, since it last flipped.

    Source: Buildkite Test Engine, pass-on-retry monitor.
    """
    return clean_results >= results or (clean_days >= days and clean_results > 0)
