"""Distinct values numbered in the order of their first appearance, so that arrays can store small numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


class ValueIndex:
    """Numbers the distinct values of an array type. `values[n]` is the value with number n."""

    def __init__(self, kind: type[np.generic]) -> None:
        self.values = np.empty(0, dtype=kind)
        self._order = np.empty(0, dtype=np.int64)

    def unknown(self, values: np.ndarray) -> np.ndarray:
        """The distinct values that have no number yet, sorted; `numbers` gives them the next numbers in this order."""
        return np.setdiff1d(values, self.values)

    def numbers(self, values: np.ndarray) -> np.ndarray:
        """The number of each value (int32); unknown values are added."""
        new = self.unknown(values)
        if len(new):
            self.values = np.concatenate([self.values, new])
            self._order = np.argsort(self.values)
        return self._order[np.searchsorted(self.values, values, sorter=self._order)].astype(np.int32)


def by_stretch(values: np.ndarray, look_up: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """`look_up(values)`, called with one value for each stretch of equal neighbors."""
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]])) if len(values) else np.empty(0, int)
    return np.repeat(look_up(values[starts]), np.diff(np.append(starts, len(values))))
