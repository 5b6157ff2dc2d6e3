"""What takes longer or shorter than before: lasting changes of the duration of a test or module.

Only passed results count (a failure ends early, or late), each topology on its own, mass failures left out. Of tens of
thousands of series few change: they are screened by their slope, and only those with a slope are divided (e-divisive).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from data.answers.evidence import DurationEvidence
from data.answers.statistics import ChangedDuration, ChangedTest
from data.cache.dependencies import nothing
from data.cache.result_arrays import FINAL, PASSED
from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter, TestScope
from data.model.measures import iso
from data.verdicts.disturbances.mass_failures import storm_columns
from data.verdicts.evidence import durations as duration_evidence
from data.verdicts.lanes import LaneWindow, filtered_releases, lane_window, load_module_counts, partition_condition
from data.verdicts.priorities import tests_of_priority
from data.verdicts.status_masks import outside_storms
from data.verdicts.verdicts import test_names

RUNS = 60
MIN_RUNS = 10
MIN_SLOPE = 0.15  # a series whose line rises or falls by less of its mean over the window has no change worth showing
MIN_CORRELATION = 0.3

DurationSeries = list[tuple[int, float]]  # (age, seconds), oldest first


class SeriesKey(NamedTuple):
    test: int
    topology: str
    lane: int


class DurationChange(NamedTuple):
    key: SeriesKey
    module: str
    evidence: DurationEvidence
    derived: duration_evidence.DurationFinding  # what follows from the evidence


@cached_query(of_release)
def changed_tests(store: Store, flt: Filter, limit: int = 100, offset: int = 0) -> list[ChangedTest]:
    """Tests (on one topology) whose duration changed for good within the newest `flt.runs` (60) builds of its job in a
    lane: those that became slower by the most seconds first, those that became faster last. {test, key, name,
    module, topology, release, environment, slower, before_s, after_s (medians), factor, p, run (the first at the new
    level), sentence, evidence}."""
    found = []
    for release in filtered_releases(store, flt):
        window, changes = _changes(store, replace(flt, release=release))
        found += [(window, change) for change in changes]
    found.sort(key=lambda item: (item[1].derived["before_s"] - item[1].derived["after_s"], item[1].key))
    found = found[offset : offset + limit]
    names = test_names(store, [change.key.test for _, change in found])
    return [
        {
            "test": ids.text(test),
            "key": f"{names[test]['file']}::{names[test]['class']}::{names[test]['name']}",
            "name": names[test]["name"],
            "topology": topology,
            **_change_row(window, module, lane, evidence, derived),
        }
        for window, ((test, topology, lane), module, evidence, derived) in found
    ]


@cached_query(of_release)
def changed_modules(store: Store, flt: Filter) -> list[ChangedDuration]:
    """Modules whose mean duration per result changed for good; rows as of `changed_tests`, without the test."""
    found: list[ChangedDuration] = []
    for release in filtered_releases(store, flt):
        window = lane_window(store, replace(flt, release=release), flt.runs or RUNS)
        for (module, lane), series in _module_series(store, flt, window).items():
            evidence = _evidence(window, lane, series, "module")
            derived = duration_evidence.find_change(evidence)
            if derived is not None:
                found.append(_change_row(window, module, lane, evidence, derived))
    return sorted(found, key=lambda row: row["before_s"] - row["after_s"])


def _changes(store: Store, flt: Filter) -> tuple[LaneWindow, list[DurationChange]]:
    """The series of a release that changed."""
    window = lane_window(store, flt, flt.runs or RUNS)
    cached_scope = replace(flt, priority=None, as_of=None)
    found = store.cached(
        ("durations", cached_scope, window.key),
        lambda: _find_changes(store, cached_scope, window),
        lambda found: 3_000 * len(found),
        nothing,
    )
    if flt.priority is not None:
        wanted = tests_of_priority(store, flt.release, flt.priority)
        found = [change for change in found if change.key.test in wanted]
    return window, found


def _find_changes(store: Store, flt: Filter, window: LaneWindow) -> list[DurationChange]:
    found = []
    for key, module, series in _sloping_series(store, flt, window):
        evidence = _evidence(window, key.lane, series, "results")
        derived = duration_evidence.find_change(evidence)
        if derived is not None:
            found.append(DurationChange(key, module, evidence, derived))
    return found


def _sloping_series(store: Store, flt: Filter, window: LaneWindow) -> Iterable[tuple[SeriesKey, str, DurationSeries]]:
    """(key, module, series) of the series that may have a change: long enough, with a slope and a correlation."""
    rows = store.result_arrays.rows(store, window.builds, window.rebuilt)
    counted = rows.group_mask(flt.module, flt.topology)[rows.group] & ~np.isnan(rows.seconds)
    counted &= rows.flag & (PASSED | FINAL) == PASSED | FINAL
    at = np.flatnonzero(counted & outside_storms(rows, window.builds, storm_columns(store, flt, window)))
    topologies = sorted({group.topology for group in rows.groups})
    topology = np.array([topologies.index(group.topology) for group in rows.groups], dtype=np.int64)
    lane, age = np.array([(build.lane, build.age) for build in window.builds], dtype=np.int64).reshape(-1, 2).T
    lane, age = lane[rows.build[at]], age[rows.build[at]]
    shape = (len(rows.tests), len(window.lanes), len(topologies))
    series = (rows.test[at].astype(np.int64) * shape[1] + lane) * shape[2] + topology[rows.group[at]]
    x, y = age.astype(float), rows.seconds[at].astype(float)
    # Sums for a least-squares line through each series.
    count, x1, y1, xx, xy, yy = (
        np.bincount(series, weights, minlength=shape[0] * shape[1] * shape[2])
        for weights in (None, x, y, x * x, x * y, y * y)
    )
    long = count >= MIN_RUNS
    divisor = np.maximum(count, 1)
    spread_x, spread_y, covariance = xx - x1 * x1 / divisor, yy - y1 * y1 / divisor, xy - x1 * y1 / divisor
    correlated = (spread_x > 0) & (np.abs(covariance) >= MIN_CORRELATION * np.sqrt(np.maximum(spread_x * spread_y, 0)))
    runs = max((build.age for build in window.builds), default=0) + 1
    steep = np.abs(covariance) * runs >= MIN_SLOPE * y1 / divisor * spread_x
    chosen = np.flatnonzero((long & correlated & steep & (y1 > 0))[series])
    chosen = chosen[np.lexsort((-age[chosen], series[chosen]))]
    for rows_of_series in np.split(chosen, np.flatnonzero(np.diff(series[chosen])) + 1) if len(chosen) else ():
        number = series[rows_of_series[0]]
        rise = abs(covariance[number] / spread_x[number]) * int(age[rows_of_series[0]] - age[rows_of_series[-1]])
        if rise >= MIN_SLOPE * y1[number] / count[number]:
            ages, index = np.unique(-age[rows_of_series], return_inverse=True)
            means = np.bincount(index, y[rows_of_series]) / np.bincount(index)
            test, lane_index, topology_index = np.unravel_index(number, shape)
            key = SeriesKey(int(rows.tests[test]), topologies[topology_index], int(lane_index))
            module = rows.groups[rows.group[at[rows_of_series[0]]]].module
            yield key, module, list(zip((-ages).tolist(), means.tolist(), strict=True))


def _module_series(store: Store, flt: Filter, window: LaneWindow) -> dict[tuple[str, int], DurationSeries]:
    """(module, lane) -> mean seconds per result in each run, mass failures left out."""
    in_storms = storm_columns(store, flt, window)
    columns = [
        column
        for column in load_module_counts(store, window)
        if (column.build, column.module) not in in_storms and flt.module in (None, column.module)
    ]
    totals = _duration_totals(store, flt, window, {column.build for column in columns})
    sums: dict[tuple[str, int, int], tuple[float, int]] = {}
    for column in columns:
        seconds, ran = totals.get((column.build, column.module), (0.0, 0))
        so_far = sums.get((column.module, column.lane, column.age), (0.0, 0))
        sums[column.module, column.lane, column.age] = (so_far[0] + seconds, so_far[1] + ran)
    found: dict[tuple[str, int], DurationSeries] = {}
    for module, lane, age in sorted(sums, key=lambda key: (key[0], key[1], -key[2])):
        seconds, ran = sums[module, lane, age]
        if ran and seconds:
            found.setdefault((module, lane), []).append((age, seconds / ran))
    return {key: series for key, series in found.items() if len(series) >= MIN_RUNS}


def _duration_totals(
    store: Store, flt: TestScope, window: LaneWindow, builds: set[int]
) -> dict[tuple[int, str], tuple[float, int]]:
    """(build, module) -> (seconds, results that ran), on the filter's topology."""
    where = partition_condition([build for build in window.builds if build.build in builds])
    where.equal("r", topology=flt.topology)
    rows = store.cursor().execute(
        f"""SELECT r.build, r.module, sum(r.duration_s), sum(r.passed + r.failed) FROM build_counts r
        WHERE {where} GROUP BY r.build, r.module""",
        where.parameters,
    )
    return {(build, module): (seconds or 0.0, int(ran)) for build, module, seconds, ran in rows.fetchall()}


def _evidence(
    window: LaneWindow, lane: int, series: DurationSeries, subject: Literal["results", "module"]
) -> DurationEvidence:
    runs = window.runs[lane]
    return {
        "rule": "duration",
        "of": subject,
        "seconds": [round(seconds, 3) for _, seconds in series],
        "runs": [ids.text(runs[age].run) for age, _ in series],
        "numbers": [runs[age].number for age, _ in series],
    }


def _change_row(
    window: LaneWindow, module: str, lane: int, evidence: DurationEvidence, derived: duration_evidence.DurationFinding
) -> ChangedDuration:
    release, environment = window.lanes[lane]
    run = next(run for run in window.runs[lane] if ids.text(run.run) == evidence["runs"][derived["index"]])
    return {
        "module": module,
        "release": release,
        "environment": environment,
        "slower": derived["slower"],
        "before_s": derived["before_s"],
        "after_s": derived["after_s"],
        "factor": derived["factor"],
        "p": derived["p"],
        "run": {"run": ids.text(run.run), "number": run.number, "started_at": iso(run.started_at)},
        "sentence": duration_evidence.sentence(evidence),
        "evidence": evidence,
    }
