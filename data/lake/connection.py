"""Connects DuckDB to the lake: extensions, the S3 secret, the ATTACH statement and the writers' lock.

The catalog is SQLite beside local Parquet files (nothing to start), or PostgreSQL with Parquet files on S3.
"""

from __future__ import annotations

import importlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import duckdb
from filelock import FileLock

from data import redaction
from data.lake_address import LakeAddress

LAKE = "lake"
LOCK_DATABASE = "catalog_turns"  # the PostgreSQL of the catalog attached once more, only to take the lock in
_ADVISORY_LOCK = 7_255_000_001  # any number that nothing else locks in that database
_open_numbers = count()


class StoreError(Exception):
    """The lake cannot be opened or written; the text says what to do, and has no secret."""

    def __init__(self, text: str) -> None:
        super().__init__(redaction.redact(text))


class RefusedStoreError(StoreError):
    """Half a store, or one of a newer version. Nothing was written; the text is for everybody who asks the store."""


def connect(lake: LakeAddress) -> duckdb.DuckDBPyConnection:
    """Start a DuckDB in this process with the extensions of the lake. Raises StoreError if one is not installed."""
    _give_password(lake)
    root = duckdb.connect(
        config={
            "threads": lake.threads,
            "memory_limit": lake.memory,
            # DuckDB always gives spill files the same names: two instances that share a folder overwrite each other's.
            "temp_directory": f"{lake.home}/spill-{os.getpid()}-{next(_open_numbers)}",
            # Nothing is downloaded at run time: the extensions come with the installed wheels.
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # The wheels are trusted: checking 40 MB of signatures added 0.3 s to each open.
            "allow_unsigned_extensions": "true",
        }
    )
    wanted = ["ducklake", "sqlite_scanner" if lake.local_catalog else "postgres_scanner"]
    if lake.data_path.startswith("s3://"):
        wanted.append("httpfs")
    for name in wanted:
        root.execute(f"LOAD '{_extension(name)}'")
    if lake.data_path.startswith("s3://"):
        _create_s3_secret(root)
    return root


def connect_for_copies(lake: LakeAddress) -> duckdb.DuckDBPyConnection:
    """A DuckDB of its own, with the lake attached read-only, to copy whole tables from.

    To find the rows of a table the lake joins many small tables of its catalog. On one thread, without reordering joins
    and without statistics, that costs 7-15 ms of CPU rather than 20-140.
    """
    root = connect(lake)
    root.execute("SET threads = 1")
    root.execute("SET disabled_optimizers = 'join_order,statistics_propagation'")
    root.execute(attach_statement(lake, LAKE, read_only=True))
    return root


def _give_password(lake: LakeAddress) -> None:
    """Hand the password of the catalog to libpq by the environment.

    DuckDB would repeat it in its messages, and show it as the path of the database. One process has one catalog.
    """
    password = redaction.split_password(lake.catalog)[1]
    if password and lake.local_catalog is None:
        redaction.register_from(lake.catalog)
        os.environ["PGPASSWORD"] = password


def _extension(name: str) -> Path:
    try:
        package = importlib.import_module(f"duckdb_extension_{name}")
        found = sorted(Path(package.__path__[0]).glob(f"extensions/v{duckdb.__version__}/*.duckdb_extension"))
    except ModuleNotFoundError:
        found = []
    if not found:
        raise StoreError(
            f"DuckDB's extension {name} {duckdb.__version__} is not installed. Run `make install`, or "
            f"`pip install duckdb-extension-{name.replace('_', '-')}=={duckdb.__version__}`; wheels exist for Linux "
            "(x86-64, arm64), macOS and Windows."
        )
    return found[0]


def _create_s3_secret(root: duckdb.DuckDBPyConnection) -> None:
    """Give DuckDB the credentials and the endpoint from the AWS environment variables."""
    names = {"KEY_ID": "AWS_ACCESS_KEY_ID", "SECRET": "AWS_SECRET_ACCESS_KEY", "REGION": "AWS_REGION"}
    values = {key: os.environ[variable] for key, variable in names.items() if variable in os.environ}
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        scheme, _, host = endpoint.partition("://")
        values |= {"ENDPOINT": host.rstrip("/"), "URL_STYLE": "path", "USE_SSL": str(scheme == "https").lower()}
    redaction.register(values.get("KEY_ID"), values.get("SECRET"))
    text = ", ".join(f"{key} '{quoted(value)}'" for key, value in values.items())
    root.execute(f"CREATE SECRET lake_data (TYPE s3{', ' + text if text else ''})")


def attach_statement(lake: LakeAddress, name: str, snapshot_id: int | None = None, read_only: bool = False) -> str:
    """SQL that attaches the lake as `name`: read-write, read-only, or pinned to a snapshot."""
    local = lake.local_catalog
    catalog = f"sqlite:{local}" if local else f"postgres:{_postgres_address(lake)}"
    # The settings say where the data files are: a store may be moved or restored elsewhere.
    options = [f"DATA_PATH '{quoted(lake.data_path)}'", "OVERRIDE_DATA_PATH true"]
    if local:
        options[0] = f"DATA_PATH '{quoted(lake.data_path.rstrip('/') + '/')}'"
    if snapshot_id is not None:
        options.append(f"SNAPSHOT_VERSION {int(snapshot_id)}")
    options.append("READ_ONLY" if read_only or snapshot_id is not None else "AUTOMATIC_MIGRATION true")
    return f"ATTACH 'ducklake:{quoted(catalog)}' AS {name} ({', '.join(options)})"


def _postgres_address(lake: LakeAddress) -> str:
    """The address of a PostgreSQL catalog for libpq, without its password."""
    address = redaction.split_password(lake.catalog)[0]
    return address if "://" in address else address.partition(":")[2]


def enable_wal(catalog: Path) -> None:
    """Create a SQLite catalog in WAL mode. Done once, before anything else opens it; the mode stays in the file."""
    with closing(sqlite3.connect(catalog)) as connection:
        connection.execute("PRAGMA journal_mode=WAL").fetchall()


def attach_lock_database(root: duckdb.DuckDBPyConnection, lake: LakeAddress) -> None:
    """Attach the database that `writer_lock` locks in. Only a PostgreSQL catalog needs one."""
    if lake.local_catalog is None:
        root.execute(f"ATTACH '{quoted(_postgres_address(lake))}' AS {LOCK_DATABASE} (TYPE postgres)")


def writer_lock(root: duckdb.DuckDBPyConnection, lake: LakeAddress) -> AbstractContextManager[Any]:
    """A lock that one writer of all processes holds at a time.

    A writer decides by what it read before (which tests exist), so two that read the same state would each insert it.
    """
    local = lake.local_catalog
    return FileLock(f"{local}.writer") if local else _advisory_lock(root.cursor())


@contextmanager
def _advisory_lock(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """A lock of PostgreSQL, released with the transaction or when the process ends."""
    cursor.execute("BEGIN")
    try:
        cursor.execute(
            f"FROM postgres_query('{LOCK_DATABASE}', 'SELECT 1 FROM pg_advisory_xact_lock({_ADVISORY_LOCK})')"
        ).fetchall()
        yield
    finally:
        roll_back(cursor)


def roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    """End the transaction of a cursor, if it is still open: a failed COMMIT has ended it."""
    with suppress(duckdb.Error):
        cursor.execute("ROLLBACK")


def is_conflict(error: duckdb.Error) -> bool:
    """Whether a transaction failed because of another one, so that it may succeed when repeated."""
    text = str(error).lower()
    return "conflict" in text or "database is locked" in text or "could not serialize" in text


def quoted(text: str) -> str:
    """Text for use inside a SQL string literal."""
    return text.replace("'", "''")
