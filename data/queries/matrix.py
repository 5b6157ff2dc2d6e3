"""The matrix: modules against environments, topologies or releases. Can a release ship?

A cell counts the tests that are broken now (without flaky tests and mass failures), not the results that failed: one
red cell is one reason not to ship. Rows and columns take their worst cell, and count each broken test once. What a cell
counts is read in data/queries/matrix_cells.py; its state is decided in data/verdicts/evidence/matrix_cell.py; the tests
behind it are listed in data/queries/matrix_tests.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model.filters import EVERYTHING, Filter
from data.model.measures import COUNTS, pass_rate
from data.queries.matrix_cells import (
    BAD_HOST,
    UNJUDGED,
    Cell,
    CellKey,
    finished_runs,
    matrix_lane,
    newest_runs,
    read_cells,
)
from data.verdicts import evidence
from data.verdicts.evidence.matrix_cell import BROKEN_KINDS, STATES
from data.verdicts.rules import KINDS

AXES = ("environment", "topology")


@cached_query
def matrix(store: Store, release: str, flt: Filter = EVERYTHING, by: str = "environment") -> dict[str, Any] | None:
    """{"release", "by", "state", "tests" (broken ones), "unjudged" (failed on their only run), "columns": [{value,
    state, tests, unjudged, runs}], "rows": [{module, state, tests, unjudged, cells: [one per column]}]}, worst rows
    first. A cell: state (failing: it has broken or unjudged tests; broken: its build has no results, or only a mass
    failure; missing: it ran here before, and has no results now; ok; empty: not tested here), tests, regressions,
    new_failures, always_failing, flaky, counts, pass_rate, sentence, evidence.

    Results are of the newest finished run that tests the module in the environment: the newest of its job, where jobs
    make runs of their own. None without such a run; raises ValueError for another axis.
    """
    if by not in AXES:
        raise ValueError(f"by must be one of {', '.join(AXES)}")
    lane = matrix_lane(release, flt)
    finished = finished_runs(store, lane)
    if not finished:
        return None
    cells = read_cells(store, lane, by, finished)
    modules = sorted({module for module, _ in cells if flt.module in (None, module)})
    columns = sorted({column for _, column in cells})
    newest = list(newest_runs(finished).values())
    runs_of = {
        column: [run for run in newest if by == "topology" or run["environment"] == column] for column in columns
    }
    return {"release": release, "by": by, **_table(store, modules, runs_of, cells)}


@cached_query
def overall(store: Store, flt: Filter = EVERYTHING) -> dict[str, Any] | None:
    """Modules against releases, shaped like `matrix` with `by` "release": a cell is the worst of the module's cells in
    the environments of that release, with the broken tests of all of them and the sentences of the tested ones.
    Newest release first. None if no release has a finished run."""
    names = [row["release"] for row in store.rows("SELECT release FROM releases ORDER BY release DESC")]
    answers = {name: matrix(store, name, replace(flt, release=None)) for name in names}
    found = {name: answer for name, answer in answers.items() if answer is not None}
    if not found:
        return None
    rows_of = {name: {row["module"]: row for row in answer["rows"]} for name, answer in found.items()}
    rows = []
    for module in sorted({module for release_rows in rows_of.values() for module in release_rows}):
        cells = [_row_as_cell(rows_of[name].get(module)) for name in found]
        rows.append({"module": module, **_sum(cells), "cells": cells})
    rows.sort(key=_worst_first)
    columns = [
        {
            "value": name,
            **{key: answer[key] for key in ("state", "tests", "unjudged")},
            "runs": [run for column in answer["columns"] for run in column["runs"]],
        }
        for name, answer in found.items()
    ]
    return {"release": None, "by": "release", **_sum(columns), "columns": columns, "rows": rows}


def _table(
    store: Store, modules: list[str], runs_of: Mapping[str, list[dict[str, Any]]], cells: Mapping[CellKey, Cell]
) -> dict[str, Any]:
    """The matrix of these cells: state, tests, unjudged, columns, rows."""
    rows = []
    for module in modules:
        row = [_cell(store, module, column, cells[module, column], runs) for column, runs in runs_of.items()]
        rows.append({"module": module, **_worst(row, [cells[module, column] for column in runs_of]), "cells": row})
    rows.sort(key=_worst_first)
    columns = [
        {
            "value": column,
            **_worst([row["cells"][index] for row in rows], [cells[row["module"], column] for row in rows]),
            "runs": [
                {name: run[name] for name in ("id", "number", "environment", "version", "started_at")} for run in runs
            ],
        }
        for index, (column, runs) in enumerate(runs_of.items())
    ]
    totals = _worst(rows, [cells[row["module"], column] for row in rows for column in runs_of])
    return {**totals, "columns": columns, "rows": rows}


def _cell(store: Store, module: str, column: str, cell: Cell, newest: list[dict[str, Any]]) -> dict[str, Any]:
    kinds = {kind: len(cell.tests[kind]) for kind in KINDS}
    cell_evidence = {
        "rule": "cell",
        "module": module,
        "column": column,
        "numbers": [run["number"] for run in newest if run["id"] in cell.runs or not cell.runs],
        **cell.counts,
        "stormy": cell.in_storms,
        "stormy_failures": cell.storm_failures,
        "expected": cell.expected,
        "ended": cell.ended,
        "unread": cell.unread,
        "words": kinds,
        "unjudged": len(cell.tests[UNJUDGED]),
        "sick": len(cell.tests[BAD_HOST]),
    }
    return {
        **evidence.judge(cell_evidence),
        "regressions": kinds["regression"],
        "new_failures": kinds["new_failure"],
        "always_failing": kinds["always_failing"],
        "flaky": kinds["flaky"],
        **{name: cell.counts[name] for name in COUNTS},
        "pass_rate": pass_rate(cell.counts, store.settings.measures),
        "sentence": evidence.sentence(cell_evidence),
        "evidence": cell_evidence,
    }


def _worst(cells: list[dict[str, Any]], contents: Iterable[Cell]) -> dict[str, Any]:
    """The worst state of several cells, and how many broken tests they have, each counted once."""
    with_results = [cell.tests for cell in contents if cell.counts["total"]]
    tests = {test for cell_tests in with_results for kind in BROKEN_KINDS for test in cell_tests[kind]}
    alone = {test for cell_tests in with_results for test in cell_tests[UNJUDGED]}
    state = min((cell["state"] for cell in cells), key=STATES.index, default="empty")
    return {"state": state, "tests": len(tests), "unjudged": len(alone)}


def _row_as_cell(row: dict[str, Any] | None) -> dict[str, Any]:
    sentences = [cell["sentence"] for cell in row["cells"] if cell["state"] != "empty"] if row else []
    return {
        "state": row["state"] if row else "empty",
        "tests": row["tests"] if row else 0,
        "unjudged": row["unjudged"] if row else 0,
        "sentence": " ".join(sentences) or "Not tested here.",
    }


def _sum(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """The worst state of several releases, and their tests: a test counts in each."""
    worst = min((cell["state"] for cell in cells), key=STATES.index, default="empty")
    return {"state": worst, **{name: sum(cell[name] for cell in cells) for name in ("tests", "unjudged")}}


def _worst_first(row: dict[str, Any]) -> tuple[int, int, int, str]:
    return STATES.index(row["state"]), -row["tests"], -row["unjudged"], row["module"]
