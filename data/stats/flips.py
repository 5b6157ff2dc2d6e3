"""How flaky tests are: flips and onsets over windows of runs, and disagreement on one commit.

Scores take many tests at once as a matrix of letters, tests x runs, oldest run first: P passed, F failed, K passed
after a failed attempt in the same run; any other code (S, or 0 for not run) is no result and is passed over.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

PASSED, FAILED, RETRIED = ord("P"), ord("F"), ord("K")

LASTING = 3  # a stretch of this many failures is a breakage, not a flake: left out of the flip score
ONSET_WINDOW = 10


class Flips(NamedTuple):
    """Per test: flips to failing, results considered, and 100 x flips / considered (0 where nothing is)."""

    flips: np.ndarray
    considered: np.ndarray
    score: np.ndarray


def letters(statuses: Sequence[str]) -> np.ndarray:
    """Statuses as strings, one per test, to a matrix of codes; shorter strings end in 0 (no result)."""
    rows = np.array(statuses, dtype=bytes)
    return rows.view(np.uint8).reshape(len(rows), rows.itemsize)


def flips(runs: np.ndarray) -> Flips:
    """TestGrid's flip flakiness of each row of `runs` (tests x runs, letters).

    Only pass to fail counts, a run that passed after a failed attempt is a flip in itself, and stretches of three or
    more failures are left out whole. Infrastructure failures must have been removed. Source: GoogleCloudPlatform/
    testgrid, pkg/summarizer/analyzers/flipanalyzer.go.
    """
    failed = runs == FAILED
    blank = ~(failed | (runs == PASSED) | (runs == RETRIED))
    tests, width = runs.shape
    # Length of the failing stretch each failure stands in: what lies up to it plus what lies from it on.
    length = np.zeros(runs.shape, dtype=np.int32)
    for columns in (range(width), range(width - 1, -1, -1)):
        running = np.zeros(tests, dtype=np.int32)
        for column in columns:
            running = np.where(failed[:, column], running + 1, np.where(blank[:, column], running, 0))
            length[:, column] += running
    counted = ~blank & ~(failed & (length - 1 >= LASTING))

    total = np.zeros(tests, dtype=np.int32)
    passing = np.ones(tests, dtype=bool)
    for column in range(width):
        failure = failed[:, column]
        flip = (failure & passing) | (runs[:, column] == RETRIED)
        total += counted[:, column] & flip
        passing = np.where(counted[:, column], ~failure, passing)
    considered = counted.sum(axis=1)
    return Flips(total, considered, 100.0 * total / np.maximum(considered, 1))


def onsets(runs: np.ndarray, window: int = ONSET_WINDOW) -> np.ndarray:
    """Onsets (pass to fail) among the last `window` results of each row, divided by `window` always.

    Source: Buildkite test engine, transition count monitor, as its text defines it (its picture counts both
    directions). A run that passed after a failed attempt counts as passed.
    """
    failed = runs == FAILED
    ran = failed | (runs == PASSED) | (runs == RETRIED)
    recent = ran & (np.cumsum(ran[:, ::-1], axis=1)[:, ::-1] <= window)
    total = np.zeros(len(runs), dtype=np.int32)
    passing = np.zeros(len(runs), dtype=bool)
    for column in range(runs.shape[1]):
        here = recent[:, column]
        total += here & failed[:, column] & passing
        passing = np.where(here, ~failed[:, column], passing)
    return total / window


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
