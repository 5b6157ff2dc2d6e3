"""The verdicts on every test of a release: what is broken, since when, and whether it is real or noise.

The rules are in `data/verdicts/rules.py`. Every verdict carries its evidence: the statuses that decided it, from which
anyone can recompute it (`data/verdicts/evidence`). Failures in mass failures and on bad hosts are left out, and the
evidence lists them (`data/verdicts/disturbances`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.measures import iso
from data.verdicts import evidence as evidence_rules
from data.verdicts.disturbances.bad_hosts import LaneHost
from data.verdicts.disturbances.lists import host_row, storm_rows
from data.verdicts.evidence.failure_history import trailing_failures
from data.verdicts.histories import History, histories
from data.verdicts.lane_analysis import LaneAnalysis, analyse_lanes, lanes_of_tests
from data.verdicts.lanes import MASK_BITS, LaneBuild, LaneRun, LaneWindow, filtered_releases
from data.verdicts.priorities import tests_of_priority
from data.verdicts.rules import KINDS, classify
from data.verdicts.status_masks import TestLane, same_commit_disagreements


class LaneVerdict(NamedTuple):
    """A test in a lane with its verdict kinds; `statuses` oldest first, with one status of context."""

    test_lane: TestLane
    statuses: str
    disagreed: tuple[bool, ...]
    kinds: frozenset[str]


@cached_query
def counts(store: Store, flt: Filter) -> dict[str, dict[str, int]]:
    """By release: the number of tests with each verdict kind. A test with one kind in two environments counts once."""
    answer = {}
    for release in filtered_releases(store, flt):
        tests: dict[str, set[int]] = {kind: set() for kind in KINDS}
        for verdict in judge_tests(store, replace(flt, release=release))[1]:
            for kind in verdict.kinds:
                tests[kind].add(verdict.test_lane.test)
        answer[release] = {kind: len(found) for kind, found in tests.items()}
    return answer


@cached_query
def verdicts(
    store: Store,
    flt: Filter,
    kinds: tuple[str, ...] = KINDS,
    limit: int = 500,
    offset: int = 0,
    ranges: bool = True,
    tests: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """The tests with one of `kinds`, worst first, then the longest failing; each with its evidence. With `tests` (ids),
    only those. `ranges` False omits `range_99`, which needs the longer history."""
    wanted, wanted_kinds = {ids.number(test) for test in tests}, set(kinds)
    chosen = [
        (release, verdict)
        for release in filtered_releases(store, flt)
        for verdict in judge_tests(store, replace(flt, release=release))[1]
        if verdict.kinds & wanted_kinds and (not wanted or verdict.test_lane.test in wanted)
    ]
    chosen.sort(key=lambda item: _severity(item[1]))
    chosen = chosen[offset : offset + limit]
    names = test_names(store, [verdict.test_lane.test for _, verdict in chosen])
    rows = {}
    for release in {release for release, _ in chosen}:
        lane = replace(flt, release=release)
        failing = [
            verdict.test_lane
            for verdict_release, verdict in chosen
            if verdict_release == release and trailing_failures(verdict.statuses)
        ]
        long_histories = histories(store, lane, failing, window_runs(store, flt)) if ranges else {}
        rows[release] = _VerdictRows(
            store, analyse_lanes(store, lane, window_runs(store, flt)), window_size(store, flt), long_histories
        )
    return [rows[release].row(verdict, names[verdict.test_lane.test]) for release, verdict in chosen]


def _severity(verdict: LaneVerdict) -> tuple[int, int, str, int]:
    """Sort key: the worst kind first, then the longest failing."""
    return (
        min(map(KINDS.index, verdict.kinds)),
        -trailing_failures(verdict.statuses),
        verdict.test_lane.module,
        verdict.test_lane.test,
    )


def judge_tests(store: Store, flt: Filter) -> tuple[LaneWindow, list[LaneVerdict]]:
    """The window of the filter's release, and every test in it that has a verdict. `flt.runs` overrides the window
    size of the settings."""
    analysis = analyse_lanes(store, flt, window_runs(store, flt))
    size = window_size(store, flt)
    key = ("verdicts", replace(flt, priority=None, exclude_flaky=False, as_of=None), size, analysis.window.key)
    found = store.intermediate.get(key, lambda: _judge(analysis, size), lambda found: 500 * len(found))
    if flt.priority is not None:
        wanted = tests_of_priority(store, flt.release, flt.priority)
        found = [verdict for verdict in found if verdict.test_lane.test in wanted]
    return analysis.window, found


def _judge(analysis: LaneAnalysis, size: int) -> list[LaneVerdict]:
    disagreements = same_commit_disagreements(analysis.window, analysis.test_lanes)
    found = []
    for test_lane in analysis.test_lanes:
        statuses = test_lane.status_string(len(analysis.window.runs[test_lane.lane]))
        disagreed: tuple[bool, ...] = ()
        if flags := disagreements.get((test_lane.test, test_lane.lane), 0):
            ages = [age for age, status in enumerate(reversed(statuses)) if status != "S"][: size + 1]
            disagreed = tuple(bool(flags >> age & 1) for age in reversed(ages))
        statuses = statuses.replace("S", "")[-size - 1 :]
        kinds = classify(statuses, disagreed=disagreed, window=size)
        if kinds:
            found.append(LaneVerdict(test_lane, statuses, disagreed, kinds))
    return found


def window_size(store: Store, flt: Filter) -> int:
    """The number of runs in which a test ran that its verdict looks at."""
    return min(flt.runs or store.settings.measures.window, MASK_BITS - 2)


def window_runs(store: Store, flt: Filter) -> int:
    """The number of runs that are searched for a test: twice the window and one, so that a test that does not run
    every time still fills its window and has a status before it."""
    return min(2 * window_size(store, flt) + 1, MASK_BITS)


class _VerdictRows:
    """Makes the rows of verdicts, as the API gives them, from one analysis."""

    def __init__(
        self, store: Store, analysis: LaneAnalysis, size: int, long_histories: Mapping[tuple[int, int], History]
    ) -> None:
        self._analysis, self._size, self._histories = analysis, size, long_histories
        self._threshold = store.settings.measures.change_point_l
        # If a job was built twice for one run, the later build counts.
        self._builds: dict[tuple[int, int, str], LaneBuild] = {
            (build.lane, build.age, build.job): build for build in analysis.window.builds
        }
        self._newest: dict[tuple[int, str], int] = {}  # (lane, module) -> age of its newest run with results
        for column in analysis.module_counts:
            key = (column.lane, column.module)
            self._newest[key] = min(column.age, self._newest.get(key, column.age))

    def row(self, verdict: LaneVerdict, test: dict[str, Any]) -> dict[str, Any]:
        test_lane, runs = verdict.test_lane, self._analysis.window.runs[verdict.test_lane.lane]
        ran = test_lane.failed | test_lane.passed
        ages = [age for age in range(len(runs) - 1, -1, -1) if ran >> age & 1]
        ages = ages[-len(verdict.statuses) :]
        failing = trailing_failures(verdict.statuses)
        release, environment = self._analysis.window.lanes[test_lane.lane]
        evidence = self._evidence(verdict, runs, ages)
        derived = evidence_rules.judge(evidence)
        evidence |= {name: derived[name] for name in ("failed", "of", "rate", "interval_95")}
        change, range_99 = self._change_point(test_lane)
        if range_99 is not None:
            evidence["change_point"] = change
        return {
            "test": ids.text(test_lane.test),
            "key": f"{test['file']}::{test['class']}::{test['name']}",
            "name": test["name"],
            "module": test_lane.module,
            "release": release,
            "environment": environment,
            "kind": derived["kind"],
            "kinds": derived["kinds"],
            "since_run": ids.text(runs[ages[-failing]].run) if failing else None,
            "first_bad": self._pointer(test_lane, ages[-failing], "failed") if failing else None,
            "last_good": self._pointer(test_lane, ages[-failing - 1], "passed") if 0 < failing < len(ages) else None,
            "range_99": range_99,
            "strip": verdict.statuses,
            "sentence": evidence_rules.sentence(evidence),
            "evidence": evidence,
        }

    def _evidence(self, verdict: LaneVerdict, runs: Sequence[LaneRun], ages: Sequence[int]) -> dict[str, Any]:
        test_lane = verdict.test_lane
        return {
            "rule": "words",
            "statuses": verdict.statuses,
            "disagreed": [index for index, flag in enumerate(verdict.disagreed) if flag],
            "window": self._size,
            "runs": [ids.text(runs[age].run) for age in ages],
            "numbers": [runs[age].number for age in ages],
            "newest": runs[self._newest.get((test_lane.lane, test_lane.module), ages[-1])].number,
            "excluded": self._excluded(test_lane, ages[0] if ages else 0),
        }

    def _change_point(self, test_lane: TestLane) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The evidence of where the longer history changed, and the range_99 it gives; None if there is none."""
        history = self._histories.get((test_lane.test, test_lane.lane))
        if history is None:
            return {}, None
        evidence = {"rule": "change_point", "threshold": self._threshold, **history.evidence()}
        return evidence, evidence_rules.judge(evidence)["range_99"]

    def _pointer(self, test_lane: TestLane, age: int, mask: str) -> dict[str, Any]:
        run = self._analysis.window.runs[test_lane.lane][age]
        jobs = [on_host.job for on_host in test_lane.by_host if getattr(on_host, mask) >> age & 1]
        build = self._builds.get((test_lane.lane, age, jobs[0])) if jobs else None
        return {
            "run": ids.text(run.run),
            "number": run.number,
            "started_at": iso(run.started_at),
            "build": build and {"id": ids.text(build.build), "number": build.number, "job": build.job},
        }

    def _excluded(self, test_lane: TestLane, oldest: int) -> list[dict[str, Any]]:
        """The runs, oldest first, whose failures are left out."""
        return [
            {"run": ids.text(run.run), "number": run.number, "why": _why_excluded(test_lane, run.age)}
            for run in reversed(self._analysis.window.runs[test_lane.lane])
            if run.age <= oldest and (test_lane.in_storm | test_lane.on_bad_host) >> run.age & 1
        ]


def _why_excluded(test_lane: TestLane, age: int) -> str:
    return "storm" if test_lane.in_storm >> age & 1 else "host"


@cached_query
def exclusions(store: Store, flt: Filter) -> dict[str, Any]:
    """What verdicts leave out in the runs they look at (nothing if the filter includes storms): the number of
    `failures`, the `storms`, and the bad `hosts`, each with the failures left out because of it."""
    storms: list[dict[str, Any]] = []
    hosts: list[dict[str, Any]] = []
    for release in filtered_releases(store, flt) if not flt.include_storms else ():
        analysis = analyse_lanes(store, replace(flt, release=release), window_runs(store, flt))
        storms += storm_rows(store, analysis.window, analysis.storms)
        hosts += [
            host_row(analysis, host) | {"failures": _failures_left_out(analysis, host)}
            for host in analysis.hosts
            if host.bad
        ]
    failures = sum(storm["failed"] for storm in storms) + sum(host["failures"] for host in hosts)
    return {"failures": failures, "storms": storms, "hosts": hosts}


@cached_query
def excluded_runs(store: Store, test: str, flt: Filter) -> tuple[dict[str, str], frozenset[str]]:
    """(run id -> "storm" or "host", the runs in which a failure of this test is left out of its verdict; the ids of
    all runs that the verdicts of the filter's release look at)."""
    runs = analyse_lanes(store, flt, window_runs(store, flt)).window.runs
    found = {
        ids.text(run.run): _why_excluded(test_lane, run.age)
        for test_lane in lanes_of_tests(store, flt, window_runs(store, flt), [ids.number(test)])
        for run in runs[test_lane.lane]
        if (test_lane.in_storm | test_lane.on_bad_host) >> run.age & 1
    }
    return found, frozenset(ids.text(run.run) for lane_runs in runs for run in lane_runs)


def _failures_left_out(analysis: LaneAnalysis, host: LaneHost) -> int:
    return sum(
        (on_host.tripped & test_lane.on_bad_host).bit_count()
        for test_lane in analysis.test_lanes
        if test_lane.lane == host.lane and test_lane.on_bad_host
        for on_host in test_lane.by_host
        if on_host.host == host.host
    )


def test_names(store: Store, tests: Sequence[int]) -> dict[int, dict[str, Any]]:
    """By test: its {test, file, class, name}."""
    rows = store.rows(
        "SELECT test, file, class, name FROM tests WHERE test IN (SELECT unnest($tests::BIGINT[]))", {"tests": tests}
    )
    return {row["test"]: row for row in rows}
