"""The tests x runs grid: one letter a cell, so that a thousand tests over two hundred runs are a small answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from data import ids
from data.cache import question
from data.filters import Filter
from data.outcomes import AGAIN, FAILED, FINAL, PASSED
from data.queries import verdicts
from data.queries.priorities import METADATA, UNKNOWN, within
from data.queries.runs import runs
from data.queries.windows import listed
from data.stats.words import WORDS, worst
from data.store import Store

ORDERS = ("failing", "verdict", "priority", "module", "name")


@question
def grid(
    store: Store,
    flt: Filter,
    limit: int = 1000,
    offset: int = 0,
    kinds: tuple[str, ...] = (),
    text: str | None = None,
    order: str = "failing",
) -> dict[str, Any]:
    """{"runs", "tests", "cells"}: the newest `flt.runs` (30) runs, newest first; for each test one string with a letter
    a run: P passed, F failed, K passed after a failed attempt, S skipped, - did not run (or its build is missing).

    `kinds` keeps only tests that carry one of these words; `order` is failing (most failed first), verdict (worst word
    first), priority, module or name. Raises ValueError for another order.
    """
    if order not in ORDERS:
        raise ValueError(f"order is one of {', '.join(ORDERS)}")
    columns = runs(store, flt, flt.runs or 30)
    judged = verdicts.judge(store, replace(flt, runs=None))[1] if flt.release else []
    words: dict[int, set[str]] = {}
    for verdict in judged:
        words.setdefault(verdict.line.test, set()).update(verdict.kinds)
    chosen = None if not kinds else {test for test, carried in words.items() if carried & set(kinds)}
    rank = {test: WORDS.index(worst(carried)) for test, carried in words.items()} if order == "verdict" else {}
    rows = _cells(store, columns, flt, _named(store, text, chosen), order, rank, limit, offset)
    return {
        "runs": [
            {name: run[name] for name in ("id", "number", "version", "environment", "started_at", "state")}
            for run in columns
        ],
        "tests": [
            {
                "test": ids.text(test),
                "key": f"{file}::{class_}::{name}",
                "name": name,
                "module": module,
                "priority": priority,
                "kinds": sorted(words.get(test, ()), key=WORDS.index),
            }
            for test, file, class_, name, module, priority, _ in rows
        ],
        "cells": [cells for *_, cells in rows],
    }


@question
def topologies(store: Store, flt: Filter, release: str | None) -> list[str]:
    """The topologies on which a release (or a module of it) was tested."""
    part = " AND module = $module" if flt.module is not None else ""
    rows = store.rows(
        f"SELECT DISTINCT topology FROM build_counts WHERE release = $release AND topology <> ''{part} ORDER BY 1",
        {"release": release} | ({"module": flt.module} if part else {}),
    )
    return [row["topology"] for row in rows]


@question
def priorities(store: Store, release: str | None) -> list[str]:
    """The priorities that the metadata gives to tests of a release; UNKNOWN stands for those without one."""
    rows = store.rows(
        f"SELECT DISTINCT priority FROM ({METADATA}) WHERE priority IS NOT NULL ORDER BY 1",
        {"metadata_release": release},
    )
    return [*(row["priority"] for row in rows), UNKNOWN] if rows else []


def _named(store: Store, text: str | None, chosen: set[int] | None) -> set[int] | None:
    """The tests among the chosen (None: all) with `text` in their key; None for all."""
    if not text:
        return chosen
    rows = store.cursor().execute(
        "SELECT test FROM tests WHERE contains(lower(file || '::' || class || '::' || name), lower(?))", [text]
    )
    found = {test for (test,) in rows.fetchall()}
    return found if chosen is None else found & chosen


def _cells(
    store: Store,
    columns: list[dict[str, Any]],
    flt: Filter,
    wanted: set[int] | None,
    order: str,
    rank: dict[int, int],
    limit: int,
    offset: int,
) -> list[tuple[int, str, str, str, str, str | None, str]]:
    """(test, file, class, name, module, priority, its letters) in order; `rank` is that of the tests' verdicts."""
    builds = listed(store, {ids.number(run["id"]): (0, place) for place, run in enumerate(columns)})
    rows = store.outcomes.rows(store, builds, store.rebuilt())
    its = within(store, flt, rows, builds)
    if wanted is not None:
        its &= np.isin(rows.tests, list(wanted))[rows.test]
    at = np.flatnonzero(its)
    seen = np.zeros(len(rows.tests), dtype=bool)
    seen[rows.test[at]] = True
    tests = np.flatnonzero(seen)
    line = (np.cumsum(seen) - 1)[rows.test[at]]
    age = np.array([build.age for build in builds], dtype=np.int32)[rows.build[at]]
    flag = rows.flag[at]
    final, again = flag & FINAL > 0, flag & AGAIN > 0
    failed, passed = flag & FAILED > 0, flag & PASSED > 0
    letters = np.full((len(tests), len(columns)), ord("-"), dtype=np.uint8)
    # A later letter covers an earlier one: the worst is shown.
    for letter, held in (
        ("S", final & ~failed & ~passed),
        ("P", final & passed),
        ("K", passed & (~final | again)),
        ("F", final & failed),
    ):
        letters[line[held], age[held]] = ord(letter)
    group = np.zeros(len(tests), dtype=np.int32)
    group[line] = rows.group[at]
    failures = (letters == ord("F")).sum(axis=1)
    # Of many thousands only those are named and sorted that can stand on the page.
    pruned = order == "failing" and offset + limit < len(tests)
    least = -np.partition(-failures, offset + limit)[offset + limit] if pruned else 0
    short = np.flatnonzero(failures >= least)
    name, most = "k.module, t.file, t.class, t.name", "k.failures DESC"
    by = {
        "failing": f"{most}, {name}",
        "verdict": f"k.rank, {most}, {name}",
        "priority": f"m.priority NULLS LAST, {most}, {name}",
        "module": name,
        "name": "t.name, t.file, t.class",
    }[order]
    named = store.cursor().execute(
        f"""SELECT k.test, t.file, t.class, t.name, k.module, m.priority, k.line FROM (
            SELECT unnest($line::INTEGER[]) AS line, unnest($test::BIGINT[]) AS test,
                unnest($failures::INTEGER[]) AS failures, unnest($module::VARCHAR[]) AS module,
                unnest($rank::INTEGER[]) AS rank) k
        JOIN tests t USING (test) LEFT JOIN ({METADATA}) m USING (base_name)
        ORDER BY {by}, k.test LIMIT $limit OFFSET $offset""",
        {
            "line": short.tolist(),
            "test": rows.tests[tests[short]].tolist(),
            "failures": failures[short].tolist(),
            "module": [rows.groups[of].module for of in group[short].tolist()],
            "rank": [rank.get(test, len(WORDS)) for test in rows.tests[tests[short]].tolist()],
            "metadata_release": flt.release,
            "limit": limit,
            "offset": offset,
        },
    )
    return [(*facts, letters[place].tobytes().decode()) for *facts, place in named.fetchall()]
