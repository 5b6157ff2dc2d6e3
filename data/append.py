"""The one door through which builds enter the lake: a batch of builds replaces whatever stood under their ids.

Everything of a build (results, texts, counts, raw inputs) is written in the transaction of the caller, so that a crash
leaves all of it or nothing, and reading a build again, any number of times, gives the same tables.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
class Commit:
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
class Build:
    """One build and all that was read of it. `cases` has the columns of CASES; its counts are taken from there.

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
    cases: pa.Table = field(default_factory=lambda: CASES.empty_table())
    commits: list[Commit] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)  # (path, message)
    raw: list[RawFile] | None = field(default_factory=list)

    @property
    def id(self) -> int:
        return ids.of(self.source, self.job, self.number, self.started_at.isoformat())


@dataclass(frozen=True)
class Run:
    """One regression run; for a build that stands alone, the same facts as its build's.

    A run that no build orchestrates has a `key` instead of a start: its times and state are summed up from its builds.
    """

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
    key: str = ""

    @property
    def id(self) -> int:
        return ids.of(self.source, self.job, self.number, self.key or self.started_at.isoformat(), self.release)


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
    _remove(cursor, [build.id for build in builds], [build.id for build in builds if build.raw is not None])
    written = 0
    with _registered(cursor, incoming_builds=_build_rows(builds, now)):
        incoming = _incoming(cursor, builds)
        with _registered(cursor, incoming=incoming):
            if len(incoming):
                written = _insert_results(cursor)
            cursor.execute(_INSERT_BUILDS)
    _insert_children(cursor, builds)
    _note_releases(cursor, {build.release for build in builds}, now)
    _link(cursor, {(build.source, build.job, build.number) for build in builds})
    return written


def put_runs(cursor: duckdb.DuckDBPyConnection, runs: Sequence[Run], listed: Sequence[RunBuild], now: datetime) -> None:
    """Replace these runs; add what they list, keeping rows that already know their build.

    A listed build that tested another release than its run moves to the run of that release of the same orchestrating
    build, made where there is none; so an orchestrating build may stand for several runs.
    """
    if not runs:
        return
    runs = list({run.id: run for run in runs}.values())
    rows = [{**asdict(run), "run": run.id} for run in runs]
    with _registered(cursor, incoming_runs=pa.Table.from_pylist(rows, _RUNS)):
        _update_siblings(cursor)
        cursor.execute("DELETE FROM runs WHERE run IN (SELECT run FROM incoming_runs)")
        cursor.execute("INSERT INTO runs BY NAME SELECT * FROM incoming_runs")
    if listed:
        with _registered(cursor, incoming_listed=pa.Table.from_pylist([asdict(row) for row in listed], _RUN_BUILDS)):
            cursor.execute(
                """INSERT INTO run_builds BY NAME
                SELECT DISTINCT l.*, NULL::BIGINT AS build FROM incoming_listed l
                ANTI JOIN (
                    SELECT s.run, r.source, r.job, r.number FROM run_builds r
                    JOIN runs o USING (run) JOIN runs s ON (s.source, s.job, s.number, s.started_at)
                                                         = (o.source, o.job, o.number, o.started_at)
                    WHERE s.run IN (SELECT run FROM incoming_listed)
                ) known USING (run, source, job, number)"""
            )
        _link(cursor, {(row.source, row.job, row.number) for row in listed})
    _sum_up(cursor, [run.id for run in runs if run.key])
    _drop_emptied(cursor, [run.id for run in runs])
    _note_releases(cursor, {run.release for run in runs}, now)


def put_own_runs(cursor: duckdb.DuckDBPyConnection, made: Sequence[tuple[Build, Run]], now: datetime) -> None:
    """Replace the runs that builds make or join by themselves; runs that they belonged to before lose them."""
    if not made:
        return
    runs = [run for _, run in made]
    builds = ", ".join(str(build.id) for build, _ in made)
    where = f"build IN ({builds}) AND run NOT IN ({', '.join(str(run.id) for run in runs)})"
    left = cursor.execute(f"SELECT DISTINCT run FROM run_builds WHERE {where}").fetchall()
    if left:
        cursor.execute(f"DELETE FROM run_builds WHERE {where}")
        marks = ", ".join(str(row[0]) for row in left)
        cursor.execute(f"DELETE FROM runs WHERE run IN ({marks}) AND run NOT IN (SELECT run FROM run_builds)")
    listed = [RunBuild(run.id, build.source, build.job, build.number, build.module) for build, run in made]
    put_runs(cursor, runs, listed, now)


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
    with _registered(cursor, cases=pa.concat_tables(tables)):
        return cursor.execute(f"SELECT *, {ids.SQL_TEST_ID} AS test FROM cases").to_arrow_table()


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
    _note_first(
        cursor,
        "tests",
        """SELECT test, any_value(file) AS file, any_value(class) AS class, any_value(name) AS name,
            any_value(base_name) AS base_name, arg_min(module, (started_at, module)) AS module,
            min(started_at) AS first_seen
        FROM incoming GROUP BY test""",
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
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE seen AS SELECT s.* FROM ({seen}) s ANTI JOIN {table} k"
                   f" ON k.{key} = s.{key} AND k.first_seen <= s.first_seen")  # fmt: skip
    cursor.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM seen)")
    cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM seen ORDER BY {key}")
    cursor.execute("DROP TABLE seen")


def _build_rows(builds: Sequence[Build], now: datetime) -> pa.Table:
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


def _insert_children(cursor: duckdb.DuckDBPyConnection, builds: Sequence[Build]) -> None:
    commits = [
        {"build": build.id, "position": position, **asdict(commit)}
        for build in builds
        for position, commit in enumerate(build.commits)
    ]
    warnings = [
        {"build": build.id, "path": path, "message": message} for build in builds for path, message in build.warnings
    ]
    for table, rows, schema in (("commits", commits, _COMMITS), ("warnings", warnings, _WARNINGS)):
        if rows:
            with _registered(cursor, incoming_rows=pa.Table.from_pylist(rows, schema)):
                cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming_rows")
    _insert_raw(
        cursor,
        [
            {"build": build.id, "started_at": build.started_at, **asdict(file)}
            for build in builds
            for file in build.raw or ()
        ],
    )


def _insert_raw(cursor: duckdb.DuckDBPyConnection, rows: list[dict]) -> None:
    if rows:
        with _registered(cursor, incoming_raw=pa.Table.from_pylist(rows, _RAW)):
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


def _link(cursor: duckdb.DuckDBPyConnection, keys: set[tuple[str, str, int]]) -> None:
    """Tell the runs that list these builds (source, job, number) which builds they meant.

    Of builds that share a number, because a job was made anew, the one nearest in time to the run is meant.
    """
    columns = [list(column) for column in zip(*sorted(keys), strict=True)]
    with _registered(cursor, keys=pa.table(columns, names=["source", "job", "number"])):
        found = cursor.execute(
            """SELECT r.run, r.source, r.job, r.number, r.module, b.build, r.build, b.release, o.release
            FROM run_builds r JOIN keys USING (source, job, number) JOIN runs o USING (run)
            JOIN builds b ON (b.source, b.job, b.number) = (r.source, r.job, r.number)
            QUALIFY row_number() OVER (
                PARTITION BY r.run, r.source, r.job, r.number
                ORDER BY abs(epoch(b.started_at) - epoch(o.started_at)), b.build) = 1"""
        ).fetchall()
    changed = [row for row in found if row[5] != row[6] or row[7] != row[8]]
    if not changed:
        return
    others = {row[0]: row[7] for row in changed if row[7] != row[8]}
    targets = {(run, row[7]): _sibling(cursor, run, row[7]) for row in changed if (run := row[0]) in others}
    old = [{"run": row[0], "source": row[1], "job": row[2], "number": row[3], "module": row[4]} for row in changed]
    new = [
        row | {"run": targets.get((row["run"], found[7]), row["run"]), "build": found[5]}
        for row, found in zip(old, changed, strict=True)
    ]
    with _registered(
        cursor,
        old_rows=pa.Table.from_pylist(old, _RUN_BUILDS),
        new_rows=pa.Table.from_pylist(new, _RUN_BUILDS.append(pa.field("build", pa.int64()))),
    ):
        for rows in ("old_rows", "new_rows"):
            cursor.execute(
                "DELETE FROM run_builds WHERE (run, source, job, number) IN"
                f" (SELECT (run, source, job, number) FROM {rows})"
            )
        cursor.execute("INSERT INTO run_builds BY NAME SELECT DISTINCT * FROM new_rows")
    _drop_emptied(cursor, list(others))


def _sibling(cursor: duckdb.DuckDBPyConnection, run: int, release: str) -> int:
    """The id of the same orchestrating build's run of another release; it is made where there is none."""
    names = ("source", "job", "number", "release", "version", "environment", "started_at", "duration_s", "state")
    names += ("result", "display_name", "url")
    row = cursor.execute(f"SELECT {', '.join(names)} FROM runs WHERE run = ?", [run]).fetchone()
    other = Run(**{**dict(zip(names, row, strict=True)), "release": release})
    with _registered(cursor, sibling=pa.Table.from_pylist([{**asdict(other), "run": other.id}], _RUNS)):
        cursor.execute("INSERT INTO runs BY NAME SELECT * FROM sibling ANTI JOIN runs USING (run)")
    return other.id


def _update_siblings(cursor: duckdb.DuckDBPyConnection) -> None:
    """What is new of an orchestrating build holds for its runs of other releases too."""
    cursor.execute(
        f"""UPDATE runs SET {", ".join(f"{name} = i.{name}" for name in _PARENT_FACTS)} FROM incoming_runs i
        WHERE (runs.source, runs.job, runs.number, runs.started_at) = (i.source, i.job, i.number, i.started_at)
            AND runs.run NOT IN (SELECT run FROM incoming_runs)
            AND ({", ".join(f"runs.{name}" for name in _PARENT_FACTS)})
                IS DISTINCT FROM ({", ".join(f"i.{name}" for name in _PARENT_FACTS)})"""
    )
    # Its own release is what it says now: what has not been read yet is listed there.
    cursor.execute(
        """UPDATE run_builds SET run = s.own FROM (
            SELECT runs.run AS other, i.run AS own FROM runs JOIN incoming_runs i
            ON (runs.source, runs.job, runs.number, runs.started_at) = (i.source, i.job, i.number, i.started_at)
            WHERE runs.run NOT IN (SELECT run FROM incoming_runs)) s
        WHERE run_builds.run = s.other AND run_builds.build IS NULL"""
    )


_PARENT_FACTS = ("version", "environment", "duration_s", "state", "result", "display_name")


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


def _drop_emptied(cursor: duckdb.DuckDBPyConnection, runs: Sequence[int]) -> None:
    """Of the runs of one orchestrating build, one that lists nothing is none, where another does."""
    if runs:
        marks = ", ".join("?" for _ in runs)
        cursor.execute(
            f"""DELETE FROM runs WHERE run NOT IN (SELECT run FROM run_builds)
            AND (source, job, number, started_at) IN (
                SELECT (o.source, o.job, o.number, o.started_at) FROM runs o
                WHERE run IN ({marks}) OR run IN (SELECT run FROM run_builds)
                GROUP BY ALL HAVING bool_or(run IN ({marks})) AND bool_or(run IN (SELECT run FROM run_builds)))""",
            [*runs, *runs],
        )


def _sum_up(cursor: duckdb.DuckDBPyConnection, runs: Sequence[int]) -> None:
    """Times and state of runs that no build orchestrates."""
    marks = ", ".join("?" for _ in runs)
    if runs:
        cursor.execute(
            f"""UPDATE runs SET started_at = m.first, state = m.state,
                duration_s = epoch(m.last) - epoch(m.first)
            FROM (SELECT r.run, min(b.started_at) AS first,
                    max(b.started_at + to_microseconds((coalesce(b.duration_s, 0) * 1e6)::BIGINT)) AS last,
                    CASE WHEN bool_or(b.state = 'running') THEN 'running' ELSE 'final' END AS state
                FROM run_builds r JOIN builds b USING (build) WHERE r.run IN ({marks}) GROUP BY r.run) m
            WHERE runs.run = m.run""",
            runs,
        )


def put_raw(cursor: duckdb.DuckDBPyConnection, owner: int, started_at: datetime, files: Sequence[RawFile]) -> None:
    """Replace the raw files kept under an id that is no build's: an orchestrating build, or an upload."""
    cursor.execute("DELETE FROM raw_files WHERE started_at = ? AND build = ?", [started_at, owner])
    _insert_raw(cursor, [{"build": owner, "started_at": started_at, **asdict(file)} for file in files])


@contextmanager
def _registered(cursor: duckdb.DuckDBPyConnection, **tables: pa.Table) -> Iterator[None]:
    for name, table in tables.items():
        cursor.register(name, table)
    try:
        yield
    finally:
        for name in tables:
            cursor.unregister(name)


def _remove(cursor: duckdb.DuckDBPyConnection, builds: Sequence[int], with_raw: Sequence[int]) -> None:
    marks = ", ".join("?" for _ in builds)
    count, releases, first, last = cursor.execute(
        "SELECT count(*), list(DISTINCT release), min(started_at), max(started_at)"
        f" FROM builds WHERE build IN ({marks})",
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
    if with_raw:
        raw_marks = ", ".join("?" for _ in with_raw)
        cursor.execute(
            f"DELETE FROM raw_files WHERE started_at BETWEEN ? AND ? AND build IN ({raw_marks})",
            [first, last, *with_raw],
        )
    for table in ("commits", "warnings", "builds"):
        cursor.execute(f"DELETE FROM {table} WHERE build IN ({marks})", builds)


def _note_releases(cursor: duckdb.DuckDBPyConnection, releases: set[str], now: datetime) -> None:
    for release in sorted(releases):
        cursor.execute(
            "INSERT INTO releases SELECT ?, true, ? WHERE NOT EXISTS (FROM releases WHERE release = ?)",
            [release, now, release],
        )
