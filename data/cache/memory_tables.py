"""Copies of the small tables in the memory of this process, renewed when the snapshot changes.

Each table of the lake that a query names costs 5-60 ms before a row is read (the lake looks up its files in the
catalog); a native table costs 0.2 ms. So the small tables (runs, builds, counts, names) are copied, at 10-15 ms per
changed table, and the files of the large ones are indexed (data/cache/parquet_files.py). Queries use the same table
names either way.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from datetime import datetime

import duckdb

from data.cache import parquet_files
from data.model.measures import LISTED_BUILDS, REBUILT, UNREAD, sums
from data.model.metadata_matching import MATCHED_METADATA, NAMED_BY_BUGS
from data.model.order import BUILD_ORDER, RUN_ORDER

TABLES = (
    *("releases", "runs", "run_builds", "builds", "build_counts", "tests", "test_metadata", "signatures"),
    *("bugs", "bug_cases", "id_aliases"),
)
MEMORY_DATABASE = "mirror"
# Tables computed from others, so that no query has to: the sums over the builds of each run, the builds whose results
# it lacks, the order of runs and builds, and the tests that metadata and bugs are about. Each is recomputed whenever
# one of its _DERIVED_FROM changes.
DERIVED_TABLES = {
    "run_sums": f"""
        SELECT g.run, count(*) AS builds, count(*) FILTER (g.state = 'running') AS builds_running,
            count(*) FILTER (g.state = 'final') AS builds_final,
            count(*) FILTER (g.gap IN ('missing', 'waiting')) AS missing,
            count(*) FILTER (g.gap = 'aborted') AS aborted, count(*) FILTER (g.gap = 'waiting') AS waiting, {sums("g")}
        FROM ({LISTED_BUILDS}) g GROUP BY g.run""",
    "gaps": f"""
        SELECT run, source, job, number, module, build, gap FROM ({LISTED_BUILDS}) g WHERE gap IS NOT NULL""",
    "run_order": RUN_ORDER,
    "build_order": BUILD_ORDER,
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
_OF_RUNS = {"runs", "run_builds", "builds", "ledger"}
_DERIVED_FROM = {
    "run_sums": _OF_RUNS,
    "gaps": _OF_RUNS,
    "run_order": _OF_RUNS,
    "build_order": _OF_RUNS,
    "histories_being_read": _OF_RUNS,
    "matched_metadata": {"tests", "test_metadata"},
    "named_by_bugs": {"tests", "bug_cases"},
}


class MemoryTables:
    """The memory tables of one process. `snapshot_id`: the snapshot that they show; `last_rebuild`: the newest snapshot
    of a rebuild up to it; `is_rebuilding`: whether that rebuild has not
    finished."""

    def __init__(self, root: duckdb.DuckDBPyConnection, lake: str, data_path: str) -> None:
        """`lake` is the name of the attached lake, `data_path` the folder of its data files."""
        self._cursor = root.cursor()
        self._lake = lake
        self._lock = threading.Lock()
        self._file_index = parquet_files.FileIndex(self._cursor, lake, data_path)
        self._files: dict[str, parquet_files.TableFiles] = {}
        self.snapshot_id = -1
        self.last_rebuild = 0
        self.is_rebuilding = False
        self._changed_at: dict[str, int] = {}
        self._cursor.execute(f"ATTACH ':memory:' AS {MEMORY_DATABASE}")
        tables = self._cursor.execute(f"SELECT table_id, table_name FROM ducklake_table_info('{lake}')").fetchall()
        self._names = {str(number): table for number, table in tables}
        for table in self._names.values():
            if table not in TABLES:
                self._cursor.execute(f"CREATE VIEW {MEMORY_DATABASE}.main.{table} AS FROM {lake}.main.{table}")

    def table_source(self, table: str, releases: Collection[str] | None, times: Sequence[datetime | None]) -> str:
        """FROM clause for a table: see `Store.table_source`."""
        if table not in self._files:
            return table
        bounds = [time for time in times if time is not None]
        return self._files[table].sql(releases, min(bounds, default=None), max(bounds, default=None))

    def last_changed(self, tables: Collection[str]) -> int:
        """The newest snapshot that changed one of these tables."""
        return max(self._changed_at.get(table, self.snapshot_id) for table in tables)

    def refresh(self, newest: int) -> None:
        """Copy the tables that changed up to snapshot `newest`. Running queries keep the copies they started with."""
        if self.snapshot_id >= newest:
            return
        with self._lock:
            if self.snapshot_id >= newest:
                return
            since = self._cursor.execute(
                f"""SELECT snapshot_id, author, commit_message, changes FROM {self._lake}.snapshots()
                WHERE snapshot_id > ? AND snapshot_id <= ?""",
                [self.snapshot_id, newest],
            ).fetchall()
            changed = self._changed([changes for _, _, _, changes in since], newest)
            self._cursor.execute("BEGIN")
            try:
                for table in changed & set(TABLES):
                    self._cursor.execute(
                        f"CREATE OR REPLACE TABLE {MEMORY_DATABASE}.main.{table} AS FROM {self._lake}.main.{table}"
                    )
                self._cursor.execute(f"USE {MEMORY_DATABASE}")
                for table, query in DERIVED_TABLES.items():
                    if changed & _DERIVED_FROM[table]:
                        self._cursor.execute(f"CREATE OR REPLACE TABLE {table} AS {query}")
                self._cursor.execute("COMMIT")
            except duckdb.Error:
                self._cursor.execute("ROLLBACK")
                raise
            self._changed_at |= dict.fromkeys(changed, newest)
            # After the copies, so that every build in them has its results in the indexed files.
            if changed & set(parquet_files.TABLES):
                self._files = self._file_index.files()
            rebuilds = [(number, message) for number, author, message, _ in since if author == "rebuild"]
            if rebuilds:
                self.last_rebuild, message = max(rebuilds)
                self.is_rebuilding = message.endswith(REBUILT)
            self.snapshot_id = newest

    def _changed(self, changes: list[dict[str, list[str]]], newest: int) -> set[str]:
        """The tables that the snapshots since the last refresh changed; all of them if that is unknown."""
        touched = {name for kinds in changes for names in kinds.values() for name in names}
        # A snapshot has expired, or a table was created or altered.
        if self.snapshot_id < 0 or len(changes) < newest - self.snapshot_id or not touched <= self._names.keys():
            return {*TABLES, *parquet_files.TABLES}
        return {self._names[number] for number in touched}
