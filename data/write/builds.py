"""The one door through which builds enter the lake: a batch of builds replaces whatever stood under their ids.

Everything of a build (results, texts, counts, raw inputs) is written in the transaction of the caller, so that a crash
leaves all of it or nothing, and reading a build again, any number of times, gives the same tables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.lake.arrow_views import registered
from data.model import ids
from data.write.runs import Key, RunBuildRecord, RunRecord, StoredBuild, update_runs

# One row an attempt; `test` is ids.of the file, class and name of a `Test`, `pattern` that of the signature.
CASE_SCHEMA = pa.schema(
    [
        ("test", pa.int64()),
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


class TestIdentity(NamedTuple):
    """What a test is called. `base_name`: without its parameters."""

    file: str
    class_name: str
    name: str
    base_name: str


# What a build's flags say. Whoever reads a build sets them; screens show these words.
FLAGS = {
    "no_results": "the build ended without any test result",
    "partial": "read while the build was running: more may come",
    "recovered": "a report is ill-formed: what could be read of it is here",
    "unreadable": "a report cannot be read at all, or an artifact that the build lists is gone",
    "count_mismatch": "Jenkins counted other tests than were read",
    "declared_differs": "a report declares another number of tests than it holds",
    "status_differs": "a JUnit report and the order log tell another status of a test: the log counts",
    "repeated": "a test ran more than once on one topology: each is kept, as variant #2 and on",
    "no_start_time": "the server does not tell when the build began: the time of its discovery stands for it",
    "no_release": "no rule says which release was tested",
    "no_raw": "its reports were too large to be kept: it cannot be rebuilt",
    "gone": "Jenkins no longer has the build",
}


@dataclass(frozen=True)
class CommitRecord:
    revision: str
    author: str = ""
    message: str = ""
    committed_at: datetime | None = None
    url: str = ""


@dataclass(frozen=True)
class RawFile:
    """`encoding`: zstd, or zip where several files are kept as they came. `size`: bytes as they came."""

    path: str
    kind: str
    encoding: str
    size: int
    content: bytes


@dataclass(frozen=True)
class BuildRecord:
    """One build and all that was read of it. `cases` has the columns of CASES; its counts are taken from there. `tests`
    names by id what they ran.

    `raw` None leaves the raw files that are stored as they are.
    """

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
    ingested_at: datetime | None = None  # None: now
    cases: pa.Table = field(default_factory=lambda: CASE_SCHEMA.empty_table())
    tests: Mapping[int, TestIdentity] = field(default_factory=dict)
    commits: list[CommitRecord] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)  # (path, message)
    raw: list[RawFile] | None = field(default_factory=list)

    @cached_property
    def id(self) -> int:
        return ids.of(self.source, self.job, self.number, self.started_at.isoformat())

    @property
    def key(self) -> Key:
        return self.source, self.job, self.number


def upsert_builds(
    cursor: duckdb.DuckDBPyConnection,
    builds: Sequence[BuildRecord],
    now: datetime,
    *,
    made: Sequence[tuple[BuildRecord, RunRecord]] = (),
    runs: Sequence[RunRecord] = (),
    listed: Sequence[RunBuildRecord] = (),
) -> int:
    """Replace these builds and everything below them, and bring the runs up to date that they belong to.

    `made`: builds with the run that each makes or joins by itself. `runs`: orchestrating builds, with what they list;
    what a run lists stays listed, read or not. See `data.write.runs.update_runs`. Returns the number of result rows written.
    """
    keys = {build.key for build in builds} | {(row.source, row.job, row.number) for row in listed}
    stored = _stored(cursor, keys)
    written = _replace(cursor, builds, stored, now)
    meant = {key: [found for found in stored.get(key, ()) if found.build not in {b.id for b in builds}] for key in keys}
    for build in builds:
        meant[build.key].append(StoredBuild(build.id, build.started_at, build.release))
    rows = [RunBuildRecord(run.id, *build.key, build.module) for build, run in made]
    update_runs(cursor, runs, listed, [(b.id, run, row) for (b, run), row in zip(made, rows, strict=True)], meant)
    _note_releases(cursor, {one.release for one in (*builds, *runs)}, now)
    return written


def put_builds(cursor: duckdb.DuckDBPyConnection, builds: Sequence[BuildRecord], now: datetime) -> int:
    """Replace these builds; runs that list them learn of it. Returns the number of result rows written."""
    return upsert_builds(cursor, builds, now) if builds else 0


def put_runs(
    cursor: duckdb.DuckDBPyConnection, runs: Sequence[RunRecord], listed: Sequence[RunBuildRecord], now: datetime
) -> None:
    """Replace these runs; add what they list, keeping rows that already know their build."""
    if runs:
        upsert_builds(cursor, [], now, runs=runs, listed=listed)


def _replace(
    cursor: duckdb.DuckDBPyConnection,
    builds: Sequence[BuildRecord],
    stored: dict[Key, list[StoredBuild]],
    now: datetime,
) -> int:
    if not builds:
        return 0
    before = {found.build: found for candidates in stored.values() for found in candidates}
    _remove(cursor, [before[build.id] for build in builds if build.id in before],
            [build.id for build in builds if build.raw is not None])  # fmt: skip
    written = 0
    with registered(cursor, incoming_builds=_build_rows(builds, now)):
        incoming = _incoming(builds)
        with registered(cursor, incoming=incoming, incoming_tests=_test_rows(builds)):
            if len(incoming):
                written = _insert_results(cursor, incoming)
            cursor.execute(_INSERT_BUILDS)
    _insert_children(cursor, builds)
    return written


def _stored(cursor: duckdb.DuckDBPyConnection, keys: set[Key]) -> dict[Key, list[StoredBuild]]:
    """The builds that stand under these keys."""
    answer: dict[Key, list[StoredBuild]] = {key: [] for key in keys}
    if keys:
        columns = [list(column) for column in zip(*sorted(keys), strict=True)]
        with registered(cursor, wanted_keys=pa.table(columns, names=["source", "job", "number"])):
            found = cursor.execute(
                """SELECT source, job, number, build, started_at, release FROM builds
                JOIN wanted_keys USING (source, job, number)"""
            ).fetchall()
        for *key, build, started_at, release in found:
            answer[tuple(key)].append(StoredBuild(build, started_at, release))
    return answer


_BUILDS = pa.schema(
    [("build", pa.int64()), ("source", pa.string()), ("job", pa.string()), ("number", pa.int32())]
    + [("started_at", pa.timestamp("us")), ("duration_s", pa.float64())]
    + [(name, pa.string()) for name in ("state", "result", "release", "version", "environment", "module")]
    + [(name, pa.string()) for name in ("display_name", "url", "agent", "revision", "parameters", "causes")]
    + [(name, pa.int32()) for name in ("artifacts", "declared_total", "declared_failed", "declared_skipped")]
    + [("flags", pa.string()), ("ingested_at", pa.timestamp("us"))]
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


# What repeats from row to row: DuckDB sorts and groups it twice as fast by its place in a dictionary.
_REPEATING = ("release", "module", "topology", "status", "kind", "host")


def _incoming(builds: Sequence[BuildRecord]) -> pa.Table:
    """All cases of the batch with their build's columns, in one piece: DuckDB pays for every chunk that it scans. In
    the order of the table `results`, for what is sorted is sorted again at a third of the price."""
    table = pa.concat_tables([build.cases for build in builds]).combine_chunks()
    of_build = pa.array(np.repeat(np.arange(len(builds), dtype=np.int32), [len(build.cases) for build in builds]))
    for name, values, kind in (
        ("build", [build.id for build in builds], pa.int64()),
        ("release", [build.release for build in builds], pa.string()),
        ("started_at", [build.started_at for build in builds], pa.timestamp("us")),
    ):
        table = table.append_column(name, pa.array(values, kind).take(of_build))
    for name in _REPEATING:
        table = table.set_column(table.schema.get_field_index(name), name, table[name].dictionary_encode())
    if not len(table):
        return table
    modules = table["module"].chunk(0)
    rank = np.argsort(np.argsort(modules.dictionary.to_numpy(zero_copy_only=False)))[modules.indices]
    return table.take(np.lexsort((table["started_at"], table["test"], rank)))


def _test_rows(builds: Sequence[BuildRecord]) -> pa.Table:
    """Every test of the batch once."""
    tests: dict[int, TestIdentity] = {}
    for build in builds:
        tests |= build.tests
    columns = list(zip(*tests.values(), strict=True)) or [()] * len(TestIdentity._fields)
    names = ["file", "class", "name", "base_name"]
    return pa.table([pa.array(list(tests), pa.int64()), *(pa.array(column, pa.string()) for column in columns)],
                    ["test", *names])  # fmt: skip


def _insert_results(cursor: duckdb.DuckDBPyConnection, incoming: pa.Table) -> int:
    rows = cursor.execute(
        """INSERT INTO results BY NAME
        SELECT release, started_at, build, module, test, topology, attempt, is_final, status, kind, duration_s, host,
               position, signature
        FROM incoming"""
    ).fetchone()[0]
    _note_first(
        cursor,
        "tests",
        """SELECT * FROM incoming_tests JOIN (
            SELECT test, arg_min(module, (started_at, module)) AS module, min(started_at) AS first_seen
            FROM incoming GROUP BY test) USING (test)""",
    )
    if incoming["kind"].null_count < len(incoming):
        cursor.execute(
            """INSERT INTO failures BY NAME
            SELECT release, started_at, build, module, test, topology, attempt, signature, message, trace, output
            FROM incoming WHERE status = 'failed' AND coalesce(message, trace, output) IS NOT NULL"""
        )
        _note_first(
            cursor,
            "signatures",
            """SELECT signature, any_value(pattern) AS pattern,
                arg_min(coalesce(message, trace), (started_at, test, topology, attempt)) AS example,
                min(started_at) AS first_seen
            FROM incoming WHERE signature IS NOT NULL GROUP BY signature""",
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


def _note_first(cursor: duckdb.DuckDBPyConnection, table: str, seen: str) -> None:
    """Add what the table does not have; what is earlier replaces what it has, for builds come in any order."""
    key = table.removesuffix("s")
    news = cursor.execute(
        f"""SELECT s.*, k.{key} IS NOT NULL AS is_known FROM ({seen}) s LEFT JOIN {table} k ON k.{key} = s.{key}
        WHERE k.{key} IS NULL OR k.first_seen > s.first_seen"""
    ).to_arrow_table()
    if not len(news):
        return
    with registered(cursor, news=news):
        if pc.any(news["is_known"]).as_py():
            cursor.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM news WHERE is_known)")
        cursor.execute(f"INSERT INTO {table} BY NAME SELECT * EXCLUDE (is_known) FROM news ORDER BY {key}")


def _build_rows(builds: Sequence[BuildRecord], now: datetime) -> pa.Table:
    rows = []
    for build in builds:
        row = {name: getattr(build, name) for name in _BUILDS.names if hasattr(build, name)}
        row |= {
            "build": build.id,
            "parameters": json.dumps(build.parameters),
            "causes": json.dumps(build.causes),
            "flags": " ".join(sorted(build.flags)),
            "ingested_at": build.ingested_at or now,
        }
        rows.append(row)
    return pa.Table.from_pylist(rows, _BUILDS)


def _insert_children(cursor: duckdb.DuckDBPyConnection, builds: Sequence[BuildRecord]) -> None:
    commits = [
        {"build": build.id, "position": position, **vars(commit)}
        for build in builds
        for position, commit in enumerate(build.commits)
    ]
    warnings = [
        {"build": build.id, "path": path, "message": message} for build in builds for path, message in build.warnings
    ]
    for table, rows, schema in (("commits", commits, _COMMITS), ("warnings", warnings, _WARNINGS)):
        if rows:
            with registered(cursor, incoming_rows=pa.Table.from_pylist(rows, schema)):
                cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming_rows")
    _insert_raw(
        cursor,
        [
            {"build": build.id, "started_at": build.started_at, **vars(file)}
            for build in builds
            for file in build.raw or ()
        ],
    )


def _insert_raw(cursor: duckdb.DuckDBPyConnection, rows: list[dict]) -> None:
    if rows:
        with registered(cursor, incoming_raw=pa.Table.from_pylist(rows, _RAW)):
            cursor.execute("INSERT INTO raw_files BY NAME SELECT * FROM incoming_raw ORDER BY started_at, build")


_COMMITS = pa.schema(
    [("build", pa.int64()), ("position", pa.int32())]
    + [(name, pa.string()) for name in ("revision", "author", "message")]
    + [("committed_at", pa.timestamp("us")), ("url", pa.string())]
)
_WARNINGS = pa.schema([("build", pa.int64()), ("path", pa.string()), ("message", pa.string())])
_RAW = pa.schema(
    [("build", pa.int64()), ("started_at", pa.timestamp("us"))]
    + [(name, pa.string()) for name in ("path", "kind", "encoding")]
    + [("size", pa.int64()), ("content", pa.binary())]
)


def refresh_first_seen(cursor: duckdb.DuckDBPyConnection) -> None:
    """Tests and signatures as the stored results have them: what is in none goes, and the earliest counts."""
    cursor.execute(
        """CREATE OR REPLACE TEMP TABLE fresh AS
        SELECT t.* REPLACE (s.module AS module, s.first_seen AS first_seen) FROM tests t JOIN (
            SELECT test, min(started_at) AS first_seen, arg_min(module, (started_at, module)) AS module
            FROM results GROUP BY test) s USING (test)"""
    )
    cursor.execute("DELETE FROM tests")
    cursor.execute("INSERT INTO tests BY NAME SELECT * FROM fresh ORDER BY module, test")
    cursor.execute(
        """CREATE OR REPLACE TEMP TABLE fresh AS
        SELECT p.* REPLACE (s.example AS example, s.first_seen AS first_seen) FROM signatures p JOIN (
            SELECT signature, min(started_at) AS first_seen,
                arg_min(coalesce(message, trace), (started_at, test, topology, attempt)) AS example
            FROM failures WHERE signature IS NOT NULL GROUP BY signature) s USING (signature)"""
    )
    cursor.execute("DELETE FROM signatures")
    cursor.execute("INSERT INTO signatures BY NAME SELECT * FROM fresh ORDER BY signature")
    cursor.execute("DROP TABLE fresh")


def replace_raw_files(
    cursor: duckdb.DuckDBPyConnection, owner: int, started_at: datetime, files: Sequence[RawFile]
) -> None:
    """Replace the raw files kept under an id that is no build's: an orchestrating build, or an upload."""
    cursor.execute("DELETE FROM raw_files WHERE started_at = ? AND build = ?", [started_at, owner])
    _insert_raw(cursor, [{"build": owner, "started_at": started_at, **vars(file)} for file in files])


def _remove(cursor: duckdb.DuckDBPyConnection, builds: Sequence[StoredBuild], with_raw: Sequence[int]) -> None:
    if not builds:
        return
    numbers = ", ".join(str(build.build) for build in builds)
    window = [min(build.started_at for build in builds), max(build.started_at for build in builds)]
    releases = sorted({build.release for build in builds})
    # The partition's columns in the condition keep every other month's files closed.
    for table in ("results", "failures", "build_counts"):
        cursor.execute(
            f"""DELETE FROM {table} WHERE list_contains(?, release) AND started_at BETWEEN ? AND ?
            AND build IN ({numbers})""",
            [releases, *window],
        )
    raw = sorted({build.build for build in builds} & set(with_raw))
    if raw:
        cursor.execute(
            f"DELETE FROM raw_files WHERE started_at BETWEEN ? AND ? AND build IN ({', '.join(map(str, raw))})", window
        )
    for table in ("commits", "warnings", "builds"):
        cursor.execute(f"DELETE FROM {table} WHERE build IN ({numbers})")


def _note_releases(cursor: duckdb.DuckDBPyConnection, releases: set[str], now: datetime) -> None:
    cursor.execute(
        """INSERT INTO releases SELECT release, true, ? FROM (SELECT unnest(?::VARCHAR[]) AS release)
        ANTI JOIN releases USING (release) ORDER BY release""",
        [now, sorted(releases)],
    )
