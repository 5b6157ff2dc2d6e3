import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from data.verdicts.statistics.fisher import fisher
from data.verdicts.statistics.storms import Storm, passing, sick_hosts, storms

columns = st.integers(0, 400).flatmap(
    lambda n: st.integers(0, n).flatmap(lambda f: st.tuples(st.just(n), st.just(f), st.integers(0, f)))
)


def spread(total: np.ndarray, failed: np.ndarray):
    """Counts of tests x hosts to what sick_hosts takes."""
    expected = (total * (failed.sum(axis=1) / total.sum(axis=1))[:, None]).sum(axis=0)
    return total.sum(axis=0), failed.sum(axis=0), expected


@pytest.mark.parametrize(
    ("total", "failed", "top", "kind"),
    [
        (100, 80, 1, Storm.COLUMN),
        (100, 79, 1, Storm.NONE),
        (5, 5, 5, Storm.COLUMN),
        (4, 4, 4, Storm.NONE),
        (100, 30, 30, Storm.MESSAGE),
        (100, 37, 30, Storm.MESSAGE),
        (100, 38, 30, Storm.NONE),
        (100, 29, 29, Storm.NONE),
        (30, 10, 10, Storm.MESSAGE),
        (30, 9, 9, Storm.NONE),
        (500, 12, 12, Storm.NONE),
        (0, 0, 0, Storm.NONE),
    ],
)
def test_thresholds(total, failed, top, kind):
    assert storms(total, failed, top) == kind


def test_many_columns_at_once():
    found = storms([[100, 100], [40, 0]], [[90, 3], [20, 0]], [[2, 3], [20, 0]])
    assert found.tolist() == [[Storm.COLUMN, Storm.NONE], [Storm.MESSAGE, Storm.NONE]]


def test_what_lasts_is_no_storm():
    flags = [c == "s" for c in "s.ss..sss.s"]
    assert passing(flags) == [c == "s" for c in "s.ss......s"]
    assert passing(flags, longest=3) == flags
    assert passing([]) == []


def test_one_sick_host_among_many():
    rng = np.random.default_rng(7)
    total = np.full((200, 8), 5)
    rate = np.full((200, 8), 0.02)
    rate[:, 3] = 0.15
    hosts = sick_hosts(*spread(total, rng.binomial(total, rate)))
    assert np.flatnonzero(hosts.sick).tolist() == [3]
    assert hosts.ratio[3] > 2


def test_a_broken_module_on_its_only_host_makes_no_host_sick():
    total = np.zeros((100, 4), dtype=int)
    total[:, 0] = 10
    total[50:, 1:] = 10
    failed = np.zeros_like(total)
    failed[:50, 0] = 9
    assert not sick_hosts(*spread(total, failed)).sick.any()


def test_few_results_or_few_failures_make_no_host_sick():
    assert not sick_hosts([29], [29], [1]).sick.any()
    assert not sick_hosts([1000], [4], [0.001]).sick.any()
    assert np.isnan(sick_hosts([10], [10], [1]).q).all()


def test_even_hosts_are_rarely_called_sick():
    rng = np.random.default_rng(11)
    total = np.full((100, 20), 3)
    called = sum(sick_hosts(*spread(total, rng.binomial(total, 0.1))).sick.any() for _ in range(100))
    assert called <= 5


@pytest.mark.parametrize("call", [lambda: storms(5, 6, 0), lambda: storms(5, 4, 5), lambda: sick_hosts([5], [6], [1])])
def test_impossible_counts_are_refused(call):
    with pytest.raises(ValueError, match="must hold"):
        call()


@given(columns)
def test_more_failures_never_end_a_whole_column(column):
    total, failed, top = column
    assume(failed < total)
    if storms(total, failed, top) == Storm.COLUMN:
        assert storms(total, failed + 1, top) == Storm.COLUMN


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 5))
def test_only_stormy_columns_are_storms_and_none_is_long(flags, longest):
    kept = passing(flags, longest)
    assert len(kept) == len(flags)
    assert all(flag for flag, keep in zip(flags, kept, strict=True) if keep)
    assert "1" * (longest + 1) not in "".join("1" if keep else "0" for keep in kept)


@given(st.integers(30, 200), st.integers(1, 500), st.data())
@settings(max_examples=30)
def test_p_is_never_below_the_exact_test(total, others, data):
    failed = data.draw(st.integers(0, total))
    others_failed = data.draw(st.integers(0, others))
    expected = total * (failed + others_failed) / (total + others)
    assume(failed >= expected + 1)
    assert sick_hosts([total], [failed], [expected]).p >= fisher(others_failed, others, failed, total) * (1 - 1e-9)
