"""The flaky table: which tests disturb most, how sure that is, what it costs, and whether they have recovered."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from data.cache.result_arrays import FAILED, RERUN
from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.measures import iso
from data.verdicts import evidence
from data.verdicts.disturbances import LONG_WINDOW, LaneAnalysis, analyse_lanes, releases
from data.verdicts.lanes import LaneBuild, LaneWindow, TestLane, disagreements
from data.verdicts.priorities import of_priority
from data.verdicts.rules import FLAKY, classify
from data.verdicts.verdicts import test_names


@cached_query
def flaky(store: Store, flt: Filter, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """The tests that were flaky in the newest `flt.runs` (60, at most 62) runs of each lane: those that disturb most
    first, by the lower end of the interval of their flip score; the recovered last. Storms and sick hosts are left out.

    `time_lost_s` is what failed attempts and reruns took in the runs that the test disturbed.
    """
    found = [item for release in releases(store, flt) for item in _found(store, replace(flt, release=release))]
    found.sort(
        key=lambda item: (item[3]["recovered"], -item[3]["score_interval_95"][0], -item[3]["score"], item[1].test)
    )
    found = found[offset : offset + limit]
    named = test_names(store, [line.test for _, line, _, _ in found])
    lost = _time_lost(store, flt, [(around, line, told) for around, line, told, _ in found])
    return [
        _row(around, line, told, judged, named[line.test], lost.get((around.window.key, line.test, line.lane), 0.0))
        for around, line, told, judged in found
    ]


Found = tuple[LaneAnalysis, TestLane, dict[str, Any], dict[str, Any]]  # with the evidence, and what follows from it


def _found(store: Store, flt: Filter) -> list[Found]:
    """The tests of a release that were flaky."""
    around = analyse_lanes(store, flt, flt.runs or LONG_WINDOW)
    key = ("flaky", replace(flt, priority=None, as_of=None), around.window.key)
    found = store.intermediate.get(key, lambda: _judge(around), lambda found: 3_000 * len(found))
    if flt.priority is None:
        return found
    wanted = of_priority(store, flt.release, flt.priority)
    return [item for item in found if item[1].test in wanted]


def _judge(around: LaneAnalysis) -> list[Found]:
    disagreeing = disagreements(around.window, around.lines)
    lanes = [
        [(ids.text(run.run), run.number, (runs[0].started_at - run.started_at).total_seconds() / 86400) for run in runs]
        for runs in around.window.runs
    ]
    answer = []
    for line in around.lines:
        told = _told(line, lanes[line.lane], disagreeing.get((line.test, line.lane), 0))
        if told is not None:
            answer.append((around, line, told, evidence.judge(told)))
    return answer


def _told(line: TestLane, runs: list[tuple[str, int, float]], flags: int) -> dict[str, Any] | None:
    """The evidence of a test that was flaky in these runs (id, number, days ago, newest first); None of another."""
    letters = line.status_string(len(runs))
    statuses = letters.replace("S", "")
    if not flags and FLAKY not in classify(statuses, window=max(len(statuses), 1)):
        return None
    ran = [(age, *runs[age]) for age in range(len(runs) - 1, -1, -1) if letters[-1 - age] != "S"]
    disagreed = tuple(bool(flags >> age & 1) for age, *_ in ran) if flags else ()
    if flags and FLAKY not in classify(statuses, disagreed=disagreed, window=max(len(statuses), 1)):
        return None
    newest = ran[-1][3]
    return {
        "rule": "flaky",
        "statuses": statuses,
        "disagreed": [place for place, flag in enumerate(disagreed) if flag],
        "runs": [run for _, run, _, _ in ran],
        "numbers": [number for _, _, number, _ in ran],
        "days_ago": [round(days - newest, 3) for _, _, _, days in ran],
    }


def _row(
    around: LaneAnalysis,
    line: TestLane,
    told: dict[str, Any],
    judged: dict[str, Any],
    test: dict[str, Any],
    lost: float,
) -> dict[str, Any]:
    release, environment = around.window.lanes[line.lane]
    by_id = {ids.text(run.run): run for run in around.window.runs[line.lane]}
    last = by_id[told["runs"][judged["disturbed"][-1]]]
    return {
        "test": ids.text(line.test),
        "key": f"{test['file']}::{test['class']}::{test['name']}",
        "name": test["name"],
        "module": line.module,
        "release": release,
        "environment": environment,
        **{name: judged[name] for name in judged if name != "disturbed"},
        "disturbed_runs": len(judged["disturbed"]),
        "time_lost_s": round(lost, 3),
        "last_disturbed": {"run": ids.text(last.run), "number": last.number, "started_at": iso(last.started_at)},
        "strip": told["statuses"],
        "sentence": evidence.sentence(told),
        "evidence": told,
    }


def _time_lost(
    store: Store, flt: Filter, found: Iterable[tuple[LaneAnalysis, TestLane, dict[str, Any]]]
) -> dict[tuple[int, int, int], float]:
    """Seconds of failed attempts and reruns in the runs that a test disturbed, by window, test and lane."""
    lost: dict[tuple[int, int, int], float] = {}
    by_window: dict[int, tuple[LaneWindow, dict[tuple[int, int], set[str]]]] = {}
    for around, line, told in found:
        runs = {told["runs"][place] for place in evidence.judge(told)["disturbed"]}
        by_window.setdefault(around.window.key, (around.window, {}))[1][line.test, line.lane] = runs
    for key, (window, disturbed) in by_window.items():
        for test, build, seconds in _repeats(store, flt, window, {test for test, _ in disturbed}):
            if ids.text(window.runs[build.lane][build.age].run) in disturbed.get((test, build.lane), ()):
                lost[key, test, build.lane] = lost.get((key, test, build.lane), 0.0) + seconds
    return lost


def _repeats(store: Store, flt: Filter, window: LaneWindow, tests: set[int]) -> Iterable[tuple[int, LaneBuild, float]]:
    """(test, build, seconds) of each failed attempt and rerun of these tests."""
    rows = store.result_arrays.rows(store, window.builds, window.rebuilt)
    wanted = rows.group_mask(None, flt.topology)
    at = np.flatnonzero(
        np.isin(rows.tests, list(tests))[rows.test] & (rows.flag & (FAILED | RERUN) > 0) & wanted[rows.group]
    )
    seconds = np.nan_to_num(rows.seconds[at])
    for test, place, took in zip(rows.tests[rows.test[at]].tolist(), rows.build[at].tolist(), seconds, strict=True):
        yield test, window.builds[place], float(took)
