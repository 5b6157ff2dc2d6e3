import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data.verdicts.statistics.bad_hosts import compare_hosts
from data.verdicts.statistics.fisher import fisher


def spread(total: np.ndarray, failed: np.ndarray):
    """Counts of tests x hosts to what compare_hosts takes."""
    expected = (total * (failed.sum(axis=1) / total.sum(axis=1))[:, None]).sum(axis=0)
    return total.sum(axis=0), failed.sum(axis=0), expected


def test_one_bad_host_among_many():
    rng = np.random.default_rng(7)
    total = np.full((200, 8), 5)
    rate = np.full((200, 8), 0.02)
    rate[:, 3] = 0.15
    hosts = compare_hosts(*spread(total, rng.binomial(total, rate)))
    assert np.flatnonzero(hosts.bad).tolist() == [3]
    assert hosts.ratio[3] > 2


def test_a_broken_module_on_its_only_host_makes_no_host_bad():
    total = np.zeros((100, 4), dtype=int)
    total[:, 0] = 10
    total[50:, 1:] = 10
    failed = np.zeros_like(total)
    failed[:50, 0] = 9
    assert not compare_hosts(*spread(total, failed)).bad.any()


def test_few_results_or_few_failures_make_no_host_bad():
    assert not compare_hosts([29], [29], [1]).bad.any()
    assert not compare_hosts([1000], [4], [0.001]).bad.any()
    assert np.isnan(compare_hosts([10], [10], [1]).q).all()


def test_even_hosts_are_rarely_called_bad():
    rng = np.random.default_rng(11)
    total = np.full((100, 20), 3)
    called = sum(compare_hosts(*spread(total, rng.binomial(total, 0.1))).bad.any() for _ in range(100))
    assert called <= 5


@given(st.integers(30, 200), st.integers(1, 500), st.data())
@settings(max_examples=30)
def test_p_is_never_below_the_exact_test(total, others, data):
    failed = data.draw(st.integers(0, total))
    others_failed = data.draw(st.integers(0, others))
    expected = total * (failed + others_failed) / (total + others)
    assume(failed >= expected + 1)
    assert compare_hosts([total], [failed], [expected]).p >= fisher(others_failed, others, failed, total) * (1 - 1e-9)


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="must hold"):
        compare_hosts([5], [6], [1])
