"""The one door through which builds enter the lake: a batch of builds replaces whatever stood under their ids.

Everything of a build (results, texts, counts, raw inputs) is written in the transaction of the caller, so that a crash
leaves all of it or nothing, and reading a build again, any number of times, gives the same tables.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

import duckdb
import pyarrow as pa

from data import ids

# One row an attempt; `file`, `class` and `name` are the test's identity, `pattern` the failure signature's pattern.
CASES = pa.schema(
    [
        ("file", pa.string()),
        ("class", pa.string()),
        ("name", pa.string()),
        ("base_name", pa.string()),
        ("module", pa.string()),
        ("topology", pa.string()),
        ("attempt", pa.int32()),
        ("is_final", pa.bool_()),
        ("status", pa.string()),
        ("kind", pa.string()),
        ("duration_s", pa.float32()),
        ("host", pa.string()),
        ("position", pa.int32()),
        ("signature", pa.int64()),
        ("pattern", pa.string()),
        ("message", pa.string()),
        ("trace", pa.string()),
        ("output", pa.string()),
    ]
)


@dataclass(frozen=True)
class Commit:
    revision: str
    author: str = ""
    message: str = ""
    committed_at: datetime | None = None
    url: str = ""


@dataclass(frozen=True)
class RawFile:
    path: str
    kind: str
    encoding: str
    size: int
    content: bytes


@dataclass(frozen=True)
class Build:
    """One build and all that was read of it. `cases` has the columns of CASES; its counts are taken from there."""

    source: str
    job: str
    number: int
    started_at: datetime
    release: str
    module: str
    duration_s: float | None = None
    state: str = "final"
    result: str | None = None
    version: str | None = None
    environment: str = "default"
    display_name: str = ""
    url: str = ""
    agent: str = ""
    revision: str | None = None  # the commit that was built
    parameters: dict[str, str] = field(default_factory=dict)
    causes: list[dict] = field(default_factory=list)
    artifacts: int = 0
    declared_total: int | None = None
    declared_failed: int | None = None
    declared_skipped: int | None = None
    flags: frozenset[str] = frozenset()
    recheck_at: datetime | None = None
    cases: pa.Table = field(default_factory=lambda: CASES.empty_table())
    commits: list[Commit] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)  # (path, message)
    raw: list[RawFile] = field(default_factory=list)

    @property
    def id(self) -> int:
        return ids.of(self.source, self.job, self.number, self.started_at.isoformat())


@dataclass(frozen=True)
class Run:
    """One regression run; for a build that stands alone, the same facts as its build's."""

    source: str
    job: str
    number: int
    release: str
    started_at: datetime
    version: str | None = None
    environment: str = "default"
    duration_s: float | None = None
    state: str = "final"
    result: str | None = None
    display_name: str = ""
    url: str = ""

    @property
    def id(self) -> int:
        return ids.of(self.source, self.job, self.number, self.started_at.isoformat(), self.release)


@dataclass(frozen=True)
class RunBuild:
    """A run lists a module build: known by job and number before the build itself has been read."""

    run: int
    source: str
    job: str
    number: int
    module: str


def put_builds(cursor: duckdb.DuckDBPyConnection, builds: Sequence[Build], now: datetime) -> int:
    """Replace these builds and everything below them. Returns the number of result rows written."""
    if not builds:
        return 0
    _remove(cursor, [build.id for build in builds])
    cursor.register("incoming", _incoming(cursor, builds))
    try:
        written = _insert_results(cursor)
        cursor.register("incoming_builds", _build_rows(builds, now))
        cursor.execute(_INSERT_BUILDS)
    finally:
        cursor.unregister("incoming_builds")
        cursor.unregister("incoming")
    _insert_children(cursor, builds)
    _note_releases(cursor, {build.release for build in builds}, now)
    _link_runs(cursor, [build.id for build in builds])
    return written


def put_runs(cursor: duckdb.DuckDBPyConnection, runs: Sequence[Run], listed: Sequence[RunBuild], now: datetime) -> None:
    """Replace these runs; add what they list, keeping rows that already know their build."""
    if not runs:
        return
    marks = ", ".join("?" for _ in runs)
    cursor.execute(f"DELETE FROM runs WHERE run IN ({marks})", [run.id for run in runs])
    cursor.register("incoming_runs", pa.Table.from_pylist([{"run": run.id, **asdict(run)} for run in runs], _RUNS))
    cursor.execute("INSERT INTO runs BY NAME SELECT * FROM incoming_runs")
    cursor.unregister("incoming_runs")
    if listed:
        cursor.register("incoming_listed", pa.Table.from_pylist([asdict(row) for row in listed], _RUN_BUILDS))
        cursor.execute(
            """INSERT INTO run_builds BY NAME
            SELECT DISTINCT l.*, b.build FROM incoming_listed l
            ANTI JOIN run_builds r USING (run, source, job, number)
            LEFT JOIN (SELECT source, job, number, max_by(build, started_at) AS build FROM builds GROUP BY ALL) b
                USING (source, job, number)"""
        )
        cursor.unregister("incoming_listed")
    _note_releases(cursor, {run.release for run in runs}, now)


_RUNS = pa.schema(
    [("run", pa.int64()), ("source", pa.string()), ("job", pa.string()), ("number", pa.int32())]
    + [(name, pa.string()) for name in ("release", "version", "environment")]
    + [("started_at", pa.timestamp("us")), ("duration_s", pa.float64())]
    + [(name, pa.string()) for name in ("state", "result", "display_name", "url")]
)
_RUN_BUILDS = pa.schema(
    [
        ("run", pa.int64()),
        ("source", pa.string()),
        ("job", pa.string()),
        ("number", pa.int32()),
        ("module", pa.string()),
    ]
)
_BUILDS = pa.schema(
    [("build", pa.int64()), ("source", pa.string()), ("job", pa.string()), ("number", pa.int32())]
    + [("started_at", pa.timestamp("us")), ("duration_s", pa.float64())]
    + [(name, pa.string()) for name in ("state", "result", "release", "version", "environment", "module")]
    + [(name, pa.string()) for name in ("display_name", "url", "agent", "revision", "parameters", "causes")]
    + [(name, pa.int32()) for name in ("artifacts", "declared_total", "declared_failed", "declared_skipped")]
    + [("flags", pa.string()), ("ingested_at", pa.timestamp("us")), ("recheck_at", pa.timestamp("us"))]
)
_INSERT_BUILDS = """
INSERT INTO builds BY NAME
SELECT b.*, coalesce(c.total, 0) AS total, coalesce(c.passed, 0) AS passed, coalesce(c.failed, 0) AS failed,
       coalesce(c.errors, 0) AS errors, coalesce(c.skipped, 0) AS skipped
FROM incoming_builds b LEFT JOIN (
    SELECT build, count(*) AS total, count(*) FILTER (status = 'passed') AS passed,
           count(*) FILTER (status = 'failed') AS failed, count(*) FILTER (kind = 'error') AS errors,
           count(*) FILTER (status = 'skipped') AS skipped
    FROM incoming WHERE is_final GROUP BY build
) c USING (build)"""


def _incoming(cursor: duckdb.DuckDBPyConnection, builds: Sequence[Build]) -> pa.Table:
    """All cases of the batch with their build's columns and, computed once, the test's id."""
    tables = []
    for build in builds:
        rows = len(build.cases)
        stamp = {
            "build": pa.repeat(pa.scalar(build.id, pa.int64()), rows),
            "release": pa.repeat(pa.scalar(build.release, pa.string()), rows),
            "started_at": pa.repeat(pa.scalar(build.started_at, pa.timestamp("us")), rows),
        }
        table = build.cases.cast(CASES)
        for name, column in stamp.items():
            table = table.append_column(name, column)
        tables.append(table)
    cases = pa.concat_tables(tables)
    cursor.register("cases", cases)
    try:
        return cursor.execute(f"SELECT *, {ids.SQL_TEST_ID} AS test FROM cases").to_arrow_table()
    finally:
        cursor.unregister("cases")


def _insert_results(cursor: duckdb.DuckDBPyConnection) -> int:
    rows = cursor.execute(
        """INSERT INTO results BY NAME
        SELECT release, started_at, build, module, test, topology, attempt, is_final, status, kind, duration_s, host,
               position, signature
        FROM incoming ORDER BY release, module, test, started_at"""
    ).fetchone()[0]
    cursor.execute(
        """INSERT INTO failures BY NAME
        SELECT release, started_at, build, module, test, topology, attempt, signature, message, trace, output
        FROM incoming WHERE status = 'failed' AND coalesce(message, trace, output) IS NOT NULL
        ORDER BY release, module, test, started_at"""
    )
    cursor.execute(
        """INSERT INTO tests BY NAME
        SELECT test, any_value(file) AS file, any_value(class) AS class, any_value(name) AS name,
               any_value(base_name) AS base_name, any_value(module) AS module, min(started_at) AS first_seen
        FROM incoming ANTI JOIN tests USING (test) GROUP BY test ORDER BY module, test"""
    )
    cursor.execute(
        """INSERT INTO signatures BY NAME
        SELECT signature, any_value(pattern) AS pattern, any_value(message) AS example, min(started_at) AS first_seen
        FROM incoming ANTI JOIN signatures USING (signature) WHERE signature IS NOT NULL GROUP BY signature"""
    )
    cursor.execute(
        """INSERT INTO build_counts BY NAME
        SELECT build, release, started_at, module, topology, count(*) AS total,
               count(*) FILTER (status = 'passed') AS passed, count(*) FILTER (status = 'failed') AS failed,
               count(*) FILTER (kind = 'error') AS errors, count(*) FILTER (status = 'skipped') AS skipped,
               sum(duration_s) AS duration_s
        FROM incoming WHERE is_final GROUP BY ALL ORDER BY release, started_at"""
    )
    return rows


def _build_rows(builds: Sequence[Build], now: datetime) -> pa.Table:
    rows = []
    for build in builds:
        row = {name: getattr(build, name) for name in _BUILDS.names if hasattr(build, name)}
        row |= {
            "build": build.id,
            "parameters": json.dumps(build.parameters),
            "causes": json.dumps(build.causes),
            "flags": " ".join(sorted(build.flags)),
            "ingested_at": now,
        }
        rows.append(row)
    return pa.Table.from_pylist(rows, _BUILDS)


def _insert_children(cursor: duckdb.DuckDBPyConnection, builds: Sequence[Build]) -> None:
    commits = [
        [build.id, position, commit.revision, commit.author, commit.message, commit.committed_at, commit.url]
        for build in builds
        for position, commit in enumerate(build.commits)
    ]
    if commits:
        cursor.executemany("INSERT INTO commits VALUES (?, ?, ?, ?, ?, ?, ?)", commits)
    warnings = [[build.id, path, message] for build in builds for path, message in build.warnings]
    if warnings:
        cursor.executemany("INSERT INTO warnings VALUES (?, ?, ?)", warnings)
    raw = [
        {"build": build.id, "started_at": build.started_at, **asdict(file)} for build in builds for file in build.raw
    ]
    if raw:
        cursor.register("incoming_raw", pa.Table.from_pylist(raw, _RAW))
        cursor.execute("INSERT INTO raw_files BY NAME SELECT * FROM incoming_raw")
        cursor.unregister("incoming_raw")


_RAW = pa.schema(
    [("build", pa.int64()), ("started_at", pa.timestamp("us")), ("path", pa.string()), ("kind", pa.string())]
    + [("encoding", pa.string()), ("size", pa.int64()), ("content", pa.binary())]
)


def _link_runs(cursor: duckdb.DuckDBPyConnection, builds: Sequence[int]) -> None:
    """A run that listed a build by its number learns which build it meant, unless it knows one that still stands."""
    marks = ", ".join("?" for _ in builds)
    found = cursor.execute(
        f"""SELECT b.build, r.run, r.source, r.job, r.number FROM run_builds r JOIN builds b USING (source, job, number)
        WHERE b.build IN ({marks}) AND (r.build IS NULL OR r.build NOT IN (SELECT build FROM builds))""",
        builds,
    ).fetchall()
    for row in found:
        cursor.execute("UPDATE run_builds SET build = ? WHERE run = ? AND source = ? AND job = ? AND number = ?", row)


def _remove(cursor: duckdb.DuckDBPyConnection, builds: Sequence[int]) -> None:
    marks = ", ".join("?" for _ in builds)
    count, releases, first, last = cursor.execute(
        f"SELECT count(*), list(DISTINCT release), min(started_at), max(started_at) FROM builds WHERE build IN ({marks})",
        builds,
    ).fetchone()
    if not count:
        return
    # The partition's columns in the condition keep every other month's files closed.
    window = f"started_at BETWEEN ? AND ? AND build IN ({marks})"
    for table in ("results", "failures", "build_counts"):
        cursor.execute(
            f"DELETE FROM {table} WHERE list_contains(?, release) AND {window}", [releases, first, last, *builds]
        )
    cursor.execute(f"DELETE FROM raw_files WHERE {window}", [first, last, *builds])
    for table in ("commits", "warnings", "builds"):
        cursor.execute(f"DELETE FROM {table} WHERE build IN ({marks})", builds)


def _note_releases(cursor: duckdb.DuckDBPyConnection, releases: set[str], now: datetime) -> None:
    for release in sorted(releases):
        cursor.execute(
            "INSERT INTO releases SELECT ?, true, ? WHERE NOT EXISTS (FROM releases WHERE release = ?)",
            [release, now, release],
        )
