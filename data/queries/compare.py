"""Compares two runs or two releases: every test that differs, or fails in both, is in exactly one class.

What one run lacks because a build is missing or was aborted is not compared: its tests have a class of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, TypedDict

import numpy as np

from data.answers.base import VerdictKind
from data.answers.evidence import ComparisonClass, ComparisonEvidence
from data.answers.runs import ClassCounts, Classes, ComparedTest, Comparison, LackedModule, RunDetail
from data.answers.statistics import RateClaim, RisingTest
from data.lake.cached_query import cached_query, of_runs
from data.lake.store import Store
from data.model import ids
from data.model.filters import EVERYTHING, Filter
from data.model.measures import deltas
from data.number_text import counted
from data.queries.comparison_sides import (
    ABSENT,
    NOT_COMPARED,
    ComparisonSide,
    Lacking,
    classify_pairs,
    mark_not_compared,
    read_side,
    split_keys,
)
from data.queries.missing_results import gaps, lacking_modules
from data.queries.runs import run
from data.verdicts.disturbances.mass_failures import columns_in_storms
from data.verdicts.evidence import comparison as evidence
from data.verdicts.evidence.comparison import CLASSES
from data.verdicts.failure_rates import regressions
from data.verdicts.lane_analysis import analyse_lanes, verdict_reach
from data.verdicts.lanes import LaneWindow, lane_window, listed_builds
from data.verdicts.verdicts import kinds_of_tests

NEWEST = 10  # runs of a release in which a test's newest status is looked for


class _NamedTest(TypedDict):
    """A test of a class (`found`, an index in CLASSES), at an index of the compared ones."""

    at: int
    test: int
    lane: int
    found: int
    module: str
    file: str
    class_name: str
    name: str


@cached_query(of_runs("base", "candidate"))
def compare(store: Store, base: str, candidate: str, flt: Filter = EVERYTHING, limit: int = 1000) -> Comparison | None:
    """{"base", "candidate" (runs), "delta" (None if one is incomplete), "lacks", "counts" by class, "classes": {class:
    [tests with both sides]}}.

    By a test's worst status: regression: passed -> failed; fixed: failed -> passed; still_failing: failed -> failed;
    new_failure and new_pass: failed or passed, and skipped or absent before; disappeared: neither passes nor fails now;
    appeared: absent before, and skipped; not_compared: absent from one run, which lacks results of the test's build.
    `lacks` counts those by run and module. Tests that pass, or are skipped, in both runs are in no class. A test's
    `kinds` are its verdict kinds today, which show what is flaky; `excluded` says that its failure is in a mass failure
    ("storm") or on a bad host ("host"). Each class lists at most `limit` tests. None if a run is unknown.
    """
    base_run, candidate_run = run(store, base, flt), run(store, candidate, flt)
    if base_run is None or candidate_run is None:
        return None
    sides = [
        read_side(store, builds, store.last_rebuild(), [0] * len(builds), flt)
        for builds in (listed_builds(store, {ids.number(this): (0, 0)}) for this in (base, candidate))
    ]
    keys, found = classify_pairs(*sides)
    lacking = [_lacking(store, this, side) for this, side in zip((base, candidate), sides, strict=True)]
    found = mark_not_compared(sides, lacking, keys, found)
    names = [f"#{this['number']}" for this in (base_run, candidate_run)]
    lane = Filter(candidate_run["release"], environment=candidate_run["environment"], topology=flt.topology)
    kinds = kinds_of_tests(store, lane)
    rows = _rows(store, sides, keys, found, names, limit, lambda _, test: kinds.get(test, []))
    excluded = _excluded(store, candidate_run, lane)
    for _, _, test in rows:
        build = test["evidence"]["candidate"].get("build") if test["after"] == "failed" else None
        in_storm = None if build is None else excluded.get((build, test["module"]))
        test["excluded"] = in_storm or (None if build is None else excluded.get(("", test["test"])))
    incomplete = base_run["incomplete"] or candidate_run["incomplete"]
    return {
        "base": base_run,
        "candidate": candidate_run,
        "delta": None if incomplete else deltas(candidate_run, base_run),
        "lacks": _lacks(sides, keys[found == NOT_COMPARED], names, (base, candidate)),
        "counts": _class_counts(found),
        "classes": _by_class(rows),
    }


def without_base(run: RunDetail) -> Comparison:
    """The comparison of the first run of its lane: nothing is known before."""
    return {
        "base": None,
        "candidate": run,
        "delta": None,
        "lacks": [],
        "counts": _class_counts(np.empty(0, dtype=np.int64)),
        "classes": _by_class([]),
    }


def _lacking(store: Store, run_id: str, side: ComparisonSide) -> Lacking:
    found = gaps(store, (run_id,)).get(run_id, [])
    jobs = frozenset(gap.job for gap in found)
    with_results = {side.rows.groups[index].module for index in np.unique(side.rows.group).tolist()}
    return Lacking(
        jobs,
        frozenset(build.job for build in side.builds) - jobs,
        frozenset(with_results) - lacking_modules(found).keys(),
    )


def _lacks(
    sides: Sequence[ComparisonSide],
    keys: np.ndarray,
    names: Sequence[str],
    runs: Sequence[str | None] = (None, None),
    where: str = "",
) -> list[LackedModule]:
    """One row per side and module of which it lacks results, with the number of tests that are not compared."""
    rows: list[LackedModule] = []
    roles: list[Literal["base", "candidate"]] = ["base", "candidate"]
    for at, role in enumerate(roles):
        absent = keys[sides[at].status(keys) == ABSENT]
        for module, count in sorted(Counter(sides[1 - at].module(key) or "" for key in absent.tolist()).items()):
            text = f"{names[at]} lacks {module}{where}: {counted(count, 'test')} cannot be compared."
            rows.append({"side": role, "run": runs[at], "module": module, "tests": count, "sentence": text})
    return rows


def _lacking_in(store: Store, window: LaneWindow, side: ComparisonSide, environment: str, depth: int) -> Lacking:
    """As `_lacking`, of the newest `depth` runs of a release in an environment: what none of them has."""
    lanes = {index for index, lane in enumerate(window.lanes) if lane[1] == environment}
    runs = [ids.text(run.run) for lane in lanes for run in window.runs[lane] if run.age < depth]
    complete = [build.lane in lanes and not build.unfinished for build in window.builds]
    jobs = frozenset(build.job for build, counts in zip(window.builds, complete, strict=True) if counts)
    groups = side.rows.group[np.array(complete, dtype=bool)[side.rows.build]]
    return Lacking(
        frozenset(gap.job for found in gaps(store, tuple(runs)).values() for gap in found) - jobs,
        jobs,
        frozenset(side.rows.groups[index].module for index in np.unique(groups).tolist()),
    )


def _excluded(store: Store, this: RunDetail, lane: Filter) -> dict[tuple[str, str], Literal["storm", "host"]]:
    """(build, module) of the mass failures of a run -> "storm", ("", test) of its failures on bad hosts -> "host"; of
    the runs that verdicts look at."""
    analysis = analyse_lanes(store, lane, verdict_reach(store, lane))
    found: dict[tuple[str, str], Literal["storm", "host"]] = {
        (ids.text(build), module): "storm"
        for build, module in columns_in_storms(analysis.module_counts, analysis.storms)
    }
    ages = [
        next((run.age for run in lane_runs if ids.text(run.run) == this["id"]), None)
        for lane_runs in analysis.window.runs
    ]
    for test_lane in analysis.test_lanes:
        age = ages[test_lane.lane]
        if age is not None and test_lane.on_bad_host & test_lane.bit_at(age):
            found["", ids.text(test_lane.test)] = "host"
    return found


@cached_query()
def releases(store: Store, base: str, candidate: str, flt: Filter = EVERYTHING, limit: int = 1000) -> Comparison | None:
    """Two release lines: {"base", "candidate" (names), "lacks", "counts", "classes", "statistics"}, as `compare`, by
    the status of each test in the newest run of an environment that contains it, among the newest `flt.runs` (10) runs.
    A test is not compared if none of them has results of its build or module.

    `statistics` are the tests that fail significantly more often (data/verdicts/failure_rates.py); the row of such a
    test has that evidence too, in `rates`. None if a release is unknown.
    """
    depth, names = flt.runs or NEWEST, (base, candidate)
    windows = [lane_window(store, replace(flt, release=release), depth) for release in names]
    if not all(window.runs for window in windows):
        return None
    environments = sorted({environment for window in windows for _, environment in window.lanes})
    sides = []
    for window in windows:
        index_of_lane = [environments.index(environment) for _, environment in window.lanes]
        sides.append(
            read_side(store, window.builds, window.rebuilt, [index_of_lane[build.lane] for build in window.builds], flt)
        )
    keys, found = classify_pairs(*sides)
    lacks: list[LackedModule] = []
    for index, environment in enumerate(environments):
        here = keys >> 32 == index
        lacking = [_lacking_in(store, *pair, environment, depth) for pair in zip(windows, sides, strict=True)]
        found[here] = mark_not_compared(sides, lacking, keys[here], found[here])
        lacks += _lacks(sides, keys[here & (found == NOT_COMPARED)], names, where=f" in {environment}")
    kinds = [
        kinds_of_tests(store, Filter(candidate, environment=environment, topology=flt.topology))
        for environment in environments
    ]
    rows = _rows(store, sides, keys, found, names, limit, lambda lane, test: kinds[lane].get(test, []))
    statistics = regressions(store, replace(flt, release=candidate), base, 10_000)
    rates = {(row["test"], row["environment"]): row for row in statistics["tests"]} if statistics else {}
    for _, lane, test in rows:
        test["environment"] = environments[lane]
        rate = rates.get((test["test"], test["environment"]))
        test["rates"] = rate and _rate_claim(rate)
    return {
        "base": base,
        "candidate": candidate,
        "lacks": lacks,
        "counts": _class_counts(found),
        "classes": _by_class(rows),
        "statistics": statistics,
    }


def _rate_claim(row: RisingTest) -> RateClaim:
    return {
        "claim": row["claim"],
        "p": row["p"],
        "q": row["q"],
        "base": row["base"],
        "sample": row["sample"],
        "sentence": row["sentence"],
    }


def _rows(
    store: Store,
    sides: Sequence[ComparisonSide],
    keys: np.ndarray,
    found: np.ndarray,
    names: Sequence[str],
    limit: int,
    kinds: Callable[[int, int], list[VerdictKind]],
) -> list[tuple[ComparisonClass, int, ComparedTest]]:
    """(class, lane, test) of at most `limit` tests of each class, by module and name; `kinds` gives the verdict kinds
    of a test in a lane."""
    if not limit:
        return []
    base, candidate = sides
    lanes, tests = split_keys(candidate, keys)
    modules = [candidate.module(key) or base.module(key) for key in keys.tolist()]
    named = store.rows(
        """SELECT k.*, t.file, t.class AS class_name, t.name FROM (
            SELECT unnest($at::INTEGER[]) AS at, unnest($test::BIGINT[]) AS test, unnest($lane::INTEGER[]) AS lane,
                unnest($found::INTEGER[]) AS found, unnest($module::VARCHAR[]) AS module) k JOIN tests t USING (test)
        QUALIFY row_number() OVER (
            PARTITION BY k.found ORDER BY k.module, t.file, t.class, t.name, k.test, k.lane) <= $limit
        ORDER BY k.module, t.file, t.class, t.name, k.test, k.lane""",
        {
            "at": list(range(len(keys))),
            "test": tests.tolist(),
            "lane": lanes.tolist(),
            "found": found.tolist(),
            "module": modules,
            "limit": limit,
        },
        _NamedTest,
    )
    rows = []
    for row in named:
        key = int(keys[row["at"]])
        both = [side.evidence(key, name) for side, name in zip(sides, names, strict=True)]
        if row["found"] == NOT_COMPARED:
            next(side for side in both if "build" not in side)["lacking"] = True
        evidence_: ComparisonEvidence = {
            "rule": "class",
            "base": both[0],
            "candidate": both[1],
            "kinds": kinds(row["lane"], row["test"]),
        }
        derived = evidence.judge(evidence_)
        test: ComparedTest = {
            "test": ids.text(row["test"]),
            "key": f"{row['file']}::{row['class_name']}::{row['name']}",
            "name": row["name"],
            "module": row["module"],
            "before": derived["before"],
            "after": derived["after"],
            "kinds": evidence_["kinds"],
            "sentence": evidence.sentence(evidence_),
            "evidence": evidence_,
        }
        rows.append((CLASSES[row["found"]], row["lane"], test))
    return rows


def _class_counts(found: np.ndarray) -> ClassCounts:
    counts: dict[ComparisonClass, int] = dict(
        zip(CLASSES, np.bincount(found, minlength=len(CLASSES)).tolist(), strict=True)
    )
    return {
        "regression": counts["regression"],
        "new_failure": counts["new_failure"],
        "still_failing": counts["still_failing"],
        "fixed": counts["fixed"],
        "new_pass": counts["new_pass"],
        "appeared": counts["appeared"],
        "disappeared": counts["disappeared"],
        "not_compared": counts["not_compared"],
    }


def _by_class(rows: list[tuple[ComparisonClass, int, ComparedTest]]) -> Classes:
    classes: Classes = {
        "regression": [],
        "new_failure": [],
        "still_failing": [],
        "fixed": [],
        "new_pass": [],
        "appeared": [],
        "disappeared": [],
        "not_compared": [],
    }
    for name, _, test in rows:
        classes[name].append(test)
    return classes
