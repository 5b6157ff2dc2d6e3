"""Where a numeric series changed its level (durations): e-divisive means with a t-test, in sliding windows.

Sources: D. Matteson, N. James, "A nonparametric approach for multiple change point analysis of multivariate data"
(2014); M. Fleming et al., "Hunter: using change point detection to hunt for performance regressions" (ICPE 2023), as
in apache/otava. About ten points on each side are needed to see a change.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtr

WINDOW = 50
MAX_P = 0.001


@dataclass(frozen=True)
class Shift:
    """A change of level before the point at `index`; means and deviations of the stretches up to the next shifts.

    `magnitude` is the larger of the relative changes seen from either side (0.5 for 2 -> 3, as for 3 -> 2).
    """

    index: int
    p: float
    mean_before: float
    mean_after: float
    std_before: float
    std_after: float

    @property
    def magnitude(self) -> float:
        forward = self.mean_after / self.mean_before - 1 if self.mean_before else 0.0
        backward = self.mean_before / self.mean_after - 1 if self.mean_after else 0.0
        return max(abs(forward), abs(backward))


def best_split(series: np.ndarray) -> tuple[int, float] | None:
    """(tau, Q) with the largest Q(series[:tau], series[tau:kappa]) over all 0 < tau < kappa <= n; None if none is > 0.

    Q(X, Y) = 2/(m+n) Σ|Xi-Yj| - 2m/((m+n)(n-1)) Σ|Xi-Xk| - 2n/((m+n)(m-1)) Σ|Yj-Yk|, n = |X|, m = |Y|, pairs once.
    """
    size = len(series)
    if size < 2:
        return None
    # Any block of pairwise distances is four look-ups in their two-dimensional running sum.
    total = np.zeros((size + 1, size + 1))
    np.cumsum(np.abs(series[:, None] - series[None, :]), axis=0, out=total[1:, 1:])
    np.cumsum(total[1:, 1:], axis=1, out=total[1:, 1:])
    diagonal = np.diagonal(total)
    tau, kappa = np.arange(1, size)[:, None], np.arange(2, size + 1)[None, :]
    n, m = tau, kappa - tau
    with_left = total[1:size, 2:]
    left = diagonal[1:size, None]
    between = with_left - left
    within_left = left / 2
    within_right = (diagonal[None, 2:] - 2 * with_left + left) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        q = 2 * between - 2 * m * np.where(n > 1, within_left / (n - 1), 0)
        q = (q - 2 * n * np.where(m > 1, within_right / (m - 1), 0)) / (m + n)
    q[m <= 0] = -np.inf
    row, column = np.unravel_index(np.argmax(q), q.shape)
    return (int(row) + 1, float(q[row, column])) if q[row, column] > 0 else None


def compare(series: np.ndarray, start: int, index: int, end: int) -> Shift:
    """Shift between series[start:index] and series[index:end], by a two-sided t-test on population deviations."""
    left, right = series[start:index], series[index:end]
    n, m = len(left), len(right)
    mean_left, mean_right, var_left, var_right = left.mean(), right.mean(), left.var(), right.var()
    freedom = n + m - 2
    apart = abs(mean_left - mean_right)
    p = 1.0
    if freedom > 0 and apart > 0:
        spread = sqrt(((n - 1) * var_left + (m - 1) * var_right) / freedom * (1 / n + 1 / m))
        p = float(2 * stdtr(freedom, -apart / spread)) if spread else 0.0
    return Shift(index, p, float(mean_left), float(mean_right), float(sqrt(var_left)), float(sqrt(var_right)))


def divide(series: ArrayLike, max_p: float = MAX_P) -> list[int]:
    """Return the sorted indices at which e-divisive splits the whole series, until a split is not significant."""
    series = np.asarray(series, dtype=float)
    found: list[int] = []
    best: dict[tuple[int, int], tuple[int, float] | None] = {}
    while True:
        edges = [0, *found, len(series)]
        stretches = list(pairwise(edges))
        for start, end in stretches:
            if (start, end) not in best:
                best[start, end] = best_split(series[start:end])
        candidates = [
            (split[1], start + split[0], start, end) for start, end in stretches if (split := best[start, end])
        ]
        if not candidates:
            return found
        _, index, start, end = max(candidates, key=lambda candidate: candidate[0])
        if compare(series, start, index, end).p > max_p:
            return found
        found = sorted([*found, index])


def shifts(series: ArrayLike, *, window: int = WINDOW, max_p: float = MAX_P, min_magnitude: float = 0.0) -> list[Shift]:
    """Return the lasting changes of level in `series`, oldest first.

    Windows of `window` points, half overlapping, are divided with a looser p (ten times `max_p`); then the weakest
    change is dropped, and its neighbours compared again, until every one has p < `max_p` and a relative change above
    `min_magnitude`. Raises ValueError for a window below 2 or a series that is not finite.
    """
    series = np.asarray(series, dtype=float)
    if window < 2 or not np.isfinite(series).all():
        raise ValueError("a window of at least 2 and finite values are needed")
    first_pass = max_p * 10 if max_p < 0.05 else max_p * 2 if max_p < 0.5 else max_p
    weak: set[int] = set()
    start = 0
    while start < len(series):
        found = [start + index for index in divide(series[start : start + window], first_pass)]
        weak.update(found)
        start = max([start + window // 2, *found])
    return _merge(series, sorted(weak), max_p, min_magnitude)


def _merge(series: np.ndarray, indices: list[int], max_p: float, min_magnitude: float) -> list[Shift]:
    def judge(at: int) -> Shift:
        edges = [0, *indices, len(series)]
        return compare(series, edges[at], edges[at + 1], edges[at + 2])

    kept = [judge(at) for at in range(len(indices))]
    while kept:
        weakest = max(range(len(kept)), key=lambda at: kept[at].p)
        if kept[weakest].p < max_p:
            weakest = min(range(len(kept)), key=lambda at: kept[at].magnitude)
            if kept[weakest].magnitude > min_magnitude:
                break
        del kept[weakest], indices[weakest]
        for at in (weakest - 1, weakest):
            if 0 <= at < len(kept):
                kept[at] = judge(at)
    return kept
