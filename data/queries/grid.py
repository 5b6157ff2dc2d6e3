"""The tests x runs grid: one letter per cell, so that a thousand tests over two hundred runs are a small answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa

from data.answers.base import VerdictKind
from data.answers.runs import Run
from data.answers.tests import TestName
from data.answers.trends import TestGrid
from data.cache.result_arrays import FAILED, FINAL, PASSED, RERUN, ResultRows
from data.lake.cached_query import cached_query, of_release, of_tables
from data.lake.cursors import registered
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.queries.runs import runs
from data.verdicts import verdicts
from data.verdicts.lanes import listed_builds
from data.verdicts.priorities import UNKNOWN, metadata_sql, priorities_of_tests, rows_in_filter
from data.verdicts.rules import KINDS
from data.verdicts.verdicts import LaneVerdict

ORDERS = ("failing", "verdict", "priority", "module", "name")


@cached_query(of_release)
def grid(
    store: Store,
    flt: Filter,
    limit: int = 1000,
    offset: int = 0,
    kinds: tuple[str, ...] = (),
    text: str | None = None,
    order: str = "failing",
) -> TestGrid:
    """{"runs", "tests", "cells"}: the newest `flt.runs` (30) runs, newest first; for each test one string with a letter
    per run: P passed, F failed, K passed after a failed attempt, S skipped, - did not run (or its build is missing).

    `kinds` keeps only tests with one of these verdict kinds; `order` is failing (most failed first), verdict (worst
    kind first), priority, module or name. Raises ValueError for another order.
    """
    if order not in ORDERS:
        raise ValueError(f"order must be one of {', '.join(ORDERS)}")
    columns = runs(store, flt, flt.runs or 30)
    found = verdicts.judge_tests(store, replace(flt, runs=None))[1] if flt.release else []
    chosen = None if not kinds else {verdict.test_lane.test for verdict in found if verdict.kinds & set(kinds)}
    rank = (
        {test: min(map(KINDS.index, carried)) for test, carried in _verdict_kinds(found).items()}
        if order == "verdict"
        else {}
    )
    rows = _cells(store, columns, flt, _named(store, text, chosen), order, rank, limit, offset)
    shown = {row["test"] for row, _ in rows}
    priority_of = priorities_of_tests(store, shown, flt.release)
    kinds_of = _verdict_kinds(verdict for verdict in found if verdict.test_lane.test in shown)
    return {
        "runs": [
            {
                "id": run["id"],
                "job": run["job"],
                "number": run["number"],
                "version": run["version"],
                "environment": run["environment"],
                "started_at": run["started_at"],
                "state": run["state"],
            }
            for run in columns
        ],
        "tests": [
            {
                "test": ids.text(row["test"]),
                "key": f"{row['file']}::{row['class']}::{row['name']}",
                "name": row["name"],
                "module": row["module"],
                "priority": priority_of.get(row["test"]),
                "kinds": sorted(kinds_of.get(row["test"], ()), key=KINDS.index),
            }
            for row, _ in rows
        ],
        "cells": [cells for _, cells in rows],
    }


def _verdict_kinds(found: Iterable[LaneVerdict]) -> dict[int, set[VerdictKind]]:
    """By test: its verdict kinds in all environments."""
    kinds_of: dict[int, set[VerdictKind]] = {}
    for verdict in found:
        kinds_of.setdefault(verdict.test_lane.test, set()).update(verdict.kinds)
    return kinds_of


@cached_query(of_release)
def topologies(store: Store, flt: Filter, release: str | None) -> list[str]:
    """The topologies on which a release (or a module of it) was tested."""
    part = " AND module = $module" if flt.module is not None else ""
    rows = store.cursor().execute(
        f"SELECT DISTINCT topology FROM build_counts WHERE release = $release AND topology <> ''{part} ORDER BY 1",
        {"release": release} | ({"module": flt.module} if part else {}),
    )
    return [topology for (topology,) in rows.fetchall()]


@cached_query(of_tables("tests", "matched_metadata"))
def priorities(store: Store, release: str | None) -> list[str]:
    """The priorities of a release's tests in the metadata, and UNKNOWN for tests without one."""
    rows = store.cursor().execute(
        f"SELECT DISTINCT priority FROM ({metadata_sql(store)}) WHERE priority IS NOT NULL ORDER BY 1",
        {"metadata_release": release},
    )
    named = [priority for (priority,) in rows.fetchall()]
    return [*named, UNKNOWN] if named else []


def _named(store: Store, text: str | None, chosen: set[int] | None) -> set[int] | None:
    """The tests among the chosen (None: all) with `text` in their key; None for all."""
    if not text:
        return chosen
    rows = store.cursor().execute(
        "SELECT test FROM tests WHERE contains(lower(file || '::' || class || '::' || name), lower(?))", [text]
    )
    found = {test for (test,) in rows.fetchall()}
    return found if chosen is None else found & chosen


class _Line(TestName):
    """A test of the page, and its line in the arrays."""

    module: str
    line: int


def _cells(
    store: Store,
    columns: list[Run],
    flt: Filter,
    wanted: set[int] | None,
    order: str,
    rank: dict[int, int],
    limit: int,
    offset: int,
) -> list[tuple[_Line, str]]:
    """Each test and its letters, in order; `rank` is that of the tests'
    verdicts."""
    builds = listed_builds(store, {ids.number(run["id"]): (0, index) for index, run in enumerate(columns)})
    rows = store.result_arrays.rows(store, builds, store.last_rebuild())
    in_scope = rows_in_filter(store, flt, rows, builds)
    if wanted is not None:
        in_scope &= np.isin(rows.tests, list(wanted))[rows.test]
    age = np.array([build.age for build in builds], dtype=np.int32)
    present = np.zeros(len(rows.tests), dtype=bool)
    present[rows.test[in_scope]] = True
    failures = _failures(rows, in_scope, age)
    # Only tests that can be on the page are named and sorted, and only the page's rows become letters.
    if order == "failing" and offset + limit < present.sum():
        most = failures[present]
        present &= failures >= -np.partition(-most, offset + limit)[offset + limit]
    at = np.flatnonzero(in_scope & present[rows.test])
    group = np.zeros(len(rows.tests), dtype=np.int32)
    group[rows.test[at]] = rows.group[at]
    tests = np.flatnonzero(present)
    modules = pa.DictionaryArray.from_arrays(
        group[tests], pa.array([each_group.module for each_group in rows.groups], pa.string())
    )
    candidates = pa.table(
        {
            "line": pa.array(tests),
            "test": pa.array(rows.tests[tests]),
            "failures": pa.array(failures[tests]),
            "module": modules,
            "rank": pa.array(
                [rank.get(test, len(KINDS)) for test in rows.tests[tests].tolist()] if rank else np.zeros(len(tests))
            ),
        }
    )
    name, most_first = "k.module, t.file, t.class, t.name", "k.failures DESC"
    by = {
        "failing": f"{most_first}, {name}",
        "verdict": f"k.rank, {most_first}, {name}",
        "priority": f"m.priority NULLS LAST, {most_first}, {name}",
        "module": name,
        "name": "t.name, t.file, t.class",
    }[order]
    sorted_by = f"LEFT JOIN ({metadata_sql(store)}) m USING (test)" if order == "priority" else ""
    with registered(store.cursor(), candidates=candidates):
        page = store.rows(
            f"""SELECT k.test, t.file, t.class, t.name, k.module::VARCHAR AS module, k.line
            FROM candidates k JOIN tests t USING (test) {sorted_by}
            ORDER BY {by}, k.test LIMIT $limit OFFSET $offset""",
            {"limit": limit, "offset": offset, **({"metadata_release": flt.release} if sorted_by else {})},
            _Line,
        )
    line = np.full(len(rows.tests), -1, dtype=np.int32)
    line[[row["line"] for row in page]] = np.arange(len(page))
    letters = _letters(rows, at[line[rows.test[at]] >= 0], line, age, (len(page), len(columns)))
    return [(row, letters[index].tobytes().decode()) for index, row in enumerate(page)]


def _failures(rows: ResultRows, in_scope: np.ndarray, age: np.ndarray) -> np.ndarray:
    """In how many columns each test failed."""
    failed = rows.failed[in_scope[rows.failed]]
    failed = failed[rows.flag[failed] & FINAL > 0]
    width = int(age.max(initial=0)) + 1
    cells = np.unique(rows.test[failed].astype(np.int64) * width + age[rows.build[failed]])
    return np.bincount(cells // width, minlength=len(rows.tests))


def _letters(rows: ResultRows, at: np.ndarray, line: np.ndarray, age: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Bytes, a line for each test that `line` gives one, a column for each run."""
    y, x, flag = line[rows.test[at]], age[rows.build[at]], rows.flag[at]
    final, again = flag & FINAL > 0, flag & RERUN > 0
    failed, passed = flag & FAILED > 0, flag & PASSED > 0
    letters = np.full(shape, ord("-"), dtype=np.uint8)
    # A later letter covers an earlier one: the worst is shown.
    for letter, mask in (
        ("S", final & ~failed & ~passed),
        ("P", final & passed),
        ("K", passed & (~final | again)),
        ("F", final & failed),
    ):
        letters[y[mask], x[mask]] = ord(letter)
    return letters
