"""Which tests fail more often than they did: the newest runs of a release against the runs before them, or against
another release. This sees what no word can: a test that passed 99 times in 100 and now passes 70.

Two claims are kept apart. *Suspected*: a drop this large would be chance in one of 20 tests, so among thousands some
always are. *Confirmed*: corrected for all the tests compared, at most 5 % of what is confirmed is chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.verdicts import evidence
from data.verdicts.disturbances import LaneAnalysis, analyse_lanes, of_tests
from data.verdicts.evidence.failure_rates import CLAIMS, FISHER, cuts
from data.verdicts.lanes import MASK_BITS, TestLane
from data.verdicts.priorities import of_priority
from data.verdicts.statistics.fisher import Comparison, Status, compare, fallback
from data.verdicts.verdicts import test_names

SAMPLE = 10  # runs; docs/accuracy.md compares others
LOOKS = 5  # runs back from which on an open regression is followed
OLDER = 3  # releases before the base that may take its place


@dataclass(frozen=True)
class Counts:
    """Runs in which each test ran and failed; one element a test."""

    failed: np.ndarray
    total: np.ndarray


@cached_query
def regressions(
    store: Store, flt: Filter, base: str | None = None, limit: int = 100, offset: int = 0
) -> dict[str, Any] | None:
    """{"release", "base", "sample_runs", "base_runs", "compared", "confirmed", "suspected", "required",
    "expected_by_chance", "tests"}: the newest `flt.runs` (10) runs of the filter's release in each environment, against
    up to 52 runs before them, or against the newest of the release `base`, or of an older one in which a test did
    better. None where there are no runs. Storms and sick hosts are left out.

    The confirmed tests come first, each kind the least likely first; then the suspected, of which `expected_by_chance`
    are none; then those without a base that pass less often than is `required` of a new test.
    """
    runs = min(flt.runs or SAMPLE, MASK_BITS // 2)
    sample = analyse_lanes(store, flt, MASK_BITS)
    if not sample.window.runs or (
        base is not None and not analyse_lanes(store, replace(flt, release=base), MASK_BITS).window.runs
    ):
        return None
    if base is None or base == flt.release:
        sides = _before(flt, sample, runs)
    elif not analyse_lanes(store, replace(flt, release=base), MASK_BITS).window.runs:
        return None
    else:
        sides = _against(store, flt, sample, runs, base)
    told, q, compared = _told(flt, sides)
    judged = [(at, its, evidence.judge(its)) for at, its in told.items()]
    judged = [item for item in judged if item[2]["claim"] is not None]
    if flt.priority is not None:
        wanted = of_priority(store, flt.release, flt.priority)
        judged = [item for item in judged if sides.lines[item[0]].test in wanted]
    judged.sort(key=lambda item: (CLAIMS.index(item[2]["claim"]), item[2]["p"] or 0, sides.lines[item[0]].test))
    claims = [verdict["claim"] for _, _, verdict in judged]
    suspected = [q[at] for (at, _, _), claim in zip(judged, claims, strict=True) if claim == "suspected"]
    by_p = len(judged) - claims.count("required")
    shown = judged[offset : offset + limit]
    named = test_names(store, [sides.lines[at].test for at, _, _ in shown])
    return {
        "release": flt.release,
        "base": base or flt.release,
        "sample_runs": runs,
        "base_runs": MASK_BITS - runs,
        "compared": compared,
        **{claim: claims.count(claim) for claim in CLAIMS},
        "expected_by_chance": min(max(suspected) * by_p, len(suspected)) if suspected else 0.0,
        "tests": [
            _row(sample, sides.lines[at], named[sides.lines[at].test], its, verdict, q[at])
            for at, its, verdict in shown
        ],
    }


Looks = list[tuple[Counts, Counts]]  # base and sample, from LOOKS runs back to now


@dataclass(frozen=True)
class Sides:
    """What is compared: the tests, the release that each is held against, and the counts at each look."""

    lines: list[TestLane]
    base_of: list[str | None]
    looks: Looks


def _counts(lines: Sequence[TestLane | None], newest: int, oldest: int) -> Counts:
    """Runs of ages `newest` to before `oldest`."""
    mask = (1 << oldest) - (1 << newest)
    failed = [(line.failed & mask).bit_count() if line else 0 for line in lines]
    total = [((line.failed | line.passed) & mask).bit_count() if line else 0 for line in lines]
    return Counts(np.array(failed, dtype=np.int64), np.array(total, dtype=np.int64))


def _before(flt: Filter, sample: LaneAnalysis, runs: int) -> Sides:
    looks = [
        (_counts(sample.lines, look + runs, MASK_BITS), _counts(sample.lines, look, look + runs))
        for look in range(LOOKS, -1, -1)
    ]
    return Sides(sample.lines, [flt.release] * len(sample.lines), looks)


def _against(store: Store, flt: Filter, sample: LaneAnalysis, runs: int, base: str) -> Sides:
    """Both sides for every test that failed on either, and which release each is held against."""
    bases = [base, *_older(store, base, flt.release)]
    windows = {release: analyse_lanes(store, replace(flt, release=release), MASK_BITS) for release in bases}
    # Of the others nobody could say that they fail more often, nor could chance.
    recent = (1 << runs + LOOKS) - 1
    tests = {line.test for line in sample.lines if line.failed & recent}
    tests |= {line.test for line in windows[base].lines if line.failed.bit_count() + 1 >= FISHER.min_failures}
    lines = of_tests(store, flt, MASK_BITS, tests)
    if flt.module is not None:
        lines = [line for line in lines if line.module == flt.module]
    keys = [(line.test, sample.window.lanes[line.lane][1]) for line in lines]
    by_release = []
    for release, around in windows.items():
        theirs = of_tests(store, replace(flt, release=release), MASK_BITS, tests)
        known = {(line.test, around.window.lanes[line.lane][1]): line for line in theirs}
        by_release.append(_counts([known.get(key) for key in keys], 0, MASK_BITS - runs))
    chosen = fallback([counts.failed for counts in by_release], [counts.total for counts in by_release])
    column = np.arange(len(lines))
    held = Counts(
        *(np.array([getattr(counts, side) for counts in by_release])[chosen, column] for side in ("failed", "total"))
    )
    looks = [(held, _counts(lines, look, look + runs)) for look in range(LOOKS, -1, -1)]
    return Sides(lines, [bases[place] for place in chosen], looks)


def _older(store: Store, base: str, release: str | None) -> list[str]:
    """The releases that were begun before the base, newest first."""
    rows = store.rows(
        "SELECT release, min(started_at) AS began FROM runs GROUP BY release ORDER BY began DESC, release"
    )
    names_ = [row["release"] for row in rows]
    after = names_[names_.index(base) + 1 :] if base in names_ else []
    return [name for name in after if name != release][:OLDER]


def _compare(base: Counts, sample: Counts, opened: np.ndarray) -> Comparison:
    return compare(base.failed, base.total, sample.failed, sample.total, opened=opened, rules=FISHER)


def _told(flt: Filter, sides: Sides) -> tuple[dict[int, dict[str, Any]], list[float], int]:
    """The evidence of the tests for which a claim is possible, by place; q of all; how many were compared.

    A regression that was open at the look before needs less evidence to stay so.
    """
    opened = np.zeros(len(sides.lines), dtype=bool)
    for look in sides.looks[:-1]:
        opened = _compare(*look, opened).status <= Status.REGRESSION
    base, sample = sides.looks[-1]
    found = _compare(base, sample, opened)
    confirmed = cuts(found.p, found.q)
    possible = (found.p <= 1 - FISHER.confidence / 100) | (found.status <= Status.REGRESSION)
    told = {
        int(at): {
            "rule": "fisher",
            "base": {"release": sides.base_of[at], "failed": int(base.failed[at]), "of": int(base.total[at])},
            "sample": {"release": flt.release, "failed": int(sample.failed[at]), "of": int(sample.total[at])},
            "opened": bool(opened[at]),
            **confirmed,
        }
        for at in np.flatnonzero(possible)
    }
    return told, found.q.tolist(), int(np.sum(~np.isnan(found.p)))


def _row(
    sample: LaneAnalysis, line: TestLane, test: dict[str, Any], told: dict[str, Any], judged: dict[str, Any], q: float
) -> dict[str, Any]:
    release, environment = sample.window.lanes[line.lane]
    return {
        "test": ids.text(line.test),
        "key": f"{test['file']}::{test['class']}::{test['name']}",
        "name": test["name"],
        "module": line.module,
        "release": release,
        "environment": environment,
        **judged,
        "q": None if np.isnan(q) else q,
        "strip": line.status_string(len(sample.window.runs[line.lane])).replace("S", ""),
        "sentence": evidence.sentence(told),
        "evidence": told,
    }
