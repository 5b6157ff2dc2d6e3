"""A lane window with its mass failures, its bad hosts, and the tests that failed without them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from data.lake.store import Store
from data.model.filters import Filter
from data.verdicts.disturbances.bad_hosts import LaneHost, judge_hosts, without_bad_hosts
from data.verdicts.disturbances.mass_failures import StormHit, storm_columns, storms_in_window
from data.verdicts.lanes import MASK_BITS, LaneWindow, ModuleCounts, lane_window
from data.verdicts.status_masks import TestLane, load_test_lanes

LONG_WINDOW = 60  # runs that the lists of mass failures, hosts and flaky tests look at


@dataclass(frozen=True)
class LaneAnalysis:
    """A window and what was found in it. `test_lanes` are the tests that failed, disturbances left out."""

    window: LaneWindow
    module_counts: list[ModuleCounts]
    storms: list[StormHit]
    hosts: list[LaneHost]
    test_lanes: list[TestLane]

    def cache_bytes(self) -> int:
        return 400 * (len(self.window.builds) + len(self.module_counts) + len(self.test_lanes))


def analyse_lanes(store: Store, flt: Filter, depth: int) -> LaneAnalysis:
    """Analyse the newest `depth` (at most 62) runs of each lane of the filter's release, which is required. With
    `include_storms` nothing is left out."""
    lane_filter = Filter(
        flt.release,
        flt.version,
        flt.environment,
        topology=flt.topology,
        include_storms=flt.include_storms,
        at_run=flt.at_run,
    )
    window = lane_window(store, lane_filter, min(depth, MASK_BITS))
    # Cached by its builds: while one release is tested, the others need not be analysed again.
    analysis = store.intermediate.get(
        ("analysis", lane_filter, window.key),
        lambda: _analyse(store, lane_filter, window, depth),
        LaneAnalysis.cache_bytes,
    )
    if flt.module is None:
        return analysis
    return replace(
        analysis, test_lanes=[test_lane for test_lane in analysis.test_lanes if test_lane.module == flt.module]
    )


def _analyse(store: Store, flt: Filter, window: LaneWindow, depth: int) -> LaneAnalysis:
    counts, storms = storms_in_window(store, window)
    found = load_test_lanes(store, window, storm_columns(store, flt, window), flt.topology)
    # Storms and hosts are judged on the whole lane, so that a topology is judged like the lane.
    hosts = (
        judge_hosts(window, found)
        if flt.topology is None
        else analyse_lanes(store, replace(flt, topology=None), depth).hosts
    )
    return LaneAnalysis(window, counts, storms, hosts, found if flt.include_storms else without_bad_hosts(found, hosts))


def lanes_of_tests(store: Store, flt: Filter, depth: int, tests: Iterable[int]) -> list[TestLane]:
    """These tests, whether they failed or not, in the window of `analyse_lanes`."""
    analysis = analyse_lanes(store, flt, depth)
    found = load_test_lanes(store, analysis.window, storm_columns(store, flt, analysis.window), flt.topology, tests)
    return found if flt.include_storms else without_bad_hosts(found, analysis.hosts)
