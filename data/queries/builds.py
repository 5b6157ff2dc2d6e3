"""Builds (of Jenkins or imported): lists of them, one build, its contents and its raw files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple, TypedDict

from data.answers.base import Status
from data.answers.builds import Build, BuildDetail, Commit, Facet, Facets, RawFile, RunNumber, Warning
from data.lake.cached_query import cached_query, of_build, of_release
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import of_lane
from data.model.filters import EVERYTHING, Filter
from data.model.measures import BUILDS, BuildOutcome, build_health, iso, pass_rate
from data.model.sql_values import SqlParameters
from data.write import raw_files


class _BuildRow(BuildOutcome):
    """A row of `builds`, with the first run that lists it."""

    build: int
    run: int | None
    source: str
    job: str
    number: int
    release: str
    version: str | None
    environment: str | None
    module: str
    started_at: datetime
    duration_s: float | None
    result: str | None
    passed: int
    errors: int
    skipped: int
    agent: str | None
    url: str | None
    flags: str | None


class _BuildDetailRow(_BuildRow):
    parameters: str | None
    causes: str | None
    display_name: str | None
    revision: str | None
    declared_total: int | None
    declared_failed: int | None
    declared_skipped: int | None
    ingested_at: datetime | None


class _CommitRow(TypedDict):
    revision: str | None
    author: str | None
    message: str | None
    url: str | None
    committed_at: datetime | None


class _FacetRow(TypedDict):
    status: Status
    topology: str | None
    host: str | None
    module: str
    total: int


class BuildPartition(NamedTuple):
    """What finds a build's rows in the large tables: its release, start and id."""

    release: str
    at: datetime
    build: int

    def parameters(self) -> SqlParameters:
        return {"release": self.release, "at": self.at, "build": self.build}


@cached_query(of_release)
def builds(
    store: Store,
    flt: Filter = EVERYTHING,
    limit: int = 50,
    before: str | None = None,
    run: str | None = None,
) -> list[Build]:
    """The builds of a filter (module: the job's), newest first, after the build `before` (id) where given."""
    where = of_lane(flt, "b").equal("b", module=flt.module)
    order = store.derived_table("build_order")
    if run is not None:
        where.add("b.build IN (SELECT build FROM run_builds WHERE run = $run)", run=ids.number(run))
    if before is not None:
        where.add(f"o.rank < (SELECT rank FROM {order} WHERE build = $before)", before=ids.number(before))
    rows = store.rows(
        f"""SELECT b.*, (SELECT min(run) FROM run_builds rb WHERE rb.build = b.build) AS run
        FROM {BUILDS} b JOIN {order} o USING (build) WHERE {where} ORDER BY o.rank DESC LIMIT $limit""",
        where.parameters | {"limit": limit},
        _BuildRow,
    )
    return [_build(row, store) for row in rows]


@cached_query(of_build)
def build(store: Store, build_id: str, flt: Filter = EVERYTHING) -> BuildDetail | None:
    """One build with its parameters, causes, commits, parser warnings and the runs that listed it. None if unknown."""
    number = ids.number(build_id)
    rows = store.rows(
        f"""SELECT b.*, (SELECT min(run) FROM run_builds rb WHERE rb.build = b.build) AS run
        FROM {BUILDS} b WHERE build = ?""",
        [number],
        _BuildDetailRow,
    )
    if not rows:
        return None
    row = rows[0]
    commits = store.rows(
        f"SELECT * FROM {store.table_source('commits')} WHERE build = ? ORDER BY position", [number], _CommitRow
    )
    listing = store.cursor().execute(
        f"""SELECT r.run, r.number FROM run_builds rb JOIN runs r USING (run)
            JOIN {store.derived_table("run_order")} o USING (run) WHERE rb.build = ? ORDER BY o.rank""",
        [number],
    )
    listed_by: list[RunNumber] = [{"id": ids.text(run), "number": run_number} for run, run_number in listing.fetchall()]
    return {
        **_build(row, store),
        "parameters": json.loads(row["parameters"] or "{}"),
        "causes": json.loads(row["causes"] or "[]"),
        "display_name": row["display_name"],
        "revision": row["revision"],
        "declared": {
            "total": row["declared_total"],
            "failed": row["declared_failed"],
            "skipped": row["declared_skipped"],
        },
        "ingested_at": iso(row["ingested_at"]),
        "commits": [_commit(commit) for commit in commits],
        "warnings": store.rows(
            f"SELECT path, message FROM {store.table_source('warnings')} WHERE build = ?", [number], Warning
        ),
        "runs": listed_by,
    }


def _commit(row: _CommitRow) -> Commit:
    return {
        "revision": row["revision"],
        "author": row["author"],
        "message": row["message"],
        "url": row["url"],
        "committed_at": iso(row["committed_at"]),
    }


@cached_query(of_build)
def facets(store: Store, build_id: str, flt: Filter = EVERYTHING) -> Facets | None:
    """Counts of a build's final results by status, topology, host and module."""
    here = partition(store, build_id)
    if here is None:
        return None
    rows = store.rows(
        f"""SELECT r.status, r.topology, r.host, r.module, count(*) AS total
        FROM {build_table(store, "results", here)} r
        WHERE r.release = $release AND r.started_at = $at AND r.build = $build AND r.is_final GROUP BY ALL""",
        here.parameters(),
        _FacetRow,
    )
    return {
        "status": _facet((row["status"], row) for row in rows),
        "topology": _facet((row["topology"], row) for row in rows),
        "host": _facet((row["host"], row) for row in rows),
        "module": _facet((row["module"], row) for row in rows),
    }


def _facet(rows: Iterable[tuple[str | None, _FacetRow]]) -> list[Facet]:
    found: dict[str | None, Facet] = {}
    for value, row in rows:
        counts = found.setdefault(value, {"value": value, "total": 0, "passed": 0, "failed": 0, "skipped": 0})
        counts["total"] += row["total"]
        counts[row["status"]] += row["total"]
    return [found[value] for value in sorted(found, key=lambda value: value or "")]


@cached_query(of_build)
def files(store: Store, build_id: str, flt: Filter = EVERYTHING) -> list[RawFile]:
    """The stored raw files of a build by path, including those in zips: {"path", "kind", "size" (bytes)}."""
    here = partition(store, build_id)
    if here is None:
        return []
    found = raw_files.members(store, here.build, here.at)
    rows: list[RawFile] = [{"path": path, "kind": kind, "size": size} for path, kind, size in found]
    return sorted(rows, key=lambda row: row["path"])


def file(store: Store, build_id: str, path: str, limit: int = 32 << 20) -> bytes | None:
    """The first `limit` bytes of a raw file; None for an unknown path."""
    here = partition(store, build_id)
    return None if here is None else raw_files.read(store, here.build, here.at, path, limit)


def partition(store: Store, build_id: str) -> BuildPartition | None:
    """Release, start time and id of a build, so that a query about it opens one month's files; None if unknown."""
    found = store.cursor().execute(
        "SELECT release, started_at, build FROM builds WHERE build = ?", [ids.number(build_id)]
    )
    row: tuple[str, datetime, int] | None = found.fetchone()
    return row and BuildPartition(*row)


def build_table(store: Store, table: str, here: BuildPartition) -> str:
    return store.table_source(table, [here.release], [here.at])


def _build(row: _BuildRow, store: Store) -> Build:
    return {
        "id": ids.text(row["build"]),
        "source": row["source"],
        "job": row["job"],
        "number": row["number"],
        "run": None if row["run"] is None else ids.text(row["run"]),
        "release": row["release"],
        "version": row["version"],
        "environment": row["environment"],
        "module": row["module"],
        "started_at": iso(row["started_at"]),
        "duration_s": row["duration_s"],
        "state": row["state"],
        "health": build_health(row),
        "result": row["result"],
        "total": row["total"],
        "passed": row["passed"],
        "failed": row["failed"],
        "errors": row["errors"],
        "skipped": row["skipped"],
        "pass_rate": pass_rate(row, store.settings.measures),
        "agent": row["agent"],
        "url": row["url"],
        "missing_results": row["missing_results"],
        "flags": row["flags"].split() if row["flags"] else [],
    }
