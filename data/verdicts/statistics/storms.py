"""Failures that say nothing of a test: whole columns, one message over many tests, one sick host.

What is recognised here is left out of verdicts by default (and always shown with the reason), so the thresholds are
high: a real regression taken for a storm would go unseen.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import pdtrc

from data.verdicts.statistics.fisher import benjamini_hochberg

COLUMN_SHARE = 0.8  # of the column's results failed; the line Trunk draws
COLUMN_TESTS = 5  # smaller columns are no storms, whatever fails
MESSAGE_TESTS = 10  # results that one message must have hit ...
MESSAGE_OF_FAILED = 0.8  # ... of the column's failures ...
MESSAGE_OF_ALL = 0.3  # ... and of all its results
LONGEST = 2  # columns in a row; what fails for longer is broken, not stormy

HOST_RESULTS = 30  # fewer say nothing of a host
HOST_FAILED = 5
HOST_RATIO = 2.0  # failures per failure that an even spread over the hosts would give
HOST_LEVEL = 0.05


class Storm(IntEnum):
    NONE = 0
    COLUMN = 1
    MESSAGE = 2


class Hosts(NamedTuple):
    """Per host: how many times more failures than expected, p of as many by chance, q over all hosts, the verdict.

    NaN for hosts with too few results, which are not sick.
    """

    ratio: np.ndarray
    p: np.ndarray
    q: np.ndarray
    sick: np.ndarray


def storms(total: ArrayLike, failed: ArrayLike, top: ArrayLike) -> np.ndarray:
    """The kind of storm of each column (one run of one module), as Storm values; any shape.

    `total` counts results that passed or failed, `failed` those that failed, `top` those that failed with the column's
    most frequent signature.
    """
    total, failed, top = np.asarray(total), np.asarray(failed), np.asarray(top)
    if np.any((top < 0) | (top > failed) | (failed > total)):
        raise ValueError("total >= failed >= top >= 0 must hold")
    message = (top >= MESSAGE_TESTS) & (top >= MESSAGE_OF_FAILED * failed) & (top >= MESSAGE_OF_ALL * total)
    column = (total >= COLUMN_TESTS) & (failed >= COLUMN_SHARE * total)
    return np.where(column, Storm.COLUMN, np.where(message, Storm.MESSAGE, Storm.NONE))


def passing(stormy: Iterable[bool], longest: int = LONGEST) -> list[bool]:
    """Which of a module's stormy columns, oldest first, stand in a stretch of at most `longest`.

    Only these are storms. Where most tests of a module fail run after run, that is the news, and hiding it the worst
    mistake there is.
    """
    kept: list[bool] = []
    for storm, stretch in groupby(map(bool, stormy)):
        length = len(list(stretch))
        kept.extend([storm and length <= longest] * length)
    return kept


def sick_hosts(total: ArrayLike, failed: ArrayLike, expected: ArrayLike) -> Hosts:
    """Which hosts fail what does not fail elsewhere; one element per host.

    `expected` is what an even spread gives the host: summed over tests, the host's results of the test times the
    failure rate of the test over all hosts. A test that only one host runs is so expected to fail there as often as it
    does, and a module that is broken on its only host never makes that host look sick. p is the Poisson tail, which is
    not below the exact one where the failures exceed what was expected by one or more.
    """
    total, failed, expected = (np.asarray(values, dtype=float) for values in (total, failed, expected))
    if np.any((failed < 0) | (failed > total) | (expected < 0)):
        raise ValueError("total >= failed >= 0 and expected >= 0 must hold")
    judged = (total >= HOST_RESULTS) & (expected > 0)
    ratio = np.where(judged, failed / np.where(judged, expected, 1), np.nan)
    p = np.where(judged, np.where(failed > 0, pdtrc(np.maximum(failed - 1, 0), expected), 1.0), np.nan)
    q = benjamini_hochberg(p)
    return Hosts(ratio, p, q, (q <= HOST_LEVEL) & (failed >= HOST_FAILED) & (ratio >= HOST_RATIO))
