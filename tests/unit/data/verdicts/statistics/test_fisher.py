"""Vectors: Sippy's component_report_test.go, fisherexact_test.go, newtestpassrate_test.go, releasefallback_test.go."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import fisher_exact, hypergeom

from data.verdicts.statistics.fisher import FisherOutcome, Rules, benjamini_hochberg, compare, fallback, fisher

SIPPY = Rules(correction="none")
counts = st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
tables = st.tuples(counts, counts).map(lambda t: (*t[0], *t[1]))
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def judge(base: str, sample: str, opened: bool = False, **rules) -> int:
    """FisherOutcome of one test from `passed/total` on both sides, by Sippy's own verdict unless given."""
    (base_passed, base_total), (passed, total) = (map(int, side.split("/")) for side in (base, sample))
    rules = Rules(**{"correction": "none", **rules})
    found = compare(base_total - base_passed, base_total, total - passed, total, opened=opened, rules=rules)
    return int(found.status[0])


@pytest.mark.parametrize(
    ("base", "sample", "p", "digits"),
    [
        ("15/15", "13/15", 0.241379310344826, 11),
        ("15/15", "0/15", 6.446725037893782e-09, 11),
        ("100/100", "93/100", 0.00701, 2),
        ("1000/1000", "45/50", 2.01e-07, 2),
        ("98/100", "46/50", 0.0957, 2),
        ("30/30", "12/15", 0.0321, 2),
        ("910/1000", "51/100", 1.8251046156331867e-21, 11),
        ("910/1000", "81/100", 0.002621948654892275, 11),
        ("910/1000", "86/100", 0.07837082801914011, 11),
        ("900/1000", "50/100", 1.0800451094957381e-20, 11),
        ("900/1000", "80/100", 0.0035097810890055117, 11),
        ("1050/1150", "54/113", 8.209711662216515e-28, 11),
    ],
)
def test_p_vectors(base, sample, p, digits):
    (base_passed, base_total), (passed, total) = (map(int, side.split("/")) for side in (base, sample))
    assert fisher(base_total - base_passed, base_total, total - passed, total) == pytest.approx(p, rel=10**-digits)


def test_p_of_an_improvement_vector():
    found = compare(600, 1150, 9, 113, rules=SIPPY)
    assert found.p_better == pytest.approx([4.911246201592593e-22], rel=1e-11)
    assert found.status == [FisherOutcome.IMPROVEMENT]
    assert compare(100, 1150, 9, 113).p_better == pytest.approx([0.4807457902463764])
    assert compare(200, 2300, 18, 226).p_better == pytest.approx([0.4119831376606586])


@pytest.mark.parametrize(
    ("base", "sample", "rules", "status"),
    [
        ("15/15", "13/15", {}, 0),
        ("15/15", "13/15", {"confidence": 0, "floor": 0, "min_failures": 0}, -400),
        ("15/15", "0/15", {}, -500),
        ("100/100", "93/100", {}, -400),
        ("1000/1000", "45/50", {}, -400),
        ("98/100", "46/50", {}, 0),
        ("30/30", "12/15", {}, -500),
        ("910/1000", "51/100", {}, -500),
        ("910/1000", "81/100", {}, -400),
        ("910/1000", "86/100", {}, 0),
        ("910/1000", "86/100", {"confidence": 90}, -400),
        ("910/1000", "86/100", {"confidence": 90, "floor": 10}, 0),
        ("910/1000", "860/1000", {"confidence": 90, "floor": 4.9}, -400),
        ("910/1000", "2/3", {}, 0),
        ("510/1000", "91/100", {}, 300),
        ("500/1000", "900/1000", {}, 300),
        ("80/100", "95/100", {"min_failures": 10}, 0),
        ("95/100", "93/100", {"floor": 6}, 0),
        ("950/1000", "820/1000", {}, -400),
        ("950/1000", "700/1000", {}, -500),
        ("900/1000", "0/0", {}, -100),
        ("900/1000", "0/0", {"ignore_missing": True}, 0),
        ("0/0", "13/15", {"required_new": 99, "min_failures": 0}, -500),
        ("0/0", "985/1000", {"required_new": 99}, -400),
        ("0/0", "999/1000", {"required_new": 99}, 100),
        ("0/0", "3/7", {}, -500),
        ("0/0", "10/10", {}, 100),
        ("0/0", "10/10", {"required_all": 90}, 0),
        ("0/0", "5/10", {"required_new": 0}, 100),
        ("94/100", "94/100", {"required_all": 95}, -400),
        ("89/100", "89/100", {"required_all": 95}, -500),
        ("97/100", "97/100", {"required_all": 95}, 0),
        ("18/20", "18/20", {"required_all": 95, "min_failures": 5}, 0),
        ("18/20", "18/20", {"required_all": 95, "min_failures": 1}, -400),
        ("0/0", "0/5", {"required_all": 95, "required_new": 0, "min_failures": 0}, 0),
        ("0/0", "5/6", {"required_all": 95, "required_new": 0, "min_failures": 0}, -500),
        ("100/100", "93/100", {"required_all": 95, "min_failures": 1}, -400),
    ],
)
def test_status_vectors(base, sample, rules, status):
    assert judge(base, sample, **rules) == status


@pytest.mark.parametrize(
    ("builds", "smallest"),
    [((7, 30), (3, 3, 3)), ((14, 60), (3, 3, 4)), ((30, 180), (3, 4, 5)), ((60, 360), (4, 5, 8))],
)
def test_smallest_number_of_failures_that_turns_red(builds, smallest):
    sample, base = builds
    for rate, expected in zip((0, 0.02, 0.05), smallest, strict=True):
        failed = np.arange(sample + 1)
        status = compare(round(rate * base), base, failed, sample, rules=SIPPY).status
        assert failed[status < FisherOutcome.MISSING_SAMPLE].min() == expected


def test_an_open_regression_needs_less_to_stay_open():
    assert judge("910/1000", "86/100") == 0
    assert judge("910/1000", "86/100", opened=True) == -400
    assert judge("98/100", "46/50", opened=True) == -400
    assert judge("910/1000", "88/100", opened=True) == 0


def test_judged_by_q_a_crowd_of_unchanged_tests_hides_what_p_alone_would_call_red():
    failed = np.array([3] + [0] * 200)
    found = compare(0, 30, failed, 15)
    assert found.p[0] == pytest.approx(0.0321, abs=5e-5)
    assert found.q[0] > 0.9
    assert found.status[0] == FisherOutcome.NOT_SIGNIFICANT
    assert compare(0, 30, failed, 15, rules=SIPPY).status[0] == FisherOutcome.EXTREME_REGRESSION
    alone = compare(0, 30, 3, 15)
    assert (alone.q, alone.status) == (alone.p, [FisherOutcome.EXTREME_REGRESSION])


def literal_discrete(rows, level=0.05, least=3, floor=0.05) -> list[float]:
    """q of every test, from the distribution that each test's p has given its margins, one outcome at a time."""
    observed, outcomes = [], []
    for base_failed, base_total, failed, total in rows:
        both = base_failed + failed
        chances = {}
        for count in range(max(0, both - base_total), min(both, total) + 1):
            p = fisher(both - count, base_total, count, total)
            reached = count >= least and count / total - (both - count) / base_total > floor
            mass = hypergeom.pmf(count, base_total + total, both, total)
            chances[count] = (float(p) if reached else 1.0, mass)
        outcomes.append(chances.values())
        observed.append(chances[failed][0])

    def expected(bound):
        return sum(mass for chances in outcomes for p, mass in chances if p <= bound * (1 + 1e-9))

    ranked = sorted(observed)
    raw = [expected(p) / rank / (1 - level) if p <= level else 1.0 for rank, p in enumerate(ranked, start=1)]
    return [min(1.0, *(q for q, other in zip(raw, ranked, strict=True) if other >= p)) for p in observed]


@given(st.lists(tables.filter(lambda t: t[1] and t[3]), min_size=1, max_size=10))
@settings(max_examples=30)
def test_discrete_correction_by_its_definition(rows):
    found = compare(*np.array(rows).T, rules=Rules(correction="discrete"))
    np.testing.assert_allclose(found.q, literal_discrete(rows), rtol=1e-6, atol=1e-12)


def test_discrete_correction_ignores_tests_that_could_not_have_turned_red():
    failed = np.array([3] + [0] * 200)
    found = compare(0, 30, failed, 15, rules=Rules(correction="discrete"))
    assert found.status[0] == FisherOutcome.EXTREME_REGRESSION
    assert found.q[0] == pytest.approx(found.p[0] / 0.95)
    assert np.all(found.q[1:] == 1)


@pytest.mark.parametrize("correction", ["benjamini-hochberg", "discrete"])
def test_unchanged_tests_are_rarely_called_red(correction):
    rng = np.random.default_rng(2026)
    rates = rng.uniform(0, 0.1, 2000)
    red = []
    for _ in range(60):
        found = compare(rng.binomial(90, rates), 90, rng.binomial(10, rates), 10, rules=Rules(correction=correction))
        red.append(np.any(found.status <= FisherOutcome.REGRESSION))
    assert sum(red) <= 7


def test_discrete_correction_finds_more_changes_at_the_same_rate_of_false_ones():
    rng = np.random.default_rng(2027)
    changed = np.arange(2000) < 20
    before = np.where(changed, 0.01, rng.choice([0, 0.05], 2000, p=[0.9, 0.1]))
    base, sample = rng.binomial(90, before), rng.binomial(10, np.where(changed, 0.4, before))
    plain, sharp = (
        compare(base, 90, sample, 10, rules=Rules(correction=c)).status <= FisherOutcome.REGRESSION
        for c in ("benjamini-hochberg", "discrete")
    )
    assert np.all(plain <= sharp)
    assert sharp[changed].sum() > plain[changed].sum()
    assert sharp[~changed].sum() <= 2


def test_benjamini_hochberg_vector():
    p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216]
    assert (benjamini_hochberg(p) <= 0.05).tolist() == [True, True] + [False] * 8


@pytest.mark.parametrize(
    ("total", "failed", "expected"),
    [
        ([100, 100], [7, 5], 1),
        ([100, 100, 100], [7, 5, 2], 2),
        ([100, 100, 100], [3, 5, 2], 2),
        ([100, 100], [0, 5], 0),
        ([10_000, 100, 100], [300, 5, 2], 0),
        ([100, 0, 100], [7, 0, 2], 2),
        ([100, 50, 100], [7, 0, 2], 0),
        ([0, 100], [0, 0], 0),
        ([200, 150, 80], [10, 3, 0], 1),
    ],
)
def test_fallback_vectors(total, failed, expected):
    assert fallback(np.array([failed]).T, np.array([total]).T).tolist() == [expected]


@pytest.mark.parametrize("correction", ["none", "benjamini-hochberg", "discrete"])
def test_no_test_at_all_is_no_verdict(correction):
    assert len(compare([], [], [], [], rules=Rules(correction=correction)).q) == 0


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="between"):
        compare(0, 10, 11, 10)


@given(tables)
def test_fisher_agrees_with_the_exact_test_of_scipy(table):
    base_failed, base_total, failed, total = table
    assume(base_total and total)
    expected = fisher_exact([[failed, total - failed], [base_failed, base_total - base_failed]], "greater").pvalue
    assert fisher(*table) == pytest.approx(expected, rel=1e-9)


@given(st.lists(tables, min_size=1, max_size=20), st.randoms())
@settings(max_examples=30)
def test_the_order_of_tests_never_matters(rows, random):
    shuffled = list(range(len(rows)))
    random.shuffle(shuffled)
    whole, mixed = compare(*np.array(rows).T), compare(*np.array(rows)[shuffled].T)
    assert np.array_equal(whole.status[shuffled], mixed.status)
    np.testing.assert_allclose(whole.q[shuffled], mixed.q)


@given(st.lists(tables, min_size=1, max_size=20))
@settings(max_examples=30)
def test_p_and_q_are_probabilities_and_q_is_never_below_p(rows):
    found = compare(*np.array(rows).T)
    for values in (found.p, found.q, found.p_better):
        known = values[~np.isnan(values)]
        assert np.all((known >= 0) & (known <= 1))
    assert np.all(~(found.q < found.p - 1e-12))
    assert np.all(found.base_low <= found.base_high)


@given(p_values)
def test_benjamini_hochberg_by_its_definition(p):
    level = 0.05
    ranked = sorted(p)
    largest = max((k for k in range(1, len(p) + 1) if ranked[k - 1] <= k * level / len(p)), default=0)
    assert sum(benjamini_hochberg(p) <= level) == largest or np.any(np.isclose(benjamini_hochberg(p), level))


@given(p_values)
def test_benjamini_hochberg_keeps_the_order(p):
    q = benjamini_hochberg(p)
    assert np.all(np.diff(q[np.argsort(p, kind="stable")]) >= -1e-15)
    assert np.all(q >= np.array(p) - 1e-15)


@given(p_values)
def test_tests_that_were_not_compared_count_for_nothing(p):
    padded = benjamini_hochberg([np.nan, *p, np.nan])
    assert np.isnan(padded[[0, -1]]).all()
    np.testing.assert_array_equal(padded[1:-1], benjamini_hochberg(p))


@given(tables)
@settings(max_examples=30)
def test_more_failures_never_look_better(table):
    base_failed, base_total, failed, total = table
    assume(failed < total)
    status = compare(base_failed, base_total, [failed, failed + 1], total, rules=SIPPY).status
    assert status[1] <= status[0] or (status[0] == 0 and status[1] == FisherOutcome.IMPROVEMENT)
