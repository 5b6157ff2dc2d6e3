"""Copies of the small tables in the memory of this process, renewed when the snapshot changes.

Each table of the lake that a query names costs 5-60 ms before a row is read (the lake looks up its files in the
catalog); a native table costs 0.2 ms. So the small tables (runs, builds, counts, names) are copied, at 10-15 ms per
changed table, and the files of the large ones are indexed (data/cache/parquet_files.py). Queries use the same table
names either way.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Set
from datetime import datetime

import duckdb

from data.cache import parquet_files
from data.cache.dependencies import REBUILDS, Dependency
from data.cache.snapshot_state import ContentVersion, SnapshotState
from data.model.filter_sql import NAMES
from data.model.measures import LISTED_BUILDS, REBUILT, UNREAD
from data.model.metadata_matching import MATCHED_METADATA, NAMED_BY_BUGS
from data.model.order import BUILD_ORDER, RUN_ORDER
from data.model.run_summary import RUN_SUMMARIES

TABLES = (
    *("releases", "runs", "run_builds", "builds", "build_counts", "tests", "test_metadata", "signatures"),
    *("bugs", "bug_cases", "id_aliases", "ledger"),
)
MEMORY_DATABASE = "mirror"
MAX_STATES = 16
# Tables computed from others, so that no query has to: the order of runs and builds, each run with the sums over its
# builds, the builds whose results it lacks, and the tests that metadata and bugs are about. Each is recomputed
# whenever one of its _DERIVED_FROM changes, after those above it.
_DERIVED_TABLES = {
    "run_order": RUN_ORDER,
    "build_order": BUILD_ORDER,
    "run_summaries": RUN_SUMMARIES,
    "gaps": f"""
        SELECT run, source, job, number, module, build, gap, why FROM ({LISTED_BUILDS}) g WHERE gap IS NOT NULL""",
    "histories_being_read": f"""
        WITH waiting AS ({UNREAD}), stored AS (
            SELECT 'build' AS kind, r.release, r.environment, b.source, b.job, min(b.number) AS oldest,
                count(DISTINCT b.number) AS builds
            FROM builds b JOIN run_builds rb USING (build) JOIN runs r USING (run)
            WHERE (b.source, b.job) IN (SELECT (source, job) FROM waiting WHERE kind = 'build') GROUP BY ALL
            UNION ALL SELECT 'run', release, environment, source, job, min(number), count(DISTINCT number) FROM runs
            WHERE (source, job) IN (SELECT (source, job) FROM waiting WHERE kind = 'run') GROUP BY ALL)
        SELECT s.release, s.environment, CASE s.kind WHEN 'build' THEN s.job END AS job, s.builds, count(*) AS waiting
        FROM stored s JOIN waiting w USING (kind, source, job) WHERE w.number < s.oldest GROUP BY ALL""",
    "matched_metadata": MATCHED_METADATA,
    "named_by_bugs": NAMED_BY_BUGS,
}
# SQL for each table with rows of releases: (release, row), where `row` is a checksum. Together they are the version of
# what a query about one release reads: the results of a build change only with its row in `builds`.
_ROWS_OF_RELEASES = {
    "runs": "SELECT release, hash(r) AS row FROM runs r",
    "builds": "SELECT release, hash(b) AS row FROM builds b",
    "build_counts": "SELECT release, hash(c) AS row FROM build_counts c",
    "run_builds": "SELECT r.release, hash(l) AS row FROM run_builds l JOIN runs r USING (run)",
    "run_summaries": "SELECT release, hash(s) AS row FROM (SELECT * EXCLUDE (rank) FROM run_summaries) s",
    "gaps": "SELECT r.release, hash(g) AS row FROM gaps g JOIN runs r USING (run)",
    "run_order": """SELECT r.release, hash(o.run, o.previous, o.next, row_number() OVER (
        PARTITION BY r.release ORDER BY o.rank)) AS row FROM run_order o JOIN runs r USING (run)""",
    "build_order": """SELECT b.release, hash(o.build, row_number() OVER (PARTITION BY b.release ORDER BY o.rank)) AS row
        FROM build_order o JOIN builds b USING (build)""",
    "histories_being_read": "SELECT release, hash(h) AS row FROM histories_being_read h",
}
# What changes less often than the tables that it is computed from: these tables, and SQL of its rows.
_ROWS: dict[Dependency, tuple[set[str], str]] = {
    ("table", "matched_metadata"): ({"matched_metadata"}, "SELECT hash(m) AS row FROM matched_metadata m"),
    ("table", "named_by_bugs"): ({"named_by_bugs"}, "SELECT hash(n) AS row FROM named_by_bugs n"),
    **{
        ("names", field): (
            {table for table, _ in columns},
            " UNION ".join(f"SELECT hash({column}) AS row FROM {table}" for table, column in columns),
        )
        for field, columns in NAMES.items()
    },
}
_CHECKSUM = "bit_xor(row)::VARCHAR || '/' || count(*)"
_OF_RUNS = {"runs", "run_builds", "builds"}
_DERIVED_FROM = {
    "gaps": {"run_builds", "builds", "ledger"},
    "run_order": _OF_RUNS,
    "build_order": {"builds"},
    "run_summaries": {*_OF_RUNS, "ledger", "run_order"},
    "histories_being_read": {*_OF_RUNS, "ledger"},
    "matched_metadata": {"tests", "test_metadata"},
    "named_by_bugs": {"tests", "bug_cases"},
}
_SHOWN = "shown_snapshot"  # a table of one row: the snapshot that the memory tables show
# Snapshot, time, author, message, and the tables that it changed (their ids, by kind of change).
_Commit = tuple[int, datetime, str, str, dict[str, list[str]]]


def derived_sql(table: str) -> str:
    """SQL of one of the derived tables, where none is in memory."""
    first = [f"{name} AS ({_DERIVED_TABLES[name]})" for name in _DERIVED_TABLES if name in _DERIVED_FROM[table]]
    return f"{'WITH ' if first else ''}{', '.join(first)} {_DERIVED_TABLES[table]}"


class MemoryTables:
    """The memory tables of one process, and the newest `state` that they show."""

    def __init__(
        self, root: duckdb.DuckDBPyConnection, source: duckdb.DuckDBPyConnection, lake: str, data_path: str
    ) -> None:
        """The copies are made in `root`, of tables that `source` reads. Both have the lake attached by the name `lake`;
        `data_path` is the folder of its data files."""
        self._cursor = root.cursor()
        self._source = source
        self._lake = lake
        self._lock = threading.Lock()
        self._file_index = parquet_files.FileIndex(source, lake, data_path)
        self.state: SnapshotState | None = None
        # By snapshot: the newest, and those that a reader may just be beginning with. A reader keeps its state itself.
        self._states: OrderedDict[int, SnapshotState] = OrderedDict()
        self._checksums: dict[str, dict[str, int]] = {}  # by table and release
        self._cursor.execute(f"ATTACH ':memory:' AS {MEMORY_DATABASE}")
        self._names = {str(number): table for number, table in self._file_index.table_names.items()}

    def close(self) -> None:
        self._source.close()

    def begin(self, cursor: duckdb.DuckDBPyConnection) -> SnapshotState:
        """Begin a transaction that reads one snapshot of the memory tables, and return its state."""
        cursor.execute("BEGIN")
        ((snapshot,),) = cursor.execute(f"SELECT snapshot FROM {MEMORY_DATABASE}.main.{_SHOWN}").fetchall()
        return self._states[snapshot]

    def refresh(self, newest: int) -> SnapshotState:
        """Copy the tables that changed up to snapshot `newest`. Readers keep the copies they began with."""
        state = self.state
        if state is not None and state.snapshot >= newest:
            return state
        with self._lock:
            if self.state is None or self.state.snapshot < newest:
                self.state = self._copy(self.state)
            return self.state

    def _copy(self, before: SnapshotState | None) -> SnapshotState:
        """Copy what changed since the state `before`, and return the state of the copies."""
        cursor, source = self._cursor, self._source
        cursor.execute(f"USE {MEMORY_DATABASE}")
        cursor.execute("BEGIN")
        source.execute("BEGIN")
        try:
            # The lake gives this transaction the snapshot that is the newest now.
            snapshots = source.execute(
                f"""SELECT snapshot_id, timezone('UTC', snapshot_time), author, commit_message, changes
                FROM {self._lake}.snapshots() ORDER BY snapshot_id"""
            ).fetchall()
            (oldest, *_), (snapshot, committed_at, *_) = snapshots[0], snapshots[-1]
            since = [row for row in snapshots if before is None or row[0] > before.snapshot]
            changed_at = self._changed_at(since, before, snapshot)
            derived = self._copy_tables(changed_at.keys(), snapshot)
            versions = dict(before.versions_of) if before is not None else {}
            versions |= {("table", table): ContentVersion(at, at) for table, at in changed_at.items()}
            versions |= self._versions(before, snapshot, {*changed_at, *derived})
            release_of_run = before.release_of_run if before is not None else {}
            if "runs" in changed_at:
                release_of_run = dict(cursor.execute("SELECT run, release FROM runs").fetchall())
            files = before.files if before is not None else {}
            if changed_at.keys() & set(parquet_files.TABLES):
                files = self._file_index.files(snapshot)
            cursor.execute(f"CREATE OR REPLACE TABLE {_SHOWN} AS SELECT {snapshot}::BIGINT AS snapshot")
            rebuilt = _last_rebuild(before, since)
            versions[REBUILDS] = ContentVersion(rebuilt[0], hash(rebuilt))
            state = SnapshotState(snapshot, committed_at, files, versions, release_of_run, oldest, *rebuilt)
            self._states[snapshot] = state
            while len(self._states) > MAX_STATES:
                self._states.popitem(last=False)
            cursor.execute("COMMIT")
        except duckdb.Error:
            cursor.execute("ROLLBACK")
            raise
        finally:
            source.execute("ROLLBACK")
        return state

    def _copy_tables(self, changed: Set[str], snapshot: int) -> set[str]:
        """Copy these tables and recompute what is derived from them; the names of those."""
        for table in changed & set(TABLES):
            self._cursor.register("incoming", self._source.execute(f"FROM {self._lake}.main.{table}").to_arrow_table())
            self._cursor.execute(f"CREATE OR REPLACE TABLE {table} AS FROM incoming")
            self._cursor.unregister("incoming")
        for table in set(self._names.values()) - set(TABLES):
            shown = f"FROM {self._lake}.main.{table} AT (VERSION => {snapshot})"
            self._cursor.execute(f"CREATE OR REPLACE VIEW {table} AS {shown}")
        derived = [table for table in _DERIVED_TABLES if changed & _DERIVED_FROM[table]]
        for table in derived:
            self._cursor.execute(f"CREATE OR REPLACE TABLE {table} AS {_DERIVED_TABLES[table]}")
        return set(derived)

    def _changed_at(
        self,
        since: Iterable[_Commit],
        before: SnapshotState | None,
        snapshot: int,
    ) -> dict[str, int]:
        """The tables that these snapshots changed, each with the newest that did; all tables if that is unknown."""
        changed_at: dict[str, int] = {}
        known = 0
        for number, *_, changes in since:
            known += 1
            for names in changes.values():
                changed_at |= {name: max(number, changed_at.get(name, 0)) for name in names}
        named = {self._names[table]: number for table, number in changed_at.items() if table in self._names}
        # A snapshot has expired, or a table was created or altered.
        if before is None or known < snapshot - before.snapshot or len(named) < len(changed_at):
            return dict.fromkeys((*TABLES, *parquet_files.TABLES), snapshot) | (named if before is None else {})
        return named

    def _versions(
        self, before: SnapshotState | None, snapshot: int, changed: set[str]
    ) -> Mapping[Dependency, ContentVersion]:
        """The version of each release, and of each of _ROWS, after these tables changed."""
        tables = _ROWS_OF_RELEASES.keys() & changed
        selects = [f"SELECT '{table}' AS part, release, row FROM ({_ROWS_OF_RELEASES[table]})" for table in tables]
        selects += [
            f"SELECT '' AS part, '{key[1]}' AS release, row FROM ({rows})"
            for key, (sources, rows) in _ROWS.items()
            if changed & sources
        ]
        if not selects:
            return {}
        found = self._cursor.execute(
            f"SELECT part, release, bit_xor(row), count(*) FROM ({' UNION ALL '.join(selects)}) GROUP BY ALL"
        ).fetchall()
        self._checksums |= {table: {} for table in tables}
        single: dict[str, int] = {}
        for part, name, checksum, rows in found:
            (self._checksums[part] if part else single)[name] = hash((checksum, rows))
        contents: dict[Dependency, int] = {
            key: single.get(key[1], 0) for key, (sources, _) in _ROWS.items() if changed & sources
        }
        for release in {name for by_release in self._checksums.values() for name in by_release}:
            of_release = (by_release.get(release, 0) for _, by_release in sorted(self._checksums.items()))
            contents["release", release] = hash(tuple(of_release))
        has_releases = any(kind == "release" for kind, *_ in contents)
        first_known = self._written_at() if before is None and has_releases else {}
        versions = {}
        for key, content in contents.items():
            old = None if before is None else before.versions_of.get(key)
            if old is None or old.content != content:
                old = ContentVersion(first_known.get(key, snapshot), content)
            versions[key] = old
        return versions

    def _written_at(self) -> dict[Dependency, int]:
        """The newest snapshot that wrote a build or run of each release: what other processes know that saw it."""
        written = " UNION ALL ".join(
            f"SELECT release, snapshot_id FROM {self._lake}.main.{t}" for t in ("builds", "runs")
        )
        rows = self._source.execute(f"SELECT release, max(snapshot_id) FROM ({written}) GROUP BY release").fetchall()
        return {("release", release): snapshot for release, snapshot in rows}


def _last_rebuild(before: SnapshotState | None, since: Iterable[_Commit]) -> tuple[int, bool]:
    """(snapshot of the newest commit of a rebuild, whether that rebuild goes on)."""
    rebuilds = [(number, message.endswith(REBUILT)) for number, _, author, message, _ in since if author == "rebuild"]
    known = (0, False) if before is None else (before.last_rebuild, before.is_rebuilding)
    return max(rebuilds, default=known)
