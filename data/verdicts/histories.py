"""The longer history of a few tests, which change points and suspects need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.verdicts.disturbances.mass_failures import storm_columns
from data.verdicts.lanes import HISTORY_RUNS, LaneRun, lane_window
from data.verdicts.status_masks import TestLane, status_codes


@dataclass(frozen=True)
class History:
    """A test's statuses (P K F) and the runs they are from, oldest first; runs in which it did not run are omitted."""

    statuses: str
    runs: list[LaneRun]

    def evidence(self) -> dict[str, Any]:
        """The parts of the evidence that describe the history."""
        return {
            "statuses": self.statuses,
            "runs": [ids.text(run.run) for run in self.runs],
            "numbers": [run.number for run in self.runs],
        }


def histories(
    store: Store, flt: Filter, test_lanes: Sequence[TestLane], analysed_runs: int
) -> dict[tuple[int, int], History]:
    """(test, lane) -> its history. The newest `analysed_runs` runs are taken from `test_lanes`, with their exclusions;
    older ones are read from the result arrays."""
    if not test_lanes:
        return {}
    window = lane_window(store, flt, HISTORY_RUNS)
    jobs = {on_host.job for test_lane in test_lanes for on_host in test_lane.by_host}
    older = replace(
        window, builds=[build for build in window.builds if build.age >= analysed_runs and build.job in jobs]
    )
    tests = {test_lane.test for test_lane in test_lanes}
    older_codes = status_codes(store, older, storm_columns(store, flt, window), flt.topology, tests)
    found = {}
    for test_lane in test_lanes:
        key = (test_lane.test, test_lane.lane)
        runs = window.runs[test_lane.lane]
        statuses = test_lane.status_string(min(analysed_runs, len(runs)))[::-1]  # newest first
        if key in older_codes:
            statuses += older_codes[key][len(statuses) : len(runs)].tobytes().decode()
        ages = [age for age in range(len(statuses) - 1, -1, -1) if statuses[age] in "PFK"]
        found[key] = History("".join([statuses[age] for age in ages]), [runs[age] for age in ages])
    return found
