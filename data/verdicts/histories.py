"""The longer history of a few tests, for what needs more runs than a window has: where a failure rate changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.verdicts.disturbances import stormy
from data.verdicts.lanes import HISTORY_RUNS, LaneRun, TestLane, lane_window, status_codes


@dataclass(frozen=True)
class History:
    """A test's letters (P K F, runs in which it did not run left out) and the runs they are of, oldest first."""

    statuses: str
    runs: list[LaneRun]

    def told(self) -> dict[str, Any]:
        return {
            "statuses": self.statuses,
            "runs": [ids.text(run.run) for run in self.runs],
            "numbers": [run.number for run in self.runs],
        }


def histories(store: Store, flt: Filter, lines: Sequence[TestLane], known: int) -> dict[tuple[int, int], History]:
    """(test, lane) -> its history. The newest `known` runs are those of the lines, what they leave out left out."""
    if not lines:
        return {}
    view = lane_window(store, flt, HISTORY_RUNS)
    jobs = {part.job for line in lines for part in line.parts}
    older = replace(view, builds=[build for build in view.builds if build.age >= known and build.job in jobs])
    before = status_codes(store, older, stormy(store, flt, view), flt.topology, {line.test for line in lines})
    answer = {}
    for line in lines:
        runs = view.runs[line.lane]
        letters = line.status_string(min(known, len(runs)))[::-1]
        if (line.test, line.lane) in before:
            letters += before[line.test, line.lane][len(letters) : len(runs)].tobytes().decode()
        ages = [age for age in range(len(letters) - 1, -1, -1) if letters[age] in "PFK"]
        answer[line.test, line.lane] = History("".join([letters[age] for age in ages]), [runs[age] for age in ages])
    return answer
