"""Where a test's failure rate changed: Bayesian change points with a range for the first bad build.

Source: LUCI Analysis, analysis/internal/changepoints/bayesian. Each segment between changes has a failure rate of its
own, drawn from a prior that favours tests which nearly always pass or nearly always fail; a change is accepted where
two segments explain the runs so much better than one that a prior chance of `threshold` is outweighed.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

# Straight failures needed after 10, 20, 50 and 100 straight passes: 4, 3, 2, 2. At 1e-4, LUCI's own value for histories
# of thousands of runs, 6, 4, 3, 3; at 0.01, 3, 2, 2, 1, and changes are found where there are none far more often.
THRESHOLD = 1e-3

# Beta priors of the failure rate of runs, and of the rate at which all attempts of a run that was retried fail.
FAILED_PRIOR = (0.3, 0.5)
RETRIED_PRIOR = (0.5, 0.5)

# The cumulative probabilities at which the position of a change is kept; the pairs around the middle are intervals.
TAILS = np.array(
    (0.0005, 0.005, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.995, 0.9995)
)


@dataclass(frozen=True)
class Change:
    """A change of the failure rate. Positions are the caller's own (numbers of runs, builds or commits).

    The new behaviour starts at `position`, most likely, and within (`after`, `until`] with 99 % probability: `after`
    is a position that was still good (or bad), `until` one that was already not. `quantiles` are the positions at
    TAILS. `index` counts distinct positions, `runs_before` runs. The rates are those of the segments on either side.
    """

    position: int
    after: int
    until: int
    index: int
    runs_before: int
    rate_before: float
    rate_after: float
    log_odds: float  # ln of how much better two segments explain the runs than one, before the threshold
    quantiles: tuple[int, ...]


def log_likelihood(hits: ArrayLike, total: ArrayLike, prior: tuple[float, float]) -> np.ndarray:
    """Return ln of the probability of one sequence with `hits` in `total` trials, whose rate is Beta(prior).

    Arrays of any shape. Source: beta-binomial likelihood, as in LUCI's bayesian package.
    """
    (a, b), hits, total = prior, np.asarray(hits), np.asarray(total)
    constant = gammaln(a + b) - gammaln(a) - gammaln(b)
    result: np.ndarray = constant + gammaln(hits + a) + gammaln(total - hits + b) - gammaln(total + a + b)
    return result


class _Table:
    """log_likelihood by look-up: the counts of a history repeat, and gammaln takes most of the time."""

    def __init__(self, largest: int, prior: tuple[float, float]) -> None:
        a, b = prior
        count = np.arange(largest + 1)
        self.hits, self.misses = gammaln(count + a), gammaln(count + b)
        self.total = gammaln(a + b) - gammaln(a) - gammaln(b) - gammaln(count + a + b)

    def __call__(self, hits: np.ndarray, total: np.ndarray) -> np.ndarray:
        return np.asarray(self.hits[hits] + self.misses[total - hits] + self.total[total])


class _History:
    """Cumulative counts per distinct position: runs, failing runs, retried runs, runs that failed every attempt."""

    def __init__(self, counts: np.ndarray) -> None:
        self.cumulative = np.concatenate([np.zeros((1, 4), dtype=np.int64), np.cumsum(counts, axis=0)])
        self.failed = _Table(int(self.cumulative[-1, 0]), FAILED_PRIOR)
        self.retried = _Table(int(self.cumulative[-1, 2]), RETRIED_PRIOR) if self.cumulative[-1, 2] else None

    def likelihood(self, counts: np.ndarray) -> np.ndarray:
        """ln likelihood of segments, from their counts (segments x 4)."""
        runs, failed, retried, still = counts.T
        found = self.failed(failed, runs)
        return found if self.retried is None else found + self.retried(still, retried)

    def splits(self, start: int, end: int) -> np.ndarray:
        """ln likelihood of the positions [start, end) split before each of start + 1 .. end - 1."""
        inner = self.cumulative[start + 1 : end]
        before = self.likelihood(inner - self.cumulative[start])
        return np.asarray(before + self.likelihood(self.cumulative[end] - inner))

    def changes(self, start: int, end: int, least: float) -> list[tuple[int, float]]:
        """(index, gain) of every accepted change in [start, end), in order; a gain must exceed `least`."""
        total = self.cumulative[end] - self.cumulative[start]
        if end - start < 2 or not total[1]:
            return []
        splits = self.splits(start, end)
        best = int(np.argmax(splits))
        gain = float(splits[best] - self.likelihood(total[None])[0])
        if gain <= least:
            return []
        at = start + 1 + best
        return [*self.changes(start, at, least), (at, gain), *self.changes(at, end, least)]

    def rate(self, start: int, end: int) -> float:
        runs, failed = (self.cumulative[end] - self.cumulative[start])[:2]
        return float(failed / runs)


def change_points(
    positions: ArrayLike,
    runs: ArrayLike,
    failed: ArrayLike,
    retried: ArrayLike | None = None,
    still_failed: ArrayLike | None = None,
    *,
    threshold: float = THRESHOLD,
    consecutive: bool = False,
) -> list[Change]:
    """Return the changes in a test's history, oldest first; empty for a test that never failed.

    All arrays have one element per entry of the history, oldest first: a position, the number of runs, how many of them
    had a failed attempt, how many of those were retried, and how many of the retried failed every attempt. Several
    entries may have one position; changes are only between different positions. Entries without runs are ignored. With
    `consecutive`, every whole number is a position at which a change may have arrived, run or not (commits), and gaps
    are weighted accordingly. Raises ValueError for positions out of order or impossible counts.
    """
    places, history = _prepare(positions, runs, failed, retried, still_failed)
    accepted = history.changes(0, len(places), -log(threshold))
    edges = [0, *(at for at, _ in accepted), len(places)]
    changes = []
    for (at, gain), before, after in zip(accepted, edges, edges[2:], strict=False):
        quantiles = _quantiles(places, history, before, after, consecutive)
        changes.append(
            Change(
                position=int(places[at]),
                after=int(quantiles[1]),
                until=int(quantiles[-2]),
                index=at,
                runs_before=int(history.cumulative[at, 0]),
                rate_before=history.rate(before, at),
                rate_after=history.rate(at, after),
                log_odds=gain,
                quantiles=tuple(quantiles.tolist()),
            )
        )
    return changes


def _prepare(
    positions: ArrayLike, runs: ArrayLike, failed: ArrayLike, retried: ArrayLike | None, still_failed: ArrayLike | None
) -> tuple[np.ndarray, _History]:
    positions, runs, failed = (np.asarray(a, dtype=np.int64) for a in (positions, runs, failed))
    none = np.zeros_like(runs)
    retried = none if retried is None else np.asarray(retried, dtype=np.int64)
    still_failed = none if still_failed is None else np.asarray(still_failed, dtype=np.int64)
    if np.any(np.diff(positions) < 0):
        raise ValueError("positions must not go back")
    if np.any((still_failed < 0) | (still_failed > retried) | (retried > failed) | (failed > runs)):
        raise ValueError("runs >= failed >= retried >= still failed >= 0 must hold for every entry")
    ran = runs > 0
    counts = np.column_stack([runs, failed, retried, still_failed])[ran]
    places, first = np.unique(positions[ran], return_index=True)
    return places, _History(np.add.reduceat(counts, first, axis=0) if len(places) else counts)


def _quantiles(places: np.ndarray, history: _History, start: int, end: int, consecutive: bool) -> np.ndarray:
    splits = history.splits(start, end)
    weights = np.exp(splits - splits.max())
    if consecutive:
        weights = weights * np.diff(places[start:end])
    reached = np.cumsum(weights / weights.sum())
    at = start + np.minimum(np.searchsorted(reached, TAILS), len(splits) - 1)
    return np.asarray(np.where(TAILS < 0.5, places[at], places[at + 1]))
