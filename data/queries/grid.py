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
from data.queries.priorities import within
from data.queries.runs import runs
from data.queries.windows import listed, rebuilt
from data.stats.words import WORDS
from data.store import Store

ORDERS = ("name", "failing", "module")


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

    `kinds` keeps only tests that carry one of these words; `order` is failing (most failed first), name or module.
    Raises ValueError for another order.
    """
    if order not in ORDERS:
        raise ValueError(f"order is one of {', '.join(ORDERS)}")
    columns = runs(store, flt, flt.runs or 30)
    judged = verdicts.judge(store, replace(flt, runs=None))[1] if flt.release else []
    words: dict[int, set[str]] = {}
    for verdict in judged:
        words.setdefault(verdict.line.test, set()).update(verdict.kinds)
    chosen = None if not kinds else {test for test, carried in words.items() if carried & set(kinds)}
    rows = _cells(store, columns, flt, _named(store, text, chosen), order, limit, offset)
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
                "kinds": sorted(words.get(test, ()), key=WORDS.index),
            }
            for test, file, class_, name, module, _ in rows
        ],
        "cells": [cells for *_, cells in rows],
    }


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
    limit: int,
    offset: int,
) -> list[tuple[int, str, str, str, str, str]]:
    """(test, file, class, name, module, its letters) in order."""
    builds = listed(store, {ids.number(run["id"]): (0, place) for place, run in enumerate(columns)})
    rows = store.outcomes.rows(store, builds, rebuilt(store))
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
    failures = (letters == ord("F")).sum(axis=1) if order == "failing" else np.zeros(len(tests), dtype=np.int64)
    # Of many thousands only those are named and sorted that can stand on the page.
    least = -np.partition(-failures, offset + limit)[offset + limit] if offset + limit < len(tests) else 0
    short = np.flatnonzero(failures >= least)
    by = {"failing": "k.failures DESC, k.module, t.file, t.class, t.name", "name": "t.name, t.file, t.class"}
    named = store.cursor().execute(
        f"""SELECT k.test, t.file, t.class, t.name, k.module, k.line FROM (
            SELECT unnest($line::INTEGER[]) AS line, unnest($test::BIGINT[]) AS test,
                unnest($failures::INTEGER[]) AS failures, unnest($module::VARCHAR[]) AS module) k
        JOIN tests t USING (test)
        ORDER BY {by.get(order, "k.module, t.file, t.class, t.name")}, k.test LIMIT $limit OFFSET $offset""",
        {
            "line": short.tolist(),
            "test": rows.tests[tests[short]].tolist(),
            "failures": failures[short].tolist(),
            "module": [rows.groups[of].module for of in group[short].tolist()],
            "limit": limit,
            "offset": offset,
        },
    )
    return [(*facts, letters[place].tobytes().decode()) for *facts, place in named.fetchall()]
