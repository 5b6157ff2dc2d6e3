"""What screens join again and again, held in this process's memory and renewed when the snapshot moves.

Every table that a query names in the lake costs 5-60 ms before a row is read (the catalogue is asked for its files); a
native table costs 0.2 ms. So the small tables (runs, builds, counts, names) are copied, at 10-15 ms a changed table,
and of the large ones is kept which files hold them. Queries do not know which is which.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from datetime import datetime

import duckdb

from data.cache import parquet_files
from data.model.measures import WAITING, sums

TABLES = (
    *("releases", "runs", "run_builds", "builds", "build_counts", "tests", "test_metadata", "signatures"),
    *("bugs", "bug_cases"),
)
MEMORY_DATABASE = "mirror"
# What screens would otherwise derive at every question: what the builds of a run come to, and the runs beside it in its
# lane. Made anew with the tables that it is of.
DERIVED_TABLES = {
    "run_sums": f"""
        SELECT rb.run, count(*) AS builds, count(*) FILTER (b.state = 'running') AS builds_running,
            count(*) FILTER (b.state = 'final') AS builds_final,
            count(*) FILTER (b.build IS NULL OR (b.state = 'final' AND b.total = 0)) AS missing,
            count(*) FILTER (b.build IS NULL AND l.waits) AS waiting, {sums("b")}
        FROM run_builds rb LEFT JOIN builds b USING (build)
            LEFT JOIN ({WAITING}) l ON (rb.source, rb.job, rb.number) = (l.source, l.job, l.number)
        GROUP BY rb.run""",
    "neighbours": """
        SELECT run, lag(run) OVER lane AS previous, lead(run) OVER lane AS next FROM runs
        WINDOW lane AS (PARTITION BY release, environment ORDER BY started_at, run)""",
}


class MemoryTables:
    """One per process, of the lake `lake`, whose data stands at `data_path`. `at` is the snapshot that the copies are
    of, `rebuilt` the newest of a rebuild up to it."""

    def __init__(self, root: duckdb.DuckDBPyConnection, lake: str, data_path: str) -> None:
        self._cursor = root.cursor()
        self._lake = lake
        self._lock = threading.Lock()
        self._catalog = parquet_files.FileIndex(self._cursor, lake, data_path)
        self._files: dict[str, parquet_files.TableFiles] = {}
        self.at = -1
        self.rebuilt = 0
        self._touched: dict[str, int] = {}
        self._cursor.execute(f"ATTACH ':memory:' AS {MEMORY_DATABASE}")
        known = self._cursor.execute(f"SELECT table_id, table_name FROM ducklake_table_info('{lake}')").fetchall()
        self._names = {str(number): table for number, table in known}
        for table in self._names.values():
            if table not in TABLES:
                self._cursor.execute(f"CREATE VIEW {MEMORY_DATABASE}.main.{table} AS FROM {lake}.main.{table}")

    def table_source(self, table: str, releases: Collection[str] | None, times: Sequence[datetime | None]) -> str:
        """See Store.table_source."""
        if table not in self._files:
            return table
        known = [time for time in times if time is not None]
        return self._files[table].sql(releases, min(known, default=None), max(known, default=None))

    def last_changed(self, tables: Collection[str]) -> int:
        """The newest snapshot in which one of these was copied."""
        return max(self._touched.get(table, self.at) for table in tables)

    def refresh(self, newest: int) -> None:
        """Copy what has changed up to snapshot `newest`. Queries under way keep the copies they began with."""
        if self.at >= newest:
            return
        with self._lock:
            if self.at >= newest:
                return
            since = self._cursor.execute(
                f"""SELECT snapshot_id, author, changes FROM {self._lake}.snapshots()
                WHERE snapshot_id > ? AND snapshot_id <= ?""",
                [self.at, newest],
            ).fetchall()
            changed = self._changed([changes for _, _, changes in since], newest)
            self._cursor.execute("BEGIN")
            try:
                for table in changed & set(TABLES):
                    self._cursor.execute(
                        f"CREATE OR REPLACE TABLE {MEMORY_DATABASE}.main.{table} AS FROM {self._lake}.main.{table}"
                    )
                if changed & {"runs", "run_builds", "builds", "ledger"}:
                    self._cursor.execute(f"USE {MEMORY_DATABASE}")
                    for table, made in DERIVED_TABLES.items():
                        self._cursor.execute(f"CREATE OR REPLACE TABLE {table} AS {made}")
                self._cursor.execute("COMMIT")
            except duckdb.Error:
                self._cursor.execute("ROLLBACK")
                raise
            self._touched |= dict.fromkeys(changed, newest)
            # After the copies: a build that is in them must have its results in the files.
            if changed & set(parquet_files.TABLES):
                self._files = self._catalog.files()
            self.rebuilt = max([self.rebuilt, *(number for number, author, _ in since if author == "rebuild")])
            self.at = newest

    def _changed(self, changes: list[dict[str, list[str]]], newest: int) -> set[str]:
        """The tables that the snapshots since `at` touched; all of them where that cannot be told."""
        touched = {name for kinds in changes for names in kinds.values() for name in names}
        # Some snapshot has expired, or a table was created or altered.
        if self.at < 0 or len(changes) < newest - self.at or not touched <= self._names.keys():
            return {*TABLES, *parquet_files.TABLES}
        return {self._names[number] for number in touched}
