"""The matrix: modules against environments, topologies or releases. Can a release ship?

A cell counts the tests that are broken now (without flaky tests and mass failures), not the results that failed: one
red cell is one reason not to ship. Rows take their worst cell, and count each broken test once; the state of a release
and of each environment is that of data/queries/lane_states.py. What a cell counts is read in
data/queries/matrix_cells.py; its state is decided in data/verdicts/evidence/matrix_cell.py; the tests behind it are
listed in data/queries/matrix_tests.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model.filters import EVERYTHING, Filter
from data.model.measures import COUNTS, pass_rate
from data.queries.lane_states import lane_states, worst_lane
from data.queries.matrix_cells import (
    UNJUDGED,
    Cell,
    CellKey,
    cell_facts,
    finished_runs,
    matrix_lane,
    newest_runs,
    read_cells,
)
from data.verdicts.evidence import judging as evidence
from data.verdicts.evidence.matrix_cell import BROKEN_KINDS, STATES

AXES = ("environment", "topology")
_LANE_FIELDS = ("state", "incomplete", "stale", "reasons")


def matrix(store: Store, release: str, flt: Filter = EVERYTHING, by: str = "environment") -> dict[str, Any] | None:
    """{"release", "by", "state", "incomplete", "stale", "reasons", "tests" (broken ones), "unjudged" (failed on their
    only run), "columns": [{value, state, incomplete, tests, unjudged, runs; an environment also stale, reasons}],
    "rows": [{module, state, incomplete, tests, unjudged, cells: [one per column]}]}, worst rows first. A cell: state
    (broken: its build has no results, or only a mass failure; failing: it has broken or unjudged tests; incomplete:
    builds that test it are missing, partial or were aborted; missing: it ran here before, and has no results now; ok;
    empty: not tested here), incomplete, tests, regressions, new_failures, always_failing, flaky, counts, pass_rate,
    expected_total, sentence, evidence.

    Results are of the newest finished run that tests the module in the environment: the newest of its job, where jobs
    make runs of their own. None without such a run; raises ValueError for another axis.
    Not cached as a whole: a state follows the clock.
    """
    if by not in AXES:
        raise ValueError(f"by must be one of {', '.join(AXES)}")
    found = _cells(store, release, flt, by)
    if found is None:
        return None
    lanes = {lane["environment"]: lane for lane in lane_states(store, replace(flt, release=release))}
    columns = [
        column | ({name: lanes[column["value"]][name] for name in _LANE_FIELDS} if by == "environment" else {})
        for column in found["columns"]
    ]
    worst = worst_lane(list(lanes.values()))
    return {"release": release, "by": by, **found, **{name: worst[name] for name in _LANE_FIELDS}, "columns": columns}


@cached_query(of_release)
def _cells(store: Store, release: str, flt: Filter, by: str) -> dict[str, Any] | None:
    """The matrix without the states that follow the clock."""
    lane = matrix_lane(release, flt)
    finished = finished_runs(store, lane)
    if not finished:
        return None
    cells = {key: cell for key, cell in read_cells(store, lane, by).items() if flt.module in (None, key[0])}
    columns = sorted({*(column for _, column in cells), *(key[0] for key in finished if by == "environment")})
    newest = list(newest_runs(finished).values())
    runs_of = {
        column: [run for run in newest if by == "topology" or run["environment"] == column] for column in columns
    }
    return _table(store, sorted({module for module, _ in cells}), runs_of, cells)


def overall(store: Store, flt: Filter = EVERYTHING) -> dict[str, Any] | None:
    """Modules against releases, shaped like `matrix` with `by` "release": a cell is the worst of the module's cells in
    the environments of that release, with the broken tests of all of them and the sentences of the tested ones.
    Newest release first. None if no release has a finished run."""
    at = store if flt.as_of is None else store.at(flt.as_of)
    names = [row["release"] for row in at.rows("SELECT release FROM releases ORDER BY release DESC")]
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
            **{key: answer[key] for key in (*_LANE_FIELDS, "tests", "unjudged")},
            "runs": [run for column in answer["columns"] for run in column["runs"]],
        }
        for name, answer in found.items()
    ]
    worst = worst_lane(columns)
    totals = {name: sum(column[name] for column in columns) for name in ("tests", "unjudged")}
    lane = {name: worst[name] for name in ("state", "incomplete", "stale")}
    return {"release": None, "by": "release", **lane, **totals, "columns": columns, "rows": rows}


def _table(
    store: Store, modules: list[str], runs_of: Mapping[str, list[dict[str, Any]]], cells: Mapping[CellKey, Cell]
) -> dict[str, Any]:
    """The matrix of these cells: state, tests, unjudged, columns, rows."""
    rows = []
    for module in modules:
        row = [
            _cell(store, module, column, cells.get((module, column), Cell()), runs) for column, runs in runs_of.items()
        ]
        rows.append(
            {"module": module, **_worst(row, [cell for key, cell in cells.items() if key[0] == module]), "cells": row}
        )
    rows.sort(key=_worst_first)
    columns = [
        {
            "value": column,
            **_worst([row["cells"][index] for row in rows], [cell for key, cell in cells.items() if key[1] == column]),
            "runs": [
                {name: run[name] for name in ("id", "number", "environment", "version", "started_at")} for run in runs
            ],
        }
        for index, (column, runs) in enumerate(runs_of.items())
    ]
    totals = _worst(rows, cells.values())
    return {**totals, "columns": columns, "rows": rows}


def _cell(store: Store, module: str, column: str, cell: Cell, newest: list[dict[str, Any]]) -> dict[str, Any]:
    shown = [run for run in newest if run["id"] in cell.runs] or newest
    cell_evidence = {
        "rule": "cell",
        "module": module,
        "column": column,
        "numbers": [run["number"] for run in shown],
        **cell_facts(cell),
    }
    kinds = cell_evidence["words"]
    return {
        **evidence.judge(cell_evidence),
        "regressions": kinds["regression"],
        "new_failures": kinds["new_failure"],
        "always_failing": kinds["always_failing"],
        "flaky": kinds["flaky"],
        **{name: cell.counts[name] for name in COUNTS},
        "pass_rate": pass_rate(cell.counts, store.settings.measures),
        "expected_total": cell_evidence["expected_total"],
        "sentence": evidence.sentence(cell_evidence),
        "evidence": cell_evidence,
    }


def _worst(cells: list[dict[str, Any]], contents: Iterable[Cell]) -> dict[str, Any]:
    """The worst state of several cells, and how many broken tests they have, each counted once."""
    contents = list(contents)
    tests = {test for cell in contents for kind in BROKEN_KINDS for test in cell.tests[kind]}
    alone = {test for cell in contents for test in cell.tests[UNJUDGED]}
    return {**_worst_state(cells), "tests": len(tests), "unjudged": len(alone)}


def _worst_state(cells: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "state": min((cell["state"] for cell in cells), key=STATES.index, default="empty"),
        "incomplete": any(cell["incomplete"] for cell in cells),
    }


def _row_as_cell(row: dict[str, Any] | None) -> dict[str, Any]:
    """A module's row in the matrix of its release as a cell of the overall matrix."""
    sentences = [cell["sentence"] for cell in row["cells"] if cell["state"] != "empty"] if row else []
    return {
        "state": row["state"] if row else "empty",
        "incomplete": bool(row and row["incomplete"]),
        "tests": row["tests"] if row else 0,
        "unjudged": row["unjudged"] if row else 0,
        "sentence": " ".join(sentences) or "Not tested here.",
    }


def _sum(cells: list[dict[str, Any]]) -> dict[str, Any]:
    """The worst state of several releases, and their tests: a test counts in each."""
    return {**_worst_state(cells), **{name: sum(cell[name] for cell in cells) for name in ("tests", "unjudged")}}


def _worst_first(row: dict[str, Any]) -> tuple[int, int, int, str]:
    return STATES.index(row["state"]), -row["tests"], -row["unjudged"], row["module"]
