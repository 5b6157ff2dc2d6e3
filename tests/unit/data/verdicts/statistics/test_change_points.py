"""Vectors: LUCI's bayesian_test.go, confidence_interval_test.go and sequence_likelihood_test.go."""

from math import comb, exp, log

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import betaln

from data.verdicts.statistics.change_points import FAILED_PRIOR, RETRIED_PRIOR, TAILS, change_points, log_likelihood

UP_16, TWOS_16 = list(range(1, 17)), [2] * 16
UP_8, TWOS_8 = list(range(1, 9)), [2] * 8

histories = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 3), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
    min_size=2,
    max_size=30,
).map(
    lambda rows: [
        np.array(column)
        for column in zip(
            *(
                (sum(r[0] for r in rows[: i + 1]), n, min(f, n), min(f, n, r), min(f, n, r, s))
                for i, (_, n, f, r, s) in enumerate(rows)
            ),
            strict=True,
        )
    ]
)


def literal_gain(positions, runs, failed, retried, still) -> tuple[float, list[int]]:
    """The best gain of one split over none, and every split of a history (in runs before it) that has it."""

    def beta(hits, total, prior):
        return betaln(hits + prior[0], total - hits + prior[1]) - betaln(*prior)

    def segment(rows):
        n, f, r, s = (sum(column[i] for i in rows) for column in (runs, failed, retried, still))
        return beta(f, n, FAILED_PRIOR) + beta(s, r, RETRIED_PRIOR)

    rows = list(range(len(positions)))
    whole = segment(rows)
    gains = {
        sum(runs[:i]): segment(rows[:i]) + segment(rows[i:]) - whole
        for i in rows[1:]
        if positions[i] != positions[i - 1]
    }
    best = max(gains.values(), default=float("-inf"))
    return best, [split for split, gain in gains.items() if gain > best - 1e-9]


@pytest.mark.parametrize(
    ("positions", "runs", "failed", "splits", "ranges"),
    [
        ([1, 2, 3, 4, 5, 6], [2, 2, 1, 1, 2, 2], [0, 0, 0, 1, 2, 2], [5], [(1, 5)]),
        ([1, 2, 3, 4, 5, 6], [2, 2, 1, 1, 2, 2], [0, 0, 1, 1, 2, 2], [4], None),
        ([1, 1, 2, 2, 2, 2], [3, 3, 1, 2, 3, 3], [0, 0, 0, 2, 3, 3], [6], [(1, 2)]),
        (
            list(range(1, 15)),
            [2, 2, 3, 2, 3, 1, 1, 2, 2, 3, 2, 3, 2, 2],
            [0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 2, 3, 0, 0],
            [12, 26],
            None,
        ),
        (UP_16, TWOS_16, [0] * 6 + [1] * 10, [12], [(2, 14)]),
        (UP_16, TWOS_16, [1] * 6 + [2] * 10, [12], [(2, 14)]),
        ([*UP_16, 17, 18], [*TWOS_16, 2, 2], [1] * 8 + [2] * 10, [16], None),
        (UP_8, TWOS_8, [0] * 8, [], []),
        (UP_8, TWOS_8, [2] * 8, [], []),
        (UP_8, TWOS_8, [1, 0, 1, 0, 0, 1, 0, 2], [], []),
        ([], [], [], [], []),
        ([5], [3], [2], [], []),
    ],
)
def test_vectors(positions, runs, failed, splits, ranges):
    found = change_points(positions, runs, failed, threshold=0.01)
    assert [change.runs_before for change in found] == splits
    if ranges is not None:
        assert [(change.after, change.until) for change in found] == ranges


def test_retried_vectors():
    all_failed = change_points(UP_8, TWOS_8, TWOS_8, TWOS_8, [0] * 4 + [2] * 4, threshold=0.01)
    assert [(c.runs_before, c.after, c.until) for c in all_failed] == [(8, 3, 6)]
    assert change_points(UP_8, TWOS_8, TWOS_8, TWOS_8, TWOS_8, threshold=0.01) == []
    counts = [3, 3, 3, 1, 3, 3, 3, 3]
    flaky = change_points([1, 2, 3, 5, 5, 5, 7, 7], counts, counts, counts, [3, 3, 3, 1, 0, 0, 0, 1], threshold=0.01)
    assert [c.runs_before for c in flaky] == [9]
    flaky = change_points([1, 2, 3, 5, 5, 5, 7, 7], counts, counts, counts, [3, 3, 3, 1, 0, 0, 1, 1], threshold=0.01)
    assert [(c.runs_before, c.after, c.until) for c in flaky] == [(9, 2, 5)]


def test_range_of_a_change_that_only_a_lenient_threshold_accepts():
    (found,) = change_points([1, 1, 2, 2, 3, 3, 4, 4], TWOS_8, [0] * 4 + [1] * 4, threshold=0.5)
    assert (found.after, found.until) == (1, 4)


@pytest.mark.parametrize(
    ("positions", "consecutive", "quantiles"),
    [
        ([90, 100, 110, 120, 2000], True, [90] + [100] * 7 + [110] * 6 + [2000] * 3),
        ([90, 100, 110, 120, 2000], False, [90] + [100] * 7 + [110] * 8 + [120]),
        ([90, 100, 1010, 1020, 1030], True, [100] * 8 + [1010] * 9),
        ([90, 100, 1010, 1020, 1030], False, [90] + [100] * 7 + [1010] * 8 + [1020]),
    ],
)
def test_position_distribution_vectors(positions, consecutive, quantiles):
    (found,) = change_points(positions, [5, 5, 2, 2, 2], [0, 0, 2, 2, 2], threshold=0.01, consecutive=consecutive)
    assert list(found.quantiles) == quantiles


@pytest.mark.parametrize("consecutive", [True, False])
def test_position_distribution_over_a_gap(consecutive):
    (found,) = change_points([90, 100, 200, 210], [5] * 4, [0, 0, 5, 5], consecutive=consecutive)
    assert list(found.quantiles) == [100] * 8 + [200] * 9


def test_two_changes_have_ranges_of_their_own():
    failed = np.zeros(300, dtype=int)
    failed[100:200] = 1
    worse, better = change_points(np.arange(1, 301), np.ones(300, dtype=int), failed)
    assert (worse.position, worse.rate_before, worse.rate_after) == (101, 0, 1)
    assert (better.position, better.rate_before, better.rate_after) == (201, 1, 0)
    assert worse.after < 101 <= worse.until < better.after < 201 <= better.until


def test_likelihood_vectors():
    vectors = {(0, 1): 0.625, (1, 1): 0.375, (0, 2): 0.5208333, (2, 2): 0.2708333, (0, 4): 0.4283169, (4, 4): 0.1931978}
    for (hits, total), expected in vectors.items():
        assert exp(log_likelihood(hits, total, FAILED_PRIOR)) == pytest.approx(expected, abs=5e-8)
    assert 2 * exp(log_likelihood(1, 2, FAILED_PRIOR)) == pytest.approx(0.2083333, abs=5e-8)
    assert 3 * exp(log_likelihood(1, 3, FAILED_PRIOR)) == pytest.approx(0.16741071428571436)
    assert 6 * exp(log_likelihood(2, 4, FAILED_PRIOR)) == pytest.approx(0.11454417293233085)
    assert exp(log_likelihood(0, 3, FAILED_PRIOR)) == pytest.approx(0.465029761904762)


@pytest.mark.parametrize("prior", [(1.0, 1.0), FAILED_PRIOR, RETRIED_PRIOR])
@pytest.mark.parametrize("total", [0, 1, 2, 5, 20])
def test_probabilities_of_all_sequences_add_up(prior, total):
    assert sum(comb(total, k) * exp(log_likelihood(k, total, prior)) for k in range(total + 1)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("threshold", "passes", "failures"),
    [
        *zip([1e-4] * 6, [5, 10, 20, 50, 100, 200], [13, 6, 4, 3, 3, 2], strict=True),
        *zip([1e-3] * 6, [5, 10, 20, 50, 100, 200], [7, 4, 3, 2, 2, 2], strict=True),
        *zip([0.01] * 6, [5, 10, 20, 50, 100, 200], [4, 3, 2, 2, 1, 1], strict=True),
    ],
)
def test_straight_failures_needed_after_straight_passes(threshold, passes, failures):
    def found(n):
        total = passes + n
        return change_points(range(total), [1] * total, [0] * passes + [1] * n, threshold=threshold)

    assert not found(failures - 1)
    assert [c.position for c in found(failures)] == [passes]


def test_impossible_histories_are_refused():
    with pytest.raises(ValueError, match="back"):
        change_points([2, 1], [1, 1], [0, 1])
    with pytest.raises(ValueError, match="must hold"):
        change_points([1, 2], [1, 1], [0, 2])


@given(histories)
def test_a_single_split_is_the_best_one_by_the_formula(history):
    best, splits = literal_gain(*history)
    assume(best > -1e9 and history[2].any())
    found = change_points(*history, threshold=exp(-best) * 0.999) if best < 600 else []
    assert found == []
    found = change_points(*history, threshold=min(exp(-best) * 1.001, 1e300))
    assert any(change.runs_before in splits for change in found)


@given(histories, st.sampled_from([1e-4, 0.01, 0.5, 1.0]))
def test_every_change_lies_in_its_range_and_gains_enough(history, threshold):
    places = set(history[0].tolist())
    last = -1
    for change in change_points(*history, threshold=threshold):
        assert change.log_odds + log(threshold) > 0
        assert change.after < change.until
        assert {change.position, change.after, change.until, *change.quantiles} <= places
        assert change.index > last
        assert all(np.diff(change.quantiles) >= 0)
        assert len(change.quantiles) == len(TAILS)
        last = change.index


@given(histories)
@settings(max_examples=50)
def test_a_stricter_threshold_never_begins_with_more(history):
    assert bool(change_points(*history, threshold=1e-4)) <= bool(change_points(*history, threshold=0.01))


@given(histories, st.integers(0, 20))
def test_runs_without_results_change_nothing(history, at):
    at_run = history[0][min(at, len(history[0]) - 1)]
    padded = [
        np.insert(column, min(at, len(column) - 1), value)
        for column, value in zip(history, [at_run, 0, 0, 0, 0], strict=True)
    ]
    assert change_points(*padded, threshold=0.5) == change_points(*history, threshold=0.5)


@given(histories)
def test_order_within_a_position_never_matters(history):
    order = np.lexsort((np.arange(len(history[0]))[::-1], history[0]))
    assert change_points(*(column[order] for column in history), threshold=0.5) == change_points(
        *history, threshold=0.5
    )
