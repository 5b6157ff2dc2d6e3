"""The tests x runs grid: one letter a cell, so that a thousand tests over two hundred runs are a small answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from data import ids
from data.cache import question
from data.filters import Filter
from data.queries import verdicts
from data.queries.priorities import prioritized
from data.queries.runs import runs
from data.stats.words import WORDS
from data.store import Store

ORDERS = ("name", "failing", "module")
_CHUNK = 62  # runs in one 64-bit mask
# A row's masks of one chunk, and the letter of each; a later letter covers an earlier one: the worst is shown.
_MASKS = {
    "S": "r.is_final AND r.status = 'skipped'",
    "P": "r.is_final AND r.status = 'passed'",
    "K": "r.status = 'passed' AND (NOT r.is_final OR r.attempt > 1)",
    "F": "r.is_final AND r.status = 'failed'",
}


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
    where, parameters = "true", {}
    if kinds:
        where += " AND t.test IN (SELECT unnest($chosen::BIGINT[]))"
        parameters["chosen"] = [test for test, carried in words.items() if carried & set(kinds)]
    if text:
        where += " AND contains(lower(t.file || '::' || t.class || '::' || t.name), lower($text))"
        parameters["text"] = text
    rows = _cells(store, columns, flt, where, parameters, order, limit, offset)
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
            for test, file, class_, name, module, *_ in rows
        ],
        "cells": _letters(rows, len(columns)),
    }


def _cells(
    store: Store,
    columns: list[dict[str, Any]],
    flt: Filter,
    where: str,
    parameters: dict[str, Any],
    order: str,
    limit: int,
    offset: int,
) -> list[tuple[Any, ...]]:
    if not columns:
        return []
    listed = store.rows(
        """SELECT rb.run, b.build, b.started_at, b.release FROM run_builds rb JOIN builds b USING (build)
        WHERE rb.run IN (SELECT unnest($runs::BIGINT[]))""",
        {"runs": [ids.number(run["id"]) for run in columns]},
    )
    if not listed:
        return []
    age = {ids.number(run["id"]): place for place, run in enumerate(columns)}
    part = ""
    for name in ("module", "topology"):
        if getattr(flt, name) is not None:
            part += f" AND r.{name} = ${name}"
            parameters[name] = getattr(flt, name)
    prior, own = prioritized(store, flt, {row["release"] for row in listed})
    part, parameters = part + prior, parameters | own
    chunks = range(0, len(columns), _CHUNK)
    masks = ", ".join(
        f"coalesce(bit_or(1::BIGINT << (w.age % {_CHUNK})) FILTER (w.age BETWEEN {first} AND {first + _CHUNK - 1} "
        f"AND {rule}), 0) AS {letter}{first}"
        for first in chunks
        for letter, rule in _MASKS.items()
    )
    names = [f"{letter}{first}" for first in chunks for letter in _MASKS]
    by = {
        "failing": " + ".join(f"bit_count(F{first})" for first in chunks) + " DESC, l.module, t.file, t.class, t.name",
        "name": "t.name, t.file, t.class",
        "module": "l.module, t.file, t.class, t.name",
    }[order]
    return (
        store.cursor()
        .execute(
            f"""WITH lines AS (
            SELECT r.test, any_value(r.module) AS module, {masks}
            FROM results r JOIN (SELECT unnest($build) AS build, unnest($age) AS age) w USING (build)
            WHERE r.release IN (SELECT unnest($releases::VARCHAR[])) AND r.started_at BETWEEN $first AND $last{part}
            GROUP BY r.test)
        SELECT t.test, t.file, t.class, t.name, l.module, {", ".join(names)}
        FROM lines l JOIN tests t USING (test) WHERE {where}
        ORDER BY {by}, t.test LIMIT $limit OFFSET $offset""",
            parameters
            | {
                "build": [row["build"] for row in listed],
                "age": [age[row["run"]] for row in listed],
                "releases": sorted({row["release"] for row in listed}),
                "first": min(row["started_at"] for row in listed),
                "last": max(row["started_at"] for row in listed),
                "limit": limit,
                "offset": offset,
            },
        )
        .fetchall()
    )


def _letters(rows: list[tuple[Any, ...]], columns: int) -> list[str]:
    """One string of `columns` letters a row, from its masks."""
    if not rows:
        return []
    cells = np.full((len(rows), columns), "-", dtype="U1")
    masks = np.array([row[5:] for row in rows], dtype=np.int64).reshape(len(rows), -1)
    for place, (first, letter) in enumerate(
        (first, letter) for first in range(0, columns, _CHUNK) for letter in _MASKS
    ):
        width = min(_CHUNK, columns - first)
        seen = (masks[:, place, None] >> np.arange(width)) & 1 == 1
        cells[:, first : first + width][seen] = letter
    return ["".join(line) for line in cells]
