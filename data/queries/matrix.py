"""Modules against environments or topologies: may a release ship, as its newest runs tell?

A cell counts the tests that are broken today (noise and storms left out), not the results that failed: one red cell is
one reason not to ship. The worst cell stands for its row and column, with the tests of all of them counted once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filters import EVERYTHING, Filter
from data.model.measures import COUNTS, pass_rate
from data.queries.runs import runs
from data.verdicts import evidence
from data.verdicts.disturbances import analyse_lanes, stormy_columns
from data.verdicts.evidence.matrix_cell import BROKEN_WORDS, STATES
from data.verdicts.lanes import LaneWindow, span
from data.verdicts.rules import KINDS, worst_kind
from data.verdicts.verdicts import judge, test_names, verdicts, window_runs

AXES = ("environment", "topology")
LOOKED = 60  # runs of the release in which an environment's newest is looked for
EARLIER = 10  # runs of an environment that tell where a module is tested at all
MOST = 500  # tests listed
UNJUDGED, SICK = "unjudged", "sick"  # why a failure carries no word: its test ran only once, or its host is sick

Key = tuple[str, str]  # module, column


@cached_query
def matrix(store: Store, release: str, flt: Filter = EVERYTHING, by: str = "environment") -> dict[str, Any] | None:
    """{"release", "by", "state", "tests" (broken ones), "columns": [{value, state, tests, runs}], "rows": [{module,
    state, tests, cells: [one a column]}]}, the worst rows first; beside each `tests` stands `unjudged`: those that
    failed the only time they ran. A cell: state (failing: it has broken or unjudged tests; broken: its build brought
    nothing, or only a storm; missing: it ran here before, and brought nothing now; ok; empty: not tested here), tests,
    regressions, new_failures, always_failing, flaky, counts, pass_rate, sentence, evidence.

    Results are of the newest run of each environment that has ended. None where there is none; ValueError for
    another axis.
    """
    if by not in AXES:
        raise ValueError(f"by is one of {', '.join(AXES)}")
    lane = Filter(release, flt.version, flt.environment, include_storms=flt.include_storms)
    ended = _ended(store, lane)
    if not ended:
        return None
    by_environment: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for run in ended:
        by_environment[run["environment"]].append(run)
    newest = {found[0]["id"]: found[0] for found in by_environment.values()}
    earlier = [run for found in by_environment.values() for run in found[:EARLIER]]
    counted = _counts(store, [run["id"] for run in earlier])
    column_of = {ids.number(run["id"]): run["environment"] for run in earlier} if by == "environment" else None

    cells: dict[Key, dict[str, Any]] = defaultdict(_empty)
    stormy = _stormy(store, lane)
    for row in counted:
        cell = cells[row["module"], column_of[row["run"]] if column_of else row["topology"]]
        cell["expected"] = True
        if ids.text(row["run"]) in newest:
            for name in COUNTS:
                cell[name] += row[name]
            if (row["build"], row["module"]) in stormy:
                cell["stormy"] += row["total"]
                cell["stormy_failures"] += row["failed"]
    without = _without(store, list(newest))
    if column_of:
        for module, run in without:
            cells[module, column_of[run]]["ended"] = True
    else:
        for key in [key for key in cells if key[0] in {module for module, _ in without}]:
            cells[key]["ended"] = True
    columns = sorted({column for _, column in cells})
    for key, kinds, test in _words(store, lane, by):
        if key in cells and kinds:
            cells[key]["tests"][worst_kind(frozenset(kinds))].add(test)
    for key, why, test, _ in _wordless(store, lane, by, newest):
        if key in cells:
            cells[key]["tests"][why].add(test)
    modules = {module for module, _ in cells if flt.module in (None, module)}
    return _answer(store, release, by, list(newest.values()), sorted(modules), columns, cells)


@cached_query
def overall(store: Store, flt: Filter = EVERYTHING) -> dict[str, Any] | None:
    """Modules against releases, shaped like `matrix` with `by` "release": a cell is the worst of the module's cells in
    the environments of that release, with the broken tests of all of them and one sentence for each that is tested.
    The newest release stands first. None where no run of any release has ended."""
    known = [row["release"] for row in store.rows("SELECT release FROM releases ORDER BY release DESC")]
    found = {name: matrix(store, name, replace(flt, release=None)) for name in known}
    found = {name: of for name, of in found.items() if of is not None}
    if not found:
        return None
    rows_of = {name: {row["module"]: row for row in of["rows"]} for name, of in found.items()}
    rows = []
    for module in sorted({module for of in rows_of.values() for module in of}):
        cells = [_summary(rows_of[name].get(module)) for name in found]
        rows.append({"module": module, **_sum(cells), "cells": cells})
    rows.sort(key=_worst_first)
    columns = [
        {
            "value": name,
            **{key: of[key] for key in ("state", "tests", "unjudged")},
            "runs": [run for column in of["columns"] for run in column["runs"]],
        }
        for name, of in found.items()
    ]
    return {"release": None, "by": "release", **_sum(columns), "columns": columns, "rows": rows}


def _summary(row: dict[str, Any] | None) -> dict[str, Any]:
    """A row of a matrix as one cell."""
    told = [cell["sentence"] for cell in row["cells"] if cell["state"] != "empty"] if row else []
    return {
        "state": row["state"] if row else "empty",
        "tests": row["tests"] if row else 0,
        "unjudged": row["unjudged"] if row else 0,
        "sentence": " ".join(told) or "Not tested here.",
    }


def _sum(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The worst state of several, and their tests: of several releases a test counts in each."""
    worst_ = min((part["state"] for part in parts), key=STATES.index, default="empty")
    return {"state": worst_, **{name: sum(part[name] for part in parts) for name in ("tests", "unjudged")}}


def _worst_first(row: dict[str, Any]) -> tuple[int, int, int, str]:
    return STATES.index(row["state"]), -row["tests"], -row["unjudged"], row["module"]


@cached_query
def broken(
    store: Store, release: str, flt: Filter = EVERYTHING, by: str = "environment", column: str | None = None
) -> list[dict[str, Any]]:
    """The verdicts of the broken tests in the cells of `flt.module` and `column` (None: in all), the worst first."""
    lane = Filter(release, flt.version, flt.environment, include_storms=flt.include_storms)
    chosen = {
        test
        for (module, at), kinds, test in _words(store, lane, by)
        if flt.module in (None, module) and column in (None, at) and not frozenset(BROKEN_WORDS).isdisjoint(kinds)
    }
    if by == "environment" and column is not None:
        lane = replace(lane, environment=column)
    return verdicts(store, lane, BROKEN_WORDS, MOST, tests=tuple(ids.text(test) for test in chosen)) if chosen else []


@cached_query
def unjudged(
    store: Store, release: str, flt: Filter = EVERYTHING, by: str = "environment", column: str | None = None
) -> list[dict[str, Any]]:
    """The tests in these cells that failed the only time they ran: {test, name, module, environment, run, number}."""
    lane = Filter(release, flt.version, flt.environment, include_storms=flt.include_storms)
    newest = {run["id"]: run for run in _newest(store, lane)}
    found = {
        (test, run): module
        for (module, at), why, test, run in _wordless(store, lane, by, newest)
        if why == UNJUDGED and flt.module in (None, module) and column in (None, at)
    }
    named = test_names(store, [test for test, _ in found])
    rows = [
        {
            "test": ids.text(test),
            "name": named[test]["name"],
            "module": module,
            "environment": newest[run]["environment"],
            "run": run,
            "number": newest[run]["number"],
        }
        for (test, run), module in found.items()
    ]
    return sorted(rows, key=lambda row: (row["module"], row["name"], row["environment"]))[:MOST]


def _newest(store: Store, lane: Filter) -> list[dict[str, Any]]:
    """The newest run of each environment that has ended."""
    found: dict[str, dict[str, Any]] = {}
    for run in _ended(store, lane):
        found.setdefault(run["environment"], run)
    return list(found.values())


def _ended(store: Store, lane: Filter) -> list[dict[str, Any]]:
    return [run for run in runs(store, replace(lane, include_storms=False), LOOKED) if run["state"] != "running"]


def _empty() -> dict[str, Any]:
    words: dict[str, set[int]] = {word: set() for word in (*KINDS, UNJUDGED, SICK)}
    return dict.fromkeys((*COUNTS, "stormy", "stormy_failures"), 0) | {
        "expected": False,
        "ended": False,
        "tests": words,
    }


def _counts(store: Store, run_ids: list[str]) -> list[dict[str, Any]]:
    return store.rows(
        """SELECT rb.run, c.build, c.module, c.topology, c.total, c.passed, c.failed, c.errors, c.skipped
        FROM run_builds rb JOIN build_counts c USING (build) WHERE rb.run IN (SELECT unnest($runs::BIGINT[]))""",
        {"runs": [ids.number(run) for run in run_ids]},
    )


def _without(store: Store, run_ids: list[str]) -> list[tuple[str, int]]:
    """(module, run) of the builds that ended without a result."""
    rows = store.rows(
        """SELECT DISTINCT rb.module, rb.run FROM run_builds rb JOIN builds b USING (build)
        WHERE b.state = 'final' AND b.total = 0 AND rb.run IN (SELECT unnest($runs::BIGINT[]))""",
        {"runs": [ids.number(run) for run in run_ids]},
    )
    return [(row["module"], row["run"]) for row in rows]


def _stormy(store: Store, lane: Filter) -> set[tuple[int, str]]:
    if lane.include_storms:
        return set()
    around = analyse_lanes(store, lane, window_runs(store, lane))
    return stormy_columns(around.columns, around.storms)


def _words(store: Store, lane: Filter, by: str) -> Iterable[tuple[Key, Iterable[str], int]]:
    """The words of each troubled test by the cells that it stands in; by topology, those on which it failed last."""
    view, judged = judge(store, lane)
    if by == "environment":
        for verdict in judged:
            yield (verdict.line.module, view.lanes[verdict.line.lane][1]), verdict.kinds, verdict.line.test
        return
    troubled = {(verdict.line.test, verdict.line.lane): verdict for verdict in judged if verdict.line.failed}
    for test, place, age, topology in _failed_on(store, view, troubled):
        verdict = troubled.get((test, place))
        if verdict is not None and verdict.line.failed & -verdict.line.failed == 1 << age:  # its newest failure
            yield (verdict.line.module, topology), verdict.kinds, test


def _wordless(store: Store, lane: Filter, by: str, newest: Collection[str]) -> Iterable[tuple[Key, str, int, str]]:
    """(cell, UNJUDGED or SICK, test, run id) of the failures in these runs that no word tells of: those of tests that
    ran only once, and those of sick hosts."""
    around = analyse_lanes(store, lane, window_runs(store, lane))
    view = around.window
    ages = {}
    for place, of_lane in enumerate(view.runs):
        ages[place] = next((run.age for run in of_lane if ids.text(run.run) in newest), None)
    found: dict[tuple[int, int], tuple[str, str, str]] = {}
    for line in around.lines:
        age = ages[line.lane]
        if age is None:
            continue
        bit = 1 << age
        once = line.failed == bit and not line.passed & ~bit
        if once or line.sick & bit:
            run = ids.text(view.runs[line.lane][age].run)
            found[line.test, line.lane] = (UNJUDGED if once else SICK, line.module, run)
    if by == "environment":
        for (test, place), (why, module, run) in found.items():
            yield (module, view.lanes[place][1]), why, test, run
        return
    for test, place, age, topology in _failed_on(store, view, found):
        if (test, place) in found and age == ages[place]:
            why, module, run = found[test, place]
            yield (module, topology), why, test, run


def _failed_on(
    store: Store, view: LaneWindow, troubled: Collection[tuple[int, int]]
) -> list[tuple[int, int, int, str]]:
    """(test, lane, age, topology) of the failures of these tests in the newest runs."""
    if not troubled:
        return []
    where, parameters = span(view.builds)
    results = store.table_source(
        "results", {build.release for build in view.builds}, [b.started_at for b in view.builds]
    )
    return (
        store.cursor()
        .execute(
            f"""SELECT DISTINCT r.test, w.lane, w.age, r.topology FROM {results} r
            JOIN (SELECT unnest($build) AS build, unnest($lane) AS lane, unnest($age) AS age) w USING (build)
            WHERE {where} AND r.is_final AND r.status = 'failed' AND r.test IN (SELECT unnest($tests::BIGINT[]))""",
            parameters
            | {name: [getattr(build, name) for build in view.builds] for name in ("build", "lane", "age")}
            | {"tests": sorted({test for test, _ in troubled})},
        )
        .fetchall()
    )


def _answer(
    store: Store,
    release: str,
    by: str,
    newest: list[dict[str, Any]],
    modules: list[str],
    columns: list[str],
    cells: dict[Key, dict[str, Any]],
) -> dict[str, Any]:
    of_column = {
        column: [run for run in newest if by == "topology" or run["environment"] == column] for column in columns
    }
    rows = []
    for module in modules:
        shaped = [_cell(store, module, column, cells[module, column], of_column[column]) for column in columns]
        rows.append(
            {"module": module, **_worst(shaped, [cells[module, column] for column in columns]), "cells": shaped}
        )
    rows.sort(key=_worst_first)
    summed = [
        {
            "value": column,
            **_worst([row["cells"][place] for row in rows], [cells[row["module"], column] for row in rows]),
            "runs": [
                {name: run[name] for name in ("id", "number", "environment", "version", "started_at")}
                for run in of_column[column]
            ],
        }
        for place, column in enumerate(columns)
    ]
    whole = _worst(rows, [cells[row["module"], column] for row in rows for column in columns])
    return {"release": release, "by": by, **whole, "columns": summed, "rows": rows}


def _worst(shaped: list[dict[str, Any]], parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The worst state of several cells, and how many broken tests they have, each counted once."""
    told = [part["tests"] for part in parts if part["total"]]
    tests = {test for words in told for word in BROKEN_WORDS for test in words[word]}
    state = min((cell["state"] for cell in shaped), key=STATES.index, default="empty")
    return {"state": state, "tests": len(tests), "unjudged": len(set().union(*(words[UNJUDGED] for words in told)))}


def _cell(store: Store, module: str, column: str, cell: dict[str, Any], newest: list[dict[str, Any]]) -> dict[str, Any]:
    counts = {name: cell[name] for name in COUNTS}
    words = {word: len(cell["tests"][word]) for word in KINDS}
    told = {
        "rule": "cell",
        "module": module,
        "column": column,
        "numbers": [run["number"] for run in newest],
        **counts,
        **{name: cell[name] for name in ("stormy", "stormy_failures", "expected", "ended")},
        "words": words,
        "unjudged": len(cell["tests"][UNJUDGED]),
        "sick": len(cell["tests"][SICK]),
    }
    return {
        **evidence.judge(told),
        "regressions": words["regression"],
        "new_failures": words["new_failure"],
        "always_failing": words["always_failing"],
        "flaky": words["flaky"],
        **counts,
        "pass_rate": pass_rate(counts, store.settings.measures),
        "sentence": evidence.sentence(told),
        "evidence": told,
    }
