"""What is broken, since when, real or noise: the words of data/verdicts/rules.py over every test of a release.

Every verdict carries its evidence (data/verdicts/evidence.py): the statuses it was judged on, from which anybody can compute it
again. What storms and sick hosts broke is left out (data/verdicts/disturbances.py), and said to be.
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
from data.verdicts import evidence
from data.verdicts.disturbances import Host, LaneAnalysis, analyse_lanes, host_row, of_tests, releases, storm_rows
from data.verdicts.evidence.failure_history import tail
from data.verdicts.histories import History, histories
from data.verdicts.lanes import MASK_BITS, LaneWindow, TestLane, disagreements
from data.verdicts.priorities import of_priority
from data.verdicts.rules import KINDS, classify, worst_kind


class Judged(NamedTuple):
    """A test in a lane with the words that hold for it; `letters` oldest first, with one status of context."""

    line: TestLane
    letters: str
    disagreed: tuple[bool, ...]
    kinds: frozenset[str]


@cached_query
def counts(store: Store, flt: Filter) -> dict[str, dict[str, int]]:
    """By release: how many tests carry each word. A test that carries one in two environments counts once."""
    answer = {}
    for release in releases(store, flt):
        found: dict[str, set[int]] = {word: set() for word in KINDS}
        for verdict in judge(store, replace(flt, release=release))[1]:
            for word in verdict.kinds:
                found[word].add(verdict.line.test)
        answer[release] = {word: len(tests) for word, tests in found.items()}
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
    """The tests that carry one of `kinds`, worst first, then the longest failing; each with its evidence. With `tests`
    (ids), of those alone. `ranges` False leaves out `range_99`, for which the longer history is read."""
    wanted = {ids.number(test) for test in tests}
    chosen = [
        (release, verdict)
        for release in releases(store, flt)
        for verdict in judge(store, replace(flt, release=release))[1]
        if verdict.kinds & set(kinds) and (not wanted or verdict.line.test in wanted)
    ]
    chosen.sort(
        key=lambda item: (
            KINDS.index(worst_kind(item[1].kinds)),
            -tail(item[1].letters),
            item[1].line.module,
            item[1].line.test,
        )
    )
    chosen = chosen[offset : offset + limit]
    named = test_names(store, [verdict.line.test for _, verdict in chosen])
    makers = {}
    for release in {release for release, _ in chosen}:
        lane = replace(flt, release=release)
        failing = [verdict.line for of, verdict in chosen if of == release and tail(verdict.letters)]
        longer = histories(store, lane, failing, window_runs(store, flt)) if ranges else {}
        makers[release] = _Rows(
            store, analyse_lanes(store, lane, window_runs(store, flt)), window_size(store, flt), longer
        )
    return [makers[release].row(verdict, named[verdict.line.test]) for release, verdict in chosen]


def judge(store: Store, flt: Filter) -> tuple[LaneWindow, list[Judged]]:
    """Every troubled test of the lanes of the filter's release with its words. `flt.runs` overrides the window of the
    settings."""
    around = analyse_lanes(store, flt, window_runs(store, flt))
    size = window_size(store, flt)
    key = ("judge", replace(flt, priority=None, exclude_flaky=False, as_of=None), size, around.window.key)
    judged = store.intermediate.get(key, lambda: _judge(around, size), lambda found: 500 * len(found))
    if flt.priority is not None:
        wanted = of_priority(store, flt.release, flt.priority)
        judged = [verdict for verdict in judged if verdict.line.test in wanted]
    return around.window, judged


def _judge(around: LaneAnalysis, size: int) -> list[Judged]:
    disagreeing = disagreements(around.window, around.lines)
    answer = []
    for line in around.lines:
        letters = line.status_string(len(around.window.runs[line.lane]))
        disagreed: tuple[bool, ...] = ()
        if flags := disagreeing.get((line.test, line.lane), 0):
            ages = [age for age, letter in enumerate(reversed(letters)) if letter != "S"][: size + 1]
            disagreed = tuple(bool(flags >> age & 1) for age in reversed(ages))
        letters = letters.replace("S", "")[-size - 1 :]
        found = classify(letters, disagreed=disagreed, window=size)
        if found:
            answer.append(Judged(line, letters, disagreed, found))
    return answer


def window_size(store: Store, flt: Filter) -> int:
    """How many runs a verdict looks at."""
    return min(flt.runs or store.settings.measures.window, MASK_BITS - 2)


def window_runs(store: Store, flt: Filter) -> int:
    """In how many runs a test is looked for: twice the window and one, so that one that does not run every time still
    fills it, and has a status before it."""
    return min(2 * window_size(store, flt) + 1, MASK_BITS)


class _Rows:
    """Verdicts as the API gives them."""

    def __init__(
        self, store: Store, around: LaneAnalysis, size: int, longer: Mapping[tuple[int, int], History]
    ) -> None:
        self._around, self._size, self._longer = around, size, longer
        self._threshold = store.settings.measures.change_point_l
        # Where a job was built twice for one run, the later build counts.
        self._builds = {(build.lane, build.age, build.job): build for build in around.window.builds}
        self._newest: dict[
            tuple[int, str], int
        ] = {}  # the age of the newest run in which there was anything of a module
        for column in around.columns:
            key = (column.lane, column.module)
            self._newest[key] = min(column.age, self._newest.get(key, column.age))

    def row(self, verdict: Judged, test: dict[str, Any]) -> dict[str, Any]:
        line, runs = verdict.line, self._around.window.runs[verdict.line.lane]
        ages = [age for age in range(len(runs) - 1, -1, -1) if (line.failed | line.passed) >> age & 1]
        ages = ages[-len(verdict.letters) :]
        failing = tail(verdict.letters)
        release, environment = self._around.window.lanes[line.lane]
        told: dict[str, Any] = {
            "rule": "words",
            "statuses": verdict.letters,
            "disagreed": [place for place, flag in enumerate(verdict.disagreed) if flag],
            "window": self._size,
            "runs": [ids.text(runs[age].run) for age in ages],
            "numbers": [runs[age].number for age in ages],
            "newest": runs[self._newest.get((line.lane, line.module), ages[-1])].number,
            "excluded": self._excluded(line, ages[0] if ages else 0),
        }
        judged = evidence.judge(told)
        told |= {name: judged[name] for name in ("failed", "of", "rate", "interval_95")}
        range_99 = None
        longer = self._longer.get((line.test, line.lane))
        if longer is not None:
            change = {"rule": "change_point", "threshold": self._threshold, **longer.told()}
            range_99 = evidence.judge(change)["range_99"]
            if range_99 is not None:
                told["change_point"] = change
        return {
            "test": ids.text(line.test),
            "key": f"{test['file']}::{test['class']}::{test['name']}",
            "name": test["name"],
            "module": line.module,
            "release": release,
            "environment": environment,
            "kind": judged["kind"],
            "kinds": judged["kinds"],
            "since_run": ids.text(runs[ages[-failing]].run) if failing else None,
            "first_bad": self._pointer(line, ages[-failing], "failed") if failing else None,
            "last_good": self._pointer(line, ages[-failing - 1], "passed") if 0 < failing < len(ages) else None,
            "range_99": range_99,
            "strip": verdict.letters,
            "sentence": evidence.sentence(told),
            "evidence": told,
        }

    def _pointer(self, line: TestLane, age: int, mask: str) -> dict[str, Any]:
        run = self._around.window.runs[line.lane][age]
        jobs = [part.job for part in line.parts if getattr(part, mask) >> age & 1]
        build = self._builds.get((line.lane, age, jobs[0])) if jobs else None
        return {
            "run": ids.text(run.run),
            "number": run.number,
            "started_at": iso(run.started_at),
            "build": build and {"id": ids.text(build.build), "number": build.number, "job": build.job},
        }

    def _excluded(self, line: TestLane, oldest: int) -> list[dict[str, Any]]:
        return [
            {"run": ids.text(run.run), "number": run.number, "why": "storm" if line.stormy >> run.age & 1 else "host"}
            for run in reversed(self._around.window.runs[line.lane])
            if run.age <= oldest and (line.stormy | line.sick) >> run.age & 1
        ]


@cached_query
def exclusions(store: Store, flt: Filter) -> dict[str, Any]:
    """What verdicts leave out, in the runs that they look at (none of it where the filter includes storms): how many
    `failures` in all, the `storms` (data/verdicts/disturbances.py) and the sick `hosts`, each with the failures that
    were left out for it."""
    storms: list[dict[str, Any]] = []
    hosts: list[dict[str, Any]] = []
    for release in releases(store, flt) if not flt.include_storms else ():
        around = analyse_lanes(store, replace(flt, release=release), window_runs(store, flt))
        storms += storm_rows(store, around.window, around.storms)
        hosts += [host_row(around, host) | {"failures": _left_out(around, host)} for host in around.hosts if host.sick]
    failures = sum(storm["failed"] for storm in storms) + sum(host["failures"] for host in hosts)
    return {"failures": failures, "storms": storms, "hosts": hosts}


@cached_query
def excluded_runs(store: Store, test: str, flt: Filter) -> tuple[dict[str, str], frozenset[str]]:
    """Run id -> storm or host: the runs in which a failure of this test is left out of its verdict; and all runs that
    the verdicts of the filter's release look at."""
    runs = analyse_lanes(store, flt, window_runs(store, flt)).window.runs
    found = {
        ids.text(run.run): "storm" if line.stormy >> run.age & 1 else "host"
        for line in of_tests(store, flt, window_runs(store, flt), [ids.number(test)])
        for run in runs[line.lane]
        if (line.stormy | line.sick) >> run.age & 1
    }
    return found, frozenset(ids.text(run.run) for of_lane in runs for run in of_lane)


def _left_out(around: LaneAnalysis, host: Host) -> int:
    return sum(
        (part.tripped & line.sick).bit_count()
        for line in around.lines
        if line.lane == host.lane and line.sick
        for part in line.parts
        if part.host == host.host
    )


def test_names(store: Store, tests: Sequence[int]) -> dict[int, dict[str, Any]]:
    rows = store.rows(
        "SELECT test, file, class, name FROM tests WHERE test IN (SELECT unnest($tests::BIGINT[]))", {"tests": tests}
    )
    return {row["test"]: row for row in rows}
