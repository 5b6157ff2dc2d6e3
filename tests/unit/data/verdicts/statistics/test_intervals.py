import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from data.verdicts.statistics.intervals import wilson

counts = st.integers(0, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [(0, 30, 0, 0.1135), (3, 30, 0.0346, 0.2562), (30, 30, 0.8865, 1), (1, 1, 0.2065, 1), (0, 0, 0, 1)],
)
def test_vectors(hits, total, low, high):
    assert wilson(hits, total) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_many_at_once():
    low, high = wilson([0, 3, 30], [30, 30, 30])
    assert low == pytest.approx([0, 0.0346, 0.8865], abs=5e-5)
    assert high == pytest.approx([0.1135, 0.2562, 1], abs=5e-5)


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="between"):
        wilson(3, 2)


@given(counts, st.floats(0.5, 0.999))
def test_interval_lies_in_0_1_and_contains_the_rate(count, confidence):
    hits, total = count
    low, high = wilson(hits, total, confidence)
    assert 0 <= low <= high <= 1
    if total:
        assert low <= hits / total <= high


@given(counts.filter(lambda c: c[1] > 0))
@settings(max_examples=30)
def test_agrees_with_scipy(count):
    hits, total = count
    theirs = binomtest(hits, total).proportion_ci(0.95, "wilson")
    np.testing.assert_allclose(wilson(hits, total), (theirs.low, theirs.high), atol=1e-12)


@given(counts)
def test_failures_and_passes_mirror_each_other(count):
    hits, total = count
    low, high = wilson(hits, total)
    other_low, other_high = wilson(total - hits, total)
    assert (low, high) == (pytest.approx(1 - other_high), pytest.approx(1 - other_low))
