"""Failure patterns: one message over many tests, runs and hosts, and whether it is new.

Patterns that differ by a few letters form one cluster, computed per query: the pattern that appeared first leads it. So
a cluster keeps its name, and the id of any member finds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import TypedDict

from data.answers.evidence import PatternEvidence
from data.answers.verdicts import DayCount, Failure, FailureDetail, FailureExample, FailureFacts, HostCount, ModuleCount
from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import Where, partitions
from data.model.filters import EVERYTHING, Filter, TestScope
from data.model.measures import iso
from data.model.sql_values import SqlParameters
from data.queries.failure_texts import AttemptKey, attempt_key
from data.verdicts.evidence import patterns as evidence
from data.verdicts.lanes import LaneBuild, build_condition, lane_window, listed_builds
from data.verdicts.priorities import add_priority
from data.verdicts.statistics import near_duplicates
from data.verdicts.statistics.signatures import title

RECENT_RUNS = 10
NEWEST_RUNS = 2  # of each job: the newest may have just begun
NEW_FOR = timedelta(days=3)  # a pattern is new for this long, if the newest runs still see it
MAX_CLUSTERS = 1_000  # clusters of one answer, where they are narrowed afterwards


class _Signature(TypedDict):
    signature: int
    pattern: str
    example: str | None
    first_seen: datetime


class _PatternRow(_Signature):
    """A signature in some builds; `first_here` is None if it is in none."""

    count: int
    tests: list[int]
    builds: list[int]
    modules: list[str]
    hosts: list[str | None]
    newest_tests: list[int] | None
    by_build: dict[int, int]
    first_here: datetime | None
    last_seen: datetime | None


class _Occurrences(TypedDict):
    """A signature in all builds that an answer is about."""

    signature: int
    count: int
    tests: list[int]
    builds: list[int]
    modules: list[str]
    first: datetime
    last_seen: datetime
    releases: list[str]


@cached_query()
def failures(
    store: Store,
    flt: Filter,
    limit: int = 100,
    run: str | None = None,
    since: str | None = None,
    like: str | None = None,
) -> list[Failure]:
    r"""The failure patterns of the newest `flt.runs` (10) builds of each job and lane, most tests first; with `run`
    (id), of that run alone. `newest_tests` counts the tests that failed with it in the newest NEWEST_RUNS of each job.
    `new` ones did not occur before these runs, began in the last NEW_FOR, and are among the newest; or did not occur
    before the given run, or the run `since` (id). `trend` counts the failures by run, the oldest first.

    `like` is a rule: only failures whose message it matches anywhere, as SQL's LIKE does (% any text, _ any letter,
    escape character \). A cluster's `pattern` is such a rule.
    """
    builds = _builds(store, flt, run)
    rows = _patterns(store, builds, flt, like)
    start = _run_start(store, since) if since is not None else None
    clusters = _clusters(rows)
    latest = _latest(store) if run is None else None
    ages = {build.build: build.job_age for build in builds}
    answer: list[Failure] = [
        {**_cluster(leader, members, start or _new_since(members, latest)), "trend": _trend(members, ages)}
        for leader, members in clusters.items()
    ]
    answer.sort(key=lambda row: (-row["tests"], -row["count"], row["signature"]))
    return answer[:limit]


def _builds(store: Store, flt: Filter, run: str | None) -> list[LaneBuild]:
    """The builds of a run (id), or of the filter's newest runs."""
    window = lane_window(store, flt, flt.runs or RECENT_RUNS)
    if run is None:
        return window.builds
    number = ids.number(run)
    builds = [build for build in window.builds if window.runs[build.lane][build.age].run == number]
    return builds or listed_builds(store, {number: (0, 0)})


def _latest(store: Store) -> datetime | None:
    return store.value("SELECT max(started_at) FROM builds")


def _trend(members: Iterable[_PatternRow], ages: dict[int, int]) -> list[int]:
    """Failures by run of their job, the oldest first: those of the runs of every job that are as many runs ago."""
    counts = [0] * (max(ages.values(), default=0) + 1)
    for row in members:
        for build, count in row["by_build"].items():
            counts[-1 - ages[build]] += count
    return counts


def _run_start(store: Store, run: str) -> datetime | None:
    return store.value("SELECT started_at FROM runs WHERE run = ?", [ids.number(run)])


def matching_pattern(found: list[Failure], text: str, new: bool) -> list[Failure]:
    """The rows of `failures` whose pattern contains a text, ignoring case; with `new`, only new ones."""
    return [row for row in found if text.lower() in row["pattern"].lower() and (row["new"] or not new)]


def _patterns(store: Store, builds: list[LaneBuild], flt: TestScope, like: str | None = None) -> list[_PatternRow]:
    """One row per signature in these builds."""
    if not builds:
        return []
    where = build_condition(builds).equal("r", module=flt.module, topology=flt.topology)
    add_priority(where, store, flt, {build.release for build in builds})
    parameters: SqlParameters = {
        **where.parameters,
        "newest": sorted({build.build for build in builds if build.job_age < NEWEST_RUNS}),
    }
    bounds = {build.release for build in builds}, [build.started_at for build in builds]
    hit = ""
    if like is not None:
        hit = f"""JOIN (SELECT build, test, topology, attempt FROM {store.table_source("failures", *bounds)} r
            WHERE {where} AND r.message LIKE '%' || $like || '%' ESCAPE '\\') USING (build, test, topology, attempt)"""
        parameters["like"] = like
    return store.rows(
        f"""WITH here AS (
            SELECT r.signature, count(*) AS count, list(DISTINCT r.test) AS tests, list(DISTINCT r.build) AS builds,
                list(DISTINCT r.module) AS modules, list(DISTINCT r.host) AS hosts,
                list(DISTINCT r.test) FILTER (r.build IN (SELECT unnest($newest::BIGINT[]))) AS newest_tests,
                histogram(r.build) AS by_build,
                min(r.started_at) AS first_here, max(r.started_at) AS last_seen
            FROM {store.table_source("results", *bounds)} r {hit}
            WHERE {where} AND r.signature IS NOT NULL GROUP BY r.signature)
        SELECT h.*, s.pattern, s.example, s.first_seen FROM here h JOIN signatures s USING (signature)""",
        parameters,
        _PatternRow,
    )


def _clusters(rows: Iterable[_PatternRow]) -> dict[int, list[_PatternRow]]:
    """The rows by the signature that leads their cluster: the one that appeared first."""
    by_age = sorted(rows, key=lambda row: (row["first_seen"], row["signature"]))
    # `merge` makes the most frequent pattern the leader; the rank given here makes it the oldest.
    leaders = near_duplicates.merge({row["pattern"]: len(by_age) - index for index, row in enumerate(by_age)})
    signature = {row["pattern"]: row["signature"] for row in reversed(by_age)}
    clusters: dict[int, list[_PatternRow]] = {}
    for row in by_age:
        clusters.setdefault(signature[leaders[row["pattern"]]], []).append(row)
    return clusters


def _new_since(members: list[_PatternRow], latest: datetime | None) -> datetime | None:
    """A cluster of these builds is new if it did not occur before this time; None: it is not. `latest` is when the
    newest build of all began; without it the builds are those of one run."""
    first_here = min((row["first_here"] for row in members if row["first_here"] is not None), default=None)
    if latest is None or first_here is None:
        return first_here
    return max(first_here, latest - NEW_FOR) if any(row["newest_tests"] for row in members) else None


def _cluster(leader: int, members: list[_PatternRow], since: datetime | None) -> FailureFacts:
    hosts = sorted({host for row in members for host in row["hosts"] if host})
    first = next(row for row in members if row["signature"] == leader)
    cluster_evidence: PatternEvidence = {
        "rule": "pattern",
        "count": sum(row["count"] for row in members),
        "tests": len({test for row in members for test in row["tests"]}),
        "builds": len({build for row in members for build in row["builds"]}),
        "modules": sorted({module for row in members for module in row["modules"]}),
        "hosts": hosts,
        "first_seen": iso(min(row["first_seen"] for row in members)),
        "last_seen": iso(max((row["last_seen"] for row in members if row["last_seen"] is not None), default=None)),
        "since": iso(since),
    }
    return {
        "signature": ids.text(leader),
        "pattern": first["pattern"],
        "title": title(first["pattern"]),
        "example": first["example"],
        "count": cluster_evidence["count"],
        "tests": cluster_evidence["tests"],
        "builds": cluster_evidence["builds"],
        "modules": cluster_evidence["modules"],
        "hosts": cluster_evidence["hosts"],
        "first_seen": cluster_evidence["first_seen"],
        "last_seen": cluster_evidence["last_seen"],
        "newest_tests": len({test for row in members for test in row["newest_tests"] or ()}),
        "new": evidence.judge(cluster_evidence)["new"],
        "members": [
            {"signature": ids.text(row["signature"]), "pattern": row["pattern"], "count": row["count"]}
            for row in sorted(members, key=lambda row: (-row["count"], row["signature"]))
        ],
        "sentence": evidence.sentence(cluster_evidence),
        "evidence": cluster_evidence,
    }


_ExampleRow = TypedDict(
    "_ExampleRow",
    {
        "build": int,
        "test": int,
        "topology": str,
        "attempt": int,
        "release": str,
        "started_at": datetime,
        "module": str,
        "message": str | None,
        "file": str,
        "class": str,
        "name": str,
        "number": int,
        "job": str,
    },
)


@cached_query()
def failure(
    store: Store, signature: str, flt: Filter = EVERYTHING, limit: int = 50, offset: int = 0, run: str | None = None
) -> FailureDetail | None:
    """The cluster that a pattern (id) belongs to among those of the filter's newest runs: the keys of `failures` but
    `trend`, counts by day, module and host, and its newest examples from `offset`. They are of the builds of `failures`
    with `flt.runs` or `run`, else of its whole history. None if unknown."""
    number = ids.number(signature)
    signatures = store.rows("SELECT * FROM signatures WHERE signature = ?", [number], _Signature)
    if not signatures:
        return None
    builds = _builds(store, flt, run)
    recent = _patterns(store, builds, flt)
    if all(row["signature"] != number for row in recent):
        recent.append(_pattern_row(signatures[0], None))
    leader, members = next(
        (leader, rows) for leader, rows in _clusters(recent).items() if any(row["signature"] == number for row in rows)
    )
    where = _failure_condition(
        store,
        flt,
        None if flt.runs is None and run is None else builds,
        [row["signature"] for row in members],
    )
    source = store.table_source("failures", None if flt.release is None else [flt.release])
    ever = store.rows(
        f"""SELECT r.signature, count(*) AS count, list(DISTINCT r.test) AS tests, list(DISTINCT r.build) AS builds,
            list(DISTINCT r.module) AS modules, min(r.started_at) AS first, max(r.started_at) AS last_seen,
            list(DISTINCT r.release) AS releases
        FROM {source} r WHERE {where} GROUP BY r.signature""",
        where.parameters,
        _Occurrences,
    )
    days = store.rows(
        f"""SELECT strftime(date_trunc('day', r.started_at), '%Y-%m-%d') AS day, count(*) AS count
        FROM {source} r WHERE {where} GROUP BY 1 ORDER BY 1""",
        where.parameters,
        DayCount,
    )
    by_module = store.rows(
        f"SELECT r.module, count(*) AS count FROM {source} r WHERE {where} GROUP BY r.module ORDER BY count DESC, 1",
        where.parameters,
        ModuleCount,
    )
    by_host = _by_host(store, ever, where)
    totals = {row["signature"]: row for row in ever}
    history = [_pattern_row(row, totals.get(row["signature"]), row["newest_tests"]) for row in members]
    answer = _cluster(leader, history, _new_since(members, _latest(store) if run is None else None))
    hosts = sorted(row["host"] for row in by_host if row["host"])
    cluster_evidence: PatternEvidence = {**answer["evidence"], "hosts": hosts}
    return {
        **answer,
        "hosts": hosts,
        "evidence": cluster_evidence,
        "sentence": evidence.sentence(cluster_evidence),
        "days": days,
        "by_module": by_module,
        "by_host": by_host,
        "examples": _examples(store, source, where, limit, offset),
    }


def _pattern_row(row: _Signature, found: _Occurrences | None, newest_tests: list[int] | None = None) -> _PatternRow:
    return {
        "signature": row["signature"],
        "pattern": row["pattern"],
        "example": row["example"],
        "first_seen": row["first_seen"],
        "count": found["count"] if found else 0,
        "tests": found["tests"] if found else [],
        "builds": found["builds"] if found else [],
        "modules": found["modules"] if found else [],
        "hosts": [],
        "newest_tests": newest_tests,
        "by_build": {},
        "first_here": None,
        "last_seen": found["last_seen"] if found else None,
    }


def _failure_condition(store: Store, flt: Filter, builds: list[LaneBuild] | None, signatures: list[int]) -> Where:
    """Rows `r` (failures or results) with these signatures: in these builds, or in all of the filter's."""
    if builds is None:
        where = Where().equal("r", release=flt.release)
        of_build = Where().equal("b", version=flt.version, environment=flt.environment)
        if of_build.parameters:
            where.add(f"r.build IN (SELECT build FROM builds b WHERE {of_build})", **of_build.parameters)
        releases = {release for (release,) in store.cursor().execute("SELECT release FROM releases").fetchall()}
    else:
        where = build_condition(builds)
        releases = {build.release for build in builds}
    where.add("r.signature IN (SELECT unnest($signatures::BIGINT[]))", signatures=signatures)
    add_priority(where, store, flt, releases)
    return where.equal("r", module=flt.module, topology=flt.topology)


def _by_host(store: Store, ever: list[_Occurrences], where: Where) -> list[HostCount]:
    """Failures by host ("" if unknown), most first; only the partitions of the failures are read."""
    if not ever:
        return []
    bounds = (
        {release for row in ever for release in row["releases"]},
        [time for row in ever for time in (row["first"], row["last_seen"])],
    )
    return store.rows(
        f"""SELECT coalesce(r.host, '') AS host, count(*) AS count FROM {store.table_source("results", *bounds)} r
        WHERE {where} GROUP BY 1 ORDER BY count DESC, 1""",
        where.parameters,
        HostCount,
    )


def _examples(store: Store, source: str, where: Where, limit: int, offset: int) -> list[FailureExample]:
    rows = store.rows(
        f"""WITH newest AS (
            SELECT r.*, o.rank FROM {source} r JOIN {store.derived_table("build_order")} o USING (build) WHERE {where}
            ORDER BY o.rank DESC, r.test, r.topology, r.attempt LIMIT $limit OFFSET $offset)
        SELECT n.*, t.file, t.class, t.name, b.number, b.job FROM newest n
        JOIN tests t USING (test) JOIN builds b USING (build)
        ORDER BY n.rank DESC, n.test, n.topology, n.attempt""",
        where.parameters | {"limit": limit, "offset": offset},
        _ExampleRow,
    )
    hosts = _hosts(store, rows)
    return [
        {
            "test": ids.text(row["test"]),
            "key": f"{row['file']}::{row['class']}::{row['name']}",
            "name": row["name"],
            "module": row["module"],
            "build": ids.text(row["build"]),
            "number": row["number"],
            "job": row["job"],
            "topology": row["topology"],
            "attempt": row["attempt"],
            "host": hosts.get(attempt_key(row)),
            "started_at": iso(row["started_at"]),
            "message": row["message"],
        }
        for row in rows
    ]


def _hosts(store: Store, examples: list[_ExampleRow]) -> dict[AttemptKey, str | None]:
    """The host of each example; only the partitions of the examples are read."""
    bounds = {row["release"] for row in examples}, [row["started_at"] for row in examples]
    where = partitions(*bounds)
    rows = store.cursor().execute(
        f"""SELECT r.build, r.test, r.topology, r.attempt, r.host FROM {store.table_source("results", *bounds)} r
        WHERE {where} AND r.build IN (SELECT unnest($builds::BIGINT[])) AND r.test IN (SELECT unnest($tests::BIGINT[]))
            AND r.status = 'failed'""",
        where.parameters | {"builds": [row["build"] for row in examples], "tests": [row["test"] for row in examples]},
    )
    return {(build, test, topology, attempt): host for build, test, topology, attempt, host in rows.fetchall()}
