"""What was really broken, and when: from the simulator's truth, or by hindsight over a store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from data.model import ids
from regtracker.backtest.history import PastLane

LASTED = 5  # failures in a row after a pass: in hindsight, a breakage


@dataclass(frozen=True)
class KnownFault:
    """A test that was broken from run `first` until before run `end` (numbers; None: to this day). `rate` is how often
    it failed; `commit` what broke it, where that is known."""

    release: str
    environment: str
    test: int
    first: int
    end: int | None
    rate: float
    commit: str | None = None

    def holds(self, number: int) -> bool:
        return self.first <= number and (self.end is None or number < self.end)


@dataclass(frozen=True)
class KnownFaults:
    """The faults, and the tests (release, test) that always failed, for which no detector counts."""

    faults: list[KnownFault]
    hopeless: set[tuple[str, int]]


def from_simulator(document: Mapping[str, Any], environment: str = "prod") -> KnownFaults:
    """From the simulator's truth.json; its faults are of production runs. Raises KeyError for another document."""
    faults = [
        KnownFault(
            entry["release"],
            environment,
            ids.of(entry["key"]),
            entry["first_bad_run"],
            entry.get("fixed_run"),
            entry["rate"],
            entry["commit"],
        )
        for kind in ("regressions", "new_failures", "fixed")
        for entry in document[kind]
        if entry["first_bad_run"] is not None and entry["last_good_run"] is not None
    ]
    return KnownFaults(faults, {(entry["release"], ids.of(entry["key"])) for entry in document["always_failing"]})


def from_hindsight(lanes: Iterable[PastLane]) -> KnownFaults:
    """Stretches of at least five failures after a pass, without mass failures."""
    faults, hopeless = [], set()
    for lane in lanes:
        for line in lane.lines:
            letters = line.status_string(len(lane.runs))
            ran = [
                (letter, run.number) for letter, run in zip(letters, reversed(lane.runs), strict=True) if letter != "S"
            ]
            outcomes = "".join("F" if letter == "F" else "P" for letter, _ in ran)
            if "P" not in outcomes:
                hopeless.add((lane.release, line.test))
            at = outcomes.find("PF")
            while at >= 0:
                end = outcomes.find("P", at + 1)
                if (len(outcomes) if end < 0 else end) - at - 1 >= LASTED:
                    until = None if end < 0 else ran[end][1]
                    faults.append(KnownFault(lane.release, lane.environment, line.test, ran[at + 1][1], until, 1.0))
                at = outcomes.find("PF", at + 1)
    return KnownFaults(faults, hopeless)
