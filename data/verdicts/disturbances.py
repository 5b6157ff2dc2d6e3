"""What says nothing of any test: columns that a storm broke, and sick hosts. Found once for a lane, whatever part of it
is asked about, so that every number and every list leaves out the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np

from data.cache.result_arrays import FINAL
from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.measures import iso
from data.verdicts import evidence
from data.verdicts.evidence.number_text import rate
from data.verdicts.lanes import (
    MASK_BITS,
    LaneWindow,
    ModuleCounts,
    TestLane,
    combine_hosts,
    lane_window,
    module_counts,
    test_lanes,
)
from data.verdicts.statistics.signatures import title
from data.verdicts.statistics.storms import (
    COLUMN_SHARE,
    COLUMN_TESTS,
    MESSAGE_OF_ALL,
    MESSAGE_TESTS,
    Storm,
    passing,
    sick_hosts,
    storms,
)

LONG_WINDOW = 60  # runs that the lists of storms and hosts look at
KINDS = {Storm.COLUMN: "column", Storm.MESSAGE: "message"}


@dataclass(frozen=True)
class StormHit:
    """A column, or a whole build (module is None), that a storm broke; `stretch` is how many of the job's in a row."""

    build: int
    lane: int
    age: int
    job: str
    module: str | None
    kind: str  # column | message
    total: int
    failed: int
    signature: int | None  # the most frequent message among its failures
    top: int
    stretch: int


@dataclass(frozen=True)
class Host:
    """A host in a lane, over the tests that failed there somewhere, in runs: a test in a run is one result.

    `expected` is what an even spread of each test's failures over its hosts gives. The run in which the host failed
    most (`worst`: its age) is left out of all three: what broke in one run alone is no matter of the host.
    """

    lane: int
    host: str
    total: int
    failed: int
    expected: float
    worst: int
    ratio: float | None
    p: float | None
    q: float | None
    sick: bool


@dataclass(frozen=True)
class LaneAnalysis:
    """A window with all that was found in it. `lines` are of the tests that failed somewhere, disturbances left out."""

    window: LaneWindow
    columns: list[ModuleCounts]
    storms: list[StormHit]
    hosts: list[Host]
    lines: list[TestLane]

    def weigh(self) -> int:
        return 400 * (len(self.window.builds) + len(self.columns) + len(self.lines))


def analyse_lanes(store: Store, flt: Filter, depth: int) -> LaneAnalysis:
    """The newest `depth` (at most 62) runs of each lane of the filter's release, which must be given. With
    `include_storms` nothing is left out."""
    whole = Filter(
        flt.release,
        flt.version,
        flt.environment,
        topology=flt.topology,
        include_storms=flt.include_storms,
        at_run=flt.at_run,
    )
    view = lane_window(store, whole, min(depth, MASK_BITS))
    # Remembered by its builds: while one release is tested, the others need not be judged again.
    found = store.intermediate.get(
        ("seen", whole, view.key), lambda: _look(store, whole, view, depth), LaneAnalysis.weigh
    )
    if flt.module is None:
        return found
    return replace(found, lines=[line for line in found.lines if line.module == flt.module])


def _look(store: Store, flt: Filter, view: LaneWindow, depth: int) -> LaneAnalysis:
    of, broken = disturbed(store, view)
    found = test_lanes(store, view, stormy(store, flt, view), flt.topology)
    # Storms and hosts are judged on all of a lane, so that a part of it is judged like the whole.
    hosts = (
        judge_hosts(view, found)
        if flt.topology is None
        else analyse_lanes(store, replace(flt, topology=None), depth).hosts
    )
    return LaneAnalysis(view, of, broken, hosts, found if flt.include_storms else without_sick(found, hosts))


def of_tests(store: Store, flt: Filter, depth: int, tests: Iterable[int]) -> list[TestLane]:
    """The lines of these tests, whether they failed or not, in the window that `seen` looks at."""
    around = analyse_lanes(store, flt, depth)
    found = test_lanes(store, around.window, stormy(store, flt, around.window), flt.topology, tests)
    return found if flt.include_storms else without_sick(found, around.hosts)


def without_sick(found: list[TestLane], hosts: Iterable[Host]) -> list[TestLane]:
    sick: dict[int, set[str]] = {}
    for host in hosts:
        if host.sick:
            sick.setdefault(host.lane, set()).add(host.host)
    return [
        combine_hosts(line.test, line.lane, line.module, line.parts, frozenset(sick[line.lane]))
        if line.lane in sick
        else line
        for line in found
    ]


def releases(store: Store, flt: Filter) -> list[str]:
    """The releases that a filter leaves."""
    if flt.release is not None:
        return [flt.release]
    return [row["release"] for row in store.rows("SELECT DISTINCT release FROM runs ORDER BY release")]


def find_storms(store: Store, view: LaneWindow, of: Sequence[ModuleCounts]) -> list[StormHit]:
    """The storms among the columns and the whole builds that they make up."""
    return drop_persistent(*storm_candidates(store, view, of))


Key = tuple[int, int, int, str, str | None]  # build, lane, age, job, module (None: the whole build)


def storm_candidates(
    store: Store, view: LaneWindow, of: Sequence[ModuleCounts]
) -> tuple[list[Key], dict[Key, tuple[Any, ...]]]:
    """Every column and whole build, and those that would be storms if they did not go on, with what Broken tells."""
    whole: dict[tuple[int, int, int, str], list[int]] = {}
    for column in of:
        counts = whole.setdefault((column.build, column.lane, column.age, column.job), [0, 0, 0])
        for place, count in enumerate((column.total, column.failed, 1)):
            counts[place] += count
    rows = [(*key, None, *counts[:2]) for key, counts in whole.items()]
    parts = {key for key, counts in whole.items() if counts[2] > 1}
    rows += [
        (c.build, c.lane, c.age, c.job, c.module, c.total, c.failed)
        for c in of
        if (c.build, c.lane, c.age, c.job) in parts
    ]
    # Only what may be a storm is asked for its messages.
    suspicious = [
        row
        for row in rows
        if (row[5] >= COLUMN_TESTS and row[6] >= COLUMN_SHARE * row[5])
        or (row[6] >= MESSAGE_TESTS and row[6] >= MESSAGE_OF_ALL * row[5])
    ]
    tops = _messages(store, view, {row[0] for row in suspicious}) if suspicious else {}
    found = {}
    for row in suspicious:
        signature, top = tops.get((row[0], row[4]), (None, 0))
        kind = Storm(int(storms(row[5], row[6], min(top, row[6]))))
        if kind:
            found[row[:5]] = (kind, row[5], row[6], signature, top)
    return [row[:5] for row in rows], found


def drop_persistent(every: Iterable[Key], found: dict[Key, tuple[Any, ...]]) -> list[StormHit]:
    """Of each job's (and module's) columns that look like a storm, those that do not go on for too long to be one; of
    a build that broke as a whole, not its parts."""
    kept = []
    by_line = sorted(every, key=lambda key: (key[1], key[3], key[4] or "", -key[2]))
    for _, columns_of in groupby(by_line, key=lambda key: (key[1], key[3], key[4])):
        keys = list(columns_of)
        flags = [key in found for key in keys]
        lengths = [length for _, stretch in groupby(flags) for length in [len(list(stretch))] for _ in range(length)]
        for key, storm, length in zip(keys, passing(flags), lengths, strict=True):
            if storm:
                kind, total, failed, signature, top = found[key]
                kept.append(StormHit(*key, KINDS[kind], total, failed, signature, top, length))
    whole = {(storm.build, storm.age) for storm in kept if storm.module is None}
    return [storm for storm in kept if storm.module is None or (storm.build, storm.age) not in whole]


def _messages(store: Store, view: LaneWindow, builds: set[int]) -> dict[tuple[int, str | None], tuple[int, int]]:
    """The most frequent signature of the final failures of each (build, module) and (build, None), with its count."""
    asked = list({build.build: build for build in view.builds if build.build in builds}.values())
    rows = store.result_arrays.rows(store, asked, view.rebuilt)
    told = (rows.flag[rows.failed] & FINAL > 0) & (rows.signature >= 0)
    at, signatures = rows.failed[told], rows.signature[told].tolist()
    counts: dict[tuple[int, str | None], Counter[int]] = {}
    for place, group, signature in zip(rows.build[at].tolist(), rows.group[at].tolist(), signatures, strict=True):
        for module in (rows.groups[group].module, None):
            counts.setdefault((asked[place].build, module), Counter())[signature] += 1
    return {key: max(here.items(), key=lambda item: (item[1], -item[0])) for key, here in counts.items()}


def stormy_columns(of: Iterable[ModuleCounts], broken: Iterable[StormHit]) -> set[tuple[int, str]]:
    """The columns within these storms, as (build, module)."""
    whole = {storm.build for storm in broken if storm.module is None}
    some = {(storm.build, storm.module) for storm in broken}
    return {(c.build, c.module) for c in of if c.build in whole or (c.build, c.module) in some}


def stormy(store: Store, flt: Filter, view: LaneWindow) -> set[tuple[int, str]]:
    """The columns of a window that storms broke, as (build, module); none where the filter includes storms."""
    return set() if flt.include_storms else stormy_columns(*disturbed(store, view))


def disturbed(store: Store, view: LaneWindow) -> tuple[list[ModuleCounts], list[StormHit]]:
    """The columns of a window, and the storms among them."""

    def find() -> tuple[list[ModuleCounts], list[StormHit]]:
        of = module_counts(store, view)
        return of, find_storms(store, view, of)

    return store.intermediate.get(("disturbed", view.key), find, lambda found: 150 * len(found[0]))


def judge_hosts(view: LaneWindow, found: Sequence[TestLane]) -> list[Host]:
    """Every host of each lane, the sick ones marked."""
    return [host for lane in range(len(view.lanes)) for host in lane_hosts(lane, [x for x in found if x.lane == lane])]


def lane_hosts(lane: int, found: Sequence[TestLane]) -> list[Host]:
    parts = [(place, part) for place, line in enumerate(found) for part in line.parts if part.host]
    names = sorted({part.host for _, part in parts})
    if len(names) < 2:
        return []
    number = {name: place for place, name in enumerate(names)}
    test = np.array([place for place, _ in parts])
    host = np.array([number[part.host] for _, part in parts])
    failed = np.array([part.tripped for _, part in parts], dtype=np.int64)
    ran = failed | np.array([part.passed for _, part in parts], dtype=np.int64)

    ages = int(ran.max()).bit_length()
    bits = np.arange(ages)
    ran_at, failed_at = ((mask[:, None] >> bits & 1).astype(float) for mask in (ran, failed))
    rate = np.bincount(test, failed_at.sum(axis=1)) / np.maximum(np.bincount(test, ran_at.sum(axis=1)), 1)
    by_host = [
        np.stack([np.bincount(host, values[:, age], len(names)) for age in bits], axis=1)
        for values in (ran_at, failed_at, ran_at * rate[test, None])
    ]
    worst = by_host[1].argmax(axis=1)
    total, fails, expected = (
        values.sum(axis=1) - np.take_along_axis(values, worst[:, None], axis=1)[:, 0] for values in by_host
    )
    judged = sick_hosts(total, fails, np.maximum(expected, 0))
    return [
        Host(
            lane,
            name,
            int(total[place]),
            int(fails[place]),
            float(expected[place]),
            int(worst[place]),
            *(
                None if np.isnan(value) else float(value)
                for value in (judged.ratio[place], judged.p[place], judged.q[place])
            ),
            bool(judged.sick[place]),
        )
        for place, name in enumerate(names)
    ]


@cached_query
def storm_list(store: Store, flt: Filter) -> list[dict[str, Any]]:
    """The storms of the newest `flt.runs` (60, at most 62) runs of each lane, newest first."""
    rows = []
    for release in releases(store, flt):
        view = lane_window(store, replace(flt, release=release), min(flt.runs or LONG_WINDOW, MASK_BITS))
        rows += storm_rows(store, view, disturbed(store, view)[1])
    if flt.module is not None:
        rows = [row for row in rows if flt.module in (row["module"], row["job_module"])]
    return sorted(rows, key=lambda row: (row["started_at"], row["job"]), reverse=True)


@cached_query
def host_list(store: Store, flt: Filter) -> list[dict[str, Any]]:
    """The hosts of the newest `flt.runs` (60, at most 62) runs of each lane, the sick first, then by how many times
    more often they fail than expected."""
    rows = []
    for release in releases(store, flt):
        around = analyse_lanes(
            store, replace(flt, release=release, include_storms=False, module=None), flt.runs or LONG_WINDOW
        )
        rows += [host_row(around, host) for host in around.hosts]
    return sorted(rows, key=lambda row: (not row["sick"], -(row["ratio"] or 0), row["host"], row["release"]))


def storm_rows(store: Store, view: LaneWindow, found: Sequence[StormHit]) -> list[dict[str, Any]]:
    known = store.rows(
        "SELECT signature, pattern FROM signatures WHERE signature IN (SELECT unnest($found::BIGINT[]))",
        {"found": [storm.signature for storm in found if storm.signature is not None]},
    )
    patterns = {row["signature"]: title(row["pattern"]) for row in known}
    executed = {build.build: build for build in view.builds}
    rows = []
    for storm in found:
        run = view.runs[storm.lane][storm.age]
        told = {
            "rule": "storm",
            "total": storm.total,
            "failed": storm.failed,
            "top": storm.top,
            "stretch": storm.stretch,
            "number": run.number,
            "column": storm.module or storm.job.rpartition("/")[2],
            "message": patterns.get(storm.signature),
        }
        rows.append(
            {
                "release": run.release,
                "environment": run.environment,
                "run": ids.text(run.run),
                "number": run.number,
                "started_at": iso(run.started_at),
                "build": ids.text(storm.build),
                "build_number": executed[storm.build].number,
                "job": storm.job,
                "job_module": executed[storm.build].module,
                "module": storm.module,
                "kind": storm.kind,
                "total": storm.total,
                "failed": storm.failed,
                "signature": None if storm.signature is None else ids.text(storm.signature),
                "pattern": patterns.get(storm.signature),
                "top": storm.top,
                "sentence": evidence.sentence(told),
                "evidence": told,
            }
        )
    return rows


def host_row(around: LaneAnalysis, host: Host) -> dict[str, Any]:
    release, environment = around.window.lanes[host.lane]
    runs = around.window.runs[host.lane]
    told = {
        "rule": "host",
        "host": host.host,
        "hosts": {
            other.host: [other.total, other.failed, other.expected] for other in around.hosts if other.lane == host.lane
        },
        "left_out": runs[host.worst].number,
        "runs": len(runs),
    }
    return {
        "host": host.host,
        "release": release,
        "environment": environment,
        "sick": host.sick,
        **rate(host.failed, host.total),
        "expected": host.expected,
        "ratio": host.ratio,
        "p": host.p,
        "q": host.q,
        "sentence": evidence.sentence(told),
        "evidence": told,
    }
