"""Refuses half a store: data files whose catalog is missing, or a catalog whose data files are.

Opened as it is, the first would be an empty store beside the old data, and each question to the second an error.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from data.lake.connection import LAKE, LOCK_DATABASE, RefusedStoreError, quoted
from data.redaction import redact, split_password
from data.settings import Settings

SAMPLE = 20  # data files that are looked for; a store that has lost single files still opens
_PROBE = "catalog_probe"


def refuse_lost_catalog(root: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Raise RefusedStoreError if the catalog has no store yet, but the data path has files. Lists them only then."""
    if not _has_store(root, settings) and (file := _any_data_file(root, settings)):
        raise lost_catalog(settings, file)


def lost_catalog(settings: Settings, file: str) -> RefusedStoreError:
    """The error for a missing catalog of this data file."""
    return RefusedStoreError(
        f"There is no store in the catalog {split_password(settings.catalog)[0]}, but {settings.data_path} has the "
        f"data files of one, such as {file}. They cannot be read without their catalog. If it was moved or its name is "
        "mistyped, correct `catalog` in [store]; if it was deleted, restore it from a backup, with its -wal file. "
        "For a new store, set `data_path` to an empty folder."
    )


def local_data_file(settings: Settings) -> str | None:
    """A data file of a local data path; None if there is none, or the data path is not local."""
    if "://" in settings.data_path:
        return None
    return next((str(file) for file in Path(settings.data_path).rglob("*.parquet")), None)


def refuse_lost_files(cursor: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    """Raise RefusedStoreError if the data files of an attached catalog are gone. Only for a local data path."""
    if "://" in settings.data_path:
        return
    metadata = f"__ducklake_metadata_{LAKE}"
    rows = cursor.execute(
        f"""SELECT CASE WHEN f.path_is_relative THEN
            CASE WHEN t.path_is_relative THEN CASE WHEN s.path_is_relative THEN $root ELSE '' END || s.path ELSE '' END
            || t.path ELSE '' END || f.path
        FROM {metadata}.ducklake_data_file f
        JOIN {metadata}.ducklake_table t ON t.table_id = f.table_id AND t.end_snapshot IS NULL
        JOIN {metadata}.ducklake_schema s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
        WHERE f.end_snapshot IS NULL LIMIT {SAMPLE}""",
        {"root": settings.data_path.rstrip("/") + "/"},
    ).fetchall()
    paths = [path for (path,) in rows]
    if paths and not any(Path(path).exists() for path in paths):
        raise RefusedStoreError(
            f"The data files of the store are not in {settings.data_path}: the catalog "
            f"{split_password(settings.catalog)[0]} names, for example, {paths[0]}. If they were moved, correct "
            "`data_path` in [store]; if they were deleted, restore the folder from a backup."
        )


def _has_store(root: duckdb.DuckDBPyConnection, settings: Settings) -> bool:
    local = settings.lake.local_catalog
    if local is None:
        sql = "SELECT 1 FROM information_schema.tables WHERE table_name = 'ducklake_metadata'"
        found = root.execute(f"FROM postgres_query('{LOCK_DATABASE}', '{quoted(sql)}')").fetchall()
    elif not local.exists() or not local.stat().st_size:
        return False
    else:
        # By DuckDB's SQLite: closing the file in another library would drop the locks of this process.
        root.execute(f"ATTACH '{quoted(str(local))}' AS {_PROBE} (TYPE sqlite)")
        try:
            sql = "SELECT 1 FROM sqlite_master WHERE name = 'ducklake_metadata'"
            found = root.execute(f"FROM sqlite_query('{_PROBE}', '{quoted(sql)}')").fetchall()
        finally:
            root.execute(f"DETACH {_PROBE}")
    return bool(found)


def _any_data_file(root: duckdb.DuckDBPyConnection, settings: Settings) -> str | None:
    if "://" not in settings.data_path:
        return local_data_file(settings)
    pattern = quoted(settings.data_path.rstrip("/") + "/**/*.parquet")
    found = root.execute(f"SELECT file FROM glob('{pattern}') LIMIT 1").fetchone()
    return redact(found[0]) if found else None
