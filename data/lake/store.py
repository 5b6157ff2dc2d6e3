"""The lake: one DuckDB instance a process, one cursor a thread, writers one at a time.

The catalogue is SQLite beside local Parquet (nothing to start), or PostgreSQL with Parquet on S3. What looks odd here
was measured (docs/design.md, "The store"): the file lock, the idle catalogue connection, extensions loaded by path.
"""

from __future__ import annotations

import importlib
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pandas as pd
from filelock import FileLock

from data.cache.answer_cache import AnswerCache
from data.cache.memory_tables import DERIVED_TABLES, MEMORY_DATABASE, MemoryTables
from data.cache.result_arrays import ResultArrays
from data.lake import migrations
from data.lake.catalog_watch import CatalogWatch
from data.settings import Settings

T = TypeVar("T")
LAKE = "lake"
TURNS = "catalog_turns"  # the catalogue's server once more, to take turns at
LOCK = 7_255_000_001  # any number that nobody else locks in this database
COMMIT_TRIES = 8
INTERMEDIATE_MB = 64
EARLIER_STORES = 8  # snapshots kept attached at a time
_ATTACHED = count(1)


class StoreError(Exception):
    """The lake cannot be opened or written; the text says what to do."""


class SnapshotNotFoundError(StoreError):
    """There is no such snapshot: it never was, or it has expired."""


@dataclass(frozen=True)
class Snapshot:
    id: int
    committed_at: datetime  # UTC, naive


class Store:
    """An open lake. Threads share it; a process that forks opens its own after the fork.

    `at()` gives the same lake pinned to an earlier snapshot (time travel); such a store cannot write.
    """

    def __init__(
        self,
        settings: Settings,
        root: duckdb.DuckDBPyConnection,
        database: str,
        watch: CatalogWatch | None = None,
        pinned: Snapshot | None = None,
        answers: AnswerCache | None = None,
        result_arrays: ResultArrays | None = None,
        intermediate: AnswerCache | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.answers = answers or AnswerCache(settings.web.cache_mb)
        # What answers are computed from; it stays when no answer may be remembered.
        self.result_arrays = ResultArrays() if result_arrays is None else result_arrays
        self.intermediate = intermediate or AnswerCache(INTERMEDIATE_MB)
        self._root = root
        self._watch = watch
        self._pinned = pinned
        self._mirror: MemoryTables | None = None
        self._local = threading.local()
        self._earlier: weakref.WeakValueDictionary[int, Store] = weakref.WeakValueDictionary()
        self._recent: dict[int, Store] = {}  # keeps the latest few of them attached
        self._attach_lock = threading.Lock()
        self._write_lock = threading.RLock()

    @classmethod
    def open(cls, settings: Settings, mirrored: bool = False) -> Store:
        """Open the lake, made and migrated where needed. Raises StoreError.

        `mirrored` (the web processes) keeps copies of the small tables in memory: see data/cache/memory_tables.py.
        """
        local = _local_catalog(settings)
        try:
            settings.home.mkdir(parents=True, exist_ok=True)
            if local:
                local.parent.mkdir(parents=True, exist_ok=True)
            root = connect(settings)
            store = cls(settings, root, LAKE)
            if not local:
                root.execute(f"ATTACH '{_quoted(settings.catalog)}' AS {TURNS} (TYPE postgres)")
            with store._writers():
                if local and not local.exists():
                    _make_wal(local)
                root.execute(attach_statement(settings, LAKE))
                migrations.apply(store._lake_cursor())
            if local:
                store._watch = CatalogWatch(root, local)
                store.snapshot()
            # Only who reads the same files again and again gains by keeping them in memory; ingest never would let go.
            root.execute(f"SET GLOBAL enable_external_file_cache = {mirrored}")
            root.execute(f"SET GLOBAL parquet_metadata_cache = {mirrored}")  # footers: 30 % of a small question
            if mirrored:
                store._mirror = MemoryTables(root, LAKE, settings.data_path)
                store.refresh()
        except (duckdb.Error, sqlite3.Error, OSError) as error:
            raise StoreError(
                f"the store cannot be opened (catalogue {settings.catalog}, data {settings.data_path}): {error}. "
                "Check [store] in the configuration and that this user may write there; `regtracker check` tells more."
            ) from error
        return store

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """This thread's cursor to read with; tables are named without a schema."""
        return self._thread_cursor("reading", self._readable)

    @property
    def _readable(self) -> str:
        return self.database if self._mirror is None else MEMORY_DATABASE

    def _lake_cursor(self) -> duckdb.DuckDBPyConnection:
        return self._thread_cursor("writing", self.database)

    def _thread_cursor(self, use: str, database: str) -> duckdb.DuckDBPyConnection:
        cursor = getattr(self._local, use, None)
        if cursor is None:
            cursor = self._root.cursor()
            cursor.execute(f"USE {database}")
            setattr(self._local, use, cursor)
        return cursor

    def refresh(self) -> Snapshot:
        """Bring the copies in memory, if there are any, up to the newest snapshot; returns that."""
        newest = self.snapshot()
        if self._mirror is not None:
            self._mirror.refresh(newest.id)
        return newest

    def frame(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> pd.DataFrame:
        return self.cursor().execute(sql, parameters or None).df()

    def rows(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> list[dict[str, Any]]:
        result = self.cursor().execute(sql, parameters or None)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def batches(
        self, sql: str, parameters: Sequence[Any] | dict[str, Any], size: int
    ) -> Iterator[list[dict[str, Any]]]:
        """What `rows` answers, `size` at a time and never all at once; this thread may ask other things meanwhile."""
        cursor = self._root.cursor()
        try:
            cursor.execute(f"USE {self._readable}")
            result = cursor.execute(sql, parameters or None)
            names = [column[0] for column in result.description]
            while chunk := result.fetchmany(size):
                yield [dict(zip(names, row, strict=True)) for row in chunk]
        finally:
            cursor.close()

    def value(self, sql: str, parameters: Sequence[Any] | dict[str, Any] = ()) -> Any:
        row = self.cursor().execute(sql, parameters or None).fetchone()
        return row[0] if row else None

    def table_source(
        self, table: str, releases: Collection[str] | None = None, times: Sequence[datetime | None] = ()
    ) -> str:
        """What stands in FROM for a large table (data/cache/parquet_files.py): at least its rows of these releases that started
        between the first and last of these times; None, or no time: all. A WHERE that says so is still needed."""
        return table if self._mirror is None else self._mirror.table_source(table, releases, times)

    def derived_table(self, table: str) -> str:
        """What stands in FROM for a table that is made of others (data/cache/memory_tables.py, MADE)."""
        return f"({DERIVED_TABLES[table]})" if self._mirror is None else table

    def last_changed(self, *tables: str) -> int:
        """A snapshot up to which these tables were not touched again: what follows from them alone may be remembered
        under it."""
        return self.refresh().id if self._mirror is None else self._mirror.last_changed(tables)

    def last_rebuild(self) -> int:
        """The newest snapshot of `rebuild`, which may derive other results of the same builds; 0 for none."""
        if self._mirror is not None:
            return self._mirror.rebuilt
        theirs = f"SELECT max(snapshot_id) FROM {LAKE}.snapshots() WHERE author = 'rebuild' AND snapshot_id <= ?"
        return self.value(theirs, [self.snapshot().id]) or 0

    def snapshot(self) -> Snapshot:
        """The newest committed snapshot, of whichever process; of an earlier store, the one it is pinned to."""
        if self._pinned is not None:
            return self._pinned
        if self._watch is not None:
            return Snapshot(*self._watch.newest())
        row = (
            self.cursor()
            .execute(
                f"SELECT snapshot_id, timezone('UTC', snapshot_time) FROM {LAKE}.snapshots() ORDER BY 1 DESC LIMIT 1"
            )
            .fetchone()
        )
        return Snapshot(*row)

    def now(self) -> datetime:
        """What "now" is to who asks this store (UTC, naive): of an earlier one, when its snapshot was committed."""
        return self._pinned.committed_at if self._pinned is not None else datetime.now(UTC).replace(tzinfo=None)

    def snapshot_at(self, moment: datetime) -> Snapshot:
        """The snapshot that was the newest at a moment (UTC, naive). Raises NoSnapshot where the lake was younger."""
        row = (
            self.cursor()
            .execute(
                f"SELECT snapshot_id, timezone('UTC', snapshot_time) AS moment FROM {LAKE}.snapshots() "
                "WHERE moment <= ? ORDER BY 1 DESC LIMIT 1",
                [moment],
            )
            .fetchone()
        )
        if row is None:
            raise SnapshotNotFoundError(f"the store holds no snapshot as old as {moment.isoformat()}Z")
        return Snapshot(*row)

    def oldest_snapshot_time(self) -> datetime:
        """The earliest moment that can be asked for (UTC, naive): the commit of the oldest snapshot that is kept."""
        return self.value(f"SELECT timezone('UTC', min(snapshot_time)) FROM {LAKE}.snapshots()")

    def at(self, snapshot_id: int) -> Store:
        """The lake as it was at a snapshot. Raises NoSnapshot."""
        if self._pinned is not None and self._pinned.id == snapshot_id:
            return self
        with self._attach_lock:
            earlier = self._earlier.get(snapshot_id) or self._attach_at(snapshot_id)
            self._recent.pop(snapshot_id, None)
            self._recent[snapshot_id] = earlier
            if len(self._recent) > EARLIER_STORES:
                self._recent.pop(next(iter(self._recent)))
            return earlier

    def _attach_at(self, snapshot_id: int) -> Store:
        committed = self.value(
            f"SELECT timezone('UTC', snapshot_time) FROM {LAKE}.snapshots() WHERE snapshot_id = ?", [snapshot_id]
        )
        if committed is None:
            raise SnapshotNotFoundError(f"there is no snapshot {snapshot_id}: it never was, or it has expired")
        name = f"{LAKE}_{snapshot_id}_{next(_ATTACHED)}"
        self._root.cursor().execute(attach_statement(self.settings, name, snapshot_id))
        pinned = Snapshot(snapshot_id, committed)
        earlier = Store(
            self.settings,
            self._root,
            name,
            pinned=pinned,
            answers=self.answers,
            result_arrays=self.result_arrays,
            intermediate=self.intermediate,
        )
        # Only when the last thread that asks it has let go: a detached database fails under a running query.
        weakref.finalize(earlier, _detach, self._root, name).atexit = False
        self._earlier[snapshot_id] = earlier
        return earlier

    def transact(self, author: str, message: str, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Run `work` in one transaction that carries author and message, and commit it.

        Writers of all processes take turns; where a commit conflicts all the same, `work` runs again.
        Whatever `work` raises rolls everything back.
        """
        if self.database != LAKE:
            raise StoreError("an earlier snapshot cannot be written to")
        cursor = self._lake_cursor()
        for attempt in range(1, COMMIT_TRIES + 1):
            with self._write_lock, self._writers():
                cursor.execute("BEGIN")
                try:
                    answer = work(cursor)
                    cursor.execute(f"CALL {LAKE}.set_commit_message(?, ?)", [author, message])
                    cursor.execute("COMMIT")
                    return answer
                except duckdb.Error as error:
                    _roll_back(cursor)
                    if attempt == COMMIT_TRIES or not _is_conflict(error):
                        raise
                except BaseException:
                    _roll_back(cursor)
                    raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
        raise AssertionError("unreachable")

    def write_unversioned(self, work: Callable[[duckdb.DuckDBPyConnection], None]) -> None:
        """Run `work`, which writes to the catalogue's database beside the lake, in one transaction without a
        snapshot."""
        cursor = self._lake_cursor()
        with self._write_lock, self._writers():
            cursor.execute("BEGIN")
            try:
                work(cursor)
                cursor.execute("COMMIT")
            except BaseException:
                _roll_back(cursor)
                raise

    def close(self) -> None:
        self._root.close()

    def _writers(self) -> AbstractContextManager[Any]:
        """One writer at a time, of all processes: what is written follows from what was read before (which tests are
        known), and two that read the same would each add it."""
        local = _local_catalog(self.settings)
        return FileLock(str(local) + ".writer") if local else _turn(self._root.cursor())


_OPENED = count()


def connect(settings: Settings) -> duckdb.DuckDBPyConnection:
    """A DuckDB of this process with the lake's extensions. Raises StoreError where one is not installed."""
    root = duckdb.connect(
        config={
            "threads": settings.store.threads,
            "memory_limit": settings.store.memory,
            # DuckDB names what it spills the same everywhere: two that share a folder overwrite each other's.
            "temp_directory": str(settings.home / f"spill-{os.getpid()}-{next(_OPENED)}"),
            # Nothing is ever fetched at run time: the extensions come with the installed wheels.
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            # The wheels vouch for them: to hash 40 MB of them again cost each open 0.3 s.
            "allow_unsigned_extensions": "true",
        }
    )
    wanted = ["ducklake", "sqlite_scanner" if _local_catalog(settings) else "postgres_scanner"]
    if settings.data_path.startswith("s3://"):
        wanted.append("httpfs")
    for name in wanted:
        root.execute(f"LOAD '{_extension(name)}'")
    if settings.data_path.startswith("s3://"):
        _secret(root)
    return root


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


def _secret(root: duckdb.DuckDBPyConnection) -> None:
    names = {"KEY_ID": "AWS_ACCESS_KEY_ID", "SECRET": "AWS_SECRET_ACCESS_KEY", "REGION": "AWS_REGION"}
    values = {key: os.environ[variable] for key, variable in names.items() if variable in os.environ}
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if endpoint:
        scheme, _, host = endpoint.partition("://")
        values |= {"ENDPOINT": host.rstrip("/"), "URL_STYLE": "path", "USE_SSL": str(scheme == "https").lower()}
    text = ", ".join(f"{key} '{_quoted(value)}'" for key, value in values.items())
    root.execute(f"CREATE SECRET lake_data (TYPE s3{', ' + text if text else ''})")


def attach_statement(settings: Settings, name: str, snapshot_id: int | None = None, read_only: bool = False) -> str:
    """SQL that attaches the lake: to read and write, to read only, or pinned to a snapshot."""
    local = _local_catalog(settings)
    catalog = f"sqlite:{local}" if local else f"postgres:{settings.catalog}"
    # The settings say where the data stands: a store may be moved or restored elsewhere.
    options = [f"DATA_PATH '{_quoted(settings.data_path)}'", "OVERRIDE_DATA_PATH true"]
    if local:
        options[0] = f"DATA_PATH '{_quoted(settings.data_path.rstrip('/') + '/')}'"
    if snapshot_id is not None:
        options.append(f"SNAPSHOT_VERSION {int(snapshot_id)}")
    options.append("READ_ONLY" if read_only or snapshot_id is not None else "AUTOMATIC_MIGRATION true")
    return f"ATTACH 'ducklake:{_quoted(catalog)}' AS {name} ({', '.join(options)})"


def _detach(root: duckdb.DuckDBPyConnection, name: str) -> None:
    with suppress(duckdb.Error):  # the lake itself has been closed meanwhile
        root.cursor().execute(f"DETACH {name}")


def _local_catalog(settings: Settings) -> Path | None:
    return None if settings.catalog.startswith(("postgresql://", "postgres://")) else Path(settings.catalog)


@contextmanager
def _turn(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """PostgreSQL's own lock, which ends with the transaction, or with the process that held it."""
    cursor.execute("BEGIN")
    try:
        cursor.execute(f"FROM postgres_query('{TURNS}', 'SELECT 1 FROM pg_advisory_xact_lock({LOCK})')").fetchall()
        yield
    finally:
        _roll_back(cursor)


def _make_wal(catalog: Path) -> None:
    """Set the catalogue's journal once, before anyone else has it open; every later attach finds it so."""
    with closing(sqlite3.connect(catalog)) as connection:
        connection.execute("PRAGMA journal_mode=WAL").fetchall()


def _is_conflict(error: duckdb.Error) -> bool:
    text = str(error).lower()
    return "conflict" in text or "database is locked" in text or "could not serialize" in text


def _roll_back(cursor: duckdb.DuckDBPyConnection) -> None:
    with suppress(duckdb.Error):  # a failed COMMIT has ended the transaction already
        cursor.execute("ROLLBACK")


def _quoted(text: str) -> str:
    return text.replace("'", "''")
