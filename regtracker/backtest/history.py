"""A store's history, as it was after each of its runs.

Test lanes as in data/verdicts/lanes.py, but with masks over all runs (Python's integers are unbounded): a look shifts
away what was not known yet, and excludes storms and bad hosts as they would have been recognised then.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    lines: list[TestLane]
    tests: int  # that ever ran there
    columns: list[ColumnKey]
    storm_columns: dict[ColumnKey, StormCandidate]

    @property
    def weeks(self) -> float:
        return (self.runs[0].started_at - self.runs[-1].started_at).total_seconds() / (7 * 86400)

    def looks(self) -> Iterator[Look]:
        """After each run but the first, oldest first."""
        for hidden in range(len(self.runs) - 2, -1, -1):
            yield Look(self, hidden)


@dataclass(frozen=True)
class Look:
    """A lane as it was when `hidden` of its runs were still to come."""

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
        """The test lanes with everything that happened so far."""
        return [self._shifted(line, {}) for line in self.lane.lines]

    @cached_property
    def undisturbed(self) -> list[TestLane]:
        """The test lanes without storms, and without recent failures on bad hosts."""
        masks: dict[tuple[str, str | None], int] = {}
        known = [key for key in self.lane.columns if key[2] >= self.hidden]
        storm_columns = {key: facts for key, facts in self.lane.storm_columns.items() if key[2] >= self.hidden}
        for storm in drop_persistent(known, storm_columns):
            key = (storm.job, storm.module)
            masks[key] = masks.get(key, 0) | 1 << storm.age
        found = [self._shifted(line, masks) for line in self.lane.lines]
        recent = (1 << HOST_DEPTH) - 1
        short = [
            combine_hosts(line.test, 0, line.module, tuple(_masked(part, recent) for part in line.by_host))
            for line in found
        ]
        hosts = judge_lane_hosts(0, [line for line in short if line.failed or line.rescued])
        if not any(host.bad for host in hosts):
            return found
        on_bad_hosts = {line.test: line.on_bad_host for line in without_bad_hosts(short, hosts)}
        return [
            line._replace(
                failed=line.failed & ~on_bad_hosts[line.test], rescued=line.rescued & ~on_bad_hosts[line.test]
            )
            for line in found
        ]

    def _shifted(self, line: TestLane, storm_columns: dict[tuple[str, str | None], int]) -> TestLane:
        parts = []
        for part in line.by_host:
            storm = storm_columns.get((part.job, None), 0) | storm_columns.get((part.job, line.module), 0)
            parts.append(_masked(part, ~storm, self.hidden))
        return combine_hosts(line.test, 0, line.module, tuple(parts))


def _masked(part: TestLaneHost, mask: int, hidden: int = 0) -> TestLaneHost:
    return TestLaneHost(
        part.job,
        part.host,
        (part.failed & mask) >> hidden,
        (part.passed & mask) >> hidden,
        (part.rescued & mask) >> hidden,
        (part.tripped & mask) >> hidden,
        0,
    )


def _unmasked(key: tuple[str, str | None], masks: list[int]) -> TestLaneHost:
    job, host = key
    failed, passed, rescued, tripped = masks
    return TestLaneHost(job, host, failed, passed, rescued, tripped, 0)


def past_lanes(store: Store, release: str) -> list[PastLane]:
    """The lanes of a release with all of their runs."""
    view = lane_window(store, Filter(release), 1_000_000)
    of = load_module_counts(store, view)
    where, parameters = partition_condition(view.builds)
    troubled = store.cursor().execute(
        f"SELECT DISTINCT r.test FROM results r WHERE {where} AND r.status = 'failed'", parameters
    )
    tests = {row[0] for row in troubled.fetchall()}
    merged: dict[tuple[int, int], tuple[str, dict[tuple[str, str | None], list[int]]]] = {}
    for first in range(0, max((column.age for column in of), default=-1) + 1, MASK_BITS):
        here = [
            build._replace(age=build.age - first) for build in view.builds if first <= build.age < first + MASK_BITS
        ]
        for line in load_test_lanes(store, replace(view, builds=here), set(), tests=tests):
            parts = merged.setdefault((line.test, line.lane), (line.module, {}))[1]
            for part in line.by_host:
                masks = parts.setdefault((part.job, part.host), [0, 0, 0, 0])
                for index, mask in enumerate((part.failed, part.passed, part.rescued, part.tripped)):
                    masks[index] |= mask << first
    every, storm_columns = storm_candidates(store, view, of)
    counted = _tests(store, view.builds)
    return [
        PastLane(
            release,
            environment,
            view.runs[lane],
            [
                combine_hosts(
                    test,
                    lane,
                    module,
                    tuple(starmap(_unmasked, parts.items())),
                )
                for (test, at), (module, parts) in merged.items()
                if at == lane
            ],
            counted.get(lane, 0),
            [key for key in every if key[1] == lane],
            {key: facts for key, facts in storm_columns.items() if key[1] == lane},
        )
        for lane, (_, environment) in enumerate(view.lanes)
    ]


def _tests(store: Store, builds: list[Any]) -> dict[int, int]:
    where, parameters = partition_condition(builds)
    rows = store.cursor().execute(
        f"""SELECT w.lane, count(DISTINCT r.test) FROM results r
        JOIN (SELECT unnest($build::BIGINT[]) AS build, unnest($lane::INTEGER[]) AS lane) w USING (build)
        WHERE {where} GROUP BY w.lane""",
        parameters | {"build": [build.build for build in builds], "lane": [build.lane for build in builds]},
    )
    return dict(rows.fetchall())
