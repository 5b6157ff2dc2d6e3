"""The matrix: modules against environments, topologies or releases. Can a release ship?

A cell counts the tests that are broken now (without flaky tests and mass failures), not the results that failed: one
red cell is one reason not to ship. Rows take their worst cell, and count each broken test once; the state of a release
and of each environment is that of data/queries/lane_states.py. What a cell counts is read in
data/queries/matrix_cells.py; its state is decided in data/verdicts/evidence/matrix_cell.py; the tests behind it are
listed in data/queries/matrix_tests.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypedDict

from data.answers.evidence import CellEvidence
from data.answers.matrix import (
    CellState,
    Matrix,
    MatrixCell,
    MatrixColumn,
    MatrixRow,
    OverallCell,
    OverallMatrix,
    OverallRow,
)
from data.answers.runs import Run
from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model.filters import EVERYTHING, Filter
from data.model.measures import pass_rate
from data.queries.lane_states import LaneStatus, StateOfLane, lane_states, worst_lane, worst_state
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
from data.verdicts.evidence import matrix_cell as evidence
from data.verdicts.evidence.matrix_cell import BROKEN_KINDS, STATES

MatrixAxis = Literal["environment", "topology"]
AXES: tuple[MatrixAxis, ...] = ("environment", "topology")


class StateOfCell(TypedDict):
    state: CellState
    incomplete: bool


class _CellSum(StateOfCell):
    """The worst state of several cells, and their tests."""

    tests: int
    unjudged: int


class _Table(_CellSum):
    """A matrix without the states that follow the clock."""

    columns: list[MatrixColumn]
    rows: list[MatrixRow]


def matrix(store: Store, release: str, flt: Filter = EVERYTHING, by: MatrixAxis = "environment") -> Matrix | None:
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
        _with_lane_state(column, lanes[column["value"]]) if by == "environment" else column
        for column in found["columns"]
    ]
    worst = worst_lane(list(lanes.values()))
    return {
        "release": release,
        "by": by,
        "state": worst["state"],
        "incomplete": worst["incomplete"],
        "tests": found["tests"],
        "unjudged": found["unjudged"],
        "columns": columns,
        "rows": found["rows"],
        "stale": worst["stale"],
        "reasons": worst["reasons"],
    }


def _with_lane_state(column: MatrixColumn, lane: LaneStatus) -> MatrixColumn:
    return {
        **column,
        "state": lane["state"],
        "incomplete": lane["incomplete"],
        "stale": lane["stale"],
        "reasons": lane["reasons"],
    }


@cached_query(of_release)
def _cells(store: Store, release: str, flt: Filter, by: str) -> _Table | None:
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


def overall(store: Store, flt: Filter = EVERYTHING) -> OverallMatrix | None:
    """Modules against releases, shaped like `matrix` with `by` "release": a cell is the worst of the module's cells in
    the environments of that release, with the broken tests of all of them and the sentences of the tested ones.
    Newest release first. None if no release has a finished run."""
    at = store if flt.as_of is None else store.at(flt.as_of)
    names = [name for (name,) in at.cursor().execute("SELECT release FROM releases ORDER BY release DESC").fetchall()]
    answers = {name: matrix(store, name, replace(flt, release=None)) for name in names}
    found = {name: answer for name, answer in answers.items() if answer is not None}
    if not found:
        return None
    rows_of = {name: {row["module"]: row for row in answer["rows"]} for name, answer in found.items()}
    rows: list[OverallRow] = []
    for module in sorted({module for release_rows in rows_of.values() for module in release_rows}):
        cells = [_row_as_cell(rows_of[name].get(module)) for name in found]
        rows.append({"module": module, **_sum(cells), "cells": cells})
    rows.sort(key=_worst_first)
    columns: list[MatrixColumn] = [
        {
            "value": name,
            "state": answer["state"],
            "incomplete": answer["incomplete"],
            "stale": answer["stale"],
            "reasons": answer["reasons"],
            "tests": answer["tests"],
            "unjudged": answer["unjudged"],
            "runs": [run for column in answer["columns"] for run in column["runs"]],
        }
        for name, answer in found.items()
    ]
    worst = worst_state([_release_state(answer) for answer in found.values()])
    return {
        "release": None,
        "by": "release",
        "state": worst["state"],
        "incomplete": worst["incomplete"],
        "stale": worst["stale"],
        "tests": sum(answer["tests"] for answer in found.values()),
        "unjudged": sum(answer["unjudged"] for answer in found.values()),
        "columns": columns,
        "rows": rows,
    }


def _release_state(answer: Matrix) -> StateOfLane:
    return {"state": answer["state"], "incomplete": answer["incomplete"], "stale": answer["stale"]}


def _table(store: Store, modules: list[str], runs_of: Mapping[str, list[Run]], cells: Mapping[CellKey, Cell]) -> _Table:
    """The matrix of these cells."""
    rows: list[MatrixRow] = []
    for module in modules:
        row = [
            _cell(store, module, column, cells.get((module, column), Cell()), runs) for column, runs in runs_of.items()
        ]
        rows.append(
            {"module": module, **_worst(row, [cell for key, cell in cells.items() if key[0] == module]), "cells": row}
        )
    rows.sort(key=_worst_first)
    columns: list[MatrixColumn] = [
        {
            "value": column,
            **_worst([row["cells"][index] for row in rows], [cell for key, cell in cells.items() if key[1] == column]),
            "runs": [
                {
                    "id": run["id"],
                    "release": run["release"],
                    "job": run["job"],
                    "number": run["number"],
                    "environment": run["environment"],
                    "version": run["version"],
                    "started_at": run["started_at"],
                }
                for run in runs
            ],
        }
        for index, (column, runs) in enumerate(runs_of.items())
    ]
    totals = _worst(rows, cells.values())
    return {**totals, "columns": columns, "rows": rows}


def _cell(store: Store, module: str, column: str, cell: Cell, newest: list[Run]) -> MatrixCell:
    shown = [run for run in newest if run["id"] in cell.runs] or newest
    cell_evidence: CellEvidence = {
        "rule": "cell",
        "module": module,
        "column": column,
        "numbers": [run["number"] for run in shown],
        **cell_facts(cell),
    }
    kinds, found = cell_evidence["words"], evidence.judge(cell_evidence)
    return {
        "state": found["state"],
        "incomplete": found["incomplete"],
        "tests": found["tests"],
        "unjudged": found["unjudged"],
        "regressions": kinds["regression"],
        "new_failures": kinds["new_failure"],
        "always_failing": kinds["always_failing"],
        "flaky": kinds["flaky"],
        "total": cell.counts["total"],
        "passed": cell.counts["passed"],
        "failed": cell.counts["failed"],
        "errors": cell.counts["errors"],
        "skipped": cell.counts["skipped"],
        "pass_rate": pass_rate(cell_evidence, store.settings.measures),
        "expected_total": cell_evidence["expected_total"],
        "sentence": evidence.sentence(cell_evidence),
        "evidence": cell_evidence,
    }


def _worst(cells: Sequence[StateOfCell], contents: Iterable[Cell]) -> _CellSum:
    """The worst state of several cells, and how many broken tests they have, each counted once."""
    contents = list(contents)
    tests = {test for cell in contents for kind in BROKEN_KINDS for test in cell.tests[kind]}
    alone = {test for cell in contents for test in cell.tests[UNJUDGED]}
    return {**_worst_state(cells), "tests": len(tests), "unjudged": len(alone)}


def _worst_state(cells: Sequence[StateOfCell]) -> StateOfCell:
    return {
        "state": min((cell["state"] for cell in cells), key=STATES.index, default="empty"),
        "incomplete": any(cell["incomplete"] for cell in cells),
    }


def _row_as_cell(row: MatrixRow | None) -> OverallCell:
    """A module's row in the matrix of its release as a cell of the overall matrix."""
    sentences = [cell["sentence"] for cell in row["cells"] if cell["state"] != "empty"] if row else []
    return {
        "state": row["state"] if row else "empty",
        "incomplete": bool(row and row["incomplete"]),
        "tests": row["tests"] if row else 0,
        "unjudged": row["unjudged"] if row else 0,
        "sentence": " ".join(sentences) or "Not tested here.",
    }


def _sum(cells: Sequence[OverallCell]) -> _CellSum:
    """The worst state of several releases, and their tests: a test counts in each."""
    return {
        **_worst_state(cells),
        "tests": sum(cell["tests"] for cell in cells),
        "unjudged": sum(cell["unjudged"] for cell in cells),
    }


def _worst_first(row: MatrixRow | OverallRow) -> tuple[int, int, int, str]:
    return STATES.index(row["state"]), -row["tests"], -row["unjudged"], row["module"]
