"""The detectors that are compared: the product's own, and the same with other settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from data.verdicts.evidence.failure_history import last_rise, trailing_failures
from data.verdicts.evidence.failure_rates import FISHER
from data.verdicts.lanes import HISTORY_RUNS, MASK_BITS
from data.verdicts.rules import NEW_FAILURE, REGRESSION, classify
from data.verdicts.statistics.fisher import FisherOutcome, compare
from data.verdicts.status_masks import TestLane
from regtracker.backtest.history import Look

# (a look, the tests broken at the previous look) -> the tests broken at this look
FindBroken = Callable[[Look, set[int]], set[int]]


@dataclass(frozen=True)
class Detector:
    name: str
    find: FindBroken
    default: bool = False  # what the product does when nothing is configured


def _letters(test_lane: TestLane, results: int) -> str:
    """The newest statuses of a test, oldest first."""
    return test_lane.status_string().replace("S", "")[-results:]


def by_verdict(look: Look, before: set[int], wanted: frozenset[str], window: int, storms: bool = False) -> set[int]:
    found = set()
    for test_lane in look.raw if storms else look.undisturbed:
        letters = _letters(test_lane, window + 1)
        if letters.endswith("F") and classify(letters, window=window) & wanted:
            found.add(test_lane.test)
    return found


def by_failure_streak(look: Look, before: set[int], length: int) -> set[int]:
    """At least `length` failures in a row after a pass: TestGrid's alert."""
    found = set()
    for test_lane in look.undisturbed:
        letters = _letters(test_lane, MASK_BITS)
        if length <= trailing_failures(letters) < len(letters):
            found.add(test_lane.test)
    return found


def by_change_point(look: Look, before: set[int], threshold: float) -> set[int]:
    found = set()
    for test_lane in look.undisturbed:
        letters = _letters(test_lane, HISTORY_RUNS)
        # A rise is accepted only at a failure; it stays until a fall is accepted.
        if (letters.endswith("F") or test_lane.test in before) and last_rise(letters, threshold) is not None:
            found.add(test_lane.test)
    return found


def by_rate(look: Look, before: set[int], runs: int, confirmed: bool) -> set[int]:
    base, sample = _counts(look.undisturbed, runs, MASK_BITS), _counts(look.undisturbed, 0, runs)
    if not len(base):
        return set()
    opened = np.array([test_lane.test in before for test_lane in look.undisturbed]) & confirmed
    rules = FISHER if confirmed else replace(FISHER, correction="none")
    compared = compare(base[:, 0], base[:, 1], sample[:, 0], sample[:, 1], opened=opened, rules=rules)
    worse = (compared.status <= FisherOutcome.REGRESSION) & ~np.isnan(compared.p)
    return {test_lane.test for test_lane, found in zip(look.undisturbed, worse, strict=True) if found}


def _counts(test_lanes: Sequence[TestLane], newest: int, oldest: int) -> np.ndarray:
    mask = (1 << oldest) - (1 << newest)
    return np.array(
        [
            ((test_lane.failed & mask).bit_count(), ((test_lane.failed | test_lane.passed) & mask).bit_count())
            for test_lane in test_lanes
        ],
        dtype=np.int64,
    ).reshape(-1, 2)


_BROKEN = frozenset({REGRESSION})
DETECTORS = (
    Detector("regression, window 10", partial(by_verdict, wanted=_BROKEN, window=10), True),
    Detector("regression, window 5", partial(by_verdict, wanted=_BROKEN, window=5)),
    Detector("regression, window 20", partial(by_verdict, wanted=_BROKEN, window=20)),
    Detector("new failure or regression", partial(by_verdict, wanted=_BROKEN | {NEW_FAILURE}, window=10)),
    Detector(
        "new failure or regression, mass failures and bad hosts included",
        partial(by_verdict, wanted=_BROKEN | {NEW_FAILURE}, window=10, storms=True),
    ),
    Detector("three failures in a row", partial(by_failure_streak, length=3)),
    Detector("change point, L = 0.01", partial(by_change_point, threshold=0.01)),
    Detector("change point, L = 0.001", partial(by_change_point, threshold=0.001), True),
    Detector("change point, L = 0.0001", partial(by_change_point, threshold=0.0001)),
    Detector("Fisher, 10 runs, suspected", partial(by_rate, runs=10, confirmed=False), True),
    Detector("Fisher, 10 runs, confirmed", partial(by_rate, runs=10, confirmed=True), True),
    Detector("Fisher, 5 runs, confirmed", partial(by_rate, runs=5, confirmed=True)),
    Detector("Fisher, 20 runs, confirmed", partial(by_rate, runs=20, confirmed=True)),
)
