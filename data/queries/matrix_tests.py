"""The tests behind the cells of the matrix: those that are broken, and those that failed on their only run."""

from __future__ import annotations

from dataclasses import replace

from data.answers.matrix import UnjudgedTest
from data.answers.verdicts import Verdict
from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model import ids
from data.model.filters import EVERYTHING, Filter
from data.queries.matrix_cells import (
    UNJUDGED,
    finished_runs,
    matrix_lane,
    newest_runs,
    verdict_kinds,
    without_verdict,
)
from data.verdicts.evidence.matrix_cell import BROKEN_KINDS
from data.verdicts.verdicts import test_names, verdicts

LIMIT = 500  # tests of one answer


@cached_query(of_release)
def broken(
    store: Store, release: str, flt: Filter = EVERYTHING, by: str = "environment", column: str | None = None
) -> list[Verdict]:
    """The verdicts of the broken tests in the cells of `flt.module` and `column` (None: all), worst first."""
    lane = matrix_lane(release, flt)
    chosen = {
        test
        for (module, cell_column), kinds, test in verdict_kinds(store, lane, by)
        if flt.module in (None, module)
        and column in (None, cell_column)
        and not frozenset(BROKEN_KINDS).isdisjoint(kinds)
    }
    if by == "environment" and column is not None:
        lane = replace(lane, environment=column)
    return verdicts(store, lane, BROKEN_KINDS, LIMIT, tests=tuple(ids.text(test) for test in chosen)) if chosen else []


@cached_query(of_release)
def unjudged(
    store: Store, release: str, flt: Filter = EVERYTHING, by: str = "environment", column: str | None = None
) -> list[UnjudgedTest]:
    """The tests in these cells that failed on their only run: {test, name, module, environment, run, number}."""
    lane = matrix_lane(release, flt)
    newest = newest_runs(finished_runs(store, lane))
    found = {
        (test, run): module
        for (module, cell_column), why, test, run in without_verdict(store, lane, by, newest)
        if why == UNJUDGED and flt.module in (None, module) and column in (None, cell_column)
    }
    names = test_names(store, [test for test, _ in found])
    rows: list[UnjudgedTest] = [
        {
            "test": ids.text(test),
            "name": names[test]["name"],
            "module": module,
            "environment": newest[run]["environment"],
            "run": run,
            "number": newest[run]["number"],
        }
        for (test, run), module in found.items()
    ]
    return sorted(rows, key=lambda row: (row["module"], row["name"], row["environment"]))[:LIMIT]
