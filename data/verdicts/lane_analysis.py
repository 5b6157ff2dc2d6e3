"""A lane window with its mass failures, its bad hosts, and the tests that failed without them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import NamedTuple

from data.cache.dependencies import nothing
from data.lake.store import Store
from data.model.filters import Filter, JudgingOptions
from data.verdicts.disturbances.bad_hosts import LaneHost, judge_hosts, without_bad_hosts
from data.verdicts.disturbances.mass_failures import (
    StormHit,
    columns_in_storms,
    drop_persistent,
    storm_candidates,
    storm_columns,
    storms_in_window,
)
from data.verdicts.lanes import (
    HISTORY_RUNS,
    MASK_BITS,
    LaneBuild,
    LaneWindow,
    ModuleCounts,
    lane_window,
    load_module_counts,
)
from data.verdicts.seldom_run import older_results
from data.verdicts.status_masks import Columns, OlderResults, TestLane, load_test_lanes

LONG_WINDOW = 60  # builds of each job that the lists of mass failures, hosts and flaky tests look at


class Reach(NamedTuple):
    """How far back an analysis looks: the newest `builds` builds of each job, at most MASK_BITS; further for a test
    with fewer than `results` results in them."""

    builds: int
    results: int


@dataclass(frozen=True)
class LaneAnalysis:
    """A window and what was found in it. `test_lanes` are the tests that failed, disturbances left out; `older` are
    the results that were searched beyond the window."""

    scope: Filter  # of its lanes
    window: LaneWindow
    module_counts: list[ModuleCounts]
    storms: list[StormHit]
    hosts: list[LaneHost]
    test_lanes: list[TestLane]
    older: OlderResults
    older_storms: Columns

    @property
    def builds(self) -> list[LaneBuild]:
        """The builds of the window and the older ones that were searched."""
        return [*self.window.builds, *self.older.builds]

    def cache_bytes(self) -> int:
        return 400 * (len(self.window.builds) + len(self.module_counts) + len(self.test_lanes))


def window_size(store: Store, flt: JudgingOptions) -> int:
    """The number of results of a test that its verdict looks at: the filter's `runs`, else that of the settings."""
    return min(flt.runs or store.settings.measures.window, MASK_BITS - 2)


def verdict_reach(store: Store, flt: JudgingOptions) -> Reach:
    """Twice the window and one, so that a test that does not run every time mostly fills its window from the builds
    that are read for all; and one status before the window."""
    size = window_size(store, flt)
    return Reach(min(2 * size + 1, MASK_BITS), size + 1)


def long_reach(store: Store, builds: int = MASK_BITS) -> Reach:
    """`builds` builds of each job, and at least the results of a verdict."""
    return Reach(min(builds, MASK_BITS), store.settings.measures.window + 1)


def analyse_lanes(store: Store, flt: Filter, reach: Reach) -> LaneAnalysis:
    """Analyse the newest builds of each job in each lane of the filter's release, which is required. With
    `include_storms` nothing is left out."""
    lane_filter = Filter(
        flt.release,
        flt.version,
        flt.environment,
        topology=flt.topology,
        include_storms=flt.include_storms,
        at_run=flt.at_run,
    )
    longest = lane_window(store, lane_filter, HISTORY_RUNS)
    # Cached by its builds: while one release is tested, the others need not be analysed again.
    analysis = store.cached(
        ("analysis", lane_filter, reach, longest.key),
        lambda: _analyse(store, lane_filter, longest, reach),
        LaneAnalysis.cache_bytes,
        nothing,
    )
    if flt.module is None:
        return analysis
    return replace(
        analysis, test_lanes=[test_lane for test_lane in analysis.test_lanes if test_lane.module == flt.module]
    )


def _analyse(store: Store, flt: Filter, longest: LaneWindow, reach: Reach) -> LaneAnalysis:
    window = lane_window(store, flt, reach.builds)
    counts, storms = storms_in_window(store, window)
    older = older_results(store, longest, *reach)
    older_storms = set() if flt.include_storms else _storms_of(store, replace(longest, builds=older.builds))
    columns = storm_columns(store, flt, window) | older_storms
    found = load_test_lanes(store, window, columns, flt.topology, older=older)
    # Storms and hosts are judged on the whole lane, so that a topology is judged like the lane.
    hosts = (
        judge_hosts(window, found)
        if flt.topology is None
        else analyse_lanes(store, replace(flt, topology=None), reach).hosts
    )
    test_lanes = found if flt.include_storms else without_bad_hosts(found, hosts)
    return LaneAnalysis(flt, window, counts, storms, hosts, test_lanes, older, older_storms)


def _storms_of(store: Store, window: LaneWindow) -> Columns:
    """The columns of mass failures in these builds."""
    if not window.builds:
        return set()
    counts = load_module_counts(store, window)
    return columns_in_storms(counts, drop_persistent(*storm_candidates(store, window, counts)))


def lanes_of_tests(store: Store, flt: Filter, reach: Reach, tests: Collection[int]) -> list[TestLane]:
    """These tests, whether they failed or not, in the window of `analyse_lanes`."""
    analysis = analyse_lanes(store, flt, reach)
    columns = storm_columns(store, flt, analysis.window) | analysis.older_storms
    found = load_test_lanes(store, analysis.window, columns, flt.topology, tests, analysis.older)
    return found if flt.include_storms else without_bad_hosts(found, analysis.hosts)
