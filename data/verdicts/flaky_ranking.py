"""The flaky table: which tests flip most, how sure that is, how much time they cost, and whether they have recovered.

It ranks flaky tests; the rule that decides whether a test is flaky is in `data/verdicts/rules.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from data.answers.evidence import FlakyEvidence
from data.answers.statistics import Flaky
from data.answers.tests import TestName
from data.cache.dependencies import nothing
from data.cache.result_arrays import FAILED, RERUN
from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter, TestScope
from data.model.measures import iso
from data.verdicts.evidence import flaky as flaky_evidence
from data.verdicts.lane_analysis import LONG_WINDOW, LaneAnalysis, analyse_lanes, long_reach
from data.verdicts.lanes import LaneBuild, LaneRun, LaneWindow, filtered_releases
from data.verdicts.priorities import tests_of_priority
from data.verdicts.rules import FLAKY, classify
from data.verdicts.status_masks import TestLane, same_commit_disagreements
from data.verdicts.unread_history import is_held_back, unread_lanes
from data.verdicts.verdicts import test_names


@cached_query(of_release)
def flaky(store: Store, flt: Filter, limit: int = 100, offset: int = 0) -> list[Flaky]:
    """The tests that were flaky in the newest `flt.runs` (60, at most 62) runs of each lane, by the lower end of the
    interval of their flip score, highest first; recovered ones last. Mass failures and bad hosts are left out.

    `time_lost_s` is the time that failed attempts and reruns took in the runs that the test disturbed.
    """
    found = [
        row for release in filtered_releases(store, flt) for row in _flaky_tests(store, replace(flt, release=release))
    ]
    found.sort(
        key=lambda row: (
            row.derived["recovered"],
            -row.derived["score_interval_95"][0],
            -row.derived["score"],
            row.test_lane.test,
        )
    )
    found = found[offset : offset + limit]
    names = test_names(store, [row.test_lane.test for row in found])
    lost = _time_lost(store, flt, found)
    return [
        _row(
            row,
            names[row.test_lane.test],
            lost.get((row.analysis.window.key, row.test_lane.test, row.test_lane.lane), 0.0),
        )
        for row in found
    ]


class FlakyTest(NamedTuple):
    analysis: LaneAnalysis
    test_lane: TestLane
    evidence: FlakyEvidence
    derived: flaky_evidence.FlakyFinding  # what follows from the evidence


def _flaky_tests(store: Store, flt: Filter) -> list[FlakyTest]:
    """The tests of a release that were flaky."""
    analysis = analyse_lanes(store, flt, long_reach(store, flt.runs or LONG_WINDOW))
    key = ("flaky", replace(flt, priority=None, as_of=None), analysis.window.key)
    found = store.cached(key, lambda: _judge(analysis), lambda found: 3_000 * len(found), nothing)
    if unread := unread_lanes(store, flt, analysis.window):
        found = [row for row in found if not is_held_back(unread, row.test_lane)]
    if flt.priority is None:
        return found
    wanted = tests_of_priority(store, flt.release, flt.priority)
    return [row for row in found if row.test_lane.test in wanted]


def _judge(analysis: LaneAnalysis) -> list[FlakyTest]:
    disagreements = same_commit_disagreements(analysis.window, analysis.test_lanes)
    lanes = [_dated(runs) for runs in analysis.window.runs]
    found = []
    for test_lane in analysis.test_lanes:
        rescued = test_lane.rescued & test_lane.failed
        flags = disagreements.get((test_lane.test, test_lane.lane), 0) | rescued
        evidence = _evidence(test_lane, lanes[test_lane.lane], flags, rescued)
        if evidence is not None:
            found.append(FlakyTest(analysis, test_lane, evidence, flaky_evidence.judge(evidence)))
    return found


def _dated(runs: Sequence[LaneRun]) -> list[tuple[str, int, float]]:
    """(id, number, days before the newest) of each run, newest first. Where a clock went back, a run counts as begun
    with the one before it."""
    moments = list(accumulate((run.started_at for run in reversed(runs)), max))[::-1]
    return [
        (ids.text(run.run), run.number, (moments[0] - moment).total_seconds() / 86400)
        for run, moment in zip(runs, moments, strict=True)
    ]


def _evidence(
    test_lane: TestLane, runs: list[tuple[str, int, float]], flags: int, rescued: int
) -> FlakyEvidence | None:
    """The evidence of a test that was flaky in these runs (id, number, days ago; newest first), else None. `flags`:
    mask of the results that disagree within their run or on one commit; `rescued`: those of the former."""
    all_statuses = test_lane.status_string()
    statuses = all_statuses.replace("S", "")
    if not flags and FLAKY not in classify(statuses, window=max(len(statuses), 1)):
        return None
    bits = [bit for bit in range(len(all_statuses) - 1, -1, -1) if all_statuses[-1 - bit] != "S"]
    ran = [runs[test_lane.ages[bit]] for bit in bits]
    disagreed = tuple(bool(flags >> bit & 1) for bit in bits) if flags else ()
    if flags and FLAKY not in classify(statuses, disagreed=disagreed, window=max(len(statuses), 1)):
        return None
    newest = ran[-1][2]
    return {
        "rule": "flaky",
        "statuses": statuses,
        "disagreed": [index for index, flag in enumerate(disagreed) if flag],
        "rescued": [index for index, bit in enumerate(bits) if rescued >> bit & 1],
        "runs": [run for run, _, _ in ran],
        "numbers": [number for _, number, _ in ran],
        "days_ago": [round(days - newest, 3) for _, _, days in ran],
    }


def _row(row: FlakyTest, test: TestName, lost: float) -> Flaky:
    analysis, test_lane, evidence, derived = row
    release, environment = analysis.window.lanes[test_lane.lane]
    runs = {ids.text(run.run): run for run in analysis.window.runs[test_lane.lane]}
    last = runs[evidence["runs"][derived["disturbed"][-1]]]
    return {
        "test": ids.text(test_lane.test),
        "key": f"{test['file']}::{test['class']}::{test['name']}",
        "name": test["name"],
        "module": test_lane.module,
        "release": release,
        "environment": environment,
        "score": derived["score"],
        "flips": derived["flips"],
        "considered": derived["considered"],
        "score_interval_95": derived["score_interval_95"],
        "onsets": derived["onsets"],
        "rescued": derived["rescued"],
        "disagreed": derived["disagreed"],
        "failed": derived["failed"],
        "of": derived["of"],
        "rate": derived["rate"],
        "interval_95": derived["interval_95"],
        "clean_results": derived["clean_results"],
        "clean_days": derived["clean_days"],
        "recovered": derived["recovered"],
        "disturbed_runs": len(derived["disturbed"]),
        "time_lost_s": round(lost, 3),
        "last_disturbed": {"run": ids.text(last.run), "number": last.number, "started_at": iso(last.started_at)},
        "strip": evidence["statuses"],
        "sentence": flaky_evidence.sentence(evidence),
        "evidence": evidence,
    }


def _time_lost(store: Store, flt: TestScope, found: Iterable[FlakyTest]) -> dict[tuple[int, int, int], float]:
    """(window key, test, lane) -> seconds of failed attempts and reruns in the runs that the test disturbed."""
    lost: dict[tuple[int, int, int], float] = {}
    by_window: dict[int, tuple[LaneWindow, dict[tuple[int, int], set[str]]]] = {}
    for row in found:
        runs = {row.evidence["runs"][index] for index in row.derived["disturbed"]}
        window = row.analysis.window
        by_window.setdefault(window.key, (window, {}))[1][row.test_lane.test, row.test_lane.lane] = runs
    for key, (window, disturbed) in by_window.items():
        for test, build, seconds in _repeats(store, flt, window, {test for test, _ in disturbed}):
            if ids.text(window.runs[build.lane][build.age].run) in disturbed.get((test, build.lane), ()):
                lost[key, test, build.lane] = lost.get((key, test, build.lane), 0.0) + seconds
    return lost


def _repeats(
    store: Store, flt: TestScope, window: LaneWindow, tests: set[int]
) -> Iterable[tuple[int, LaneBuild, float]]:
    """(test, build, seconds) of each failed attempt and rerun of these tests."""
    rows = store.result_arrays.rows(store, window.builds, window.rebuilt)
    in_topology = rows.group_mask(None, flt.topology)
    at = np.flatnonzero(
        np.isin(rows.tests, list(tests))[rows.test] & (rows.flag & (FAILED | RERUN) > 0) & in_topology[rows.group]
    )
    seconds = np.nan_to_num(rows.seconds[at])
    for test, build, took in zip(rows.tests[rows.test[at]].tolist(), rows.build[at].tolist(), seconds, strict=True):
        yield test, window.builds[build], float(took)
