"""What takes longer than it did, or less: lasting changes of a test's or a module's duration.

Only passed results count (a failure ends early, or late), each topology for itself, storms left out. Of tens of
thousands of series few drift at all: SQL screens them by their slope, and only those are divided (e-divisive).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from data import evidence, ids
from data.cache import question
from data.filters import Filter
from data.measures import iso
from data.queries.disturbances import find_storms, releases, stormy_columns
from data.queries.priorities import prioritized
from data.queries.verdicts import names
from data.queries.windows import Column, Window, columns, span, window
from data.store import Store

RUNS = 60
LEAST_RUNS = 10
SLOPE = 0.15  # a series whose line rises or falls by less of its mean over the window holds no change worth showing
CORRELATION = 0.3

Series = list[tuple[int, float]]  # (age, seconds), oldest first


@question
def of_tests(store: Store, flt: Filter, limit: int = 100, offset: int = 0) -> list[dict[str, Any]]:
    """Tests (on one topology) whose duration changed for good within the newest `flt.runs` (60) runs of a lane: those
    that became slower by the most seconds first, those that became faster last. {test, key, name, module, topology,
    release, environment, slower, before_s, after_s (medians), factor, p, run (the first at the new level), sentence,
    evidence}."""
    found = []
    for release in releases(store, flt):
        view, calm = _calm(store, replace(flt, release=release))
        for key, module, series in _drifting(store, flt, view, calm):
            told = _told(view, key[2], series, "results")
            judged = evidence.judge(told)
            if judged["factor"] is not None:
                found.append((view, key, module, told, judged))
    found.sort(key=lambda item: (item[4]["before_s"] - item[4]["after_s"], item[1]))
    found = found[offset : offset + limit]
    named = names(store, [key[0] for _, key, _, _, _ in found])
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


@question
def of_modules(store: Store, flt: Filter) -> list[dict[str, Any]]:
    """Modules whose mean duration of a result changed for good, as `of_tests`, with `module` in place of the test."""
    found = []
    for release in releases(store, flt):
        view, calm = _calm(store, replace(flt, release=release))
        for (module, lane), series in _of_modules(store, flt, view, calm).items():
            told = _told(view, lane, series, "module")
            judged = evidence.judge(told)
            if judged["factor"] is not None:
                found.append({"module": module, **_shape(view, lane, told, judged)})
    return sorted(found, key=lambda row: row["before_s"] - row["after_s"])


def _calm(store: Store, flt: Filter) -> tuple[Window, list[Column]]:
    view = window(store, flt, flt.runs or RUNS)
    of = columns(store, view)
    stormy = set() if flt.include_storms else stormy_columns(of, find_storms(store, view, of))
    return view, [
        column
        for column in of
        if (column.build, column.module) not in stormy and (flt.module is None or column.module == flt.module)
    ]


def _drifting(
    store: Store, flt: Filter, view: Window, calm: Sequence[Column]
) -> Iterable[tuple[tuple[int, str, int], str, Series]]:
    """((test, topology, lane), module, series) of those that may hold a change."""
    builds = {column.build for column in calm}
    where, parameters = span([build for build in view.builds if build.build in builds])
    where += " AND r.is_final AND r.status = 'passed' AND r.duration_s IS NOT NULL"
    for name in ("module", "topology"):
        if getattr(flt, name) is not None:
            where += f" AND r.{name} = ${name}"
            parameters[name] = getattr(flt, name)
    part, own = prioritized(store, flt, {build.release for build in view.builds})
    where, parameters = where + part, parameters | own
    rows = store.cursor().execute(
        f"""WITH w AS (
            SELECT unnest($build::BIGINT[]) AS build, unnest($owner::VARCHAR[]) AS module,
                unnest($lane::INTEGER[]) AS lane, unnest($age::INTEGER[]) AS age),
        drifting AS (
            SELECT r.test, r.topology, w.lane FROM results r JOIN w USING (build, module) WHERE {where}
            GROUP BY r.test, r.topology, w.lane
            HAVING count(*) >= {LEAST_RUNS} AND abs(corr(r.duration_s, w.age)) >= {CORRELATION}
                AND abs(regr_slope(r.duration_s, w.age)) * (max(w.age) - min(w.age)) >= {SLOPE} * avg(r.duration_s)),
        theirs AS MATERIALIZED (
            SELECT r.build, r.module, r.test, r.topology, r.duration_s FROM results r
            WHERE {where} AND r.test IN (SELECT test FROM drifting))
        SELECT r.test, r.topology, w.lane, any_value(r.module), w.age, avg(r.duration_s)
        FROM theirs r JOIN w USING (build, module) JOIN drifting USING (test, topology, lane)
        GROUP BY r.test, r.topology, w.lane, w.age ORDER BY r.test, r.topology, w.lane, w.age DESC""",
        parameters
        | {
            "build": [column.build for column in calm],
            "owner": [column.module for column in calm],
            "lane": [column.lane for column in calm],
            "age": [column.age for column in calm],
        },
    )
    found: dict[tuple[int, str, int], tuple[str, Series]] = {}
    for test, topology, lane, module, age, seconds in rows.fetchall():
        found.setdefault((test, topology, lane), (module, []))[1].append((age, seconds))
    return [(key, module, series) for key, (module, series) in found.items()]


def _of_modules(store: Store, flt: Filter, view: Window, calm: Sequence[Column]) -> dict[tuple[str, int], Series]:
    """(module, lane) -> mean seconds of a result in each run."""
    builds = {column.build for column in calm}
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
    for column in calm:
        seconds, ran = counted.get((column.build, column.module), (0.0, 0))
        known = sums.get((column.module, column.lane, column.age), (0.0, 0))
        sums[column.module, column.lane, column.age] = (known[0] + seconds, known[1] + ran)
    found: dict[tuple[str, int], Series] = {}
    for module, lane, age in sorted(sums, key=lambda key: (key[0], key[1], -key[2])):
        seconds, ran = sums[module, lane, age]
        if ran and seconds:
            found.setdefault((module, lane), []).append((age, seconds / ran))
    return {key: series for key, series in found.items() if len(series) >= LEAST_RUNS}


def _told(view: Window, lane: int, series: Series, of: str) -> dict[str, Any]:
    runs = view.runs[lane]
    return {
        "rule": "duration",
        "of": of,
        "seconds": [round(seconds, 3) for _, seconds in series],
        "runs": [ids.text(runs[age].run) for age, _ in series],
        "numbers": [runs[age].number for age, _ in series],
    }


def _shape(view: Window, lane: int, told: dict[str, Any], judged: dict[str, Any]) -> dict[str, Any]:
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
