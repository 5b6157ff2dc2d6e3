"""Vector: the worked example of Henderson et al. (ICST 2023)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.verdicts.statistics.suspects import posterior, rank

cases = st.integers(1, 8).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.integers(0, n), st.booleans()), max_size=12))
)
rates = st.tuples(st.floats(0.01, 0.4), st.floats(0.5, 0.99))


def literal_posterior(suspects, observations, flake, broken) -> np.ndarray:
    """One observation after another, normalised each time, as in the paper."""
    chances = np.full(suspects + 1, 1 / (suspects + 1))
    for included, failed in observations:
        for i in range(suspects + 1):
            rate = broken if i < included else flake
            chances[i] *= rate if failed else 1 - rate
        chances /= chances.sum()
    return chances


def test_vector():
    seen = [(4, True)]
    assert posterior(4, seen, 0.1) == pytest.approx([0.2439, 0.2439, 0.2439, 0.2439, 0.0244], abs=5e-5)
    seen.append((2, False))
    assert posterior(4, seen, 0.1) == pytest.approx([0, 0, 0.4762, 0.4762, 0.0476], abs=5e-5)
    seen.append((3, True))
    assert posterior(4, seen, 0.1) == pytest.approx([0, 0, 0.9009, 0.0901, 0.0090], abs=5e-5)
    assert rank(posterior(4, seen, 0.1)) == [2, 3, 0, 1]


def test_a_test_that_breaks_only_at_times_keeps_its_culprit_after_a_pass():
    seen = [(0, False)] * 20 + [(1, False)] * 10 + [(3, True), (3, False), (3, False), (3, True), (3, False), (3, True)]
    chances = posterior(3, seen, 0.01, break_rate=0.5)
    assert rank(chances)[:2] == [1, 2]
    assert chances[3] < 0.01
    assert posterior(3, seen, 0.01)[3] > 0.99


def test_weights_decide_between_changes_that_came_in_together():
    seen = [(0, False), (3, True), (3, True)]
    assert rank(posterior(3, seen, 0.05)) == [0, 1, 2]
    assert rank(posterior(3, seen, 0.05, weights=[1, 1, 3, 1])) == [2, 0, 1]
    assert posterior(3, seen, 0.05, weights=[1, 0, 1, 1])[1] == 0


def test_no_suspects_leave_only_a_flake():
    assert posterior(0, [(0, True)], 0.1).tolist() == [1.0]
    assert rank([1.0]) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"observations": [(4, True)]},
        {"flake_rate": 1.0},
        {"flake_rate": 0.5, "break_rate": 0.4},
        {"weights": [1, 1]},
        {"weights": [0, 0, 0, 0]},
        {"weights": [1, 1, 1, -1]},
    ],
)
def test_what_is_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=r"needed|holds"):
        posterior(3, **{"observations": [], "flake_rate": 0.1, **wrong})


@given(cases, rates)
def test_all_at_once_is_one_after_another(case, rate):
    suspects, seen = case
    chances = posterior(suspects, seen, rate[0], break_rate=rate[1])
    assert chances == pytest.approx(literal_posterior(suspects, seen, *rate), abs=1e-9)
    assert chances.sum() == pytest.approx(1)
    assert np.all((chances >= 0) & (chances <= 1))


@given(cases, rates, st.randoms())
def test_the_order_of_builds_never_matters(case, rate, random):
    suspects, seen = case
    mixed = list(seen)
    random.shuffle(mixed)
    whole = posterior(suspects, seen, rate[0], break_rate=rate[1])
    assert posterior(suspects, mixed, rate[0], break_rate=rate[1]) == pytest.approx(whole)


@given(cases, rates)
def test_rank_is_by_falling_chance(case, rate):
    chances = posterior(*case, rate[0], break_rate=rate[1])
    order = rank(chances)
    assert sorted(order) == list(range(case[0]))
    assert all(np.diff(chances[order]) <= 0)
