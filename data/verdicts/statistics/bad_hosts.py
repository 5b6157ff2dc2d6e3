"""Bad hosts: machines that fail tests which pass elsewhere."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import pdtrc

from data.verdicts.statistics.fisher import benjamini_hochberg

MIN_RESULTS = 30  # with fewer a host is not judged
MIN_FAILURES = 5
MIN_RATIO = 2.0  # failures / failures expected from an even spread over the hosts
LEVEL = 0.05  # of q


class HostStatistics(NamedTuple):
    """One element per host: failures / expected failures, p (that many by chance), q over all hosts, and the verdict.

    Ratio, p and q are NaN for hosts with too few results, which are never bad.
    """

    ratio: np.ndarray
    p: np.ndarray
    q: np.ndarray
    bad: np.ndarray


def compare_hosts(total: ArrayLike, failed: ArrayLike, expected: ArrayLike) -> HostStatistics:
    """Find the hosts on which tests fail that pass elsewhere; arrays with one element per host.

    `expected` is what an even spread gives the host: summed over tests, the host's results of the test times the
    failure rate of the test over all hosts. A test that only one host runs is thus expected to fail there as often as
    it does, and a module that is broken on its only host never makes that host look bad. p is the Poisson tail, which
    is not below the exact one if the failures exceed the expected ones by one or more; q is corrected by
    Benjamini-Hochberg. Raises ValueError unless total >= failed >= 0 and expected >= 0.
    """
    total, failed, expected = (np.asarray(values, dtype=float) for values in (total, failed, expected))
    if np.any((failed < 0) | (failed > total) | (expected < 0)):
        raise ValueError("total >= failed >= 0 and expected >= 0 must hold")
    enough = (total >= MIN_RESULTS) & (expected > 0)
    ratio = np.where(enough, failed / np.where(enough, expected, 1), np.nan)
    p = np.where(enough, np.where(failed > 0, pdtrc(np.maximum(failed - 1, 0), expected), 1.0), np.nan)
    q = benjamini_hochberg(p)
    return HostStatistics(ratio, p, q, (q <= LEVEL) & (failed >= MIN_FAILURES) & (ratio >= MIN_RATIO))
