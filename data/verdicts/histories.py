"""The longer history of a few tests, which change points and suspects need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.answers.evidence import RunHistory
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

    def evidence(self) -> RunHistory:
        """The parts of the evidence that describe the history."""
        return {
            "statuses": self.statuses,
            "runs": [ids.text(run.run) for run in self.runs],
            "numbers": [run.number for run in self.runs],
        }


def histories(
    store: Store, flt: Filter, test_lanes: Sequence[TestLane], analysed: int
) -> dict[tuple[int, int], History]:
    """(test, lane) -> its history: the results of `test_lanes`, from the newest `analysed` builds of each job, with
    their exclusions; and those of older builds, from the result arrays."""
    if not test_lanes:
        return {}
    window = lane_window(store, flt, HISTORY_RUNS)
    jobs = {on_host.job for test_lane in test_lanes for on_host in test_lane.by_host}
    older = replace(
        window, builds=[build for build in window.builds if build.job_age >= analysed and build.job in jobs]
    )
    tests = {test_lane.test for test_lane in test_lanes}
    older_codes = status_codes(store, older, storm_columns(store, flt, window), flt.topology, tests)
    found = {}
    for test_lane in test_lanes:
        key = (test_lane.test, test_lane.lane)
        statuses = dict(zip(test_lane.ages, reversed(test_lane.status_string()), strict=True))
        codes = older_codes.get(key)
        if codes is not None:
            for age in np.flatnonzero(codes).tolist():
                statuses.setdefault(age, chr(codes[age]))
        ages = [age for age in sorted(statuses, reverse=True) if statuses[age] in "PFK"]
        found[key] = History(
            "".join([statuses[age] for age in ages]), [window.runs[test_lane.lane][age] for age in ages]
        )
    return found
