"""Which tests fail more often than before: the newest results of a release against those before them, or against
another release. This finds what no verdict kind can: a test that passed 99 times in 100 and now passes 70.

There are two claims. *Suspected*: chance gives a drop this large in one of 20 tests, so among thousands some are always
suspected. *Confirmed*: corrected for all tests compared; at most 5 % of the confirmed are chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from data.answers.evidence import Claimed, RateEvidence
from data.answers.statistics import RisingRates, RisingTest
from data.answers.tests import TestName
from data.lake.cached_query import cached_query, of_release_alone
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter, RunScope
from data.verdicts.evidence import failure_rates as rates_evidence
from data.verdicts.evidence.failure_rates import CLAIMS, FISHER, p_cutoffs
from data.verdicts.lane_analysis import LaneAnalysis, analyse_lanes, lanes_of_tests, long_reach
from data.verdicts.lanes import MASK_BITS
from data.verdicts.priorities import tests_of_priority
from data.verdicts.statistics.fisher import FisherComparison, FisherOutcome, compare, fallback
from data.verdicts.status_masks import TestLane
from data.verdicts.unread_history import is_held_back, unread_lanes
from data.verdicts.verdicts import test_names

SAMPLE_RUNS = 10  # results of a test; docs/accuracy.md compares others
LOOKS = 5  # an open regression is followed from this many results back
OLDER_RELEASES = 3  # releases before the base that may take its place


@dataclass(frozen=True)
class FailureCounts:
    """In how many runs each test failed and ran; one element per test."""

    failed: np.ndarray
    total: np.ndarray


@cached_query(of_release_alone("base"))
def regressions(
    store: Store, flt: Filter, base: str | None = None, limit: int = 100, offset: int = 0
) -> RisingRates | None:
    """{"release", "base", "sample_runs", "base_runs", "compared", "confirmed", "suspected", "required",
    "expected_by_chance", "tests"}: the newest `flt.runs` (10) results of each test of the filter's release in each
    environment, against up to 52 before them, or against the newest of the release `base`, or of an older one in which
    a test did better. None if there are no runs. Mass failures and bad hosts are left out.

    Confirmed tests come first, then suspected ones (`expected_by_chance` of which are chance), then tests without a
    base that pass less often than is `required` of a new test; within a claim, by p.
    """
    runs = min(flt.runs or SAMPLE_RUNS, MASK_BITS // 2)
    sample = analyse_lanes(store, flt, long_reach(store))
    if not sample.window.runs:
        return None
    if base is None or base == flt.release:
        sides = _against_earlier_runs(flt, sample, runs)
    elif not analyse_lanes(store, replace(flt, release=base), long_reach(store)).window.runs:
        return None
    else:
        sides = _against_release(store, flt, sample, runs, base)
    assert flt.release is not None  # without one there are no runs
    claims, q, compared = _claims(flt, sides)
    if unread := unread_lanes(store, flt, sample.window):
        claims = [claim for claim in claims if not is_held_back(unread, sides.test_lanes[claim.at])]
    if flt.priority is not None:
        wanted = tests_of_priority(store, flt.release, flt.priority)
        claims = [claim for claim in claims if sides.test_lanes[claim.at].test in wanted]
    claims.sort(
        key=lambda claim: (
            CLAIMS.index(claim.kind),
            claim.derived["p"] or 0,
            sides.test_lanes[claim.at].test,
        )
    )
    kinds = [claim.kind for claim in claims]
    suspected = [q[claim.at] for claim in claims if claim.kind == "suspected"]
    by_p = len(claims) - kinds.count("required")
    page = claims[offset : offset + limit]
    names = test_names(store, [sides.test_lanes[claim.at].test for claim in page])
    return {
        "release": flt.release,
        "base": base or flt.release,
        "sample_runs": runs,
        "base_runs": MASK_BITS - runs,
        "compared": compared,
        "confirmed": kinds.count("confirmed"),
        "suspected": kinds.count("suspected"),
        "required": kinds.count("required"),
        "expected_by_chance": min(max(suspected) * by_p, len(suspected)) if suspected else 0.0,
        "tests": [_row(sample, sides, claim, names, q[claim.at]) for claim in page],
    }


Looks = list[tuple[FailureCounts, FailureCounts]]  # base and sample, from LOOKS runs back to now


@dataclass(frozen=True)
class ComparedTests:
    """The tests, the base release of each, and the counts at each look."""

    test_lanes: list[TestLane]
    base_releases: list[str | None]
    looks: Looks


class Claim(NamedTuple):
    """A claim about the test at index `at` of ComparedTests: its evidence, and what follows from it."""

    at: int
    evidence: RateEvidence
    kind: Claimed
    derived: rates_evidence.RateFinding


def _counts(test_lanes: Sequence[TestLane | None], newest: int, oldest: int) -> FailureCounts:
    """The counts over the results from number `newest` (inclusive) to `oldest` (exclusive), 0 being the newest."""
    mask = (1 << oldest) - (1 << newest)
    failed = [(lane.failed & mask).bit_count() if lane else 0 for lane in test_lanes]
    total = [((lane.failed | lane.passed) & mask).bit_count() if lane else 0 for lane in test_lanes]
    return FailureCounts(np.array(failed, dtype=np.int64), np.array(total, dtype=np.int64))


def _against_earlier_runs(flt: RunScope, sample: LaneAnalysis, runs: int) -> ComparedTests:
    looks = [
        (_counts(sample.test_lanes, look + runs, MASK_BITS), _counts(sample.test_lanes, look, look + runs))
        for look in range(LOOKS, -1, -1)
    ]
    return ComparedTests(sample.test_lanes, [flt.release] * len(sample.test_lanes), looks)


def _against_release(store: Store, flt: Filter, sample: LaneAnalysis, runs: int, base: str) -> ComparedTests:
    """Every test that failed in either release, each against `base` or an older release in which it did better."""
    releases = [base, *_older_releases(store, base, flt.release)]
    windows = {release: analyse_lanes(store, replace(flt, release=release), long_reach(store)) for release in releases}
    # No other test can be claimed to fail more often, not even by chance.
    recent = (1 << runs + LOOKS) - 1
    tests = {lane.test for lane in sample.test_lanes if lane.failed & recent}
    tests |= {lane.test for lane in windows[base].test_lanes if lane.failed.bit_count() + 1 >= FISHER.min_failures}
    test_lanes = lanes_of_tests(store, flt, long_reach(store), tests)
    if flt.module is not None:
        test_lanes = [lane for lane in test_lanes if lane.module == flt.module]
    keys = [(lane.test, sample.window.lanes[lane.lane][1]) for lane in test_lanes]
    by_release = []
    for release, analysis in windows.items():
        others = lanes_of_tests(store, replace(flt, release=release), long_reach(store), tests)
        other_of = {(lane.test, analysis.window.lanes[lane.lane][1]): lane for lane in others}
        by_release.append(_counts([other_of.get(key) for key in keys], 0, MASK_BITS - runs))
    chosen = fallback([counts.failed for counts in by_release], [counts.total for counts in by_release])
    column = np.arange(len(test_lanes))
    base_counts = FailureCounts(
        *(np.array([getattr(counts, side) for counts in by_release])[chosen, column] for side in ("failed", "total"))
    )
    looks = [(base_counts, _counts(test_lanes, look, look + runs)) for look in range(LOOKS, -1, -1)]
    return ComparedTests(test_lanes, [releases[index] for index in chosen], looks)


def _older_releases(store: Store, base: str, release: str | None) -> list[str]:
    """The releases that started before the base, newest first, except `release`."""
    rows = store.cursor().execute("SELECT release FROM runs GROUP BY release ORDER BY min(started_at) DESC, release")
    names: list[str] = [name for (name,) in rows.fetchall()]
    older = names[names.index(base) + 1 :] if base in names else []
    return [name for name in older if name != release][:OLDER_RELEASES]


def _compare(base: FailureCounts, sample: FailureCounts, opened: np.ndarray) -> FisherComparison:
    return compare(base.failed, base.total, sample.failed, sample.total, opened=opened, rules=FISHER)


def _claims(flt: RunScope, sides: ComparedTests) -> tuple[list[Claim], list[float], int]:
    """(the claims, q of every test, how many tests were compared).

    A regression that was open at the previous look needs less evidence to stay open.
    """
    opened = np.zeros(len(sides.test_lanes), dtype=bool)
    for look in sides.looks[:-1]:
        opened = _compare(*look, opened).status <= FisherOutcome.REGRESSION
    base, sample = sides.looks[-1]
    found = _compare(base, sample, opened)
    cutoffs = p_cutoffs(found.p, found.q)
    possible = (found.p <= 1 - FISHER.confidence / 100) | (found.status <= FisherOutcome.REGRESSION)
    claims = []
    for index in np.flatnonzero(possible).tolist():
        evidence: RateEvidence = {
            "rule": "fisher",
            "base": {
                "release": sides.base_releases[index],
                "failed": int(base.failed[index]),
                "of": int(base.total[index]),
            },
            "sample": {"release": flt.release, "failed": int(sample.failed[index]), "of": int(sample.total[index])},
            "opened": bool(opened[index]),
            "cut": cutoffs.cut,
            "cut_open": cutoffs.cut_open,
        }
        derived = rates_evidence.judge(evidence)
        if derived["claim"] is not None:
            claims.append(Claim(index, evidence, derived["claim"], derived))
    return claims, found.q.tolist(), int(np.sum(~np.isnan(found.p)))


def _row(sample: LaneAnalysis, sides: ComparedTests, claim: Claim, names: dict[int, TestName], q: float) -> RisingTest:
    test_lane = sides.test_lanes[claim.at]
    test = names[test_lane.test]
    release, environment = sample.window.lanes[test_lane.lane]
    return {
        "test": ids.text(test_lane.test),
        "key": f"{test['file']}::{test['class']}::{test['name']}",
        "name": test["name"],
        "module": test_lane.module,
        "release": release,
        "environment": environment,
        "claim": claim.kind,
        "extreme": claim.derived["extreme"],
        "opened": claim.derived["opened"],
        "p": claim.derived["p"],
        "base": claim.derived["base"],
        "sample": claim.derived["sample"],
        "q": None if np.isnan(q) else q,
        "strip": test_lane.status_string().replace("S", ""),
        "sentence": rates_evidence.sentence(claim.evidence),
        "evidence": claim.evidence,
    }
