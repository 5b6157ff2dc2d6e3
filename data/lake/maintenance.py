"""Keeps the lake fast: flushes rows in the catalog to Parquet, and merges small Parquet files into large ones.

Every commit of an ingest adds a small file to each table it changes, and a query opens them all. What a snapshot shows
does not change; files that no snapshot needs are deleted an hour later, when no query reads them any more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import partial
from typing import TypedDict

import duckdb

from data.lake.connection import LAKE
from data.lake.store import Store

log = logging.getLogger(__name__)

EVERY_MINUTES = 5
SMALL_FILES = 30  # of one table; from here on they are merged
MAX_INLINED = 2_000  # rows of one table in the catalog
# Time travel keeps every snapshot for the first period, then one per hour for the second, then one per day.
EVERY_SNAPSHOT, EVERY_HOUR = timedelta(days=7), timedelta(days=90)
MAX_REDUNDANT = 500  # snapshots that time travel can spare, before they are expired
# Tables whose rows are written once; the others (ledger, jobs, requests) change too often for Parquet.
INLINED = ("builds", "runs", "run_builds", "poll_log")
# A file with deleted rows cannot be merged, and every running build leaves some. From this share of deleted rows on, a
# file is rewritten without them; large files, where one build is a small part, are left alone.
DELETED = 0.005
# Raw files are never queried: merging them into files of 512 MB would only cost memory.
TARGET_SIZES = {"raw_files": "64MB"}


def run(store: Store, least: int = SMALL_FILES) -> dict[str, int]:
    """Merge the tables that are `due`. Returns the number of files that each of them has afterwards.

    Takes the writers' lock for one table at a time. Raises duckdb.Error.
    """
    before = file_counts(store)
    crowded = due(store, least)
    for table in crowded:
        began = time.monotonic()
        store.transact("maintenance", f"{table}: small files merged", partial(_merge, table=table))
        log.info("%s: %d files merged in %.1f s", table, before[table], time.monotonic() - began)
    if crowded:
        store.transact("maintenance", "unused files deleted", _clean)
    after = file_counts(store)
    return {table: after[table] for table in crowded}


def due(store: Store, least: int = SMALL_FILES) -> list[str]:
    """The tables with at least `least` files, or too many rows in the catalog."""
    full = [table for table, rows in _inlined_rows(store).items() if rows > MAX_INLINED]
    return sorted({table for table, files in file_counts(store).items() if files >= least} | set(full))


def expirable(store: Store, before: datetime) -> list[int]:
    """The snapshots committed before a moment (UTC, naive), except the newest of all."""
    rows = store.rows(
        f"SELECT snapshot_id AS id FROM {LAKE}.snapshots() WHERE timezone('UTC', snapshot_time) < ? ORDER BY 1",
        [before],
    )
    newest = store.snapshot().id
    return [row["id"] for row in rows if row["id"] != newest]


def redundant(store: Store, now: datetime, pinned: Collection[int] = ()) -> list[int]:
    """The snapshots that time travel no longer keeps at a moment (UTC, naive): older than EVERY_SNAPSHOT all but the
    last of each hour, older than EVERY_HOUR all but the last of each day; never one in `pinned`."""
    rows = store.rows(
        f"""WITH taken AS (SELECT snapshot_id AS id, timezone('UTC', snapshot_time) AS moment FROM {LAKE}.snapshots())
        SELECT id FROM taken WHERE moment < $recent
        QUALIFY id <> max(id) OVER (
            PARTITION BY date_trunc(CASE WHEN moment < $hourly THEN 'day' ELSE 'hour' END, moment)) ORDER BY id""",
        {"recent": now - EVERY_SNAPSHOT, "hourly": now - EVERY_HOUR},
    )
    kept = {*pinned, store.snapshot().id}
    return [row["id"] for row in rows if row["id"] not in kept]


def expire(store: Store, snapshots: list[int]) -> None:
    """Expire these snapshots: `as_of` no longer accepts them. The files that only they need are deleted an hour later.
    Raises duckdb.Error."""

    def work(cursor: duckdb.DuckDBPyConnection) -> None:
        cursor.execute(f"SELECT count(*) FROM ducklake_expire_snapshots('{LAKE}', versions => {snapshots})").fetchall()

    store.transact("maintenance", f"{len(snapshots)} snapshots expired", work)
    store.transact("maintenance", "unused files deleted", _clean)


class FileSizes(TypedDict):
    files: int
    bytes: int


def sizes(store: Store) -> dict[str, FileSizes]:
    """Of each table, in the newest snapshot."""
    rows = store.rows(
        f"""SELECT table_name, file_count + delete_file_count AS files,
            (file_size_bytes + delete_file_size_bytes)::BIGINT AS bytes
        FROM ducklake_table_info('{LAKE}') ORDER BY 1"""
    )
    return {row["table_name"]: {"files": row["files"], "bytes": row["bytes"]} for row in rows}


def file_counts(store: Store) -> dict[str, int]:
    """The number of data and delete files of each table."""
    return {table: size["files"] for table, size in sizes(store).items()}


def _inlined_rows(store: Store) -> dict[str, int]:
    """The number of rows of each INLINED table that are in the catalog, not in a file."""
    catalog = f"__ducklake_metadata_{LAKE}"
    rows = store.rows(
        f"""SELECT t.table_name, coalesce(sum(f.record_count), 0)::BIGINT AS filed
        FROM {catalog}.ducklake_table t
        LEFT JOIN {catalog}.ducklake_data_file f ON f.table_id = t.table_id AND f.end_snapshot IS NULL
        WHERE t.end_snapshot IS NULL GROUP BY ALL"""
    )
    filed = {row["table_name"]: row["filed"] for row in rows}
    return {table: store.value(f"SELECT count(*) FROM {table}") - filed[table] for table in INLINED}


def _merge(cursor: duckdb.DuckDBPyConnection, table: str) -> None:
    if table in TARGET_SIZES:
        cursor.execute(f"CALL {LAKE}.set_option('target_file_size', '{TARGET_SIZES[table]}', table_name => '{table}')")
    if table in INLINED:
        cursor.execute(f"CALL ducklake_flush_inlined_data('{LAKE}', table_name => '{table}')").fetchall()
    rewrite = f"CALL ducklake_rewrite_data_files('{LAKE}', '{table}', delete_threshold => {DELETED})"
    cursor.execute(rewrite).fetchall()
    cursor.execute(f"CALL ducklake_merge_adjacent_files('{LAKE}', '{table}')").fetchall()


def _clean(cursor: duckdb.DuckDBPyConnection) -> None:
    cursor.execute(f"CALL ducklake_cleanup_old_files('{LAKE}', older_than => now() - INTERVAL 1 HOUR)").fetchall()
