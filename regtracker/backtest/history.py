"""A store's history, as it was after each of its runs.

Test lanes as in data/verdicts/status_masks.py, but with masks over all runs (Python's integers are unbounded). A look
shifts away what was not known yet, and leaves out mass failures and bad hosts as they would have been found then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import starmap
from typing import Any

from data.lake.store import Store
from data.model.filters import Filter
from data.verdicts.disturbances.bad_hosts import judge_lane_hosts, without_bad_hosts
from data.verdicts.disturbances.mass_failures import ColumnKey, StormCandidate, drop_persistent, storm_candidates
from data.verdicts.lanes import MASK_BITS, LaneRun, lane_window, load_module_counts, partition_condition
from data.verdicts.status_masks import TestLane, TestLaneHost, combine_hosts, load_test_lanes

HOST_DEPTH = 21  # runs on which hosts are judged, as for verdicts


@dataclass(frozen=True)
class PastLane:
    """All runs of a release in one environment, newest first, and the tests that ever failed there."""

    release: str
    environment: str
    runs: list[LaneRun]
    test_lanes: list[TestLane]
    tests: int  # that ever ran there
    columns: list[ColumnKey]
    storm_columns: dict[ColumnKey, StormCandidate]

    @property
    def weeks(self) -> float:
        return (self.runs[0].started_at - self.runs[-1].started_at).total_seconds() / (7 * 86400)

    def looks(self) -> Iterator[Look]:
        """One look after each run but the first, oldest first."""
        for hidden in range(len(self.runs) - 2, -1, -1):
            yield Look(self, hidden)


@dataclass(frozen=True)
class Look:
    """A lane as it was before the newest `hidden` of its runs."""

    lane: PastLane
    hidden: int

    @property
    def number(self) -> int:
        return self.lane.runs[self.hidden].number

    @property
    def runs(self) -> int:
        return len(self.lane.runs) - self.hidden

    @cached_property
    def raw(self) -> list[TestLane]:
        """The test lanes with every result known by then."""
        return [self._shifted(test_lane, {}) for test_lane in self.lane.test_lanes]

    @cached_property
    def undisturbed(self) -> list[TestLane]:
        """The test lanes without storms, and without recent failures on bad hosts."""
        masks: dict[tuple[str, str | None], int] = {}
        known = [key for key in self.lane.columns if key[2] >= self.hidden]
        storm_columns = {key: facts for key, facts in self.lane.storm_columns.items() if key[2] >= self.hidden}
        for storm in drop_persistent(known, storm_columns):
            key = (storm.job, storm.module)
            masks[key] = masks.get(key, 0) | 1 << storm.age
        found = [self._shifted(test_lane, masks) for test_lane in self.lane.test_lanes]
        recent = (1 << HOST_DEPTH) - 1
        short = [
            combine_hosts(
                test_lane.test,
                0,
                test_lane.module,
                range(HOST_DEPTH),
                tuple(_masked(on_host, recent) for on_host in test_lane.by_host),
            )
            for test_lane in found
        ]
        hosts = judge_lane_hosts(0, [test_lane for test_lane in short if test_lane.failed or test_lane.rescued])
        if not any(host.bad for host in hosts):
            return found
        on_bad_hosts = {test_lane.test: test_lane.on_bad_host for test_lane in without_bad_hosts(short, hosts)}
        return [
            test_lane._replace(
                failed=test_lane.failed & ~on_bad_hosts[test_lane.test],
                rescued=test_lane.rescued & ~on_bad_hosts[test_lane.test],
            )
            for test_lane in found
        ]

    def _shifted(self, test_lane: TestLane, storm_columns: dict[tuple[str, str | None], int]) -> TestLane:
        hosts_of_test = []
        for on_host in test_lane.by_host:
            storm = storm_columns.get((on_host.job, None), 0) | storm_columns.get((on_host.job, test_lane.module), 0)
            hosts_of_test.append(_masked(on_host, ~storm, self.hidden))
        return combine_hosts(test_lane.test, 0, test_lane.module, range(self.runs), tuple(hosts_of_test))


def _masked(on_host: TestLaneHost, mask: int, hidden: int = 0) -> TestLaneHost:
    return TestLaneHost(
        on_host.job,
        on_host.host,
        (on_host.failed & mask) >> hidden,
        (on_host.passed & mask) >> hidden,
        (on_host.rescued & mask) >> hidden,
        (on_host.tripped & mask) >> hidden,
        0,
    )


def _by_age(mask: int, ages: Sequence[int]) -> int:
    """A mask of results as a mask of the lane's runs."""
    return sum(1 << age for bit, age in enumerate(ages) if mask >> bit & 1)


def _unmasked(key: tuple[str, str | None], masks: list[int]) -> TestLaneHost:
    job, host = key
    failed, passed, rescued, tripped = masks
    return TestLaneHost(job, host, failed, passed, rescued, tripped, 0)


def past_lanes(store: Store, release: str) -> list[PastLane]:
    """The lanes of a release with all of their runs."""
    window = lane_window(store, Filter(release), 100_000)
    module_counts = load_module_counts(store, window)
    where = partition_condition(window.builds)
    failed_tests = store.cursor().execute(
        f"SELECT DISTINCT r.test FROM results r WHERE {where} AND r.status = 'failed'", where.parameters
    )
    tests = {row[0] for row in failed_tests.fetchall()}
    merged: dict[tuple[int, int], tuple[str, dict[tuple[str, str | None], list[int]]]] = {}
    for first in range(0, max((column.age for column in module_counts), default=-1) + 1, MASK_BITS):
        # A mask of results holds the runs of a chunk; without job ages, every test is a current one.
        chunk = [build._replace(job_age=0) for build in window.builds if first <= build.age < first + MASK_BITS]
        for test_lane in load_test_lanes(store, replace(window, builds=chunk), set(), tests=tests):
            hosts_of_test = merged.setdefault((test_lane.test, test_lane.lane), (test_lane.module, {}))[1]
            for on_host in test_lane.by_host:
                masks = hosts_of_test.setdefault((on_host.job, on_host.host), [0, 0, 0, 0])
                for index, mask in enumerate((on_host.failed, on_host.passed, on_host.rescued, on_host.tripped)):
                    masks[index] |= _by_age(mask, test_lane.ages)
    columns, storm_columns = storm_candidates(store, window, module_counts)
    test_counts = _count_tests(store, window.builds)
    return [
        PastLane(
            release,
            environment,
            window.runs[lane],
            [
                combine_hosts(
                    test,
                    lane,
                    module,
                    range(len(window.runs[lane])),
                    tuple(starmap(_unmasked, hosts_of_test.items())),
                )
                for (test, at), (module, hosts_of_test) in merged.items()
                if at == lane
            ],
            test_counts.get(lane, 0),
            [key for key in columns if key[1] == lane],
            {key: facts for key, facts in storm_columns.items() if key[1] == lane},
        )
        for lane, (_, environment) in enumerate(window.lanes)
    ]


def _count_tests(store: Store, builds: list[Any]) -> dict[int, int]:
    where = partition_condition(builds)
    rows = store.cursor().execute(
        f"""SELECT w.lane, count(DISTINCT r.test) FROM results r
        JOIN (SELECT unnest($build::BIGINT[]) AS build, unnest($lane::INTEGER[]) AS lane) w USING (build)
        WHERE {where} GROUP BY w.lane""",
        where.parameters | {"build": [build.build for build in builds], "lane": [build.lane for build in builds]},
    )
    return dict(rows.fetchall())
