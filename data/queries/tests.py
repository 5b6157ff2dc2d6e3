"""One test: its identity and metadata, its history, and its attempts with failure texts."""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypedDict

import pyarrow as pa

from data.answers.base import Id
from data.answers.tests import Attempt, FoundTest, HistoryRow, Metadata, Test, TestDetail, TestName
from data.cache.result_arrays import results_key
from data.lake.cached_query import cached_query, of_build, of_release, release_dependencies
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import Where, of_lane
from data.model.filters import EVERYTHING, Filter
from data.model.measures import iso
from data.model.sql_values import SqlParameters
from data.queries.bugs import bugs_of_tests
from data.queries.failure_texts import AttemptRow, attempt_key, messages
from data.verdicts.lanes import UNFINISHED
from data.verdicts.priorities import UNKNOWN, metadata_sql
from data.write.metadata import COLUMNS

MAX_BUILDS = 5_000  # of a filter that are kept in memory: a hundred runs of fifty modules


class _TestRow(TestName):
    module: str


class _StoredTest(_TestRow):
    base_name: str
    first_seen: datetime | None


class _FoundRow(_TestRow):
    priority: str | None


class _ResultRow(AttemptRow):
    """A final result of the test."""

    module: str
    host: str | None
    kind: Literal["failure", "error"] | None
    duration_s: float | None
    signature: int | None


class _BuildFacts(TypedDict):
    """The build of a result, and why it is unfinished."""

    number: int
    job: str
    url: str | None
    version: str | None
    environment: str | None
    run: Id | None
    run_number: int | None
    unfinished: Literal["running", "aborted"] | None


@cached_query()
def test(store: Store, test_id: str, flt: Filter = EVERYTHING) -> TestDetail | None:
    """One test with its metadata, the bugs about it and the releases it ran in. None if unknown."""
    rows = store.rows("SELECT * FROM tests WHERE test = ?", [ids.number(test_id)], _StoredTest)
    if not rows:
        return None
    metadata = store.rows(
        f"""SELECT release, {", ".join(f"arg_max({name}, rank) AS {name}" for name in COLUMNS)}
        FROM {store.derived_table("matched_metadata")} WHERE test = ? GROUP BY release ORDER BY release NULLS FIRST""",
        [ids.number(test_id)],
        Metadata,
    )
    ran_in = f"SELECT DISTINCT release FROM {store.table_source('results')} WHERE test = ? ORDER BY 1"
    return {
        **_test(rows[0]),
        "parameters": rows[0]["name"].removeprefix(rows[0]["base_name"]),
        "first_seen": iso(rows[0]["first_seen"]),
        "metadata": metadata,
        "bugs": bugs_of_tests(store, (test_id,)).get(test_id, []),
        "releases": [release for (release,) in store.cursor().execute(ran_in, [ids.number(test_id)]).fetchall()],
    }


@cached_query()
def find(store: Store, q: str, flt: Filter = EVERYTHING, limit: int = 50, offset: int = 0) -> list[FoundTest]:
    """Tests whose key or case id contains every word of `q`, ignoring case; shortest names first. No word: every
    test. With a release, those that ever ran in it."""
    words = q.split()
    where = "true" + "".join(
        f""" AND (contains(lower(t.file || '::' || t.class || '::' || t.name), lower($w{n}))
            OR t.test IN (SELECT test FROM {store.derived_table("matched_metadata")}
                          WHERE lower(case_id) = lower($w{n}) OR lower(testrail_id) = lower($w{n})))"""
        for n in range(len(words))
    )
    parameters: SqlParameters = {f"w{n}": word for n, word in enumerate(words)}
    if flt.module is not None:
        where += " AND t.module = $module"
        parameters["module"] = flt.module
    if flt.release is not None:
        results = store.table_source("results", [flt.release])
        where += f" AND t.test IN (SELECT test FROM {results} WHERE release = $metadata_release)"
    if flt.priority is not None:
        where += f" AND coalesce(m.priority, '{UNKNOWN}') = $priority"
        parameters["priority"] = flt.priority
    rows = store.rows(
        f"""SELECT t.*, m.priority FROM tests t LEFT JOIN ({metadata_sql(store)}) m USING (test) WHERE {where}
        ORDER BY length(t.name), t.name, t.file, t.class, t.test LIMIT $limit OFFSET $offset""",
        parameters | {"limit": limit, "offset": offset, "metadata_release": flt.release},
        _FoundRow,
    )
    return [{**_test(row), "priority": row["priority"]} for row in rows]


@cached_query(of_release)
def history(
    store: Store,
    test_id: str,
    flt: Filter = EVERYTHING,
    limit: int = 100,
    before: tuple[str, str] | None = None,
) -> list[HistoryRow]:
    """The final results of a test, newest first: one row a build and topology, with the head of its failure text.

    `before` (build id, topology) goes on where an earlier answer ended.
    """
    rows = _kept(store, ids.number(test_id), flt, limit, before)
    if rows is None:
        rows = _filed(store, ids.number(test_id), flt, limit, before)
    build_facts = _build_facts(store, flt, [row["build"] for row in rows])
    message_of = messages(store, rows)
    return [
        {
            **facts,
            "build": ids.text(row["build"]),
            "release": row["release"],
            "started_at": iso(row["started_at"]),
            "module": row["module"],
            "topology": row["topology"],
            "host": row["host"],
            "status": row["status"],
            "kind": row["kind"],
            "attempt": row["attempt"],
            "rerun": row["attempt"] > 1,
            "duration_s": None if row["duration_s"] is None else round(row["duration_s"], 3),
            "signature": None if row["signature"] is None else ids.text(row["signature"]),
            "message": message_of.get(attempt_key(row)),
        }
        for facts, row in zip(build_facts, rows, strict=True)
    ]


class _Builds(NamedTuple):
    """The newest builds of a filter, newest first."""

    table: pa.Table
    keys: list[Hashable]  # of their result arrays in the cache
    places: dict[int, int]  # index of each build
    is_complete: bool  # no older builds exist


def _build_facts(store: Store, flt: Filter, builds: list[int]) -> list[_BuildFacts]:
    """Of each: its number, job, url, version and environment, the run that it belongs to, and why it is unfinished."""
    newest = _builds(store, flt)
    table, places = newest.table, newest.places
    if not places.keys() >= set(builds):
        these = "build IN (SELECT unnest($builds::BIGINT[]))"
        table = store.cursor().execute(_builds_sql(store, f"b.{these}", these), {"builds": builds}).to_arrow_table()
        numbers: list[Any] = table["build"].to_pylist()
        places = {build: index for index, build in enumerate(numbers)}
    columns = table.select(["number", "job", "url", "version", "environment", "run", "run_number", "unfinished"])
    rows: list[Any] = columns.take(pa.array([places[build] for build in builds], pa.int64())).to_pylist()
    return [
        {
            "number": row["number"],
            "job": row["job"],
            "url": row["url"],
            "version": row["version"],
            "environment": row["environment"],
            "run": None if row["run"] is None else ids.text(row["run"]),
            "run_number": row["run_number"],
            "unfinished": row["unfinished"],
        }
        for row in rows
    ]


def _builds(store: Store, flt: Filter) -> _Builds:
    lane = Filter(flt.release, flt.version, flt.environment, at_run=flt.at_run)
    rebuilt = store.last_rebuild()
    return store.cached(
        ("builds", lane),
        lambda: _read_builds(store, lane, rebuilt),
        lambda found: 400 * len(found.keys),
        lambda: release_dependencies(lane.release),
    )


def _read_builds(store: Store, lane: Filter, rebuilt: int) -> _Builds:
    where = of_lane(lane, "b")
    if lane.at_run is not None:
        where.add(_up_to_run(store), at_run=ids.number(lane.at_run))
    newest = f"{_builds_sql(store, str(where))} ORDER BY o.rank DESC LIMIT {MAX_BUILDS}"
    table = store.cursor().execute(newest, where.parameters).to_arrow_table()
    builds: list[Any] = table["build"].to_pylist()
    ingested_at: list[Any] = table["ingested_at"].to_pylist()
    keys = [results_key(build, ingested, rebuilt) for build, ingested in zip(builds, ingested_at, strict=True)]
    return _Builds(table, keys, {build: index for index, build in enumerate(builds)}, len(builds) < MAX_BUILDS)


def _up_to_run(store: Store) -> str:
    """A condition on the order `o` of builds: none later than those of the run $at_run."""
    order = store.derived_table("build_order")
    return f"o.rank <= (SELECT max(rank) FROM run_builds JOIN {order} USING (build) WHERE run = $at_run)"


def _builds_sql(store: Store, where: str, in_run: str = "true") -> str:
    """SQL for the columns of `builds b`; `in_run` is a condition on `run_builds`."""
    return f"""SELECT b.build, b.release, b.started_at, b.ingested_at, b.number, b.job, b.url, b.version, b.environment,
            l.run, r.number AS run_number, nullif({UNFINISHED}, '') AS unfinished
        FROM builds b JOIN {store.derived_table("build_order")} o USING (build)
        LEFT JOIN (SELECT build, min(run) AS run FROM run_builds WHERE {in_run} GROUP BY build) l USING (build)
        LEFT JOIN runs r ON r.run = l.run WHERE {where}"""


def _kept(store: Store, test: int, flt: Filter, limit: int, before: tuple[str, str] | None) -> list[_ResultRow] | None:
    """The rows from memory; None if a build that may have one is not in memory."""
    builds = _builds(store, flt)
    first, below = (0, None) if before is None else (builds.places.get(ids.number(before[0])), before[1])
    if first is None:
        return None
    found = store.result_arrays.test_results(builds.keys[first:], test, flt.topology, below, limit)
    if found is None or (len(found) < limit and not builds.is_complete):
        return None
    columns = builds.table.select(["build", "release", "started_at"])
    build_facts: list[Any] = columns.take(pa.array([first + result.build for result in found], pa.int64())).to_pylist()
    return [
        {
            "build": build["build"],
            "test": test,
            "release": build["release"],
            "started_at": build["started_at"],
            "module": result.module,
            "topology": result.topology,
            "host": result.host,
            "status": result.status,
            "kind": result.kind,
            "attempt": result.attempt,
            "duration_s": result.duration_s,
            "signature": result.signature,
        }
        for result, build in zip(found, build_facts, strict=True)
    ]


def _filed(store: Store, test: int, flt: Filter, limit: int, before: tuple[str, str] | None) -> list[_ResultRow]:
    """The rows from the files."""
    where = Where("r.is_final").equal("r", test=test, release=flt.release, topology=flt.topology)
    of_build = Where().equal("b", version=flt.version, environment=flt.environment)
    if of_build.parameters:
        where.add(f"r.build IN (SELECT build FROM builds b WHERE {of_build})", **of_build.parameters)
    if flt.at_run is not None:
        where.add(_up_to_run(store), at_run=ids.number(flt.at_run))
    if before is not None:
        where.add(
            f"""(o.rank, r.topology)
            < (SELECT (rank, $before_topology) FROM {store.derived_table("build_order")} WHERE build = $before)""",
            before=ids.number(before[0]),
            before_topology=before[1],
        )
    return store.rows(
        f"""SELECT build, test, release, started_at, module, topology, host, status, kind, attempt, duration_s,
            signature
        FROM {store.table_source("results", None if flt.release is None else [flt.release])} r
            JOIN {store.derived_table("build_order")} o USING (build)
        WHERE {where} ORDER BY o.rank DESC, topology DESC LIMIT $limit""",
        where.parameters | {"limit": limit},
        _ResultRow,
    )


@cached_query(of_build)
def attempts(
    store: Store, build_id: str, test_id: str, topology: str | None = None, flt: Filter = EVERYTHING
) -> list[Attempt]:
    """Every attempt of a test in a build, by topology and attempt, with its whole failure text."""
    found = store.cursor().execute("SELECT release, started_at FROM builds WHERE build = ?", [ids.number(build_id)])
    here: tuple[str, datetime] | None = found.fetchone()
    if here is None:
        return []
    release, started_at = here
    parameters: SqlParameters = {
        "release": release,
        "at": started_at,
        "build": ids.number(build_id),
        "test": ids.number(test_id),
    }
    part = ""
    if topology is not None:
        part = " AND topology = $topology"
        parameters["topology"] = topology
    where = f"release = $release AND started_at = $at AND build = $build AND test = $test{part}"
    bounds = [release], [started_at]
    rows = store.rows(
        f"""SELECT r.*, f.message, f.trace, f.output
        FROM (SELECT * FROM {store.table_source("results", *bounds)} WHERE {where}) r
        LEFT JOIN (
            SELECT test, topology, attempt, message, trace, output
            FROM {store.table_source("failures", *bounds)} WHERE {where}) f
            USING (test, topology, attempt)
        ORDER BY r.topology, r.attempt""",
        parameters,
        Attempt,
    )
    return [
        {
            "topology": row["topology"],
            "attempt": row["attempt"],
            "is_final": row["is_final"],
            "status": row["status"],
            "kind": row["kind"],
            "host": row["host"],
            "message": row["message"],
            "trace": row["trace"],
            "output": row["output"],
            "duration_s": None if row["duration_s"] is None else round(row["duration_s"], 3),
        }
        for row in rows
    ]


def _test(row: _TestRow) -> Test:
    return {
        "test": ids.text(row["test"]),
        "key": f"{row['file']}::{row['class']}::{row['name']}",
        "file": row["file"],
        "class": row["class"],
        "name": row["name"],
        "module": row["module"],
    }
