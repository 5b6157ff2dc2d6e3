"""The statuses of tests over the results of a lane window, as bit masks: one bit per run in which the test ran.

Bit 0 is the newest result of the test, however many runs of others lie between two results. So a window of ten results
is ten bits, and few tests fail: only the rows of those are sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data.cache.result_arrays import FAILED, FINAL, PASSED, RERUN, ResultRows
from data.lake.store import Store
from data.verdicts.lanes import MASK_BITS, LaneBuild, LaneWindow

Columns = set[tuple[int, str]]  # (build, owning module)
CURRENT_BUILDS = 60  # a test without a result in so many builds of its jobs no longer has a verdict


class TestLaneHost(NamedTuple):
    """Masks of a test in a lane, for one job and host. `tripped`: any attempt failed, final or not; `in_storm` and
    `unfinished`: the same in a column of a mass failure, or in a build that is not finished. No other mask counts
    those."""

    job: str
    host: str | None
    failed: int
    passed: int
    rescued: int
    tripped: int
    in_storm: int
    unfinished: int = 0


class TestLane(NamedTuple):
    """One test in one lane, over its newest results (at most MASK_BITS).

    `ages` are the ages of their runs, newest first. Bit `index` is set in `failed` if the test failed in run
    `ages[index]`, in `passed` if it passed on some topology, in `rescued` if an attempt failed and a later one passed,
    in `in_storm`, `on_bad_host` and `unfinished` if a failure was left out for that reason."""

    test: int
    lane: int
    module: str
    ages: Sequence[int]
    failed: int
    passed: int
    rescued: int
    in_storm: int
    on_bad_host: int
    unfinished: int
    by_host: tuple[TestLaneHost, ...]

    def status_string(self) -> str:
        """The statuses as letters P F K S, oldest first; S if what happened in that run was left out."""
        # The bits of each mask as decimal digits, weighted so that every sum is unique: one letter per digit.
        digits = 4 * int(f"{self.failed:b}") + 2 * int(f"{self.passed:b}") + int(f"{self.rescued:b}")
        return f"{digits:0{len(self.ages)}d}".translate(_LETTERS)

    def bit_at(self, age: int) -> int:
        """The bit of the run of this age; 0 if the test has no result there."""
        return 1 << self.ages.index(age) if age in self.ages else 0


_LETTERS = str.maketrans({"0": "S", "1": "S", "2": "P", "3": "K", "4": "F", "5": "F", "6": "F", "7": "F"})


class OlderResults(NamedTuple):
    """The results of a few tests in builds older than those of a window."""

    builds: list[LaneBuild]
    rows: ResultRows | None  # None if there are no builds
    tests: set[int]


NOTHING_OLDER = OlderResults([], None, set())


def status_codes(
    store: Store, window: LaneWindow, storm_columns: Columns, topology: str | None, tests: Collection[int]
) -> dict[tuple[int, int], np.ndarray]:
    """(test, lane) -> one uint8 per run of the window, newest first: the code of P, F or K; 0 if the test did not run,
    was skipped, its build is not finished, or its column is in `storm_columns`."""
    builds = [build for build in window.builds if not build.unfinished]
    rows = store.result_arrays.rows(store, builds, window.rebuilt).of_tests(tests)
    at = np.flatnonzero((rows.flag & FINAL > 0) & (rows.flag & (FAILED | PASSED) > 0))
    at = at[rows.group_mask(None, topology)[rows.group[at]]]
    at = at[outside_storms(rows, builds, storm_columns)[at]]
    if not len(at):
        return {}
    build, flag = rows.build[at], rows.flag[at]
    lane, age = (np.array(values)[build] for values in zip(*((build.lane, build.age) for build in builds), strict=True))
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
    tests: Collection[int] | None = None,
    older: OlderResults = NOTHING_OLDER,
) -> list[TestLane]:
    """The tests that failed outside `storm_columns`, in any attempt; or exactly these `tests`. Those without a result
    in the newest CURRENT_BUILDS builds of their jobs are omitted."""
    recent = _Part.of(store.result_arrays.rows(store, window.builds, window.rebuilt), window.builds, storm_columns)
    parts = [recent]
    if older.rows is not None:
        parts.append(_Part.of(older.rows, older.builds, storm_columns))
    newest = max((part.rows for part in parts), key=lambda rows: len(rows.tests))  # what was read last knows every test
    if tests is None:
        chosen = np.zeros(len(newest.tests), dtype=bool)
        for part in parts:
            in_topology = part.rows.group_mask(None, topology)
            failed = part.rows.failed
            failed = failed[part.outside[failed] & in_topology[part.rows.group[failed]]]
            chosen[part.rows.test[failed]] = True
    else:
        chosen = np.isin(newest.tests, list(tests))
    # Few tests fail: only the rows of those are grouped.
    for part in parts:
        at = np.flatnonzero(chosen[part.rows.test])
        ran = part.rows.flag[at] & (FAILED | PASSED) > 0
        part.at = at[ran & part.rows.group_mask(None, topology)[part.rows.group[at]]]
    return _group_rows(parts, newest)


@dataclass
class _Part:
    """The rows of some builds. `outside`: which are outside mass failures; `at`: the positions to group."""

    rows: ResultRows
    builds: Sequence[LaneBuild]
    outside: np.ndarray
    at: np.ndarray

    @classmethod
    def of(cls, rows: ResultRows, builds: Sequence[LaneBuild], storm_columns: Columns) -> _Part:
        return cls(rows, builds, outside_storms(rows, builds, storm_columns), np.empty(0, dtype=np.int64))


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


def _group_rows(parts: Sequence[_Part], newest: ResultRows) -> list[TestLane]:
    """The chosen rows of these parts, grouped by test, lane, job and host. `newest` knows all tests and groups."""
    parts = [part for part in parts if len(part.at)]
    if not parts:
        return []
    jobs = sorted({build.job for part in parts for build in part.builds})
    hosts = sorted({group.host or "" for group in newest.groups})
    job_index, host_index = ({name: index for index, name in enumerate(names)} for names in (jobs, hosts))
    host_of_group = np.array([host_index[group.host or ""] for group in newest.groups])

    def column(values: Callable[[_Part], np.ndarray]) -> np.ndarray:
        return np.concatenate([values(part) for part in parts])

    test, group = column(lambda part: part.rows.test[part.at]), column(lambda part: part.rows.group[part.at])
    flag, outside = column(lambda part: part.rows.flag[part.at]), column(lambda part: part.outside[part.at])
    lane, age, job_age, job, finished = np.concatenate(
        [
            np.array(
                [
                    (build.lane, build.age, build.job_age, job_index[build.job], not build.unfinished)
                    for build in part.builds
                ],
                dtype=np.int64,
            )[part.rows.build[part.at]]
            for part in parts
        ]
    ).T
    finished = finished > 0
    pair = test.astype(np.int64) * (int(lane.max()) + 1) + lane

    # The bit of a row: how many newer runs the test has results in.
    order = np.lexsort((age, pair))
    pair_ends = np.flatnonzero(np.diff(pair[order], append=-1))
    pair_starts = np.concatenate([[0], pair_ends[:-1] + 1])
    new_run = np.diff(age[order], prepend=-1) != 0
    new_run[pair_starts] = True
    run_number = np.cumsum(new_run) - 1
    pair_number = np.repeat(np.arange(len(pair_starts)), pair_ends + 1 - pair_starts)
    first_run = run_number[pair_starts]
    bit_number = run_number - first_run[pair_number]
    run_ages = age[order][new_run].tolist()
    is_current = np.minimum.reduceat(job_age[order], pair_starts) < CURRENT_BUILDS
    kept = (bit_number < MASK_BITS) & is_current[pair_number]

    order, pair_number, bit_number = order[kept], pair_number[kept], bit_number[kept]
    if not len(order):
        return []
    key = (pair_number * len(jobs) + job[order]) * len(hosts) + host_of_group[group[order]]
    by_key = np.argsort(key, kind="stable")
    key, order, bit = key[by_key], order[by_key], np.int64(1) << bit_number[by_key]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    flag, outside, finished = flag[order], outside[order], finished[order]
    failed, passed, final, counted = flag & FAILED > 0, flag & PASSED > 0, flag & FINAL > 0, outside & finished
    masks = [
        np.bitwise_or.reduceat(np.where(applies, bit, 0), starts).tolist()
        for applies in (
            failed & final & counted,
            passed & final & counted,
            passed & counted & (~final | (flag & RERUN > 0)),
            failed & counted,
            failed & ~outside & finished,
            failed & ~finished,
        )
    ]
    pair_number, job_and_host = np.divmod(key[starts], len(jobs) * len(hosts))
    at = order[starts]
    columns = (pair_number, test[at], lane[at], job_and_host // len(hosts), group[at])
    found: dict[int, list[TestLaneHost]] = {}
    facts: dict[int, tuple[int, int, str]] = {}
    for number, test_, lane_, job_, group_, *host_masks in zip(
        *(values.tolist() for values in columns), *masks, strict=True
    ):
        module, _, host_name = newest.groups[group_]
        found.setdefault(number, []).append(TestLaneHost(jobs[job_], host_name, *host_masks))
        facts[number] = (int(newest.tests[test_]), lane_, module)
    first, end = first_run.tolist(), [*first_run[1:].tolist(), len(run_ages)]
    return [
        combine_hosts(
            *facts[number], run_ages[first[number] : min(end[number], first[number] + MASK_BITS)], tuple(by_host)
        )
        for number, by_host in found.items()
    ]


def combine_hosts(
    test: int,
    lane: int,
    module: str,
    ages: Sequence[int],
    by_host: tuple[TestLaneHost, ...],
    bad_hosts: frozenset[str] = frozenset(),
) -> TestLane:
    """A test's masks over all its hosts. Failures in runs in which it failed on bad hosts only are left out, unless it
    ran nowhere else: then nothing shows that the host is to blame."""
    failed = passed = rescued = in_storm = unfinished = tripped_elsewhere = tripped_on_bad = 0
    ran_elsewhere = False
    for on_host in by_host:
        failed |= on_host.failed
        passed |= on_host.passed
        rescued |= on_host.rescued
        in_storm |= on_host.in_storm
        unfinished |= on_host.unfinished
        if on_host.host in bad_hosts:
            tripped_on_bad |= on_host.tripped
        else:
            tripped_elsewhere |= on_host.tripped
            ran_elsewhere = ran_elsewhere or bool(on_host.passed | on_host.tripped)
    left_out = tripped_on_bad & ~tripped_elsewhere if ran_elsewhere else 0
    return TestLane(
        test,
        lane,
        module,
        ages,
        failed & ~left_out,
        passed,
        rescued & ~left_out,
        in_storm,
        left_out,
        unfinished,
        by_host,
    )


def same_commit_disagreements(window: LaneWindow, test_lanes: Iterable[TestLane]) -> dict[tuple[int, int], int]:
    """(test, lane) -> mask of the results in which one job failed and passed the test on one commit.

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
            for ages in repeats.get((test_lane.lane, job), ()) if failed and passed else ():
                mask = sum(1 << bit for bit, age in enumerate(test_lane.ages) if age in ages)
                if failed & mask and passed & mask:
                    key = (test_lane.test, test_lane.lane)
                    found[key] = found.get(key, 0) | (failed | passed) & mask
    return found


def _repeated_commits(window: LaneWindow) -> dict[tuple[int, str], list[set[int]]]:
    """(lane, job) -> for each commit that the job ran in more than one run of the lane, the ages of those runs."""
    runs_of_commit: dict[tuple[int, str, str], set[int]] = {}
    for build in window.builds:
        if build.revision is not None:
            runs_of_commit.setdefault((build.lane, build.job, build.revision), set()).add(build.age)
    repeats: dict[tuple[int, str], list[set[int]]] = {}
    for (lane, job, _), ages in runs_of_commit.items():
        if len(ages) > 1:
            repeats.setdefault((lane, job), []).append(ages)
    return repeats
