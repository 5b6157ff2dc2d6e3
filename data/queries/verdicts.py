"""What is broken, since when, real or noise: the words of data/stats/words.py over every test of a release.

Every verdict carries its evidence (data/evidence.py): the statuses it was judged on, from which anybody can compute it
again. What storms and sick hosts broke is left out (data/queries/disturbances.py), and said to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from data import evidence, ids
from data.cache import question
from data.filters import Filter
from data.measures import iso
from data.queries.disturbances import Seen, host_row, seen, storm_rows
from data.queries.histories import History, histories
from data.queries.windows import DEEPEST, Line, Window, disagreements
from data.stats.words import WORDS, words, worst
from data.store import Store


@dataclass(frozen=True)
class Judged:
    """A test in a lane with the words that hold for it; `letters` oldest first, with one status of context."""

    line: Line
    letters: str
    disagreed: tuple[bool, ...]
    kinds: frozenset[str]


@question
def counts(store: Store, flt: Filter) -> dict[str, dict[str, int]]:
    """By release: how many tests carry each word. A test that carries one in two environments counts once."""
    view, judged = judge(store, flt)
    found: dict[str, dict[str, set[int]]] = {release: {word: set() for word in WORDS} for release, _ in view.lanes}
    for verdict in judged:
        for word in verdict.kinds:
            found[view.lanes[verdict.line.lane][0]][word].add(verdict.line.test)
    return {release: {word: len(tests) for word, tests in by_word.items()} for release, by_word in found.items()}


@question
def verdicts(
    store: Store,
    flt: Filter,
    kinds: tuple[str, ...] = WORDS,
    limit: int = 500,
    offset: int = 0,
    ranges: bool = True,
    tests: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """The tests that carry one of `kinds`, worst first, then the longest failing; each with its evidence. With `tests`
    (ids), of those alone. `ranges` False leaves out `range_99`, for which the longer history is read."""
    judged = judge(store, flt)[1]
    wanted = {ids.number(test) for test in tests}
    chosen = [
        verdict for verdict in judged if verdict.kinds & set(kinds) and (not wanted or verdict.line.test in wanted)
    ]
    chosen.sort(
        key=lambda verdict: (
            WORDS.index(worst(verdict.kinds)),
            -evidence.tail(verdict.letters),
            verdict.line.module,
            verdict.line.test,
        )
    )
    chosen = chosen[offset : offset + limit]
    named = names(store, [verdict.line.test for verdict in chosen])
    failing = [verdict.line for verdict in chosen if evidence.tail(verdict.letters)] if ranges else []
    longer = histories(store, flt, failing, depth(store, flt))
    around = seen(store, flt, depth(store, flt))
    maker = _Rows(store, around, window_size(store, flt))
    return [
        maker.row(verdict, named[verdict.line.test], longer.get((verdict.line.test, verdict.line.lane)))
        for verdict in chosen
    ]


@question
def judge(store: Store, flt: Filter) -> tuple[Window, list[Judged]]:
    """Every troubled test of the filter's lanes with its words. `flt.runs` overrides the window of the settings."""
    size = window_size(store, flt)
    around = seen(store, flt, depth(store, flt))
    disagreeing = disagreements(around.window, around.lines)
    answer = []
    for line in around.lines:
        ages = range(len(around.window.runs[line.lane]) - 1, -1, -1)
        flags = disagreeing.get((line.test, line.lane), 0)
        ran = [(letter, bool(flags >> age & 1)) for letter, age in zip(line.letters(ages), ages, strict=True)]
        ran = [(letter, flag) for letter, flag in ran if letter != "S"][-size - 1 :]
        letters = "".join(letter for letter, _ in ran)
        disagreed = tuple(flag for _, flag in ran)
        found = words(letters, disagreed=disagreed, window=size)
        if found:
            answer.append(Judged(line, letters, disagreed, found))
    return around.window, answer


def window_size(store: Store, flt: Filter) -> int:
    """How many runs a verdict looks at."""
    return min(flt.runs or store.settings.measures.window, DEEPEST - 2)


def depth(store: Store, flt: Filter) -> int:
    """In how many runs a test is looked for: twice the window and one, so that one that does not run every time still
    fills it, and has a status before it."""
    return min(2 * window_size(store, flt) + 1, DEEPEST)


class _Rows:
    """Verdicts as the API gives them."""

    def __init__(self, store: Store, around: Seen, size: int) -> None:
        self._around, self._size = around, size
        self._threshold = store.settings.measures.change_point_l
        # Where a job was built twice for one run, the later build counts.
        builds = sorted(around.window.builds, key=lambda build: build.started_at)
        self._builds = {(build.lane, build.age, build.job): build for build in builds}

    def row(self, verdict: Judged, test: dict[str, Any], longer: History | None) -> dict[str, Any]:
        line, runs = verdict.line, self._around.window.runs[verdict.line.lane]
        ages = [age for age in range(len(runs) - 1, -1, -1) if (line.failed | line.passed) >> age & 1]
        ages = ages[-len(verdict.letters) :]
        tail = evidence.tail(verdict.letters)
        release, environment = self._around.window.lanes[line.lane]
        told: dict[str, Any] = {
            "rule": "words",
            "statuses": verdict.letters,
            "disagreed": [place for place, flag in enumerate(verdict.disagreed) if flag],
            "window": self._size,
            "runs": [ids.text(runs[age].run) for age in ages],
            "numbers": [runs[age].number for age in ages],
            "excluded": self._excluded(line, ages[0] if ages else 0),
        }
        judged = evidence.judge(told)
        told |= {name: judged[name] for name in ("failed", "of", "rate", "interval_95")}
        range_99 = None
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
            "since_run": ids.text(runs[ages[-tail]].run) if tail else None,
            "first_bad": self._pointer(line, ages[-tail], "failed") if tail else None,
            "last_good": self._pointer(line, ages[-tail - 1], "passed") if 0 < tail < len(ages) else None,
            "range_99": range_99,
            "strip": verdict.letters,
            "sentence": evidence.sentence(told),
            "evidence": told,
        }

    def _pointer(self, line: Line, age: int, mask: str) -> dict[str, Any]:
        run = self._around.window.runs[line.lane][age]
        jobs = [part.job for part in line.parts if getattr(part, mask) >> age & 1]
        build = self._builds.get((line.lane, age, jobs[0])) if jobs else None
        return {
            "run": ids.text(run.run),
            "number": run.number,
            "started_at": iso(run.started_at),
            "build": build and {"id": ids.text(build.build), "number": build.number, "job": build.job},
        }

    def _excluded(self, line: Line, oldest: int) -> list[dict[str, Any]]:
        return [
            {"run": ids.text(run.run), "number": run.number, "why": "storm" if line.stormy >> run.age & 1 else "host"}
            for run in reversed(self._around.window.runs[line.lane])
            if run.age <= oldest and (line.stormy | line.sick) >> run.age & 1
        ]


@question
def excluded(store: Store, flt: Filter) -> dict[str, Any]:
    """What verdicts leave out, in the runs that they look at (none of it where the filter includes storms): how many
    `failures` in all, the `storms` (data/queries/disturbances.py) and the sick `hosts`, each with the failures that
    were left out for it."""
    around = seen(store, flt, depth(store, flt))
    left_out: dict[tuple[int, str], int] = {}
    for line in around.lines:
        for part in line.parts:
            count = (part.tripped & line.sick).bit_count()
            if count and part.host:
                left_out[line.lane, part.host] = left_out.get((line.lane, part.host), 0) + count
    storms = [] if flt.include_storms else storm_rows(store, around)
    hosts = [
        host_row(around, host) | {"failures": left_out.get((host.lane, host.host), 0)}
        for host in around.hosts
        if host.sick and not flt.include_storms
    ]
    return {
        "failures": sum(storm["failed"] for storm in storms) + sum(host["failures"] for host in hosts),
        "storms": storms,
        "hosts": hosts,
    }


def names(store: Store, tests: Sequence[int]) -> dict[int, dict[str, Any]]:
    rows = store.rows(
        "SELECT test, file, class, name FROM tests WHERE test IN (SELECT unnest($tests::BIGINT[]))", {"tests": tests}
    )
    return {row["test"]: row for row in rows}
