"""The older results of tests that seldom run, so that their window holds as many results as any other.

A window reads the newest builds of each job. A test that ran in few of them, or was skipped in most, has its last ten
results further back: those are searched among the newest HISTORY_RUNS builds of its jobs. Builds of one job share one
array of tests (data/cache/result_arrays.py), so counting which tests are short of results is cheap.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np

from data.cache.result_arrays import FAILED, PASSED, BuildArrays, ResultRows
from data.lake.store import Store
from data.verdicts.lanes import LaneBuild, LaneWindow
from data.verdicts.status_masks import CURRENT_BUILDS, NOTHING_OLDER, OlderResults

_Line = tuple[int, str]  # lane and job


def older_results(store: Store, longest: LaneWindow, depth: int, results: int) -> OlderResults:
    """The results in builds older than the newest `depth` of each job, of the tests with fewer than `results` results
    in those. `longest` is the window to search."""
    older: dict[_Line, list[LaneBuild]] = defaultdict(list)
    near: dict[_Line, list[LaneBuild]] = defaultdict(list)
    for build in longest.builds:
        (near if build.job_age < depth else older)[build.lane, build.job].append(build)
    if not older:
        return NOTHING_OLDER
    wanted = {}
    first_read = {line: min(build.started_at for build in near[line]) for line in older}
    for line in older:
        tests = _short_tests(store, longest.rebuilt, near[line], older[line], results)
        if len(tests):
            wanted[line] = tests
    old_tests = _first_ran_before(store, wanted, first_read)
    builds = [build for line in wanted if line in old_tests for build in older[line]]
    if not builds:
        return NOTHING_OLDER
    chosen = set().union(*old_tests.values())
    return OlderResults(builds, store.result_arrays.rows(store, builds, longest.rebuilt).of_tests(chosen), chosen)


def _short_tests(
    store: Store, rebuilt: int, near: Sequence[LaneBuild], older: Iterable[LaneBuild], results: int
) -> np.ndarray:
    """The tests (ids) of one job with fewer than `results` results in its builds `near`, among those that ran in its
    newest CURRENT_BUILDS builds."""
    rows = store.result_arrays.rows(store, [build for build in near if not build.unfinished], rebuilt)
    between = [build for build in older if build.job_age < CURRENT_BUILDS]
    # The rows read last know every test; both number tests alike.
    others = store.result_arrays.rows(store, between, rebuilt)
    tests, counts = _builds_of_tests(rows)
    present = np.unique(np.concatenate([tests, *_distinct(others.builds)[0]]))
    found = np.zeros(len(present), dtype=np.int64)
    found[np.searchsorted(present, tests)] = counts
    return others.tests[present[found < results]]


def _builds_of_tests(rows: ResultRows) -> tuple[np.ndarray, np.ndarray]:
    """(tests, in how many of the builds each has a result, at least): skipped ones count as none."""
    arrays, times = _distinct(rows.builds)
    if not arrays:
        return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
    tests = np.unique(np.concatenate(arrays))
    counts = np.zeros(len(tests), dtype=np.int64)
    for array, builds in zip(arrays, times, strict=True):
        counts[np.searchsorted(tests, np.unique(array))] += builds
    for build in rows.builds:
        skipped = np.flatnonzero(build.flags & (FAILED | PASSED) == 0)
        if len(skipped):
            np.subtract.at(counts, np.searchsorted(tests, build.tests[skipped]), 1)
    return tests, counts


def _distinct(builds: Sequence[BuildArrays]) -> tuple[list[np.ndarray], list[int]]:
    """The different arrays of tests of these builds, and how many builds have each."""
    times = Counter(id(build.tests) for build in builds)
    arrays = {id(build.tests): build.tests for build in builds}
    return list(arrays.values()), [times[key] for key in arrays]


def _first_ran_before(
    store: Store, tests: Mapping[_Line, np.ndarray], moments: Mapping[_Line, datetime]
) -> dict[_Line, set[int]]:
    """Of the tests of each job, those that first ran before the moment of that job; jobs without any are omitted."""
    if not tests:
        return {}
    rows = store.cursor().execute(
        "SELECT test, first_seen FROM tests WHERE test IN (SELECT unnest($tests::BIGINT[]))",
        {"tests": np.unique(np.concatenate(list(tests.values()))).tolist()},
    )
    first_seen = dict(rows.fetchall())
    found = {
        line: {test for test in of_line.tolist() if test in first_seen and first_seen[test] < moments[line]}
        for line, of_line in tests.items()
    }
    return {line: old for line, old in found.items() if old}
