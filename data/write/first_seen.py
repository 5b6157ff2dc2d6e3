"""The tables that keep when something was first seen: tests and signatures (failure patterns)."""

from __future__ import annotations

import duckdb
import pyarrow.compute as pc

from data.lake.cursors import registered


def upsert_first_seen(cursor: duckdb.DuckDBPyConnection, table: str, incoming: str) -> None:
    """Add the rows of the query `incoming` that the table lacks, and replace those first seen later: builds arrive in
    any order."""
    key = table.removesuffix("s")
    new_rows = cursor.execute(
        f"""SELECT s.*, k.{key} IS NOT NULL AS is_known FROM ({incoming}) s LEFT JOIN {table} k ON k.{key} = s.{key}
        WHERE k.{key} IS NULL OR k.first_seen > s.first_seen"""
    ).to_arrow_table()
    if not len(new_rows):
        return
    with registered(cursor, new_rows=new_rows):
        if pc.any(new_rows["is_known"]).as_py():
            cursor.execute(f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM new_rows WHERE is_known)")
        cursor.execute(f"INSERT INTO {table} BY NAME SELECT * EXCLUDE (is_known) FROM new_rows ORDER BY {key}")


def refresh_first_seen(cursor: duckdb.DuckDBPyConnection) -> None:
    """Recompute tests and signatures from the stored results: drop those without results, and take the earliest."""
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
