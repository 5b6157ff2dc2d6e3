"""What takes longer than it did, or less: lasting changes of a test's or a module's duration.

Only passed results count (a failure ends early, or late), each topology for itself, storms left out. Of tens of
thousands of series few drift at all: they are screened by their slope, and only those are divided (e-divisive).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from data.cache.result_arrays import FINAL, PASSED
from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.measures import iso
from data.verdicts import evidence
from data.verdicts.disturbances import releases, stormy
from data.verdicts.lanes import LaneWindow, lane_window, module_counts, outside_storms, span
from data.verdicts.priorities import of_priority
from data.verdicts.verdicts import test_names

RUNS = 60
LEAST_RUNS = 10
SLOPE = 0.15  # a series whose line rises or falls by less of its mean over the window holds no change worth showing
CORRELATION = 0.3

Series = list[tuple[int, float]]  # (age, seconds), oldest first
# (test, topology, lane), module, evidence, and what follows from it
Found = tuple[tuple[int, str, int], str, dict[str, Any], dict[str, Any]]


@cached_query
def of_tests(store: Store, flt: Filter, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """Tests (on one topology) whose duration changed for good within the newest `flt.runs` (60) runs of a lane: those
    that became slower by the most seconds first, those that became faster last. {test, key, name, module, topology,
    release, environment, slower, before_s, after_s (medians), factor, p, run (the first at the new level), sentence,
    evidence}."""
    found = []
    for release in releases(store, flt):
        view, changed = _changed(store, replace(flt, release=release))
        found += [(view, *item) for item in changed]
    found.sort(key=lambda item: (item[4]["before_s"] - item[4]["after_s"], item[1]))
    found = found[offset : offset + limit]
    named = test_names(store, [key[0] for _, key, _, _, _ in found])
    return [
        {
            "test": ids.text(test),
            "key": f"{named[test]['file']}::{named[test]['class']}::{named[test]['name']}",
            "name": named[test]["name"],
            "module": module,
            "topology": topology,
            **_shape(view, lane, told, judged),
        }
        for view, (test, topology, lane), module, told, judged in found
    ]


@cached_query
def of_modules(store: Store, flt: Filter) -> list[dict[str, Any]]:
    """Modules whose mean duration of a result changed for good, as `of_tests`, with `module` in place of the test."""
    found = []
    for release in releases(store, flt):
        view = lane_window(store, replace(flt, release=release), flt.runs or RUNS)
        for (module, lane), series in _of_modules(store, flt, view).items():
            told = _told(view, lane, series, "module")
            judged = evidence.judge(told)
            if judged["factor"] is not None:
                found.append({"module": module, **_shape(view, lane, told, judged)})
    return sorted(found, key=lambda row: row["before_s"] - row["after_s"])


def _changed(store: Store, flt: Filter) -> tuple[LaneWindow, list[Found]]:
    """Those of a release's series that changed."""
    view = lane_window(store, flt, flt.runs or RUNS)
    part = replace(flt, priority=None, as_of=None)
    found = store.intermediate.get(
        ("changed", part, view.key), lambda: _find(store, part, view), lambda found: 3_000 * len(found)
    )
    if flt.priority is not None:
        wanted = of_priority(store, flt.release, flt.priority)
        found = [item for item in found if item[0][0] in wanted]
    return view, found


def _find(store: Store, flt: Filter, view: LaneWindow) -> list[Found]:
    found = []
    for key, module, series in _steep(store, flt, view):
        told = _told(view, key[2], series, "results")
        judged = evidence.judge(told)
        if judged["factor"] is not None:
            found.append((key, module, told, judged))
    return found


def _steep(store: Store, flt: Filter, view: LaneWindow) -> Iterable[tuple[tuple[int, str, int], str, Series]]:
    """((test, topology, lane), module, series) of those that may hold a change."""
    rows = store.result_arrays.rows(store, view.builds, view.rebuilt)
    its = rows.group_mask(flt.module, flt.topology)[rows.group] & ~np.isnan(rows.seconds)
    its &= rows.flag & (PASSED | FINAL) == PASSED | FINAL
    at = np.flatnonzero(its & outside_storms(rows, view.builds, stormy(store, flt, view)))
    topologies = sorted({group.topology for group in rows.groups})
    topology = np.array([topologies.index(group.topology) for group in rows.groups], dtype=np.int64)
    lane, age = np.array([(build.lane, build.age) for build in view.builds], dtype=np.int64).reshape(-1, 2).T
    lane, age = lane[rows.build[at]], age[rows.build[at]]
    shape = (len(rows.tests), len(view.lanes), len(topologies))
    series = (rows.test[at].astype(np.int64) * shape[1] + lane) * shape[2] + topology[rows.group[at]]
    x, y = age.astype(float), rows.seconds[at].astype(float)
    count, x1, y1, xx, xy, yy = (
        np.bincount(series, weights, minlength=shape[0] * shape[1] * shape[2])
        for weights in (None, x, y, x * x, x * y, y * y)
    )
    long = count >= LEAST_RUNS
    some = np.maximum(count, 1)
    spread_x, spread_y, shared = xx - x1 * x1 / some, yy - y1 * y1 / some, xy - x1 * y1 / some
    related = (spread_x > 0) & (np.abs(shared) >= CORRELATION * np.sqrt(np.maximum(spread_x * spread_y, 0)))
    whole = max(map(len, view.runs), default=0)
    steep = np.abs(shared) * whole >= SLOPE * y1 / some * spread_x
    chosen = np.flatnonzero((long & related & steep & (y1 > 0))[series])
    chosen = chosen[np.lexsort((-age[chosen], series[chosen]))]
    for stretch in np.split(chosen, np.flatnonzero(np.diff(series[chosen])) + 1) if len(chosen) else ():
        of = series[stretch[0]]
        rise = abs(shared[of] / spread_x[of]) * int(age[stretch[0]] - age[stretch[-1]])
        if rise >= SLOPE * y1[of] / count[of]:
            ages, place = np.unique(-age[stretch], return_inverse=True)
            means = np.bincount(place, y[stretch]) / np.bincount(place)
            test, of_lane, of_topology = np.unravel_index(of, shape)
            key = (int(rows.tests[test]), topologies[of_topology], int(of_lane))
            module = rows.groups[rows.group[at[stretch[0]]]].module
            yield key, module, list(zip((-ages).tolist(), means.tolist(), strict=True))


def _of_modules(store: Store, flt: Filter, view: LaneWindow) -> dict[tuple[str, int], Series]:
    """(module, lane) -> mean seconds of a result in each run, storms left out."""
    broken = stormy(store, flt, view)
    of = [column for column in module_counts(store, view) if (column.build, column.module) not in broken]
    of = [column for column in of if flt.module in (None, column.module)]
    builds = {column.build for column in of}
    where, parameters = span([build for build in view.builds if build.build in builds])
    if flt.topology is not None:
        where += " AND r.topology = $topology"
        parameters["topology"] = flt.topology
    rows = store.cursor().execute(
        f"""SELECT r.build, r.module, sum(r.duration_s), sum(r.passed + r.failed) FROM build_counts r
        WHERE {where} GROUP BY r.build, r.module""",
        parameters,
    )
    counted = {(build, module): (seconds or 0.0, int(ran)) for build, module, seconds, ran in rows.fetchall()}
    sums: dict[tuple[str, int, int], tuple[float, int]] = {}
    for column in of:
        seconds, ran = counted.get((column.build, column.module), (0.0, 0))
        known = sums.get((column.module, column.lane, column.age), (0.0, 0))
        sums[column.module, column.lane, column.age] = (known[0] + seconds, known[1] + ran)
    found: dict[tuple[str, int], Series] = {}
    for module, lane, age in sorted(sums, key=lambda key: (key[0], key[1], -key[2])):
        seconds, ran = sums[module, lane, age]
        if ran and seconds:
            found.setdefault((module, lane), []).append((age, seconds / ran))
    return {key: series for key, series in found.items() if len(series) >= LEAST_RUNS}


def _told(view: LaneWindow, lane: int, series: Series, of: str) -> dict[str, Any]:
    runs = view.runs[lane]
    return {
        "rule": "duration",
        "of": of,
        "seconds": [round(seconds, 3) for _, seconds in series],
        "runs": [ids.text(runs[age].run) for age, _ in series],
        "numbers": [runs[age].number for age, _ in series],
    }


def _shape(view: LaneWindow, lane: int, told: dict[str, Any], judged: dict[str, Any]) -> dict[str, Any]:
    release, environment = view.lanes[lane]
    run = next(run for run in view.runs[lane] if ids.text(run.run) == told["runs"][judged["index"]])
    return {
        "release": release,
        "environment": environment,
        **{name: judged[name] for name in judged if name != "index"},
        "run": {"run": ids.text(run.run), "number": run.number, "started_at": iso(run.started_at)},
        "sentence": evidence.sentence(told),
        "evidence": told,
    }
