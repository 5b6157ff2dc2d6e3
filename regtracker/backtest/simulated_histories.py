"""The statistics on simulated histories, whose truth is known: false discoveries, delays, ranges, culprits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import SupportsFloat, TypedDict

import numpy as np

from data.verdicts.evidence.failure_history import breakage_bounds, judge_suspects, last_rise
from data.verdicts.evidence.failure_rates import FISHER
from data.verdicts.failure_rates import SAMPLE_RUNS
from data.verdicts.lanes import MASK_BITS
from data.verdicts.rules import REGRESSION, classify
from data.verdicts.statistics.change_points import THRESHOLD
from data.verdicts.statistics.fisher import FisherOutcome, compare
from data.verdicts.suspects import NAMED_WEIGHT

TESTS = 7_000
BASE = MASK_BITS - SAMPLE_RUNS
STEADY = 0.01  # failure rate before a change
GIVEN_UP = 60  # builds after which a change counts as not found


class Measure(TypedDict):
    """A measured value, and whether it meets its aim."""

    measure: str
    value: float
    aim: str | None
    met: bool | None


def measure(seed: int = 1, looks: int = 30, histories: int = 300) -> Iterator[Measure]:
    """The rows (see `row`) one by one; more `looks` and `histories` are more precise."""
    rng = np.random.default_rng(seed)
    yield from _unchanged(rng, looks)
    yield from _discoveries(rng, looks)
    yield from _delays(rng, histories)
    yield from _ranges(rng, histories)
    yield from _culprits(rng, histories)


def _claims(failed: np.ndarray, confirmed: bool, runs: int = SAMPLE_RUNS) -> np.ndarray:
    """Which tests (rows of tests x runs, True where failed) are claimed to fail more often in the newest runs."""
    base, sample = failed[:, :-runs], failed[:, -runs:]
    rules = FISHER if confirmed else replace(FISHER, correction="none")
    counts = (base.sum(axis=1), base.shape[1], sample.sum(axis=1), runs)
    return compare(*counts, rules=rules).status <= FisherOutcome.REGRESSION


def _unchanged(rng: np.random.Generator, looks: int) -> Iterator[Measure]:
    confirmed, suspected = [], []
    for _ in range(looks):
        failed = rng.random((TESTS, MASK_BITS)) < rng.uniform(0, 0.1, TESTS)[:, None]
        confirmed.append(int(_claims(failed, True).sum()))
        suspected.append(int(_claims(failed, False).sum()))
    among = f"{TESTS:,} unchanged tests failing at 0-10 %"
    yield row(f"{among}: looks with any confirmed", np.mean(np.array(confirmed) > 0), at_most=0.05)
    yield row(f"{among}: suspected at a look, mean", np.mean(suspected))


def _discoveries(rng: np.random.Generator, looks: int) -> Iterator[Measure]:
    """Among tests that mostly pass, 1 % have changed to 30 % ten builds ago."""
    changed = TESTS // 100
    shares: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(looks):
        failed = rng.random((TESTS, MASK_BITS)) < _mostly_passing(rng)[:, None]
        failed[:changed] = rng.random((changed, MASK_BITS)) < STEADY
        failed[:changed, -SAMPLE_RUNS:] = rng.random((changed, SAMPLE_RUNS)) < 0.3
        for confirmed, found in shares.items():
            claimed = _claims(failed, confirmed)
            found.append(claimed[changed:].sum() / max(claimed.sum(), 1))
    among = f"1 % of {TESTS:,} tests changed from 1 to 30 %, the others fail at 0-1 %, every tenth at up to 10 %"
    yield row(f"{among}: false among the confirmed", np.mean(shares[True]), at_most=0.05)
    yield row(f"{among}: false among the suspected", np.mean(shares[False]))


def _mostly_passing(rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.random(TESTS) < 0.9, rng.uniform(0, 0.01, TESTS), rng.uniform(0, 0.1, TESTS))


def _delays(rng: np.random.Generator, histories: int) -> Iterator[Measure]:
    steady, changed = 100, 70
    confirmed = []
    failed = rng.random((TESTS, steady + GIVEN_UP)) < _mostly_passing(rng)[:, None]
    failed[:changed, :steady] = rng.random((changed, steady)) < STEADY
    failed[:changed, steady:] = rng.random((changed, GIVEN_UP)) < 0.3
    waiting = dict.fromkeys(range(changed), GIVEN_UP + 1)
    for builds in range(1, GIVEN_UP + 1):
        now = steady + builds
        claimed = _claims(failed[:, now - MASK_BITS : now], True)
        for test in [test for test in waiting if claimed[test]]:
            waiting.pop(test)
            confirmed.append(builds)
    for rate in (0.1, 0.3, 0.5, 1.0):
        found: dict[str, list[int]] = {name: [] for name in ("suspected", "change point", "regression")}
        for _ in range(histories):
            past = rng.random(steady + GIVEN_UP) < np.r_[np.full(steady, STEADY), np.full(GIVEN_UP, rate)]
            for name, builds in _first(past, steady).items():
                found[name].append(builds)
        for name, builds_ in found.items():
            aim = 9.0 if rate == 0.3 and name == "suspected" else None
            yield row(f"1 % to {100 * rate:.0f} %: builds to {name}, median", _median(builds_), at_most=aim)
    never = [GIVEN_UP + 1] * len(waiting)
    yield row(f"1 % to 30 %: builds to confirmed among {TESTS:,} tests, median", _median([*confirmed, *never]))


def _first(past: np.ndarray, steady: int) -> dict[str, int]:
    """After how many builds with the change each detector sees it."""
    letters = "".join("F" if failed else "P" for failed in past)
    found = dict.fromkeys(("suspected", "change point", "regression"), GIVEN_UP + 1)
    for builds in range(1, GIVEN_UP + 1):
        now = steady + builds
        if not past[now - 1]:
            continue  # only a failure can turn a test broken
        known = letters[:now]
        change = last_rise(known, THRESHOLD) if found["change point"] > GIVEN_UP else None
        seen = {
            "suspected": bool(_claims(past[None, now - MASK_BITS : now], False)[0]),
            "change point": change is not None and change.until >= steady,
            "regression": REGRESSION in classify(known[-11:]),
        }
        for name, yes in seen.items():
            if yes and found[name] > GIVEN_UP:
                found[name] = builds
        if max(found.values()) <= GIVEN_UP:
            break
    return found


def _ranges(rng: np.random.Generator, histories: int) -> Iterator[Measure]:
    held, wide = [], []
    for _ in range(histories):
        steady, before = int(rng.integers(10, 200)), rng.choice([0.0, 0.01, 0.05])
        after, builds = rng.choice([0.3, 0.6, 1.0]), int(rng.integers(3, 40))
        past = np.r_[rng.random(steady) < before, [True], rng.random(builds - 1) < after]
        change = last_rise("".join("F" if failed else "P" for failed in past), THRESHOLD)
        if change is not None:
            held.append(change.after < steady <= change.until)
            wide.append(change.until - change.after)
    yield row("first bad build within its 99 % range", np.mean(held), at_least=0.97)
    yield row("builds in that range, median", _median(wide))


def _culprits(rng: np.random.Generator, histories: int) -> Iterator[Measure]:
    """Ten builds after a commit broke a test outright; 0 to 5 commits a build; messages name what they touch in 17 of
    20 cases, and others one time in eight."""
    for named in (True, False):
        first, third = [], []
        for _ in range(histories):
            steady, flakes = int(rng.integers(15, 80)), rng.choice([0.0, 0.01, 0.05])
            counts = rng.choice([0, 1, 2, 3, 5], p=[0.15, 0.62, 0.14, 0.06, 0.03], size=steady + 10)
            counts[steady] = max(counts[steady], 1)
            past = np.r_[rng.random(steady) < flakes, np.ones(10, bool)]
            letters = "".join("F" if failed else "P" for failed in past)
            ends = breakage_bounds(letters, THRESHOLD)
            if ends is None:
                continue
            start, after, until = ends
            total = np.cumsum(counts)
            commits = int(total[until] - total[after])
            culprit = int(total[steady - 1] - total[after] + rng.integers(counts[steady]))
            weights = np.where(rng.random(commits) < 1 / 8, NAMED_WEIGHT, 1.0)
            if 0 <= culprit < commits:
                weights[culprit] = NAMED_WEIGHT if rng.random() < 0.85 else 1.0
            suspects = judge_suspects(
                {
                    "statuses": letters,
                    "included": np.clip(total - total[after], 0, commits).tolist(),
                    "first": start,
                    "commits": [""] * commits,
                    "weights": weights.tolist() if named else [1.0] * commits,
                }
            )
            first.append(chance_of_rank(suspects["probabilities"], culprit, 1))
            third.append(chance_of_rank(suspects["probabilities"], culprit, 3))
        how = "messages name what they touch" if named else "messages say nothing"
        yield row(f"culprit ranked first, {how}", np.mean(first), 0.8 if named else None)
        yield row(f"culprit among the first three, {how}", np.mean(third), 0.95 if named else None)


def chance_of_rank(probabilities: Sequence[float], culprit: int, places: int) -> float:
    """The chance that the culprit is among the first so many, where equals are shuffled; 0 if it is no suspect."""
    if not 0 <= culprit < len(probabilities):
        return 0.0
    own = probabilities[culprit]
    better = sum(other > own * (1 + 1e-9) for other in probabilities)
    equal = sum(abs(other - own) <= own * 1e-9 for other in probabilities)
    return min(max(places - better, 0) / equal, 1.0)


def _median(builds: list[int]) -> float:
    return float(np.median(builds))


def row(measure: str, value: SupportsFloat, at_least: float | None = None, at_most: float | None = None) -> Measure:
    """{"measure", "aim", "value", "met"}; aim and met are None without an aim."""
    aim: str | None = None
    met: bool | None = None
    measured = float(value)
    if at_least is not None:
        aim, met = f"at least {at_least:g}", bool(measured >= at_least)
    if at_most is not None:
        aim, met = f"at most {at_most:g}", bool(measured <= at_most)
    return {"measure": measure, "aim": aim, "value": measured, "met": met}
