"""Mass failures (storms): whole columns that failed, or one message over many tests.

A column is one run of one module. Storms are left out of verdicts by default (and always shown with the reason), so
the thresholds are high: a real regression taken for a storm would go unseen.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike

COLUMN_SHARE = 0.8  # share of the column's results that failed; Trunk's threshold
COLUMN_TESTS = 5  # smaller columns are never storms
MESSAGE_TESTS = 10  # results with one message: at least this many ...
MESSAGE_OF_FAILED = 0.8  # ... this share of the column's failures ...
MESSAGE_OF_ALL = 0.3  # ... and this share of all its results
LONGEST_STORM = 2  # columns in a row; what fails for longer is broken, not a storm


class StormKind(IntEnum):
    NONE = 0
    COLUMN = 1
    MESSAGE = 2


def storm_kinds(total: ArrayLike, failed: ArrayLike, top: ArrayLike) -> np.ndarray:
    """The kind of storm of each column, as StormKind values; same shape as the arguments.

    `total` counts results that passed or failed, `failed` those that failed, `top` those that failed with the column's
    most frequent signature. Raises ValueError unless total >= failed >= top >= 0. Source of the column rule: Trunk
    Flaky Tests, infrastructure failure protection.
    """
    total, failed, top = np.asarray(total), np.asarray(failed), np.asarray(top)
    if np.any((top < 0) | (top > failed) | (failed > total)):
        raise ValueError("total >= failed >= top >= 0 must hold")
    message = (top >= MESSAGE_TESTS) & (top >= MESSAGE_OF_FAILED * failed) & (top >= MESSAGE_OF_ALL * total)
    column = (total >= COLUMN_TESTS) & (failed >= COLUMN_SHARE * total)
    return np.where(column, StormKind.COLUMN, np.where(message, StormKind.MESSAGE, StormKind.NONE))


def short_stretches(candidates: Iterable[bool], longest: int = LONGEST_STORM) -> list[bool]:
    """Which of a module's columns, oldest first, are candidates in a stretch of at most `longest`; one per column.

    Only these are storms. If most tests of a module fail run after run, that is the news, and hiding it would be the
    worst mistake.
    """
    kept: list[bool] = []
    for candidate, stretch in groupby(map(bool, candidates)):
        length = len(list(stretch))
        kept.extend([candidate and length <= longest] * length)
    return kept
