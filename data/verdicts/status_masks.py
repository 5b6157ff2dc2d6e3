"""The statuses of tests over the runs of a lane window, two bits per run.

A run is a bit position, so one pass over the result arrays groups by test and nothing else; 25,000 tests x 20 runs
need no sorting.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from data.cache.result_arrays import FAILED, FINAL, PASSED, RERUN, ResultRows
from data.lake.store import Store
from data.verdicts.lanes import LaneBuild, LaneWindow

Columns = set[tuple[int, str]]  # (build, owning module)


class TestLaneHost(NamedTuple):
    """Masks of a test in a lane, for one job and host. `tripped`: any attempt failed, final or not; `in_storm`: the
    same in a column of a mass failure, which no other mask counts."""

    job: str
    host: str | None
    failed: int
    passed: int
    rescued: int
    tripped: int
    in_storm: int


class TestLane(NamedTuple):
    """One test in one lane. Bit `age` is set in `failed` if it failed in that run, in `passed` if it passed on some
    topology, in `rescued` if an attempt failed and a later one passed, in `in_storm` and `on_bad_host` if a failure
    was left out for that reason."""

    test: int
    lane: int
    module: str
    failed: int
    passed: int
    rescued: int
    in_storm: int
    on_bad_host: int
    by_host: tuple[TestLaneHost, ...]

    def status_string(self, runs: int) -> str:
        """The statuses in the newest `runs` runs as letters P F K S, oldest first; S also if it did not run."""
        # The bits of each mask as decimal digits, weighted so that every sum is unique: one letter per digit.
        digits = 4 * int(f"{self.failed:b}") + 2 * int(f"{self.passed:b}") + int(f"{self.rescued:b}")
        return f"{digits:0{runs}d}"[-runs:].translate(_LETTERS)


_LETTERS = str.maketrans({"0": "S", "1": "S", "2": "P", "3": "K", "4": "F", "5": "F", "6": "F", "7": "F"})


def status_codes(
    store: Store, window: LaneWindow, storm_columns: Columns, topology: str | None, tests: Iterable[int]
) -> dict[tuple[int, int], np.ndarray]:
    """(test, lane) -> one uint8 per run of the window, newest first: the code of P, F or K; 0 if the test did not run,
    was skipped, or its column is in `storm_columns`."""
    rows = store.result_arrays.rows(store, window.builds, window.rebuilt)
    chosen = np.zeros(len(rows.tests), dtype=bool)
    chosen[np.flatnonzero(np.isin(rows.tests, list(tests)))] = True
    at = np.flatnonzero(chosen[rows.test] & (rows.flag & FINAL > 0) & (rows.flag & (FAILED | PASSED) > 0))
    at = at[rows.group_mask(None, topology)[rows.group[at]]]
    at = at[outside_storms(rows, window.builds, storm_columns)[at]]
    if not len(at):
        return {}
    build, flag = rows.build[at], rows.flag[at]
    lane, age = (
        np.array(values)[build] for values in zip(*((build.lane, build.age) for build in window.builds), strict=True)
    )
    keys, index = np.unique(rows.test[at].astype(np.int64) * len(window.lanes) + lane, return_inverse=True)
    codes = np.zeros((len(keys), max(map(len, window.runs))), dtype=np.uint8)
    # The worst is written last.
    for letter, applies in (("P", flag & PASSED > 0), ("K", flag & RERUN > 0), ("F", flag & FAILED > 0)):
        codes[index[applies], age[applies]] = ord(letter)
    test_indices, lanes = np.divmod(keys, len(window.lanes))
    return dict(zip(zip(rows.tests[test_indices].tolist(), lanes.tolist(), strict=True), codes, strict=True))


def load_test_lanes(
    store: Store,
    window: LaneWindow,
    storm_columns: Columns,
    topology: str | None = None,
    tests: Iterable[int] | None = None,
) -> list[TestLane]:
    """The tests that failed outside `storm_columns`, in any attempt; or exactly these `tests`."""
    rows = store.result_arrays.rows(store, window.builds, window.rebuilt)
    outside = outside_storms(rows, window.builds, storm_columns)
    in_topology = rows.group_mask(None, topology)
    chosen = np.zeros(len(rows.tests), dtype=bool)
    if tests is None:
        failed = rows.failed[outside[rows.failed] & in_topology[rows.group[rows.failed]]]
        chosen[rows.test[failed]] = True
    else:
        chosen[np.flatnonzero(np.isin(rows.tests, list(tests)))] = True
    # Few tests fail: only the rows of those are grouped.
    at = np.flatnonzero(chosen[rows.test])
    at = at[in_topology[rows.group[at]]]
    return _group_rows(rows, window.builds, at, outside[at])


def outside_storms(rows: ResultRows, builds: Sequence[LaneBuild], storm_columns: Columns) -> np.ndarray:
    """Boolean mask over `rows` (of these builds): those outside `storm_columns`."""
    outside = np.ones(len(rows.flag), dtype=bool)
    modules_in_storm: dict[int, set[str]] = {}
    for build_id, module in storm_columns:
        modules_in_storm.setdefault(build_id, set()).add(module)
    for index, build in enumerate(builds):
        if build.build in modules_in_storm:
            build_rows = rows.rows_of(index)
            modules = modules_in_storm[build.build]
            outside[build_rows] = [rows.groups[group].module not in modules for group in rows.group[build_rows]]
    return outside


def _group_rows(rows: ResultRows, builds: Sequence[LaneBuild], at: np.ndarray, outside: np.ndarray) -> list[TestLane]:
    """The rows at positions `at`, grouped by test, lane, job and host; `outside`: which are outside mass failures."""
    if not len(at):
        return []
    jobs = sorted({build.job for build in builds})
    hosts = sorted({group.host or "" for group in rows.groups})
    job_index, host_index = ({name: index for index, name in enumerate(names)} for names in (jobs, hosts))
    host = np.array([host_index[group.host or ""] for group in rows.groups])
    build_index = rows.build[at]
    lane, job, age = (
        np.array(values, dtype=np.int64)[build_index]
        for values in zip(*((build.lane, job_index[build.job], build.age) for build in builds), strict=True)
    )
    shape = (len(rows.tests), int(lane.max()) + 1, len(jobs), len(hosts))
    key = np.ravel_multi_index((rows.test[at], lane, job, host[rows.group[at]]), shape)
    order = np.argsort(key, kind="stable")
    key, flag, bit, outside = key[order], rows.flag[at][order], np.int64(1) << age[order], outside[order]
    starts = np.flatnonzero(np.concatenate([[True], key[1:] != key[:-1]]))
    failed, passed, final = flag & FAILED > 0, flag & PASSED > 0, flag & FINAL > 0
    masks = [
        np.bitwise_or.reduceat(np.where(applies, bit, 0), starts).tolist()
        for applies in (
            failed & final & outside,
            passed & final & outside,
            passed & outside & (~final | (flag & RERUN > 0)),
            failed & outside,
            failed & ~outside,
        )
    ]
    groups = rows.group[at][order][starts].tolist()
    axes = (axis.tolist() for axis in np.unravel_index(key[starts], shape))
    found: dict[tuple[int, int], list[TestLaneHost]] = {}
    modules: dict[tuple[int, int], str] = {}
    for test, test_lane, test_job, _, group, *host_masks in zip(*axes, groups, *masks, strict=True):
        module, _, host_name = rows.groups[group]
        found.setdefault((test, test_lane), []).append(TestLaneHost(jobs[test_job], host_name, *host_masks))
        modules[test, test_lane] = module
    return [
        combine_hosts(int(rows.tests[test]), test_lane, modules[test, test_lane], tuple(by_host))
        for (test, test_lane), by_host in found.items()
    ]


def combine_hosts(
    test: int,
    lane: int,
    module: str,
    by_host: tuple[TestLaneHost, ...],
    bad_hosts: frozenset[str] = frozenset(),
) -> TestLane:
    """A test's masks over all its hosts. Failures in runs in which it failed on bad hosts only are left out, unless it
    ran nowhere else: then nothing shows that the host is to blame."""
    failed = passed = rescued = in_storm = tripped_elsewhere = tripped_on_bad = 0
    ran_elsewhere = False
    for on_host in by_host:
        failed |= on_host.failed
        passed |= on_host.passed
        rescued |= on_host.rescued
        in_storm |= on_host.in_storm
        if on_host.host in bad_hosts:
            tripped_on_bad |= on_host.tripped
        else:
            tripped_elsewhere |= on_host.tripped
            ran_elsewhere = ran_elsewhere or bool(on_host.passed | on_host.tripped)
    left_out = tripped_on_bad & ~tripped_elsewhere if ran_elsewhere else 0
    return TestLane(test, lane, module, failed & ~left_out, passed, rescued & ~left_out, in_storm, left_out, by_host)


def same_commit_disagreements(window: LaneWindow, test_lanes: Iterable[TestLane]) -> dict[tuple[int, int], int]:
    """(test, lane) -> mask of the runs in which one job failed and passed the test on one commit.

    A rule of the flaky verdict (data/verdicts/rules.py); only tests with such a disagreement have an entry.
    """
    repeats = _repeated_commits(window)
    found: dict[tuple[int, int], int] = {}
    for test_lane in test_lanes if repeats else ():
        for job in {on_host.job for on_host in test_lane.by_host}:
            failed = passed = 0
            for on_host in test_lane.by_host:
                if on_host.job == job:
                    failed |= on_host.failed
                    passed |= on_host.passed
            failed &= test_lane.failed
            passed &= ~failed
            for mask in repeats.get((test_lane.lane, job), ()):
                if failed & mask and passed & mask:
                    key = (test_lane.test, test_lane.lane)
                    found[key] = found.get(key, 0) | (failed | passed) & mask
    return found


def _repeated_commits(window: LaneWindow) -> dict[tuple[int, str], list[int]]:
    """(lane, job) -> one mask per commit that the job ran in more than one run of the lane."""
    runs_of_commit: dict[tuple[int, str, str], int] = {}
    for build in window.builds:
        if build.revision is not None:
            commit = (build.lane, build.job, build.revision)
            runs_of_commit[commit] = runs_of_commit.get(commit, 0) | 1 << build.age
    repeats: dict[tuple[int, str], list[int]] = {}
    for (lane, job, _), mask in runs_of_commit.items():
        if mask & (mask - 1):
            repeats.setdefault((lane, job), []).append(mask)
    return repeats
