"""Bad hosts: machines on which tests fail far more often than elsewhere.

The thresholds are in `data/verdicts/statistics/bad_hosts.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from data.verdicts.lanes import LaneWindow
from data.verdicts.statistics.bad_hosts import compare_hosts
from data.verdicts.status_masks import TestLane, combine_hosts


@dataclass(frozen=True)
class LaneHost:
    """A host in a lane, counted over the tests that failed anywhere in it; a test in a run is one result.

    `expected` is the number of failures if each test's failures were spread evenly over its hosts. The run in which
    the host failed most (`worst`: its age) is excluded from all three counts: what broke in one run alone says nothing
    about the host.
    """

    lane: int
    host: str
    total: int
    failed: int
    expected: float
    worst: int
    ratio: float | None
    p: float | None
    q: float | None
    bad: bool


def judge_hosts(window: LaneWindow, test_lanes: Sequence[TestLane]) -> list[LaneHost]:
    """All hosts of each lane, the bad ones marked."""
    return [
        host
        for lane in range(len(window.lanes))
        for host in judge_lane_hosts(lane, [test_lane for test_lane in test_lanes if test_lane.lane == lane])
    ]


def judge_lane_hosts(lane: int, test_lanes: Sequence[TestLane]) -> list[LaneHost]:
    """The hosts of one lane, by name; empty if it has fewer than two."""
    entries = [
        (index, on_host.host, on_host)
        for index, test_lane in enumerate(test_lanes)
        for on_host in test_lane.by_host
        if on_host.host
    ]
    names = sorted({name for _, name, _ in entries})
    if len(names) < 2:
        return []
    index_of = {name: index for index, name in enumerate(names)}
    test = np.array([index for index, _, _ in entries])
    host = np.array([index_of[name] for _, name, _ in entries])
    failed = np.array([on_host.tripped for _, _, on_host in entries], dtype=np.int64)
    ran = failed | np.array([on_host.passed for _, _, on_host in entries], dtype=np.int64)

    bits = np.arange(int(ran.max()).bit_length())
    ran_at, failed_at = ((mask[:, None] >> bits & 1).astype(bool) for mask in (ran, failed))
    test_rate = np.bincount(test, failed_at.sum(axis=1)) / np.maximum(np.bincount(test, ran_at.sum(axis=1)), 1)
    # Each result as a cell of hosts x runs.
    ages = np.zeros((len(test_lanes), len(bits)), dtype=np.int64)
    for index, test_lane in enumerate(test_lanes):
        known = list(test_lane.ages[: len(bits)])
        ages[index, : len(known)] = known
    entry, bit = np.nonzero(ran_at)
    width = int(ages.max(initial=0)) + 1
    cell, cells = host[entry] * width + ages[test[entry], bit], len(names) * width
    host_ran, host_failed, host_expected = (
        np.bincount(cell, weights, cells).reshape(len(names), width)
        for weights in (None, failed_at[entry, bit].astype(float), test_rate[test[entry]])
    )
    worst = host_failed.argmax(axis=1)
    total, failures, expected = (
        values.sum(axis=1) - np.take_along_axis(values, worst[:, None], axis=1)[:, 0]
        for values in (host_ran, host_failed, host_expected)
    )
    found = compare_hosts(total, failures, np.maximum(expected, 0))
    return [
        LaneHost(
            lane=lane,
            host=name,
            total=int(total[index]),
            failed=int(failures[index]),
            expected=float(expected[index]),
            worst=int(worst[index]),
            ratio=_number(found.ratio[index]),
            p=_number(found.p[index]),
            q=_number(found.q[index]),
            bad=bool(found.bad[index]),
        )
        for index, name in enumerate(names)
    ]


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def without_bad_hosts(test_lanes: list[TestLane], hosts: Iterable[LaneHost]) -> list[TestLane]:
    """The same tests, without failures that happened on bad hosts only."""
    bad: dict[int, set[str]] = {}
    for host in hosts:
        if host.bad:
            bad.setdefault(host.lane, set()).add(host.host)
    return [
        combine_hosts(*test_lane[:4], test_lane.by_host, frozenset(bad[test_lane.lane]))
        if test_lane.lane in bad
        else test_lane
        for test_lane in test_lanes
    ]
