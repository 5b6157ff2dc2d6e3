"""The older results of tests that seldom run, so that their window holds as many results as any other.

A window reads the newest builds of each job. A test that ran in few of them, or was skipped in most, has its last ten
results further back: those are searched among the newest HISTORY_RUNS builds of its jobs. Builds of one job share one
array of tests (data/cache/result_arrays.py), so counting which tests are short of results is cheap.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

import numpy as np

from data.cache.dependencies import nothing
from data.cache.result_arrays import BuildArrays, ResultRows
from data.lake.cached_query import release_dependencies
from data.lake.store import Store
from data.verdicts.lanes import LaneBuild, LaneWindow
from data.verdicts.status_masks import CURRENT_BUILDS, NOTHING_OLDER, OlderResults

_Line = tuple[int, str]  # lane and job


def older_results(store: Store, longest: LaneWindow, depth: int, results: int) -> OlderResults:
    """The results in builds older than the newest `depth` of each job, of the tests with fewer than `results` results
    in those; of tests that failed in either. `longest` is the window to search."""
    builds_of: dict[_Line, list[LaneBuild]] = defaultdict(list)
    for build in longest.builds:
        builds_of[build.lane, build.job].append(build)
    lines = {line: builds for line, builds in builds_of.items() if max(build.job_age for build in builds) >= depth}
    if not lines:
        return NOTHING_OLDER
    short = _short_tests(store, longest.rebuilt, lines, depth, results)
    old_tests = _first_ran_before(
        store,
        {release for release, _ in longest.lanes},
        short,
        {line: min(build.started_at for build in lines[line] if build.job_age < depth) for line in short},
    )
    builds = [build for line in old_tests for build in lines[line] if build.job_age >= depth]
    if not builds:
        return NOTHING_OLDER
    near = [build for line in old_tests for build in lines[line] if build.job_age < depth]
    rows = store.result_arrays.rows(store, builds, longest.rebuilt)
    failed = _failed_tests(rows) | _failed_tests(store.result_arrays.rows(store, near, longest.rebuilt))
    wanted = set().union(*old_tests.values()) & failed
    return OlderResults(builds, rows.of_tests(wanted), wanted) if wanted else NOTHING_OLDER


def _failed_tests(rows: ResultRows) -> set[int]:
    """The tests (ids) that failed in some attempt."""
    failed = [build.tests[build.failed] for build in rows.builds if len(build.failed)]
    return set(rows.tests[np.unique(np.concatenate(failed))].tolist()) if failed else set()


def _short_tests(
    store: Store, rebuilt: int, lines: Mapping[_Line, Sequence[LaneBuild]], depth: int, results: int
) -> dict[_Line, np.ndarray]:
    """By job, the tests (ids) with fewer than `results` results in its newest `depth` builds, among those that ran in
    its newest CURRENT_BUILDS builds."""
    short = {}
    for line, builds in lines.items():
        recent = [build for build in builds if build.job_age < max(depth, CURRENT_BUILDS)]
        # Cached by the builds of the job: a commit changes those of few jobs.
        found = store.cached(
            ("short of results", depth, results, rebuilt, hash(tuple(recent))),
            partial(_short_of_job, store, rebuilt, recent, depth, results),
            lambda tests: tests.nbytes,
            nothing,
        )
        if len(found):
            short[line] = found
    return short


def _short_of_job(store: Store, rebuilt: int, builds: Sequence[LaneBuild], depth: int, results: int) -> np.ndarray:
    """Of the tests (ids) in these builds of a job, those with fewer than `results` results in the newest `depth`."""
    rows = store.result_arrays.rows(store, builds, rebuilt)
    pairs = list(zip(builds, rows.builds, strict=True))
    near = [found for build, found in pairs if build.job_age < depth and not build.unfinished]
    between = [found for build, found in pairs if build.job_age >= depth]
    tests, counts = _count_results(near)
    present = np.unique(np.concatenate([tests, *_distinct(between)]))
    results_of = np.zeros(len(present), dtype=np.int64)
    results_of[np.searchsorted(present, tests)] = counts
    short: np.ndarray = rows.tests[present[results_of < results]]
    return short


def _count_results(builds: Sequence[BuildArrays]) -> tuple[np.ndarray, np.ndarray]:
    """(tests, in how many of the builds each has a result, at least): skipped ones count as none."""
    if not builds:
        return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
    arrays = _distinct(builds)
    times = Counter(id(build.tests) for build in builds)
    tests = np.unique(np.concatenate(arrays))
    counts = np.zeros(len(tests), dtype=np.int64)
    for array in arrays:
        counts[np.searchsorted(tests, np.unique(array))] += times[id(array)]
    skipped = [build.tests[build.skipped] for build in builds if len(build.skipped)]
    if skipped:
        np.subtract.at(counts, np.searchsorted(tests, np.concatenate(skipped)), 1)
    return tests, counts


def _distinct(builds: Iterable[BuildArrays]) -> list[np.ndarray]:
    """The different arrays of tests of these builds."""
    return list({id(build.tests): build.tests for build in builds}.values())


def _first_ran_before(
    store: Store, releases: Iterable[str], tests: Mapping[_Line, np.ndarray], moments: Mapping[_Line, datetime]
) -> dict[_Line, set[int]]:
    """Of the tests of each job, those that first ran before the moment of that job; jobs without any are omitted."""
    if not tests:
        return {}
    wanted = np.unique(np.concatenate(list(tests.values())))

    def read() -> dict[int, datetime]:
        rows = store.cursor().execute(
            "SELECT test, first_seen FROM tests WHERE test IN (SELECT unnest($tests::BIGINT[]))",
            {"tests": wanted.tolist()},
        )
        return dict(rows.fetchall())

    first_seen = store.cached(
        ("first_seen", wanted.tobytes()),
        read,
        lambda found: 200 * len(found),
        # A test that another release ran first has an earlier time: then more is searched, and nothing else found.
        lambda: [dependency for release in releases for dependency in release_dependencies(release)],
    )
    found = {
        line: {test for test in of_line.tolist() if test in first_seen and first_seen[test] < moments[line]}
        for line, of_line in tests.items()
    }
    return {line: old for line, old in found.items() if old}
