"""Regression between two windows or releases: Fisher exact with floors, hysteresis and false-discovery control.

The rules are those of OpenShift's Sippy (component readiness); what Sippy lacks is the correction for comparing
thousands of tests at once, without which tens of unchanged tests turn red every day. Everything takes arrays with
one element per test: a release is judged in one call.

`scipy.stats` has the tail and the correction too, but takes half a second to import, and sums the tail test by test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from data.verdicts.statistics.intervals import wilson


class FisherOutcome(IntEnum):
    """Sippy's scale: the lower the worse, so that the worst of a group is its minimum."""

    EXTREME_REGRESSION = -500
    REGRESSION = -400
    MISSING_SAMPLE = -100
    NOT_SIGNIFICANT = 0
    MISSING_BASE = 100
    IMPROVEMENT = 300


@dataclass(frozen=True)
class Rules:
    """Sippy's defaults (config/views.yaml), and the correction it does not have.

    Floors and required rates are in percentage points of the pass rate; `confidence` in percent.
    """

    confidence: float = 95.0
    floor: float = 5.0  # "pity": a drop of no more than this is not a regression
    min_failures: int = 3  # fewer failures in the sample are never significant
    extreme: float = 15.0  # a drop beyond this is extreme
    required_new: float = 95.0  # pass rate required of tests without a base; 0: none
    required_all: float = 0.0  # pass rate required of every test instead of a comparison; 0: compare
    min_runs: int = 6  # with fewer sample runs a required rate does not apply
    ignore_missing: bool = False  # a test without sample is not significant instead of missing
    open_confidence: float = 5.0  # an open regression stays open with this much less confidence ...
    open_floor: float = 2.0  # ... and this much less of a drop
    # Which q to judge by: "benjamini-hochberg"; "discrete", which finds more at the same share of false discoveries, as
    # it accounts for tests whose few failures allow no small p; or "none", Sippy's own: judge by p.
    correction: str = "benjamini-hochberg"


@dataclass(frozen=True)
class FisherComparison:
    """One element per test. `p` is of a rise of the failure rate, `q` is p after correction for all tests compared here
    (by Benjamini-Hochberg where the rules say "none"), `p_better` is of a fall; NaN if either side has no runs.
    Rates are failure rates, 0..1, with Wilson 95 % intervals.
    """

    status: np.ndarray
    p: np.ndarray
    q: np.ndarray
    p_better: np.ndarray
    base_rate: np.ndarray
    base_low: np.ndarray
    base_high: np.ndarray
    sample_rate: np.ndarray
    sample_low: np.ndarray
    sample_high: np.ndarray


def fisher(base_failed: ArrayLike, base_total: ArrayLike, failed: ArrayLike, total: ArrayLike) -> np.ndarray:
    """One-sided Fisher exact: P(at least `failed` of the sample's `total` fail | all failures of both sides).

    NaN if a side has no runs. Source: R. A. Fisher; hypergeometric tail as in Sippy's fisherexact.go.
    """
    base_failed, base_total, failed, total = np.broadcast_arrays(
        *(np.asarray(a, dtype=float) for a in (base_failed, base_total, failed, total))
    )
    p = np.where((base_total > 0) & (total > 0), 1.0, np.nan)
    # Most tests of a healthy release never fail: their p is 1 without computing it.
    ask = (p == 1) & (failed > 0)
    if ask.any():
        p[ask] = _tail(failed[ask], base_failed[ask] + failed[ask], base_total[ask], total[ask])
    return np.minimum(p, 1.0)


def _tail(failed: np.ndarray, both: np.ndarray, base_total: np.ndarray, total: np.ndarray) -> np.ndarray:
    """The hypergeometric P(at least `failed`), where `both` sides together have that many failures."""
    failed, both, base_total, total = (values.astype(int) for values in (failed, both, base_total, total))
    terms = np.minimum(both, total) - failed + 1  # outcomes at least as bad, one after the other
    starts = np.cumsum(terms) - terms
    test = np.repeat(np.arange(len(terms)), terms)
    count = np.arange(len(test)) + (failed - starts)[test]
    log_factorial: np.ndarray = gammaln(np.arange(1.0, (base_total + total).max() + 2))

    def log_choose(n: np.ndarray, k: np.ndarray) -> np.ndarray:
        answer: np.ndarray = log_factorial[n] - log_factorial[k] - log_factorial[n - k]
        return answer

    log_p = log_choose(total[test], count) + log_choose(base_total[test], both[test] - count)
    tail: np.ndarray = np.add.reduceat(np.exp(log_p - log_choose(base_total + total, both)[test]), starts)
    return tail


def benjamini_hochberg(p: ArrayLike) -> np.ndarray:
    """Adjusted p-values (q): rejecting q <= level keeps the expected share of false discoveries at `level`.

    NaN stays NaN and does not count. Source: Y. Benjamini, Y. Hochberg, JRSS B 57 (1995).
    """
    q = np.array(p, dtype=float)
    compared = ~np.isnan(q)
    order = np.argsort(q[compared])
    scaled = q[compared][order] * (len(order) / np.arange(1, len(order) + 1))
    adjusted = np.empty(len(order))
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    q[compared] = adjusted
    return q


def compare(
    base_failed: ArrayLike,
    base_total: ArrayLike,
    failed: ArrayLike,
    total: ArrayLike,
    *,
    opened: ArrayLike = False,
    rules: Rules | None = None,
) -> FisherComparison:
    """Judge the sample against the base, test by test; `total` counts passes and failures, never skips.

    `opened` marks tests whose regression is open already: they need less evidence to stay red than to turn red. Tests
    compared with a required pass rate have no p. Raises ValueError unless 0 <= failures <= runs. Source: Sippy,
    pkg/api/componentreadiness.
    """
    rules = rules or Rules()
    base_failed, base_total, failed, total, opened = np.broadcast_arrays(
        *np.atleast_1d(base_failed, base_total, failed, total, opened)
    )
    if np.any((base_failed < 0) | (base_failed > base_total) | (failed < 0) | (failed > total)):
        raise ValueError("failures must lie between 0 and the runs")
    has_base, has_sample = base_total > 0, total > 0
    base_rate = np.where(has_base, base_failed / np.maximum(base_total, 1), np.nan)
    rate = np.where(has_sample, failed / np.maximum(total, 1), np.nan)
    drop = rate - base_rate

    rated = np.full(failed.shape, rules.required_all > 0) | (~has_base & (rules.required_new > 0))
    required = np.where(~has_base & (rules.required_new > 0), rules.required_new, rules.required_all)
    p = np.where(rated, np.nan, fisher(base_failed, base_total, failed, total))
    p_better = np.where(rated, np.nan, fisher(failed, total, base_failed, base_total))
    level = 1 - (rules.confidence - np.where(opened, rules.open_confidence, 0)) / 100
    floor = (rules.floor - np.where(opened, rules.open_floor, 0)) / 100
    enough = failed >= rules.min_failures

    if rules.correction == "discrete":
        margins = np.column_stack([base_failed + failed, base_total, total, floor])
        reachable = np.where(np.isnan(p) | (enough & (drop > floor)), p, 1.0)
        q = _discrete(reachable, margins, max(rules.min_failures, 1), min(float(level.max(initial=0)), 0.5))
    else:
        q = benjamini_hochberg(p)
    if rules.correction == "none":
        worse, better = p < level, p_better < level
    else:
        worse, better = q < level, benjamini_hochberg(p_better) < level
    status = np.full(failed.shape, FisherOutcome.NOT_SIGNIFICANT, dtype=np.int32)
    status[enough & (drop <= 0) & better] = FisherOutcome.IMPROVEMENT
    regressed = enough & (drop > floor) & worse
    status[regressed] = FisherOutcome.REGRESSION
    status[regressed & (drop > rules.extreme / 100)] = FisherOutcome.EXTREME_REGRESSION
    status[~has_base] = FisherOutcome.MISSING_BASE
    status[~has_sample] = FisherOutcome.NOT_SIGNIFICANT if rules.ignore_missing else FisherOutcome.MISSING_SAMPLE

    passing = 100 * ((total - failed) / np.maximum(total, 1))
    below = (total >= rules.min_runs) & (passing < required) & enough
    status[rated] = np.where(
        has_base | (rules.required_all > 0), FisherOutcome.NOT_SIGNIFICANT, FisherOutcome.MISSING_BASE
    )[rated]
    status[rated & below] = FisherOutcome.REGRESSION
    status[rated & below & (passing < 2 * required - 100)] = FisherOutcome.EXTREME_REGRESSION

    base_low, base_high = wilson(base_failed, base_total)
    low, high = wilson(failed, total)
    return FisherComparison(status, p, q, p_better, base_rate, base_low, base_high, rate, low, high)


def _discrete(p: np.ndarray, margins: np.ndarray, least: int, highest: float) -> np.ndarray:
    """q by Benjamini-Hochberg for discrete tests; `p` is 1 where the floors forbid a verdict, NaN where not compared.

    Plain Benjamini-Hochberg expects m p false discoveries below p. Here that is the sum over all tests of the chance
    that the test's p comes out that small, given its row of `margins` (failures on both sides together, runs of the
    base, runs of the sample, floor) and at least `least` failures: 0 for a test that never failed. Every p above
    `highest` is left out. Source: J. Heyse (2011); S. Döhler, G. Durand, E. Roquain, "New FDR bounds for discrete
    and heterogeneous tests", EJS 12 (2018), step-up.
    """
    compared = ~np.isnan(p)
    margins = margins[compared & (margins[:, 0] >= least)]
    margins, tests = np.unique(margins, axis=0, return_counts=True)
    # One row for every number of failures that the sample of each kind of test could have had.
    rows = np.maximum(np.minimum(margins[:, 0], margins[:, 2]).astype(int) - least + 1, 0)
    kind = np.repeat(np.arange(len(margins)), rows)
    count = np.arange(len(kind)) - np.repeat(np.cumsum(rows) - rows, rows) + least
    both, base, sample, floor = margins[kind].T
    eligible = (both - count <= base) & (count / sample - (both - count) / base > floor)
    kind, count, both, base, sample = (values[eligible] for values in (kind, count, both, base, sample))
    attained = fisher(both - count, base, count, sample)
    # Within a kind p falls as the count rises: the chance to be attained is what p has above the next.
    following = np.where(np.append(kind[1:], -1) == kind, np.append(attained[1:], 0.0), 0.0)
    order = np.argsort(attained)
    expected = np.append(0.0, np.cumsum(((attained - following) * tests[kind])[order]))

    finite = p[compared]
    ranked = np.sort(finite)
    below = expected[np.searchsorted(attained[order], ranked * (1 + 1e-9), side="right")]
    q = np.where(ranked <= highest, below / np.arange(1, len(ranked) + 1) / (1 - highest), 1.0)
    q = np.minimum(np.minimum.accumulate(q[::-1])[::-1], 1.0)
    answer = np.full(p.shape, np.nan)
    answer[compared] = q[np.searchsorted(ranked, finite)]
    return answer


def fallback(failed: ArrayLike, total: ArrayLike, share: float = 0.6) -> np.ndarray:
    """Which release to compare each test with: the row of `failed`/`total` (releases x tests) to take as its base.

    Row 0 is the release compared with, the rows after it the ones before, newest first. An older release takes over
    where its pass rate is better, and the walk ends for a test where one has less than `share` of the runs of the
    base so far. A gradual decline over releases is so never accepted. Source: Sippy, releasefallback.go.
    """
    failed, total = np.asarray(failed), np.asarray(total)
    best = np.zeros(failed.shape[1], dtype=np.intp)
    base_failed, base_total = failed[0].copy(), total[0].copy()
    walking = base_total > 0
    for release in range(1, len(failed)):
        present = walking & (total[release] > 0)
        walking &= ~(present & (total[release] < share * base_total))
        # Cross-multiplied, so that equal rates compare equal.
        better = present & walking & (failed[release] * base_total < base_failed * total[release])
        best[better] = release
        base_failed = np.where(better, failed[release], base_failed)
        base_total = np.where(better, total[release], base_total)
    return best
