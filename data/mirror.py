"""The small tables of the lake, held in this process's memory and renewed when the snapshot moves.

Every table that a query names in the lake costs 5 ms before a row is read (the catalogue is asked for its files), and
a join of two 20 ms; a native table costs 0.2 ms. So what screens join again and again (runs, builds, counts, names) is
copied, at 10-15 ms a changed table; the large tables are views on the lake. Queries do not know which is which.
"""

from __future__ import annotations

import threading

import duckdb

TABLES = ("releases", "runs", "run_builds", "builds", "build_counts", "tests", "test_metadata", "signatures")
NAME = "mirror"


class Mirror:
    """One per process. `at` is the snapshot that the copies are of."""

    def __init__(self, root: duckdb.DuckDBPyConnection, lake: str) -> None:
        self._cursor = root.cursor()
        self._lake = lake
        self._lock = threading.Lock()
        self.at = -1
        self._cursor.execute(f"ATTACH ':memory:' AS {NAME}")
        found = self._cursor.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = ?", [lake]
        ).fetchall()
        for (table,) in found:
            if table not in TABLES:
                self._cursor.execute(f"CREATE VIEW {NAME}.main.{table} AS FROM {lake}.main.{table}")

    def refresh(self, newest: int) -> None:
        """Copy what has changed up to snapshot `newest`. Queries under way keep the copies they began with."""
        if self.at >= newest:
            return
        with self._lock:
            if self.at >= newest:
                return
            self._cursor.execute("BEGIN")
            try:
                for table in self._changed(newest):
                    self._cursor.execute(
                        f"CREATE OR REPLACE TABLE {NAME}.main.{table} AS FROM {self._lake}.main.{table}"
                    )
                self._cursor.execute("COMMIT")
            except duckdb.Error:
                self._cursor.execute("ROLLBACK")
                raise
            self.at = newest

    def _changed(self, newest: int) -> set[str]:
        """The mirrored tables that some snapshot since `at` touched; all of them where that cannot be told."""
        rows = self._cursor.execute(
            f"SELECT changes FROM {self._lake}.snapshots() WHERE snapshot_id > ? AND snapshot_id <= ?",
            [self.at, newest],
        ).fetchall()
        if self.at < 0 or len(rows) < newest - self.at:
            return set(TABLES)
        touched = {name for (changes,) in rows for names in changes.values() for name in names}
        if not all(name.isdigit() for name in touched):  # a table was created or altered
            return set(TABLES)
        known = self._cursor.execute(f"SELECT table_id, table_name FROM ducklake_table_info('{self._lake}')").fetchall()
        return {table for number, table in known if str(number) in touched} & set(TABLES)
