"""Vectors: apache/otava's analysis_test.py, series_test.py, change_point_divisive_test.py and tigerbeetle_test.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ttest_ind_from_stats

from data.verdicts.statistics.e_divisive import best_split, compare, divide, shifts

STEPS = [0.3, 2.4, 1.5, -0.9, -0.5, 99.7, 98.3, 99.1, 149, 149.7, 149.5, 149.1, 148.8, 150]
DROP = [1.02, 0.95, 0.99, 1.00, 1.12, 1.00, 1.01, 0.98, 1.01, 0.96]
DROP += [0.50, 0.51, 0.48, 0.48, 0.55, 0.50, 0.49, 0.51, 0.50, 0.49]
HALVED = [1.02, 0.95, 0.99, 1.00, 1.12, 0.90, 0.50, 0.51, 0.48, 0.48, 0.55]
SLIGHT = [2.02, 2.03, 2.01, 2.04, 1.82, 1.85, 1.79, 1.81, 1.80, 1.76, 1.78]

# The demonstration series of TigerBeetle benchmarks: some steps, one outlier, a slow rise, noise.
NUMBERS = """
26705 26475 26641 26806 26835 26911 26564 26812 26874 26682 15672 26745 26460 26977 26851 23412 23547 23674
23519 23670 23662 23462 23750 23717 23524 23588 23687 23793 23937 23715 23570 23730 23690 23699 23670 23860
23988 23652 23681 23798 23728 23604 23523 23412 23685 23773 23771 23718 23409 23739 23674 23597 23682 23680
23711 23660 23990 23938 23742 23703 23536 24363 24414 24483 24509 24944 24235 24560 24236 24667 24730 28346
28437 28436 28057 28217 28456 28427 28398 28250 28331 28222 28726 28578 28345 28274 28514 28590 28449 28305
28411 28788 28404 28821 28580 27483 26805 27487 27124 26898 27295 26951 27312 27660 27154 27050 26989 27193
27503 27326 27375 27513 27057 27421 27574 27609 27123 27824 27644 27394 27836 27949 27702 27457 27272 28207
27802 27516 27586 28005 27768 28543 28237 27915 28437 28342 27733 28296 28524 28687 28258 28611 29360 28590
29641 28965 29474 29256 28611 28205 28539 27962 28398 28509 28240 28592 28102 28461 28578 28669 28507 28535
28226 28536 28561 28087 27953 28398 28007 28518 28337 28242 28607 28545 28514 28377 28010 28412 28633 28576
28195 28637 28724 28466 28287 28719 28425 28860 28842 28604 28327 28216 28946 28918 29287 28725 29148 29541
29137 29628 29087 28612 29154 29108 28884 29234 28695 28969 28809 28695 28634 28916 29852 29389 29757 29531
29363 29251 29552 29561 29046 29795 29022 29395 28921 29739 29257 29455 29376 29528 28909 29492 28984 29621
29026 29457 29102 29114 28924 29162 29259 29554 29616 29211 29367 29460 28836 29645 29586 28848 29324 28969
29150 29243 29081 29312 28923 29272 29117 29072 29529 29737 29652 29612 29856 29012 30402 29969 29309 29439
29285 29421 29023 28772 29692 29416 29267 29542 29904 30045 29739 29945 29141 29163 29765 29197 29441 28910
29504 29614 29643 29506 29420 29672 29432 29784 29888 29309 29247 29816 29254 29813 29451 29382 29618 28558
29845 29499 29283 29184 29246 28790 29952 29145 29415 30437 29227 29605 29859 29156 29807 29406 29734 29861
29140 29983 29832 29919 29896 29991 29266 29001 29459 29548 29310 29042 29303 29894 29091 29018 29537 29614
29180 29736 29500 29218 29581 28906 28542 29306 28987 29878 28865 30272 29707 29662 29815 30492 29347 30096
29054 30238 28813 31895 28915
"""
TIGERBEETLE = [int(value) for value in NUMBERS.split()]

values = st.one_of(st.integers(-5, 5), st.floats(-1e3, 1e3, allow_nan=False, width=32))
series = st.lists(values, min_size=2, max_size=14).map(lambda v: np.array(v, dtype=float))


def literal_q(x, y) -> float:
    """Q(X, Y) as the paper writes it, pair by pair."""
    n, m = len(x), len(y)
    between = sum(abs(a - b) for a in x for b in y)
    left = sum(abs(x[i] - x[k]) for i in range(n) for k in range(i + 1, n))
    right = sum(abs(y[j] - y[k]) for j in range(m) for k in range(j + 1, m))
    q = 2 / (m + n) * between
    q -= 2 * m / ((m + n) * (n - 1)) * left if n > 1 else 0
    q -= 2 * n / ((m + n) * (m - 1)) * right if m > 1 else 0
    return q


@given(series)
def test_the_fast_split_is_the_best_by_the_literal_formula(points):
    size = len(points)
    by_tau = {
        tau: max(literal_q(points[:tau], points[tau:kappa]) for kappa in range(tau + 1, size + 1))
        for tau in range(1, size)
    }
    best = max(by_tau.values())
    close = pytest.approx(best, abs=1e-9 * (1 + np.abs(points).max()) * size)
    found = best_split(points)
    if found is None:
        assert close == min(best, 0.0)
    else:
        assert (found[1], by_tau[found[0]]) == (close, close)


def test_divide_vector():
    assert divide(STEPS, 0.01) == [5, 8]


@pytest.mark.parametrize(
    ("points", "options", "expected"),
    [
        (STEPS, {}, [5, 8]),
        (DROP, {"window": 10, "max_p": 0.0001}, [10]),
        (DROP, {"max_p": 0.0001}, [10]),
        ([*DROP, 0.47], {"max_p": 0.0001}, [10]),
        ([*DROP, 0.47, 0.48, 0.45, 0.01, 0.1, 0.22], {"max_p": 0.0001, "window": 5}, [10, 23]),
        (HALVED, {}, [6]),
        (SLIGHT, {}, [4]),
        (HALVED, {"min_magnitude": 0.2}, [6]),
        (SLIGHT, {"min_magnitude": 0.2}, []),
        ([0, 0, 0, 1.00, 1.12, 0.90, 0.50, 0.51, 0.48, 0.48, 0.55], {}, [3, 6]),
        ([1] * 5 + [5] * 8 + [9] * 8 + [3] * 9, {"max_p": 0.05}, [5, 13, 21]),
        ([7] * 60, {}, []),
        ([1, 2], {}, []),
        ([3], {}, []),
        ([], {}, []),
    ],
)
def test_vectors(points, options, expected):
    assert [shift.index for shift in shifts(points, **options)] == expected


@pytest.mark.parametrize(
    ("max_p", "min_magnitude", "expected"),
    [
        (0.01, 0.05, [15, 71]),
        (0.05, 0.05, [15, 71]),
        (0.2, 0.05, [10, 11, 15, 71]),
        (0.0001, 0.0, [71, 95, 117, 131, 142, 148, 192, 212]),
        (0.00001, 0.0, [71, 95, 131, 192, 212]),
        # Otava adds 260 here: after dropping a change it tests again only the one to its right, so that the one to its
        # left keeps the p of a stretch that is no more (apache/otava, pull request 96). Here every p is its own.
        (0.001, 0.0, [15, 61, 71, 95, 117, 131, 142, 148, 192, 212]),
    ],
)
def test_tigerbeetle_vectors(max_p, min_magnitude, expected):
    found = shifts(TIGERBEETLE, window=30, max_p=max_p, min_magnitude=min_magnitude)
    assert [shift.index for shift in found] == expected


def test_significance_vectors():
    before = [1.00, 1.02, 1.05, 0.95, 0.98]
    same = compare(np.array(before + before), 0, 5, 10)
    lower = compare(np.array([*before, 0.80, 0.82, 0.85, 0.79, 0.77]), 0, 5, 10)
    assert same.p == pytest.approx(1, abs=0.01)
    assert 0 < lower.p < 0.001
    assert lower.magnitude == pytest.approx(1.0 / 0.806 - 1)


def test_what_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="finite"):
        shifts([1, 2, float("nan")])
    with pytest.raises(ValueError, match="window"):
        shifts([1, 2, 3], window=1)


@given(series, st.data())
def test_p_agrees_with_scipy(points, data):
    index = data.draw(st.integers(1, len(points) - 1))
    left, right = points[:index], points[index:]
    shift = compare(points, 0, index, len(points))
    assert 0 <= shift.p <= 1
    if len(points) > 2 and left.std() + right.std() > 1e-6:
        expected = ttest_ind_from_stats(
            left.mean(), left.std(), len(left), right.mean(), right.std(), len(right), equal_var=True
        ).pvalue
        assert shift.p == pytest.approx(expected, abs=1e-9)


@given(st.lists(values, max_size=60), st.sampled_from([0.001, 0.01, 0.1]), st.sampled_from([5, 20, 50]))
def test_every_shift_is_significant_between_its_neighbours(points, max_p, window):
    found = shifts(points, max_p=max_p, window=window)
    edges = [0, *(shift.index for shift in found), len(points)]
    assert edges == sorted(set(edges)) or not points
    for start, shift, end in zip(edges, found, edges[2:], strict=False):
        assert shift == compare(np.array(points, dtype=float), start, shift.index, end)
        assert shift.p < max_p
        assert shift.magnitude > 0


@given(st.lists(st.integers(1, 9), max_size=40), st.sampled_from([2, 4, 8]))
def test_the_unit_of_the_series_never_matters(points, unit):
    assert [s.index for s in shifts(points)] == [s.index for s in shifts(np.array(points, dtype=float) * unit)]
