"""The verdicts on every test of a release: what is broken, since when, and whether it is real or noise.

The rules are in `data/verdicts/rules.py`. Every verdict carries its evidence: the statuses that decided it, from which
anyone can recompute it (`data/verdicts/evidence`). Failures in mass failures and on bad hosts are left out, and the
evidence lists them (`data/verdicts/disturbances`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from data.answers.base import VerdictKind
from data.answers.evidence import ExclusionReason, StatusEvidence, VerdictEvidence
from data.answers.tests import TestName
from data.answers.verdicts import Excluded, Pointer, SickHost, Storm, Verdict
from data.cache.dependencies import nothing
from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.measures import iso
from data.verdicts.disturbances.bad_hosts import LaneHost
from data.verdicts.disturbances.lists import host_row, storm_rows
from data.verdicts.evidence import verdict as kinds_evidence
from data.verdicts.evidence.failure_history import find_beginning, judge_change, trailing_failures
from data.verdicts.histories import History, histories
from data.verdicts.lane_analysis import LaneAnalysis, analyse_lanes, lanes_of_tests, verdict_reach, window_size
from data.verdicts.lanes import HISTORY_RUNS, LaneBuild, LaneRun, LaneWindow, filtered_releases, lane_window
from data.verdicts.priorities import tests_of_priority
from data.verdicts.rules import KINDS, classify
from data.verdicts.status_masks import TestLane, same_commit_disagreements
from data.verdicts.unread_history import is_held_back, unread_histories, unread_lanes


class LaneVerdict(NamedTuple):
    """A test in a lane with its verdict kinds; `statuses` oldest first, with one status of context. `disagreed`: the
    indices of those in whose run, or on whose commit, the test both failed and passed; `rescued`: those of them in
    which a rerun passed and another topology failed."""

    test_lane: TestLane
    statuses: str
    disagreed: tuple[int, ...]
    rescued: tuple[int, ...]
    kinds: frozenset[VerdictKind]


@cached_query(of_release)
def verdicts(
    store: Store,
    flt: Filter,
    kinds: tuple[VerdictKind, ...] = KINDS,
    limit: int = 500,
    offset: int = 0,
    ranges: bool = True,
    tests: tuple[str, ...] = (),
) -> list[Verdict]:
    """The tests with one of `kinds`, worst first, then the longest failing; each with its evidence. With `tests` (ids),
    only those. `ranges` False omits `range_99`."""
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
        reach = verdict_reach(store, flt)
        rows[release] = _VerdictRows(
            store,
            analyse_lanes(store, lane, reach),
            window_size(store, flt),
            histories(store, lane, failing, reach.builds),
            store.settings.measures.change_point_l if ranges else None,
        )
    return [rows[release].row(verdict, names[verdict.test_lane.test]) for release, verdict in chosen]


@cached_query(of_release)
def kind_counts(store: Store, flt: Filter) -> dict[VerdictKind, int]:
    """How many rows of `verdicts` are of each kind, without reading them."""
    worst = [
        min(map(KINDS.index, verdict.kinds))
        for release in filtered_releases(store, flt)
        for verdict in judge_tests(store, replace(flt, release=release))[1]
    ]
    return {kind: worst.count(index) for index, kind in enumerate(KINDS)}


def kinds_of_tests(store: Store, lane: Filter) -> dict[int, list[VerdictKind]]:
    """The kinds of every test that has a verdict in one lane, worst first."""
    return {verdict.test_lane.test: sorted(verdict.kinds, key=KINDS.index) for verdict in judge_tests(store, lane)[1]}


def _severity(verdict: LaneVerdict) -> tuple[int, int, str, int]:
    """Sort key: the worst kind first, then the longest failing."""
    return (
        min(map(KINDS.index, verdict.kinds)),
        -trailing_failures(verdict.statuses),
        verdict.test_lane.module,
        verdict.test_lane.test,
    )


def judge_tests(store: Store, flt: Filter) -> tuple[LaneWindow, list[LaneVerdict]]:
    """The window of the filter's release, and every test in it that has a verdict; without those whose history is
    still being read. `flt.runs` overrides the window size of the settings."""
    analysis = analyse_lanes(store, flt, verdict_reach(store, flt))
    size = window_size(store, flt)
    key = ("verdicts", replace(flt, priority=None, exclude_flaky=False, as_of=None), size, analysis.window.key)
    found = store.cached(key, lambda: _judge(analysis, size), lambda found: 500 * len(found), nothing)
    if flt.priority is not None:
        wanted = tests_of_priority(store, flt.release, flt.priority)
        found = [verdict for verdict in found if verdict.test_lane.test in wanted]
    if unread := unread_lanes(store, flt, analysis.window):
        found = [verdict for verdict in found if not is_held_back(unread, verdict.test_lane)]
    return analysis.window, found


def _judge(analysis: LaneAnalysis, size: int) -> list[LaneVerdict]:
    disagreements = same_commit_disagreements(analysis.window, analysis.test_lanes)
    found = []
    for test_lane in analysis.test_lanes:
        letters = test_lane.status_string()
        statuses = letters.replace("S", "")[-size - 1 :]
        on_one_commit = disagreements.get((test_lane.test, test_lane.lane), 0)
        rescued = test_lane.rescued & test_lane.failed
        if on_one_commit | rescued:
            bits = counted_bits(letters)[-len(statuses) :]
            flags = tuple(bool((on_one_commit | rescued) >> bit & 1) for bit in bits)
            disagreed = tuple(index for index, flag in enumerate(flags) if flag)
            rescues = tuple(index for index in disagreed if rescued >> bits[index] & 1)
            kinds = classify(statuses, disagreed=flags, window=size)
        else:
            disagreed = rescues = ()
            kinds = classify(statuses, window=size)
        if kinds:
            found.append(LaneVerdict(test_lane, statuses, disagreed, rescues, kinds))
    return found


class _VerdictRows:
    """Makes the rows of verdicts, as the API gives them, from one analysis."""

    def __init__(
        self,
        store: Store,
        analysis: LaneAnalysis,
        size: int,
        long_histories: Mapping[tuple[int, int], History],
        threshold: float | None,
    ) -> None:
        """`threshold` is that of change points; None: no ranges."""
        self._analysis, self._size, self._histories, self._threshold = analysis, size, long_histories, threshold
        longest = lane_window(store, analysis.scope, HISTORY_RUNS)
        # If a job was built twice for one run, the later build counts.
        self._builds: dict[tuple[int, int, str], LaneBuild] = {
            (build.lane, build.age, build.job): build for build in longest.builds
        }
        self._newest: dict[tuple[int, str], int] = {}  # (lane, module) -> age of its newest run with results
        for column in analysis.module_counts:
            key = (column.lane, column.module)
            self._newest[key] = min(column.age, self._newest.get(key, column.age))

    def row(self, verdict: LaneVerdict, test: TestName) -> Verdict:
        test_lane = verdict.test_lane
        release, environment = self._analysis.window.lanes[test_lane.lane]
        status_evidence = self._evidence(verdict)
        since = first_bad = last_good = range_99 = None
        history = self._histories.get((test_lane.test, test_lane.lane))
        if history is not None:
            beginning = find_beginning(history.statuses, self._threshold)
            since, first_bad = history.runs[beginning.since], history.runs[beginning.first_bad]
            last_good = None if beginning.last_good is None else history.runs[beginning.last_good]
            status_evidence["stretch"] = {
                "runs": len(history.runs) - beginning.since,
                "since": since.number,
                "passed": history.runs[beginning.since - 1].number if beginning.since else None,
            }
            if beginning.change is not None:
                assert self._threshold is not None  # without one there are no changes
                status_evidence["change_point"] = {
                    "rule": "change_point",
                    "threshold": self._threshold,
                    **history.evidence(),
                }
                range_99 = judge_change(status_evidence["change_point"])["range_99"]
                first_bad = self._earlier_on_bad_host(test_lane, history, beginning.first_bad) or first_bad
        derived = kinds_evidence.judge(status_evidence)
        assert derived["kind"] is not None  # a verdict has kinds
        evidence: VerdictEvidence = {
            **status_evidence,
            "failed": derived["failed"],
            "of": derived["of"],
            "rate": derived["rate"],
            "interval_95": derived["interval_95"],
        }
        return {
            "test": ids.text(test_lane.test),
            "key": f"{test['file']}::{test['class']}::{test['name']}",
            "name": test["name"],
            "module": test_lane.module,
            "release": release,
            "environment": environment,
            "kind": derived["kind"],
            "kinds": derived["kinds"],
            "since_run": None if since is None else ids.text(since.run),
            "first_bad": None if first_bad is None else self._pointer(test_lane, first_bad, "failed"),
            "last_good": None if last_good is None else self._pointer(test_lane, last_good, "passed"),
            "range_99": range_99,
            "strip": verdict.statuses,
            "sentence": kinds_evidence.sentence(evidence),
            "evidence": evidence,
        }

    def _earlier_on_bad_host(self, test_lane: TestLane, history: History, first_bad: int) -> LaneRun | None:
        """The first of the failures on bad hosts between the last result before the first bad run and that run: what
        went on failing elsewhere was rather broken by then."""
        newest, oldest = history.runs[first_bad].age, history.runs[first_bad - 1].age
        ages = [
            age for bit, age in enumerate(test_lane.ages) if test_lane.on_bad_host >> bit & 1 and newest < age < oldest
        ]
        return self._analysis.window.runs[test_lane.lane][max(ages)] if ages else None

    def _evidence(self, verdict: LaneVerdict) -> StatusEvidence:
        test_lane, lane_runs = verdict.test_lane, self._analysis.window.runs[verdict.test_lane.lane]
        bits = counted_bits(test_lane.status_string())[-len(verdict.statuses) :]
        ages = [test_lane.ages[bit] for bit in bits]
        return {
            "rule": "words",
            "statuses": verdict.statuses,
            "disagreed": list(verdict.disagreed),
            "rescued": list(verdict.rescued),
            "window": self._size,
            "runs": [ids.text(lane_runs[age].run) for age in ages],
            "numbers": [lane_runs[age].number for age in ages],
            "newest": lane_runs[self._newest.get((test_lane.lane, test_lane.module), ages[-1])].number,
            "excluded": [
                {"run": ids.text(lane_runs[age].run), "number": lane_runs[age].number, "why": why}
                for age, why in reversed(excluded_ages(test_lane, self._builds))
                if age <= ages[0]
            ],
        }

    def _pointer(self, test_lane: TestLane, run: LaneRun, mask: str) -> Pointer:
        bit = test_lane.bit_at(run.age)
        jobs = [on_host.job for on_host in test_lane.by_host if not bit or getattr(on_host, mask) & bit]
        builds = (self._builds.get((test_lane.lane, run.age, job)) for job in jobs)
        build = next((build for build in builds if build is not None), None)
        return {
            "run": ids.text(run.run),
            "number": run.number,
            "started_at": iso(run.started_at),
            "build": build and {"id": ids.text(build.build), "number": build.number, "job": build.job},
        }


def counted_bits(letters: str) -> list[int]:
    """The bits of the counted statuses of a status string, oldest first."""
    return [len(letters) - 1 - index for index, letter in enumerate(letters) if letter != "S"]


def excluded_ages(
    test_lane: TestLane, builds: Mapping[tuple[int, int, str], LaneBuild]
) -> list[tuple[int, ExclusionReason]]:
    """(age, why) of the runs whose failures are left out, newest first: storm, host, aborted or running. `builds` are
    those of the lane by (lane, age, job)."""
    left_out = test_lane.in_storm | test_lane.on_bad_host | test_lane.unfinished
    return [
        (age, _why_excluded(test_lane, 1 << bit, age, builds))
        for bit, age in (enumerate(test_lane.ages) if left_out else ())
        if left_out >> bit & 1
    ]


def _why_excluded(
    test_lane: TestLane, bit: int, age: int, builds: Mapping[tuple[int, int, str], LaneBuild]
) -> ExclusionReason:
    if test_lane.unfinished & bit:
        jobs = (on_host.job for on_host in test_lane.by_host if on_host.unfinished & bit)
        unfinished = (builds[test_lane.lane, age, job].unfinished for job in jobs)
        return "running" if next(unfinished, "aborted") == "running" else "aborted"
    return "storm" if test_lane.in_storm & bit else "host"


@cached_query(of_release)
def exclusions(store: Store, flt: Filter) -> Excluded:
    """What verdicts leave out in the runs they look at (nothing if the filter includes storms): the number of
    `failures`, the `storms`, and the bad `hosts`, each with the failures left out because of it; and the lanes whose
    verdicts are held back because their history is still being read (`unread_history`)."""
    storms: list[Storm] = []
    hosts: list[SickHost] = []
    for release in filtered_releases(store, flt) if not flt.include_storms else ():
        analysis = analyse_lanes(store, replace(flt, release=release), verdict_reach(store, flt))
        storms += storm_rows(store, analysis.window, analysis.storms)
        hosts += [
            {**host_row(analysis, host), "failures": _failures_left_out(analysis, host)}
            for host in analysis.hosts
            if host.bad
        ]
    failures = sum(storm["failed"] for storm in storms) + sum(host["failures"] for host in hosts)
    unread = [history.row() for history in unread_histories(store, flt)]
    return {"failures": failures, "storms": storms, "hosts": hosts, "unread_history": unread}


@cached_query(of_release)
def excluded_runs(store: Store, test: str, flt: Filter) -> tuple[dict[str, ExclusionReason], frozenset[str]]:
    """(run id -> "storm", "host", "aborted" or "running": the runs in which a failure of this test is left out of its
    verdict, and why; the ids of all runs that the verdicts of the filter's release look at)."""
    analysis = analyse_lanes(store, flt, verdict_reach(store, flt))
    runs = analysis.window.runs
    builds = {(build.lane, build.age, build.job): build for build in analysis.builds}
    found = {
        ids.text(runs[test_lane.lane][age].run): why
        for test_lane in lanes_of_tests(store, flt, verdict_reach(store, flt), [ids.number(test)])
        for age, why in excluded_ages(test_lane, builds)
    }
    return found, frozenset(ids.text(runs[build.lane][build.age].run) for build in analysis.builds)


def _failures_left_out(analysis: LaneAnalysis, host: LaneHost) -> int:
    return sum(
        (on_host.tripped & test_lane.on_bad_host).bit_count()
        for test_lane in analysis.test_lanes
        if test_lane.lane == host.lane and test_lane.on_bad_host
        for on_host in test_lane.by_host
        if on_host.host == host.host
    )


def test_names(store: Store, tests: Sequence[int]) -> dict[int, TestName]:
    """By test: its {test, file, class, name}."""
    rows = store.rows(
        "SELECT test, file, class, name FROM tests WHERE test IN (SELECT unnest($tests::BIGINT[]))",
        {"tests": tests},
        TestName,
    )
    return {row["test"]: row for row in rows}
