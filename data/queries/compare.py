"""Compares two runs or two releases: every test that differs, or fails in both, is in exactly one class."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filters import EVERYTHING, Filter
from data.model.measures import deltas
from data.queries.comparison_sides import ComparisonSide, classify_pairs, read_side, split_keys
from data.queries.runs import run
from data.verdicts import evidence
from data.verdicts.evidence.comparison import CLASSES
from data.verdicts.failure_rates import regressions
from data.verdicts.lanes import lane_window, listed_builds
from data.verdicts.rules import KINDS
from data.verdicts.verdicts import judge_tests

NEWEST = 10  # runs of a release in which a test's newest status is looked for


@cached_query
def compare(
    store: Store, base: str, candidate: str, flt: Filter = EVERYTHING, limit: int = 1000
) -> dict[str, Any] | None:
    """{"base", "candidate" (runs), "delta", "counts" by class, "classes": {class: [tests with both sides]}}.

    By a test's worst status: regression: passed -> failed; fixed: failed -> passed; still_failing: failed -> failed;
    new_failure and new_pass: failed or passed, and skipped or absent before; disappeared: neither passes nor fails now;
    appeared: absent before, and skipped. Tests that pass, or are skipped, in both runs are in no class. A test's
    `kinds` are its verdict kinds today, which show what is flaky. Each class lists at most `limit` tests. None if a
    run is unknown.
    """
    base_run, candidate_run = run(store, base, flt), run(store, candidate, flt)
    if base_run is None or candidate_run is None:
        return None
    sides = [
        read_side(store, builds, store.last_rebuild(), [0] * len(builds), flt)
        for builds in (listed_builds(store, {ids.number(this): (0, 0)}) for this in (base, candidate))
    ]
    keys, found = classify_pairs(*sides)
    names = [f"#{this['number']}" for this in (base_run, candidate_run)]
    kinds = _kinds(store, flt, candidate_run["release"], candidate_run["environment"])
    rows = _rows(store, sides, keys, found, names, limit, lambda _, test: kinds.get(test, []))
    for row in rows:
        del row["lane"]
    return {
        "base": base_run,
        "candidate": candidate_run,
        "delta": deltas(candidate_run, base_run),
        **_by_class(rows, found),
    }


@cached_query
def releases(
    store: Store, base: str, candidate: str, flt: Filter = EVERYTHING, limit: int = 1000
) -> dict[str, Any] | None:
    """Two release lines: {"base", "candidate" (names), "counts", "classes", "statistics"}, as `compare`, by the status
    of each test in the newest run of an environment that contains it, among the newest `flt.runs` (10) runs.

    `statistics` are the tests that fail significantly more often (data/verdicts/failure_rates.py); the row of such a
    test has that evidence too, in `rates`. None if a release is unknown.
    """
    windows = [lane_window(store, replace(flt, release=release), flt.runs or NEWEST) for release in (base, candidate)]
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
    kinds = [_kinds(store, flt, candidate, environment) for environment in environments]
    rows = _rows(store, sides, keys, found, [base, candidate], limit, lambda lane, test: kinds[lane].get(test, []))
    statistics = regressions(store, replace(flt, release=candidate), base, 10_000)
    rates = {(row["test"], row["environment"]): row for row in statistics["tests"]} if statistics else {}
    for row in rows:
        row["environment"] = environments[row.pop("lane")]
        rate = rates.get((row["test"], row["environment"]))
        row["rates"] = rate and {name: rate[name] for name in ("claim", "p", "q", "base", "sample", "sentence")}
    return {"base": base, "candidate": candidate, **_by_class(rows, found), "statistics": statistics}


def _rows(
    store: Store,
    sides: Sequence[ComparisonSide],
    keys: np.ndarray,
    found: np.ndarray,
    names: Sequence[str],
    limit: int,
    kinds: Callable[[int, int], list[str]],
) -> list[dict[str, Any]]:
    """At most `limit` tests of each class, by module and name; `kinds` gives the verdict kinds of a test in a lane."""
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
    )
    rows = []
    for row in named:
        key = int(keys[row["at"]])
        evidence_ = {
            "rule": "class",
            "base": base.evidence(key, names[0]),
            "candidate": candidate.evidence(key, names[1]),
            "kinds": kinds(row["lane"], row["test"]),
        }
        derived = evidence.judge(evidence_)
        rows.append(
            {
                "test": ids.text(row["test"]),
                "key": f"{row['file']}::{row['class_name']}::{row['name']}",
                "name": row["name"],
                "module": row["module"],
                "lane": row["lane"],
                "class": derived["class"],
                "before": derived["before"],
                "after": derived["after"],
                "kinds": evidence_["kinds"],
                "sentence": evidence.sentence(evidence_),
                "evidence": evidence_,
            }
        )
    return rows


def _kinds(store: Store, flt: Filter, release: str, environment: str) -> dict[int, list[str]]:
    """By test: the verdict kinds it has today in a lane."""
    window, verdicts = judge_tests(store, Filter(release, topology=flt.topology))
    return {
        verdict.test_lane.test: sorted(verdict.kinds, key=KINDS.index)
        for verdict in verdicts
        if window.lanes[verdict.test_lane.lane][1] == environment
    }


def _by_class(rows: list[dict[str, Any]], found: np.ndarray) -> dict[str, Any]:
    counts = np.bincount(found, minlength=len(CLASSES)).tolist()
    classes: dict[str, list[dict[str, Any]]] = {name: [] for name in CLASSES}
    for row in rows:
        classes[row.pop("class")].append(row)
    return {"counts": dict(zip(CLASSES, counts, strict=True)), "classes": classes}
