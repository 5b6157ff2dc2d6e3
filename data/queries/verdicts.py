"""What is broken, since when, real or noise: the words of data/stats/words.py over every test of a release.

Every verdict carries its evidence: the statuses it was judged on, from which anybody can compute it again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from data import ids
from data.cache import question
from data.filters import Filter
from data.measures import iso
from data.queries.windows import DEEPEST, LaneRun, Sequence, Window, same_commit, sequences, window
from data.stats.intervals import wilson
from data.stats.words import WORDS, words, worst
from data.store import Store


@dataclass(frozen=True)
class Judged:
    """A test in a lane with the words that hold for it; `letters` oldest first, with one status of context."""

    sequence: Sequence
    letters: str
    disagreed: tuple[bool, ...]
    kinds: frozenset[str]


@question
def counts(store: Store, flt: Filter) -> dict[str, dict[str, int]]:
    """By release: how many tests carry each word. A test that carries one in two environments counts once."""
    seen, judged = judge(store, flt)
    found: dict[str, dict[str, set[int]]] = {release: {word: set() for word in WORDS} for release, _ in seen.lanes}
    for verdict in judged:
        for word in verdict.kinds:
            found[seen.lanes[verdict.sequence.lane][0]][word].add(verdict.sequence.test)
    return {release: {word: len(tests) for word, tests in by_word.items()} for release, by_word in found.items()}


@question
def verdicts(
    store: Store, flt: Filter, kinds: tuple[str, ...] = WORDS, limit: int = 500, offset: int = 0
) -> list[dict[str, Any]]:
    """The tests that carry one of `kinds`, worst first, then the longest failing; each with its evidence."""
    seen, judged = judge(store, flt)
    chosen = [verdict for verdict in judged if verdict.kinds & set(kinds)]
    chosen.sort(
        key=lambda verdict: (
            WORDS.index(worst(verdict.kinds)),
            -_tail(verdict.letters),
            verdict.sequence.module,
            verdict.sequence.test,
        )
    )
    chosen = chosen[offset : offset + limit]
    names = _names(store, [verdict.sequence.test for verdict in chosen])
    return [_row(verdict, seen, names[verdict.sequence.test], window_size(store, flt)) for verdict in chosen]


def judge(store: Store, flt: Filter) -> tuple[Window, list[Judged]]:
    """Every troubled test of the filter's lanes with its words. `flt.runs` overrides the window of the settings.

    A test is looked for in twice as many runs as the window has, so that one that does not run every time still fills
    it, and has a status before it.
    """
    size = window_size(store, flt)
    seen = window(store, flt, min(2 * size + 1, DEEPEST))
    disagreeing = same_commit(store, seen, flt)
    answer = []
    for sequence in sequences(store, seen, flt):
        ages = range(len(seen.runs[sequence.lane]) - 1, -1, -1)
        all_letters = sequence.letters(ages)
        flags = disagreeing.get((sequence.test, sequence.lane), 0)
        ran = [(letter, bool(flags >> age & 1)) for letter, age in zip(all_letters, ages, strict=True) if letter != "S"]
        ran = ran[-size - 1 :]
        letters = "".join(letter for letter, _ in ran)
        disagreed = tuple(flag for _, flag in ran)
        found = words(letters, disagreed=disagreed, window=size)
        if found:
            answer.append(Judged(sequence, letters, disagreed, found))
    return seen, answer


def window_size(store: Store, flt: Filter) -> int:
    """How many runs a verdict looks at."""
    return min(flt.runs or store.settings.measures.window, DEEPEST - 2)


def _severity(verdict: Judged) -> tuple[int, int, str, int]:
    word = worst(verdict.kinds)
    sequence = verdict.sequence
    return WORDS.index(word) if word else len(WORDS), -_tail(verdict.letters), sequence.module, sequence.test


def _tail(letters: str) -> int:
    return len(letters) - len(letters.rstrip("F"))


def _row(verdict: Judged, seen: Window, test: dict[str, Any], size: int) -> dict[str, Any]:
    sequence = verdict.sequence
    runs = [run for run in reversed(seen.runs[sequence.lane]) if (sequence.failed | sequence.passed) >> run.age & 1][
        -len(verdict.letters) :
    ]
    tail = _tail(verdict.letters)
    first_bad = runs[len(runs) - tail] if tail else None
    last_good = runs[len(runs) - tail - 1] if tail and tail < len(runs) else None
    release, environment = seen.lanes[sequence.lane]
    of = min(len(verdict.letters), size)
    failed = verdict.letters[-of:].count("F")
    low, high = wilson(failed, of)
    kind = worst(verdict.kinds)
    return {
        "test": ids.text(sequence.test),
        "key": f"{test['file']}::{test['class']}::{test['name']}",
        "name": test["name"],
        "module": sequence.module,
        "release": release,
        "environment": environment,
        "kind": kind,
        "kinds": sorted(verdict.kinds, key=WORDS.index),
        "since_run": ids.text(first_bad.run) if first_bad else None,
        "first_bad": _pointer(first_bad),
        "last_good": _pointer(last_good),
        "range_99": None,
        "strip": verdict.letters,
        "sentence": _sentence(kind, verdict, runs, tail, failed, of),
        "evidence": {
            "statuses": verdict.letters,
            "disagreed": [index for index, flag in enumerate(verdict.disagreed) if flag],
            "window": size,
            "runs": [ids.text(run.run) for run in runs],
            "numbers": [run.number for run in runs],
            "failed": failed,
            "of": of,
            "rate": failed / of,
            "interval_95": [float(low), float(high)],
        },
    }


def _pointer(run: LaneRun | None) -> dict[str, Any] | None:
    return None if run is None else {"run": ids.text(run.run), "number": run.number, "started_at": iso(run.started_at)}


def _sentence(kind: str | None, verdict: Judged, runs: list[LaneRun], tail: int, failed: int, of: int) -> str:
    newest = f"#{runs[-1].number}"
    if kind == "regression":
        return f"Failed in the last {tail} runs, since #{runs[-tail].number}; passed in #{runs[-tail - 1].number}."
    if kind == "new_failure":
        return f"Failed in {newest} for the first time; passed in #{runs[-2].number} before it."
    if kind == "always_failing":
        return f"Failed in all {failed} of the last {of} runs in which it ran."
    if kind == "fixed":
        return f"Passed in {newest} after failing in #{runs[-2].number}."
    noise = f"Failed in {failed} of the last {of} runs and recovered"
    rescued = verdict.letters.count("K")
    if rescued:
        return f"{noise if failed else 'Failed'}; in {rescued} of them it passed when it was run again."
    return f"{noise}, on one commit." if any(verdict.disagreed) else f"{noise} without staying broken."


def _names(store: Store, tests: list[int]) -> dict[int, dict[str, Any]]:
    rows = store.rows(
        "SELECT test, file, class, name FROM tests WHERE test IN (SELECT unnest($tests::BIGINT[]))", {"tests": tests}
    )
    return {row["test"]: row for row in rows}
