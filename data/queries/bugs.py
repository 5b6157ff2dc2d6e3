"""The tracker's bugs: the tests each is about, and their newest results.

A bug names test cases, or tests by file, class and name. The metadata of a test holds its case (case_id or
testrail_id), and is by its name without parameters, so that every parameter of a test shows its bugs. For one release,
the metadata of that release wins over the global one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple, TypedDict

import numpy as np

from data.answers.base import Status
from data.answers.bugs import AffectedLane, AffectedTest, Bug, BugDetail, ListedBug, ModuleBugs, StateCounts
from data.cache.result_arrays import FAILED, FINAL, PASSED
from data.lake.cached_query import cached_query, of_tables
from data.lake.store import Store
from data.model import ids
from data.model.filters import EVERYTHING, Filter, TestScope
from data.model.measures import iso
from data.queries.bug_links import (
    ORDER,
    STATE_CONDITIONS,
    STATES,
    BugRow,
    ambiguous_cases,
    bug_row,
    bug_rows,
    case_links_sql,
    case_parameters,
    links_of,
    matches_words,
)
from data.verdicts.lane_analysis import verdict_reach
from data.verdicts.lanes import LaneRun, lane_window, listed_builds
from data.verdicts.verdicts import test_names, verdicts

STATUSES: tuple[Status, ...] = ("failed", "passed", "skipped")  # worst first
TROUBLED: tuple[Status, ...] = ("failed", "skipped")


class _Newest(NamedTuple):
    """The newest result of a test in a lane."""

    status: Status
    run: LaneRun


class _TestBug(BugRow):
    test: int


class _CaseLink(TypedDict):
    """A case that a bug names, with the test of that case, if any."""

    case_id: str
    test: int | None
    module: str | None


class _TestCounts(TypedDict):
    tests: int
    failing: int
    modules: list[str]


@cached_query()
def bugs_of_tests(store: Store, tests: tuple[str, ...], flt: Filter = EVERYTHING) -> dict[str, list[Bug]]:
    """By test (ids): the bugs of the newest feed that are about it, open and urgent ones first. Tests that have none
    are left out."""
    found = bug_rows(
        store,
        f"""SELECT DISTINCT l.test, b.* FROM ({case_links_sql(store, flt)}) l JOIN bugs b USING (bug)
        WHERE b.active AND l.test IN (SELECT unnest($tests::BIGINT[])) ORDER BY {ORDER}""",
        case_parameters(flt) | {"tests": [ids.number(test) for test in tests]},
        _TestBug,
    )
    answer: dict[str, list[Bug]] = defaultdict(list)
    for row in found:
        answer[ids.text(row["test"])].append(bug_row(row))
    return dict(answer)


@cached_query()
def bugs(
    store: Store,
    flt: Filter = EVERYTHING,
    state: str | None = None,
    q: str = "",
    test: str | None = None,
    run: str | None = None,
    limit: int = 200,
    offset: int = 0,
) -> list[ListedBug]:
    """Bugs with how many tests they are about, how many of these failed when they ran last, and their modules; the open
    ones that break most first. `state` is one of STATES; None: open or closed. Every word of `q` occurs in id, summary,
    status, priority, assignee, component or labels.

    A release, version or environment keeps the bugs whose tests ran there lately, `run` those whose tests failed or
    were skipped in it, `test` those of one test, a module those of its tests.
    """
    found = {
        row["bug"]: row
        for row in bug_rows(
            store, f"SELECT b.* FROM bugs b WHERE {STATE_CONDITIONS[state]} ORDER BY {ORDER}", {}, BugRow
        )
    }
    links = links_of(store, _of_run(store, run, flt))
    newest = _newest(store, flt, {test_id for bug_tests in links.values() for test_id in bug_tests})
    wanted = _tests_to_keep(store, flt, test, run, newest)
    narrowed = wanted is not None or flt.module is not None
    answer: list[ListedBug] = []
    for name, row in found.items():
        tests = {
            number: module
            for number, module in links.get(name, {}).items()
            if (wanted is None or number in wanted) and flt.module in (None, module)
        }
        if (narrowed and not tests) or not matches_words(row, q):
            continue
        answer.append({**bug_row(row), **_test_counts(tests, newest)})
    answer.sort(key=lambda row: (STATES.index(row["state"]), -row["failing"]))
    return answer[offset : offset + limit]


@cached_query()
def bug(store: Store, name: str, flt: Filter = EVERYTHING) -> BugDetail | None:
    """One bug with the tests it is about, the failing first. `affected`: [{test names, case_ids, status (the worst of
    the lanes; None if it did not run lately), lanes: [{release, environment, status, run, number, started_at, kinds,
    sentence}]}]. `case_ids` are all that it names, `unmatched` those that no test has; `ambiguous` see
    `ambiguous_cases`. None if unknown."""
    found = bug_rows(store, "SELECT b.* FROM bugs b WHERE b.bug = $bug", {"bug": name}, BugRow)
    if not found:
        return None
    links = bug_rows(
        store,
        f"""SELECT c.case_id, t.test, t.module FROM bug_cases c
        LEFT JOIN ({case_links_sql(store, flt)}) l USING (bug, case_id) LEFT JOIN tests t USING (test)
        WHERE c.bug = $bug ORDER BY c.case_id""",
        case_parameters(flt) | {"bug": name},
        _CaseLink,
    )
    modules = {row["test"]: row["module"] or "" for row in links if row["test"] is not None}
    if flt.module is not None:
        modules = {number: module for number, module in modules.items() if module == flt.module}
    newest = _newest(store, flt, modules)
    if flt.release or flt.version or flt.environment:
        modules = {number: module for number, module in modules.items() if number in newest}
    ambiguous = ambiguous_cases(store, name)
    found_cases = {row["case_id"] for row in links if row["test"] is not None}
    found_cases |= {row["case_id"] for row in ambiguous}
    named = sorted({row["case_id"] for row in links})
    return {
        **bug_row(found[0]),
        **_test_counts(modules, newest),
        "case_ids": named,
        "unmatched": [case for case in named if case not in found_cases],
        "ambiguous": ambiguous,
        "affected": _affected_tests(store, flt, modules, newest, links),
    }


def _affected_tests(
    store: Store,
    flt: Filter,
    modules: Mapping[int, str],
    newest: Mapping[int, Mapping[tuple[str, str], _Newest]],
    links: Iterable[_CaseLink],
) -> list[AffectedTest]:
    if not modules:
        return []
    lanes_of = Filter(flt.release, flt.version, flt.environment, include_storms=flt.include_storms)
    wanted = tuple(ids.text(number) for number in modules)
    rows = verdicts(store, lanes_of, limit=100 * len(wanted), ranges=False, tests=wanted)
    verdict_of = {(row["test"], row["release"], row["environment"]): row for row in rows}
    named = test_names(store, list(modules))
    answer: list[AffectedTest] = []
    for number, module in modules.items():
        test, newest_by_lane = ids.text(number), newest.get(number, {})
        lanes: list[AffectedLane] = []
        for (release, environment), result in sorted(newest_by_lane.items(), reverse=True):
            verdict = verdict_of.get((test, release, environment))
            lanes.append(
                {
                    "release": release,
                    "environment": environment,
                    "status": result.status,
                    "run": ids.text(result.run.run),
                    "number": result.run.number,
                    "started_at": iso(result.run.started_at),
                    "kinds": verdict["kinds"] if verdict else [],
                    "sentence": verdict["sentence"] if verdict else None,
                }
            )
        names = named[number]
        answer.append(
            {
                "test": test,
                "key": f"{names['file']}::{names['class']}::{names['name']}",
                "name": names["name"],
                "module": module,
                "case_ids": sorted({row["case_id"] for row in links if row["test"] == number}),
                "status": min((lane["status"] for lane in lanes), default=None),
                "lanes": lanes,
            }
        )
    worst: dict[Status | None, int] = {status: index for index, status in enumerate(STATUSES)}
    return sorted(answer, key=lambda row: (worst.get(row["status"], 9), row["module"], row["key"]))


@cached_query()
def by_module(
    store: Store, run: str, flt: Filter = EVERYTHING, statuses: tuple[Status, ...] = TROUBLED
) -> list[ModuleBugs]:
    """Bugs of a run's failed and skipped tests (`statuses`): one row per module, most tests first:
    {module, bugs, open, tests (that have a bug), types: {type: bugs}}."""
    release = _of_run(store, run, flt)
    module_of_test = _tests_with_status(store, run, flt, statuses)
    states = {row["bug"]: row for row in bug_rows(store, "SELECT b.* FROM bugs b WHERE b.active", {}, BugRow)}
    found: dict[str, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for name, tests in links_of(store, release).items():
        for number in tests.keys() & module_of_test.keys() if name in states else ():
            found[module_of_test[number]][name].add(number)
    answer: list[ModuleBugs] = [
        {
            "module": module,
            "bugs": len(tests_by_bug),
            "open": sum(states[name]["open"] for name in tests_by_bug),
            "tests": len(set().union(*tests_by_bug.values())),
            "types": dict(sorted(Counter(states[name]["type"] for name in tests_by_bug).items())),
        }
        for module, tests_by_bug in found.items()
    ]
    return sorted(answer, key=lambda row: (-row["tests"], -row["bugs"], row["module"]))


@cached_query(of_tables("bugs", "bug_cases", "tests", "matched_metadata", "named_by_bugs"))
def matched_count(store: Store, flt: Filter = EVERYTHING) -> int:
    """How many bugs of the newest feed are about a test in the store."""
    active = {row["bug"] for row in bug_rows(store, "SELECT * FROM bugs WHERE active", {}, BugRow)}
    return len(active & links_of(store, flt).keys())


@cached_query(of_tables("bugs"))
def state_counts(store: Store, flt: Filter = EVERYTHING) -> StateCounts:
    """How many bugs there are of each of STATES."""
    counts = ", ".join(f"count(*) FILTER ({STATE_CONDITIONS[state]}) AS {state}" for state in STATES)
    found = bug_rows(store, f"SELECT {counts} FROM bugs b", {}, StateCounts)
    return found[0] if found else {"open": 0, "closed": 0, "gone": 0}


def _of_run(store: Store, run: str | None, flt: Filter) -> Filter:
    """The filter with the release of the run, whose metadata applies."""
    if run is None:
        return flt
    return replace(flt, release=store.value("SELECT release FROM runs WHERE run = ?", [ids.number(run)]) or flt.release)


def _tests_to_keep(
    store: Store, flt: Filter, test: str | None, run: str | None, newest: Iterable[int]
) -> set[int] | None:
    """The tests that a list of bugs is narrowed to; None for all."""
    narrowed = []
    if flt.release or flt.version or flt.environment:
        narrowed.append(set(newest))
    if test is not None:
        narrowed.append({ids.number(test)})
    if run is not None:
        narrowed.append(set(_tests_with_status(store, run, flt, TROUBLED)))
    return set.intersection(*narrowed) if narrowed else None


def _newest(store: Store, flt: Filter, tests: Iterable[int]) -> dict[int, dict[tuple[str, str], _Newest]]:
    """By test and lane (release, environment): its newest result in the builds that verdicts use; the worst of several
    topologies."""
    window = lane_window(store, flt, verdict_reach(store, flt).builds)
    wanted = list(tests)
    if not wanted or not window.builds:
        return {}
    results = store.result_arrays.rows(store, window.builds, window.rebuilt)
    chosen = np.isin(results.tests, wanted)
    at = np.flatnonzero(chosen[results.test] & (results.flag & FINAL > 0))
    lane, age = (
        np.array(values)[results.build[at]]
        for values in zip(*((build.lane, build.age) for build in window.builds), strict=True)
    )
    status = _status(results.flag[at])
    order = np.lexsort((status, age, lane, results.test[at]))
    first = np.ones(len(order), dtype=bool)
    first[1:] = (np.diff(results.test[at][order]) != 0) | (np.diff(lane[order]) != 0)
    answer: dict[int, dict[tuple[str, str], _Newest]] = defaultdict(dict)
    for index in order[first].tolist():
        lane_index = int(lane[index])
        test = int(results.tests[results.test[at[index]]])
        answer[test][window.lanes[lane_index]] = _Newest(STATUSES[status[index]], window.runs[lane_index][age[index]])
    return dict(answer)


def _status(flag: np.ndarray) -> np.ndarray:
    """The index in STATUSES of results with these flags."""
    return np.where(flag & FAILED > 0, 0, np.where(flag & PASSED > 0, 1, 2))


def _tests_with_status(store: Store, run: str, flt: TestScope, statuses: tuple[Status, ...]) -> dict[int, str]:
    """The tests of a run with such a final result, each with the module that owns it."""
    builds = listed_builds(store, {ids.number(run): (0, 0)})
    if not builds:
        return {}
    results = store.result_arrays.rows(store, builds, store.last_rebuild())
    in_scope = (results.flag & FINAL > 0) & results.group_mask(flt.module, flt.topology)[results.group]
    in_scope &= np.isin(_status(results.flag), [STATUSES.index(status) for status in statuses])
    return {
        int(results.tests[test]): results.groups[group].module
        for test, group in zip(results.test[in_scope].tolist(), results.group[in_scope].tolist(), strict=True)
    }


def _test_counts(tests: Mapping[int, str], newest: Mapping[int, Mapping[tuple[str, str], _Newest]]) -> _TestCounts:
    failing = sum(any(result.status == "failed" for result in newest.get(test, {}).values()) for test in tests)
    return {"tests": len(tests), "failing": failing, "modules": sorted(set(tests.values()))}
