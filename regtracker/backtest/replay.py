"""Replays the detectors over a history: what each found, how soon, and how many false alarms it raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import TypedDict

from regtracker.backtest.detectors import Detector
from regtracker.backtest.history import PastLane
from regtracker.backtest.known_faults import KnownFault, KnownFaults


class DetectorScore(TypedDict):
    """What one detector did, in rates."""

    detector: str
    default: bool
    alarms: int
    precision: float | None
    recall: float | None
    recall_partial: float | None
    delay: float | None
    false_per_1000_tests_and_week: float | None


@dataclass
class Score:
    """What one detector did. An alarm is a test that turns broken; it is true while a fault of the test is active."""

    detector: Detector
    alarms: int = 0
    false: int = 0
    # Builds from the first bad one to the alarm, both included.
    delays: dict[KnownFault, int] = field(default_factory=dict)
    exposure: float = 0.0  # thousands of tests x weeks
    lasting: set[KnownFault] = field(default_factory=set)  # the faults that lasted two builds or more

    def row(self) -> DetectorScore:
        full = [fault for fault in self.lasting if fault.rate == 1]
        partial = [fault for fault in self.lasting if fault.rate < 1]
        return {
            "detector": self.detector.name,
            "default": self.detector.default,
            "alarms": self.alarms,
            "precision": 1 - self.false / self.alarms if self.alarms else None,
            "recall": _share(self.delays, full),
            "recall_partial": _share(self.delays, partial),
            "delay": _median([self.delays[fault] for fault in full if fault in self.delays]),
            "false_per_1000_tests_and_week": self.false / self.exposure if self.exposure else None,
        }


def _share(found: dict[KnownFault, int], faults: Sequence[KnownFault]) -> float | None:
    return sum(fault in found for fault in faults) / len(faults) if faults else None


def _median(delays: Sequence[int]) -> float | None:
    return float(median(delays)) if delays else None


def replay(
    lanes: Iterable[PastLane],
    truth: KnownFaults,
    detectors: Sequence[Detector],
    progress: Callable[[PastLane], None] = lambda lane: None,
) -> list[Score]:
    """The scores of the detectors over all looks at the lanes."""
    scores = [Score(detector) for detector in detectors]
    for lane in lanes:
        progress(lane)
        lane_faults = [f for f in truth.faults if (f.release, f.environment) == (lane.release, lane.environment)]
        by_test: dict[int, list[KnownFault]] = {}
        for fault in lane_faults:
            by_test.setdefault(fault.test, []).append(fault)
        ran = {test_lane.test: test_lane.failed | test_lane.passed for test_lane in lane.test_lanes}
        state: list[set[int]] = [set() for _ in detectors]
        for look in lane.looks():
            for index, score in enumerate(scores):
                found = score.detector.find(look, state[index])
                for test in found - state[index]:
                    if (lane.release, test) not in truth.always_failing:
                        score.alarms += 1
                        score.false += not any(fault.is_active_at(look.number) for fault in by_test.get(test, ()))
                state[index] = found
                for test in found & by_test.keys():
                    for fault in by_test[test]:
                        if fault.is_active_at(look.number) and fault not in score.delays:
                            score.delays[fault] = _builds(lane, ran[test], fault.first, look.number + 1)
        lasting = {fault for fault in lane_faults if _builds(lane, ran.get(fault.test, 0), fault.first, fault.end) >= 2}
        for score in scores:
            score.exposure += lane.tests / 1000 * lane.weeks
            score.lasting |= lasting
    return scores


def _builds(lane: PastLane, ran: int, first: int, end: int | None) -> int:
    """In how many runs from number `first` to before number `end` the test ran."""
    within = sum(1 << run.age for run in lane.runs if first <= run.number and (end is None or run.number < end))
    return (ran & within).bit_count()
