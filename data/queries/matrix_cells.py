"""What the matrix counts in each cell (module x environment or topology): results, builds, and the tests that fail."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypedDict

from data.answers.base import VerdictKind
from data.answers.evidence import CellFacts
from data.answers.runs import Run
from data.lake.cached_query import release_dependencies
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import Where
from data.model.filters import Filter, RunScope
from data.model.measures import COUNTS, CountName
from data.queries.missing_results import LackingBuild, expected_total, gaps
from data.queries.runs import newest_of_jobs
from data.verdicts.disturbances.mass_failures import columns_in_storms
from data.verdicts.evidence.matrix_cell import BROKEN_KINDS
from data.verdicts.lane_analysis import LaneAnalysis, analyse_lanes, verdict_reach
from data.verdicts.lanes import partition_condition
from data.verdicts.rules import KINDS, worst_kind
from data.verdicts.unread_history import unread_lanes
from data.verdicts.verdicts import judge_tests

SEARCHED_RUNS = 12  # runs of a job in which its newest finished ones are searched
EARLIER_RUNS = 10  # finished runs of a job that show where a module is tested at all
UNJUDGED, BAD_HOST = "unjudged", "sick"  # why a failure has no verdict: its test ran only once, or its host is bad

CellKey = tuple[str, str]  # module, column
# Environment, source and job that made the runs -> its finished runs, newest first.
FinishedRuns = dict[tuple[str, str, str], list[Run]]


class _CellCounts(TypedDict):
    """Results of a module on a topology in a build of a run."""

    run: int
    build: int
    module: str
    topology: str
    total: int
    passed: int
    failed: int
    errors: int
    skipped: int


@dataclass
class Cell:
    """`counts`: results in the newest finished runs that test the module here, `runs` (ids). `tests`: by verdict kind,
    UNJUDGED or BAD_HOST."""

    runs: set[str] = field(default_factory=set)
    counts: dict[CountName, int] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0))
    in_storms: int = 0  # results in mass failures
    storm_failures: int = 0
    expected: bool = False  # the module was tested here in an earlier run
    ended: bool = False  # a build that usually tests the module ended without a result
    unread: int = 0  # builds that wait to be read before the module is judged
    lacking: bool = False  # a build that usually tests the module is missing, partial or was aborted
    lacks: int = 0  # about how many results those builds would have had
    tests: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in (*KINDS, UNJUDGED, BAD_HOST)})
    so_far: dict[int, int] = field(default_factory=dict)  # broken test -> the number of the running run it failed in


def cell_facts(cell: Cell) -> CellFacts:
    """What the state of a cell is judged on (data/verdicts/evidence/matrix_cell.py)."""
    return {
        "total": cell.counts["total"],
        "passed": cell.counts["passed"],
        "failed": cell.counts["failed"],
        "errors": cell.counts["errors"],
        "skipped": cell.counts["skipped"],
        "stormy": cell.in_storms,
        "stormy_failures": cell.storm_failures,
        "expected": cell.expected,
        "ended": cell.ended,
        "lacking": cell.lacking,
        "unread": cell.unread,
        "expected_total": expected_total(cell.counts["total"], cell.lacks),
        "words": {
            "regression": len(cell.tests["regression"]),
            "new_failure": len(cell.tests["new_failure"]),
            "always_failing": len(cell.tests["always_failing"]),
            "flaky": len(cell.tests["flaky"]),
            "fixed": len(cell.tests["fixed"]),
        },
        "so_far": len(cell.so_far),
        "running_numbers": sorted(set(cell.so_far.values())),
        "unjudged": len(cell.tests[UNJUDGED]),
        "sick": len(cell.tests[BAD_HOST]),
    }


def matrix_lane(release: str, flt: Filter) -> Filter:
    return Filter(
        release, flt.version, flt.environment, topology=flt.topology, runs=flt.runs, include_storms=flt.include_storms
    )


def finished_runs(store: Store, lane: RunScope) -> FinishedRuns:
    found: FinishedRuns = defaultdict(list)
    for run in newest_of_jobs(store, Filter(lane.release, lane.version, lane.environment), SEARCHED_RUNS):
        if run["state"] != "running":
            found[run["environment"] or "", run["source"], run["job"]].append(run)
    return found


def _broken_so_far(store: Store, lane: Filter) -> dict[tuple[str, int], int]:
    """(environment, test) -> the number of the run that goes on, and in which the broken test failed."""
    newest = newest_of_jobs(store, Filter(lane.release, lane.version, lane.environment), SEARCHED_RUNS)
    running = {ids.number(run["id"]) for run in newest if run["state"] == "running"}
    if not running:
        return {}
    window, verdicts = judge_tests(store, lane)
    so_far = {}
    for verdict in verdicts:
        of_test = verdict.test_lane
        run = window.runs[of_test.lane][of_test.ages[0]]
        if of_test.failed & 1 and run.run in running and not verdict.kinds.isdisjoint(BROKEN_KINDS):
            so_far[run.environment, of_test.test] = run.number
    return so_far


def newest_runs(finished: FinishedRuns) -> dict[str, Run]:
    """By run id: the newest finished run of each job, newest first."""
    newest = sorted((runs[0] for runs in finished.values()), key=lambda run: str(run["started_at"]), reverse=True)
    return {run["id"]: run for run in newest}


def read_cells(store: Store, lane: Filter, by: str) -> dict[CellKey, Cell]:
    """The cells in which a module was tested lately, or has a verdict."""
    return store.cached(
        ("cells", lane, by),
        lambda: _read_cells(store, lane, by),
        lambda found: 2_000 * len(found),
        lambda: release_dependencies(lane.release),
    )


def _read_cells(store: Store, lane: Filter, by: str) -> dict[CellKey, Cell]:
    finished = finished_runs(store, lane)
    newest_of = {ids.number(run["id"]): runs[0] for runs in finished.values() for run in runs[:EARLIER_RUNS]}
    by_environment = by == "environment"
    cells: dict[CellKey, Cell] = defaultdict(Cell)
    in_storms = _storm_builds(store, lane)
    counts = [
        (
            row,
            newest_of[row["run"]],
            row["module"],
            (newest_of[row["run"]]["environment"] or "") if by_environment else row["topology"],
        )
        for row in _counts(store, list(newest_of), lane.topology)
    ]
    # Of several jobs that test a module in one environment, the one that ran last.
    tested_by: dict[tuple[str, str, str | None], Run] = {}
    for _, run, module, column in counts:
        other = tested_by.setdefault((module, column, run["environment"]), run)
        if run["started_at"] > other["started_at"]:
            tested_by[module, column, run["environment"]] = run
    for (module, column, _), run in tested_by.items():
        cells[module, column].expected = True
        cells[module, column].runs.add(run["id"])
    for row, run, module, column in counts:
        if ids.text(row["run"]) == run["id"] == tested_by[module, column, run["environment"]]["id"]:
            cell = cells[module, column]
            for count in COUNTS:
                cell.counts[count] += row[count]
            if (row["build"], module) in in_storms:
                cell.in_storms += row["total"]
                cell.storm_failures += row["failed"]
    newest = newest_runs(finished)
    for name, gaps_of_run in gaps(store, tuple(newest)).items():
        _add_gaps(cells, by, newest[name], gaps_of_run)
    for module, environment, waiting in _unread_modules(store, lane):
        for column in [environment] if by == "environment" else [key[1] for key in cells if key[0] == module]:
            cells[module, column].unread = waiting
    so_far = _broken_so_far(store, lane)
    of_any_environment = {test: number for (_, test), number in so_far.items()}
    for key, kinds, test in verdict_kinds(store, lane, by):
        worst = worst_kind(frozenset(kinds))
        if worst is not None:
            cells[key].expected = True
            cells[key].tests[worst].add(test)
        number = so_far.get((key[1], test)) if by_environment else of_any_environment.get(test)
        if worst in BROKEN_KINDS and number is not None:
            cells[key].so_far[test] = number
    for key, why, test, _ in without_verdict(store, lane, by, newest):
        cells[key].tests[why].add(test)
    return dict(cells)


def _add_gaps(cells: dict[CellKey, Cell], by: str, run: Run, gaps_of_run: Sequence[LackingBuild]) -> None:
    """Note in the cells which modules a run lacks results of; by topology, in every cell of the module."""
    for gap in gaps_of_run:
        for module, count in gap.results.items():
            by_environment = by == "environment"
            columns = [run["environment"] or ""] if by_environment else [key[1] for key in cells if key[0] == module]
            for column in columns:
                cell = cells[module, column]
                if cell.runs and run["id"] not in cell.runs:
                    continue  # another job tested the module later
                cell.runs.add(run["id"])
                cell.expected = cell.lacking = True
                cell.ended |= gap.build is not None and gap.why == "missing"
                if by_environment:
                    cell.lacks += count or 0


def verdict_kinds(store: Store, lane: Filter, by: str) -> Iterable[tuple[CellKey, Iterable[VerdictKind], int]]:
    """(cell, verdict kinds, test) of each test with a verdict; by topology, those on which it failed last."""
    window, verdicts = judge_tests(store, lane)
    if by == "environment":
        for verdict in verdicts:
            yield (
                (verdict.test_lane.module, window.lanes[verdict.test_lane.lane][1]),
                verdict.kinds,
                verdict.test_lane.test,
            )
        return
    failing = {
        (verdict.test_lane.test, verdict.test_lane.lane): verdict for verdict in verdicts if verdict.test_lane.failed
    }
    analysis = analyse_lanes(store, lane, verdict_reach(store, lane))
    for test, lane_index, age, topology in _failed_topologies(store, analysis, failing):
        failed = failing.get((test, lane_index))
        if failed is not None:
            newest_failure = failed.test_lane.failed & -failed.test_lane.failed
            if failed.test_lane.bit_at(age) == newest_failure:
                yield (failed.test_lane.module, topology), failed.kinds, test


def without_verdict(
    store: Store, lane: Filter, by: str, newest: Collection[str]
) -> Iterable[tuple[CellKey, str, int, str]]:
    """(cell, UNJUDGED or BAD_HOST, test, run id) of the failures in these runs that have no verdict: of tests that ran
    only once, and on bad hosts."""
    analysis = analyse_lanes(store, lane, verdict_reach(store, lane))
    window = analysis.window
    newest_numbers = set(map(ids.number, newest))
    ages = [{run.age for run in lane_runs if run.run in newest_numbers} for lane_runs in window.runs]
    found: dict[tuple[int, int], tuple[str, str, str]] = {}
    for test_lane in analysis.test_lanes:
        age = next((age for age in test_lane.ages if age in ages[test_lane.lane]), None)
        if age is None:
            continue
        bit = test_lane.bit_at(age)
        once = bit and test_lane.failed == bit and not test_lane.passed & ~bit
        if once or test_lane.on_bad_host & bit:
            run = ids.text(window.runs[test_lane.lane][age].run)
            found[test_lane.test, test_lane.lane] = (UNJUDGED if once else BAD_HOST, test_lane.module, run)
    if by == "environment":
        for (test, lane_index), (why, module, run) in found.items():
            yield (module, window.lanes[lane_index][1]), why, test, run
        return
    for test, lane_index, age, topology in _failed_topologies(store, analysis, found):
        if (test, lane_index) not in found:
            continue
        why, module, run = found[test, lane_index]
        if ids.text(window.runs[lane_index][age].run) == run:
            yield (module, topology), why, test, run


def _failed_topologies(
    store: Store, analysis: LaneAnalysis, tests: Collection[tuple[int, int]]
) -> list[tuple[int, int, int, str]]:
    """(test, lane, age, topology) of the failures of these tests (test, lane) in the builds that were analysed."""
    if not tests:
        return []
    builds = analysis.builds
    where = partition_condition(builds)
    results = store.table_source("results", {build.release for build in builds}, [build.started_at for build in builds])
    rows = store.cursor().execute(
        f"""SELECT DISTINCT r.test, w.lane, w.age, r.topology FROM {results} r
        JOIN (SELECT unnest($build) AS build, unnest($lane) AS lane, unnest($age) AS age) w USING (build)
        WHERE {where} AND r.is_final AND r.status = 'failed' AND r.test IN (SELECT unnest($tests::BIGINT[]))""",
        {
            **where.parameters,
            "build": [build.build for build in builds],
            "lane": [build.lane for build in builds],
            "age": [build.age for build in builds],
            "tests": sorted({test for test, _ in tests}),
        },
    )
    return rows.fetchall()


def _counts(store: Store, runs: list[int], topology: str | None) -> list[_CellCounts]:
    where = Where("rb.run IN (SELECT unnest($runs::BIGINT[]))", runs=runs).equal("c", topology=topology)
    return store.rows(
        f"""SELECT rb.run, c.build, c.module, c.topology, c.total, c.passed, c.failed, c.errors, c.skipped
        FROM run_builds rb JOIN build_counts c USING (build)
        WHERE {where}""",
        where.parameters,
        _CellCounts,
    )


def _unread_modules(store: Store, lane: Filter) -> set[tuple[str, str, int]]:
    """(module, environment, builds that wait) of the modules without verdicts, as their history is still being read."""
    analysis = analyse_lanes(store, lane, verdict_reach(store, lane))
    unread = unread_lanes(store, lane, analysis.window)
    return {
        (column.module, unread[column.lane].environment, unread[column.lane].waiting)
        for column in (analysis.module_counts if unread else ())
        if column.lane in unread and unread[column.lane].holds_back([column.job])
    }


def _storm_builds(store: Store, lane: Filter) -> set[tuple[int, str]]:
    """(build, module) of the mass failures."""
    if lane.include_storms:
        return set()
    analysis = analyse_lanes(store, lane, verdict_reach(store, lane))
    return columns_in_storms(analysis.module_counts, analysis.storms)
