"""What was really broken, and when: from the simulator's truth, or by hindsight over a store."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NotRequired, TypedDict

from data.model import ids
from regtracker.backtest.history import PastLane

MIN_FAILURES = 5  # failures in a row after a pass: in hindsight, a breakage


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

    def is_active_at(self, number: int) -> bool:
        return self.first <= number and (self.end is None or number < self.end)


@dataclass(frozen=True)
class KnownFaults:
    """The faults, and the tests (release, test) that always failed, whose alarms are not scored."""

    faults: list[KnownFault]
    always_failing: set[tuple[str, int]]


class TrueTest(TypedDict):
    release: str
    key: str


class TrueFault(TrueTest):
    """A fault that the simulator made; `rate`: how often the test fails since."""

    first_bad_run: int | None
    last_good_run: int | None
    fixed_run: NotRequired[int | None]
    rate: float
    commit: str


class Truth(TypedDict):
    """What is read of the simulator's truth.json."""

    regressions: list[TrueFault]
    new_failures: list[TrueFault]
    fixed: list[TrueFault]
    always_failing: list[TrueTest]


def from_simulator(document: Truth, environment: str = "prod") -> KnownFaults:
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
        for entry in (*document["regressions"], *document["new_failures"], *document["fixed"])
        if entry["first_bad_run"] is not None and entry["last_good_run"] is not None
    ]
    return KnownFaults(faults, {(entry["release"], ids.of(entry["key"])) for entry in document["always_failing"]})


def from_hindsight(lanes: Iterable[PastLane]) -> KnownFaults:
    """Stretches of at least five failures after a pass, without mass failures."""
    faults, always_failing = [], set()
    for lane in lanes:
        for test_lane in lane.test_lanes:
            statuses = test_lane.status_string()
            ran = [
                (status, run.number) for status, run in zip(statuses, reversed(lane.runs), strict=True) if status != "S"
            ]
            outcomes = "".join("F" if status == "F" else "P" for status, _ in ran)
            if "P" not in outcomes:
                always_failing.add((lane.release, test_lane.test))
            start = outcomes.find("PF")
            while start >= 0:
                end = outcomes.find("P", start + 1)
                if (len(outcomes) if end < 0 else end) - start - 1 >= MIN_FAILURES:
                    until = None if end < 0 else ran[end][1]
                    faults.append(
                        KnownFault(lane.release, lane.environment, test_lane.test, ran[start + 1][1], until, 1.0)
                    )
                start = outcomes.find("PF", start + 1)
    return KnownFaults(faults, always_failing)
