"""The results of a run or of a build, one by one: a page of them, or all in batches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal, TypedDict, TypeVar

from data.answers.builds import BuildResult
from data.answers.runs import Result
from data.answers.tests import TestNames
from data.lake.cached_query import cached_query, of_build, of_runs
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import Where
from data.model.filters import EVERYTHING, Filter, TestScope
from data.model.sql_values import SqlParameters
from data.queries.builds import build_table, partition
from data.queries.failure_texts import AttemptRow, attempt_key, messages
from data.verdicts.priorities import add_priority
from data.verdicts.verdicts import test_names

_Query = tuple[str, SqlParameters]  # SQL, and its parameters
R = TypeVar("R")
_NOTHING: _Query = "FROM results WHERE false", {}


class _ResultRow(AttemptRow):
    """A row of `results`."""

    module: str
    host: str | None
    kind: Literal["failure", "error"] | None
    signature: int | None
    duration_s: float | None
    is_final: bool
    position: int | None


class _NamedRow(_ResultRow, TestNames):
    pass


@cached_query(of_runs("run_id"))
def run_results(
    store: Store,
    run_id: str,
    flt: Filter = EVERYTHING,
    status: str | None = None,
    text: str | None = None,
    limit: int = 200,
    offset: int = 0,
    rerun: bool = False,
) -> list[Result]:
    """The final results of a run, worst first, then by module and key; at most `limit` from `offset`. With `rerun`,
    only those of reruns."""
    return _run_rows(store, _page(store, _run(store, run_id, flt, status, text, rerun), _NamedRow, limit, offset))


def all_run_results(
    store: Store,
    size: int,
    run_id: str,
    flt: Filter = EVERYTHING,
    status: str | None = None,
    text: str | None = None,
    rerun: bool = False,
) -> Iterator[list[Result]]:
    """All rows of `run_results`, `size` at a time, from one query: each page would sort the run again."""
    store = store if flt.as_of is None else store.at(flt.as_of)
    for batch in store.batches(*_run(store, run_id, flt, status, text, rerun), _NamedRow, size):
        yield _run_rows(store, batch)


@cached_query(of_build)
def build_results(
    store: Store,
    build_id: str,
    flt: Filter = EVERYTHING,
    status: str | None = None,
    text: str | None = None,
    host: str | None = None,
    attempts: bool = False,
    limit: int = 200,
    offset: int = 0,
) -> list[BuildResult]:
    """The final results of a build (`attempts`: every attempt), worst first; with the head of the failure text."""
    query = _build(store, build_id, flt, status, text, host, attempts)
    return _build_rows(store, _page(store, query, _ResultRow, limit, offset))


def all_build_results(
    store: Store,
    size: int,
    build_id: str,
    flt: Filter = EVERYTHING,
    status: str | None = None,
    text: str | None = None,
    host: str | None = None,
    attempts: bool = False,
) -> Iterator[list[BuildResult]]:
    """All rows of `build_results`, `size` at a time, from one query."""
    store = store if flt.as_of is None else store.at(flt.as_of)
    for batch in store.batches(*_build(store, build_id, flt, status, text, host, attempts), _ResultRow, size):
        yield _build_rows(store, batch)


def _page(store: Store, query: _Query, row_type: type[R], limit: int, offset: int) -> list[R]:
    sql, parameters = query
    return store.rows(f"{sql} LIMIT $limit OFFSET $offset", parameters | {"limit": limit, "offset": offset}, row_type)


def _run(store: Store, run_id: str, flt: TestScope, status: str | None, text: str | None, rerun: bool) -> _Query:
    where, releases, times = _within(store, run_id, flt)
    where.equal("r", status=status or None)
    if rerun:
        where.add("r.attempt > 1")
    if text:
        where.add("contains(lower(t.file || '::' || t.class || '::' || t.name), lower($text))", text=text)
    return (
        f"""SELECT r.*, t.file, t.class, t.name
        FROM {store.table_source("results", releases, times)} r
        JOIN tests t USING (test)
        WHERE r.is_final AND {where}
        ORDER BY r.status, r.module, t.file, t.class, t.name, r.topology, r.build""",
        where.parameters,
    )


def _run_rows(store: Store, rows: list[_NamedRow]) -> list[Result]:
    message_of = messages(store, rows)
    return [_result(row, row, message_of.get(attempt_key(row))) for row in rows]


def _build(
    store: Store, build_id: str, flt: TestScope, status: str | None, text: str | None, host: str | None, attempts: bool
) -> _Query:
    here = partition(store, build_id)
    if here is None:
        return _NOTHING
    where = Where("r.release = $release AND r.started_at = $at AND r.build = $build", **here.parameters())
    if not attempts:
        where.add("r.is_final")
    where.equal("r", module=flt.module, topology=flt.topology, status=status, host=host)
    add_priority(where, store, flt, [here.release])
    if text:
        where.add(
            """r.test IN (
            SELECT test FROM tests WHERE contains(lower(file || '::' || class || '::' || name), lower($text)))""",
            text=text,
        )
    return (
        f"""SELECT * FROM {build_table(store, "results", here)} r WHERE {where}
        ORDER BY r.status, r.topology, r.position, r.test, r.attempt""",
        where.parameters,
    )


def _build_rows(store: Store, rows: list[_ResultRow]) -> list[BuildResult]:
    # Read separately: planning a join takes longer than looking up the names of a page.
    named, message_of = test_names(store, [row["test"] for row in rows]), messages(store, rows)
    return [
        {
            **_result(row, named[row["test"]], message_of.get(attempt_key(row))),
            "is_final": row["is_final"],
            "position": row["position"],
        }
        for row in rows
    ]


def _result(row: _ResultRow, names: TestNames, message: str | None) -> Result:
    return {
        "test": ids.text(row["test"]),
        "key": f"{names['file']}::{names['class']}::{names['name']}",
        "file": names["file"],
        "class": names["class"],
        "name": names["name"],
        "module": row["module"],
        "build": ids.text(row["build"]),
        "status": row["status"],
        "kind": row["kind"],
        "topology": row["topology"],
        "host": row["host"],
        "attempt": row["attempt"],
        "rerun": row["attempt"] > 1,
        "duration_s": None if row["duration_s"] is None else round(row["duration_s"], 3),
        "signature": None if row["signature"] is None else ids.text(row["signature"]),
        "message": message,
    }


class _Bounds(TypedDict):
    releases: list[str] | None
    first: datetime | None
    last: datetime | None
    builds: list[int] | None


def _within(
    store: Store, run_id: str, flt: TestScope
) -> tuple[Where, list[str], tuple[datetime | None, datetime | None]]:
    """(condition on `results r`: the rows of one run; the releases and the first and last start of its builds, which
    let partitions be left out)."""
    number = ids.number(run_id)
    bounds = store.rows(
        "SELECT list(DISTINCT release) AS releases, min(started_at) AS first, max(started_at) AS last, "
        "list(build) AS builds FROM builds WHERE build IN (SELECT build FROM run_builds WHERE run = $run)",
        {"run": number},
        _Bounds,
    )[0]
    # The release by value: that leaves out partitions, a function of it would read every release.
    releases = bounds["releases"] or []
    where = Where("r.release IN (SELECT unnest($releases::VARCHAR[]))", releases=releases)
    where.add("r.started_at BETWEEN $first AND $last", first=bounds["first"], last=bounds["last"])
    where.add("r.build IN (SELECT unnest($builds::BIGINT[]))", builds=bounds["builds"] or [])
    where.equal("r", module=flt.module, topology=flt.topology)
    add_priority(where, store, flt, releases)
    return where, releases, (bounds["first"], bounds["last"])
