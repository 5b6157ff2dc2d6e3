"""One test: its identity and metadata, its history, and its attempts with failure texts."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

import pyarrow as pa

from data.cache.result_arrays import results_key
from data.lake.cached_query import cached_query, of_build, of_release, release_dependencies
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import and_equal, conditions, set_fields
from data.model.filters import EVERYTHING, Filter
from data.model.measures import iso
from data.queries.bugs import bugs_of_tests
from data.queries.failure_texts import attempt_key, messages
from data.verdicts.lanes import UNFINISHED
from data.verdicts.priorities import UNKNOWN, metadata_sql
from data.write.metadata import COLUMNS

MAX_BUILDS = 5_000  # of a filter that are kept in memory: a hundred runs of fifty modules


@cached_query()
def test(store: Store, test_id: str, flt: Filter = EVERYTHING) -> dict[str, Any] | None:
    """One test with its metadata, the bugs about it and the releases it ran in. None if unknown."""
    rows = store.rows("SELECT * FROM tests WHERE test = ?", [ids.number(test_id)])
    if not rows:
        return None
    answer = _test(rows[0])
    answer["parameters"] = rows[0]["name"].removeprefix(rows[0]["base_name"])
    answer["first_seen"] = iso(rows[0]["first_seen"])
    answer["metadata"] = store.rows(
        f"""SELECT release, {", ".join(f"arg_max({name}, rank) AS {name}" for name in COLUMNS)}
        FROM {store.derived_table("matched_metadata")} WHERE test = ? GROUP BY release ORDER BY release NULLS FIRST""",
        [ids.number(test_id)],
    )
    ran_in = f"SELECT DISTINCT release FROM {store.table_source('results')} WHERE test = ? ORDER BY 1"
    answer["bugs"] = bugs_of_tests(store, (test_id,)).get(test_id, [])
    answer["releases"] = [row["release"] for row in store.rows(ran_in, [ids.number(test_id)])]
    return answer


@cached_query()
def find(store: Store, q: str, flt: Filter = EVERYTHING, limit: int = 50, offset: int = 0) -> list[dict[str, Any]]:
    """Tests whose key or case id contains every word of `q`, ignoring case; shortest names first. No word: every
    test. With a release, those that ever ran in it."""
    words = q.split()
    where = "true" + "".join(
        f""" AND (contains(lower(t.file || '::' || t.class || '::' || t.name), lower($w{n}))
            OR t.test IN (SELECT test FROM {store.derived_table("matched_metadata")}
                          WHERE lower(case_id) = lower($w{n}) OR lower(testrail_id) = lower($w{n})))"""
        for n in range(len(words))
    )
    parameters: dict[str, Any] = {f"w{n}": word for n, word in enumerate(words)}
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
    )
    return [_test(row) | {"priority": row["priority"]} for row in rows]


@cached_query(of_release)
def history(
    store: Store,
    test_id: str,
    flt: Filter = EVERYTHING,
    limit: int = 100,
    before: tuple[str, str] | None = None,
) -> list[dict[str, Any]]:
    """The final results of a test, newest first: one row a build and topology, with the head of its failure text.

    `before` (build id, topology) goes on where an earlier answer ended.
    """
    rows = _kept(store, ids.number(test_id), flt, limit, before)
    if rows is None:
        rows = _filed(store, ids.number(test_id), flt, limit, before)
    build_facts = _build_facts(store, flt, [row["build"] for row in rows])
    message_of = messages(store, rows)
    return [
        facts
        | {
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


def _build_facts(store: Store, flt: Filter, builds: list[int]) -> list[dict[str, Any]]:
    """Of each: its number, job, url, version and environment, the run that it belongs to, and why it is unfinished."""
    newest = _builds(store, flt)
    table, places = newest.table, newest.places
    if not places.keys() >= set(builds):
        these = "build IN (SELECT unnest($builds::BIGINT[]))"
        table = store.cursor().execute(_builds_sql(store, f"b.{these}", these), {"builds": builds}).to_arrow_table()
        numbers: list[Any] = table["build"].to_pylist()
        places = {build: index for index, build in enumerate(numbers)}
    columns = table.select(["number", "job", "url", "version", "environment", "run", "run_number", "unfinished"])
    rows = columns.take(pa.array([places[build] for build in builds], pa.int64())).to_pylist()
    return [row | {"run": None if row["run"] is None else ids.text(row["run"])} for row in rows]


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
    where, parameters = conditions(lane, "b")
    if lane.at_run is not None:
        where += f" AND {_up_to_run(store)}"
        parameters["at_run"] = ids.number(lane.at_run)
    newest = f"{_builds_sql(store, where)} ORDER BY o.rank DESC LIMIT {MAX_BUILDS}"
    table = store.cursor().execute(newest, parameters).to_arrow_table()
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


def _kept(
    store: Store, test: int, flt: Filter, limit: int, before: tuple[str, str] | None
) -> list[dict[str, Any]] | None:
    """The rows from memory; None if a build that may have one is not in memory."""
    builds = _builds(store, flt)
    first, below = (0, None) if before is None else (builds.places.get(ids.number(before[0])), before[1])
    if first is None:
        return None
    found = store.result_arrays.test_results(builds.keys[first:], test, flt.topology, below, limit)
    if found is None or (len(found) < limit and not builds.is_complete):
        return None
    columns = builds.table.select(["build", "release", "started_at"])
    build_facts = columns.take(pa.array([first + result.build for result in found], pa.int64())).to_pylist()
    return [result._asdict() | {"test": test} | facts for result, facts in zip(found, build_facts, strict=True)]


def _filed(store: Store, test: int, flt: Filter, limit: int, before: tuple[str, str] | None) -> list[dict[str, Any]]:
    """The rows from the files."""
    fields, build_fields = set_fields(flt, "release", "topology"), set_fields(flt, "version", "environment")
    where = f"r.test = $test AND r.is_final{and_equal(fields, 'r')}"
    where += "".join(f" AND r.build IN (SELECT build FROM builds WHERE {name} = ${name})" for name in build_fields)
    parameters: dict[str, Any] = {"test": test, "limit": limit} | fields | build_fields
    if flt.at_run is not None:
        where += f" AND {_up_to_run(store)}"
        parameters["at_run"] = ids.number(flt.at_run)
    if before is not None:
        where += f""" AND (o.rank, r.topology)
            < (SELECT (rank, $before_topology) FROM {store.derived_table("build_order")} WHERE build = $before)"""
        parameters |= {"before": ids.number(before[0]), "before_topology": before[1]}
    return store.rows(
        f"""SELECT build, test, release, started_at, module, topology, host, status, kind, attempt, duration_s,
            signature
        FROM {store.table_source("results", None if flt.release is None else [flt.release])} r
            JOIN {store.derived_table("build_order")} o USING (build)
        WHERE {where} ORDER BY o.rank DESC, topology DESC LIMIT $limit""",
        parameters,
    )


@cached_query(of_build)
def attempts(
    store: Store, build_id: str, test_id: str, topology: str | None = None, flt: Filter = EVERYTHING
) -> list[dict[str, Any]]:
    """Every attempt of a test in a build, by topology and attempt, with its whole failure text."""
    here = store.rows("SELECT release, started_at AS at, build FROM builds WHERE build = ?", [ids.number(build_id)])
    if not here:
        return []
    parameters = here[0] | {"test": ids.number(test_id)}
    part = ""
    if topology is not None:
        part = " AND topology = $topology"
        parameters["topology"] = topology
    where = f"release = $release AND started_at = $at AND build = $build AND test = $test{part}"
    bounds = [here[0]["release"]], [here[0]["at"]]
    rows = store.rows(
        f"""SELECT r.*, f.message, f.trace, f.output
        FROM (SELECT * FROM {store.table_source("results", *bounds)} WHERE {where}) r
        LEFT JOIN (
            SELECT test, topology, attempt, message, trace, output
            FROM {store.table_source("failures", *bounds)} WHERE {where}) f
            USING (test, topology, attempt)
        ORDER BY r.topology, r.attempt""",
        parameters,
    )
    names = ("topology", "attempt", "is_final", "status", "kind", "host", "message", "trace", "output")
    return [
        {name: row[name] for name in names}
        | {"duration_s": None if row["duration_s"] is None else round(row["duration_s"], 3)}
        for row in rows
    ]


def _test(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "test": ids.text(row["test"]),
        "key": f"{row['file']}::{row['class']}::{row['name']}",
        "file": row["file"],
        "class": row["class"],
        "name": row["name"],
        "module": row["module"],
    }
