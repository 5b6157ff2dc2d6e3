"""Numbered SQL files, forward only: each is applied once, with its record, in one transaction; to a new store, all in
one.

The record is in the lake itself, so a copy of the lake knows its own version.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from importlib import resources

import duckdb

from data.lake.connection import RefusedStoreError

# Tables written a few rows at a time: small inserts stay in the catalog until maintenance flushes them to Parquet. No
# insert into any other table may (a raw file in the catalog would be read at every open).
INLINED_ROWS = {
    "bugs": 1_000,
    "bug_cases": 1_000,
    "builds": 200,
    "id_aliases": 1_000,
    "ledger": 10_000,
    "jobs": 2_000,
    "poll_log": 100,
    "releases": 100,
    "requests": 100,
    "runs": 100,
    "run_builds": 1_000,
    "saved_queries": 1_000,
}


# Tables in the catalog database, outside the lake: data/tasks/poll_status.py, data/tasks/waiting_uploads.py.
POLL_STATUS_TABLE = "__ducklake_metadata_lake.regtracker_polls"
UPLOADS_TABLE = "__ducklake_metadata_lake.regtracker_uploads"
UPLOAD_FILES_TABLE = "__ducklake_metadata_lake.regtracker_upload_files"
_UNVERSIONED_TABLES = {  # times as ISO 8601: SQLite has no type for them
    POLL_STATUS_TABLE: """source VARCHAR, process VARCHAR, started_at VARCHAR, duration_s DOUBLE, failed INTEGER,
        requests INTEGER, error VARCHAR, next_at VARCHAR""",
    UPLOADS_TABLE: """request BIGINT, kind VARCHAR, source VARCHAR, payload VARCHAR, state VARCHAR, created_at VARCHAR,
        updated_at VARCHAR, author VARCHAR, tries INTEGER""",
    UPLOAD_FILES_TABLE: """request BIGINT, path VARCHAR, kind VARCHAR, encoding VARCHAR, size BIGINT, content BLOB""",
}


def available() -> list[tuple[int, str]]:
    """(number, SQL) of every migration, in order."""
    files = [file for file in resources.files("data.lake.schema").iterdir() if re.match(r"\d{4}_.*\.sql$", file.name)]
    return sorted((int(file.name[:4]), file.read_text()) for file in files)


def applied(cursor: duckdb.DuckDBPyConnection) -> set[int]:
    """The numbers already applied."""
    try:
        return {row[0] for row in cursor.execute("SELECT number FROM migrations").fetchall()}
    except duckdb.CatalogException:  # a new store
        return set()


def refuse_newer(done: Collection[int], known: Collection[tuple[int, str]] | None = None) -> None:
    """Raise RefusedStoreError if a newer version of this software has migrated the store."""
    newest = max((number for number, _ in known or available()), default=0)
    if done and max(done) > newest:
        raise RefusedStoreError(
            f"The store was migrated by a newer version of regtracker: its schema is {max(done)}, and this version "
            f"knows {newest} and older. Nothing was written. Upgrade regtracker here, or set [store] to a store of "
            "this version."
        )


def apply(cursor: duckdb.DuckDBPyConnection) -> list[int]:
    """Apply the pending migrations. Returns their numbers.

    Raises RefusedStoreError for a store of a newer version, and duckdb.Error; a failed migration is rolled back.
    """
    done = applied(cursor)
    known = available()
    refuse_newer(done, known)
    pending = [(number, sql) for number, sql in known if number not in done]
    # A new store in one commit: the lake reads its tables again for each commit that changed one of them.
    for steps in [[step] for step in pending] if done else [pending]:
        cursor.execute("BEGIN")
        try:
            if not done:
                cursor.execute("CREATE TABLE IF NOT EXISTS migrations (number INTEGER, applied_at TIMESTAMP)")
            for number, sql in steps:
                cursor.execute(sql)
                cursor.execute("INSERT INTO migrations VALUES (?, now() AT TIME ZONE 'UTC')", [number])
            cursor.execute("COMMIT")
        except duckdb.Error:
            cursor.execute("ROLLBACK")
            raise
    if pending:
        _set_options(cursor)
    cursor.execute("BEGIN")  # one transaction, for each connects to the catalog again
    for table, columns in _UNVERSIONED_TABLES.items():
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
    cursor.execute("COMMIT")
    return [number for number, _ in pending]


def _set_options(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute("CALL lake.set_option('parquet_compression', 'zstd')")
    cursor.execute("CALL lake.set_option('data_inlining_row_limit', 0)")
    for table, rows in INLINED_ROWS.items():
        cursor.execute(f"CALL lake.set_option('data_inlining_row_limit', {rows}, table_name => '{table}')")
