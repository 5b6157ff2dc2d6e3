"""The tests x runs grid: one letter a cell, so that a thousand tests over two hundred runs are a small answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from data import ids
from data.cache import question
from data.filters import Filter
from data.queries import verdicts
from data.queries.runs import runs
from data.stats.words import WORDS
from data.store import Store

ORDERS = ("name", "failing", "module")
# Bit 0 passed, 1 failed, 2 skipped, 3 passed after a failed attempt: the worst of what is set is the cell's letter.
_LETTERS = "".join("F" if b & 2 else "K" if b & 9 == 9 else "P" if b & 1 else "S" if b & 4 else "-" for b in range(16))


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
        words.setdefault(verdict.sequence.test, set()).update(verdict.kinds)
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
            for test, file, class_, name, module, _ in rows
        ],
        "cells": ["".join(_LETTERS[bits] for bits in cells) for *_, cells in rows],
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
    by = {
        "failing": "len(list_filter(cells, lambda c: c & 2 = 2)) DESC, module, file, class, name",
        "name": "name, file, class",
        "module": "module, file, class, name",
    }[order]
    return (
        store.cursor()
        .execute(
            f"""WITH w AS (SELECT unnest($build) AS build, unnest($age) AS age),
            cell AS (
                SELECT r.test, w.age, any_value(r.module) AS module,
                    bit_or(CASE WHEN NOT r.is_final THEN 8 WHEN r.status = 'passed' THEN if(r.attempt > 1, 9, 1)
                           WHEN r.status = 'failed' THEN 2 ELSE 4 END) AS bits
                FROM results r JOIN w USING (build)
                WHERE list_contains($releases, r.release) AND r.started_at BETWEEN $first AND $last{part}
                GROUP BY r.test, w.age),
            lines AS (
                SELECT test, any_value(module) AS module,
                    list(bits ORDER BY age) AS bits, list(age ORDER BY age) AS ages FROM cell GROUP BY test)
            SELECT t.test, t.file, t.class, t.name, l.module,
                list_transform(range($columns),
                    lambda i: coalesce(l.bits[list_position(l.ages, i::INTEGER)], 0)) AS cells
            FROM lines l JOIN tests t USING (test) WHERE {where}
            ORDER BY {by} LIMIT $limit OFFSET $offset""",
            parameters
            | {
                "build": [row["build"] for row in listed],
                "age": [age[row["run"]] for row in listed],
                "releases": sorted({row["release"] for row in listed}),
                "first": min(row["started_at"] for row in listed),
                "last": max(row["started_at"] for row in listed),
                "columns": len(columns),
                "limit": limit,
                "offset": offset,
            },
        )
        .fetchall()
    )
