"""The lake as one object: one DuckDB instance per process, one cursor per thread, one writer at a time.

The unusual parts were measured (docs/design.md, "Store"): the writers' lock, the idle catalog connection,
extensions loaded by path.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, NotRequired, TypeVar, get_origin, get_type_hints, overload

import duckdb

from data.cache.dependencies import Dependency, note_read, nothing
from data.cache.memory_tables import MEMORY_DATABASE, MemoryTables, derived_sql
from data.cache.query_cache import QueryCache
from data.cache.result_arrays import ResultArrays
from data.cache.snapshot_state import SnapshotState
from data.lake import lost_parts, migrations
from data.lake.catalog_watch import CatalogWatch
from data.lake.connection import (
    LAKE,
    StoreError,
    attach_lock_database,
    attach_statement,
    connect,
    connect_for_copies,
    enable_wal,
    is_conflict,
    roll_back,
    writer_lock,
)
from data.lake.cursors import one_row
from data.lake.open_errors import open_failure
from data.model.measures import REBUILT
from data.model.sql_values import SqlValue
from data.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
R = TypeVar("R")  # a TypedDict: a row by the names of its columns
Parameters = Sequence[SqlValue] | Mapping[str, SqlValue]
MAX_COMMIT_ATTEMPTS = 8
INTERMEDIATE_MB = 64
SCHEMA_CHECK_S = 30.0  # at most so long a process writes to a store that a newer version has migrated
MAX_PINNED_STORES = 8  # earlier snapshots that stay attached
_attach_numbers = count(1)


class SnapshotNotFoundError(StoreError):
    """The snapshot does not exist: it never did, or it has expired."""


@dataclass(frozen=True)
class Snapshot:
    """A committed state of the lake."""

    id: int
    committed_at: datetime  # UTC, naive


class Store:
    """An open lake, shared by the threads of a process. A forked process must open its own.

    `at()` gives the same lake pinned to an earlier snapshot (time travel); a pinned store cannot write. With memory
    tables, all that a thread reads within `read()` is of one snapshot; without them, each query reads the newest.
    """

    def __init__(
        self,
        settings: Settings,
        root: duckdb.DuckDBPyConnection,
        database: str,
        watch: CatalogWatch | None = None,
        pinned: Snapshot | None = None,
        answers: QueryCache | None = None,
        result_arrays: ResultArrays | None = None,
        intermediate: QueryCache | None = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.answers = answers or QueryCache(settings.web.cache_mb)
        # What answers are computed from. Both are kept even if the cache of answers is switched off.
        self.result_arrays = ResultArrays() if result_arrays is None else result_arrays
        self.intermediate = intermediate or QueryCache(INTERMEDIATE_MB)
        self._root = root
        self._watch = watch
        self._pinned = pinned
        self._memory_tables: MemoryTables | None = None
        self._local = threading.local()
        self._pinned_stores: weakref.WeakValueDictionary[int, Store] = weakref.WeakValueDictionary()
        self._recently_pinned: dict[int, Store] = {}  # keeps the latest of them attached
        self._attach_lock = threading.Lock()
        self._derived: set[str] = set()  # the derived tables that a pinned store has computed
        self._derive_lock = threading.Lock()
        self._write_lock = threading.RLock()
        self._check_schema_at = time.monotonic() + SCHEMA_CHECK_S

    @classmethod
    def open(cls, settings: Settings, memory_tables: bool = False) -> Store:
        """Open the lake; create and migrate it if needed. Raises StoreError.

        `memory_tables` (the web processes) keeps copies of the small tables in memory: data/cache/memory_tables.py.
        """
        local = settings.lake.local_catalog
        try:
            settings.home.mkdir(parents=True, exist_ok=True)
            if local:
                local.parent.mkdir(parents=True, exist_ok=True)
            root = connect(settings.lake)
            store = cls(settings, root, LAKE)
            attach_lock_database(root, settings.lake)
            with store._writer_lock():
                lost_parts.refuse_lost_catalog(root, settings)
                if local and not (local.exists() and local.stat().st_size):
                    enable_wal(local)
                root.execute(attach_statement(settings.lake, LAKE))
                migrations.apply(store._lake_cursor())
                lost_parts.refuse_lost_files(store._lake_cursor(), settings)
            if local:
                store._watch = CatalogWatch(root, local)
                store.snapshot()
            # Cached files pay only for a process that reads them again and again; ingest would never free them.
            root.execute(f"SET GLOBAL enable_external_file_cache = {memory_tables}")
            root.execute(f"SET GLOBAL parquet_metadata_cache = {memory_tables}")  # footers: 30 % of a small query
            if memory_tables:
                store._memory_tables = MemoryTables(root, connect_for_copies(settings.lake), LAKE, settings.data_path)
                store.state()
        except (duckdb.Error, sqlite3.Error, OSError) as error:
            raise StoreError(open_failure(settings, error)) from error
        return store

    @contextmanager
    def read(self, as_of: int | None = None) -> Iterator[Store]:
        """The store to read from within the block, where it shows one snapshot: the newest, or `as_of`. Raises
        SnapshotNotFoundError. A block inside another one of the same thread shows the same snapshot."""
        if as_of is not None:
            yield self.at(as_of)
        elif self._memory_tables is None or self._pinned is not None or self._reading is not None:
            yield self
        else:
            self._memory_tables.refresh(self._snapshot().id)
            cursor = self._thread_cursor("reading", self._read_database)
            try:
                self._local.state = self._memory_tables.begin(cursor)
                yield self
            finally:
                self._local.state = None
                roll_back(cursor)

    @property
    def _reading(self) -> SnapshotState | None:
        """The state that this thread reads within `read()`."""
        return getattr(self._local, "state", None)

    def state(self) -> SnapshotState:
        """The state that this thread reads; outside of `read()`, the newest."""
        if self._reading is not None:
            return self._reading
        newest = self._snapshot()
        if self._memory_tables is None:
            return SnapshotState(newest.id, newest.committed_at)
        return self._memory_tables.refresh(newest.id)

    def cached(
        self,
        key: Hashable,
        compute: Callable[[], T],
        size_of: Callable[[T], int],
        depends_on: Callable[[], Iterable[Dependency]] | None = None,
    ) -> T:
        """An intermediate result, kept while what it depends on is the same (data/cache/query_cache.py)."""
        scope = None if depends_on is nothing else self.database
        return self.intermediate.get((scope, key), self.state(), compute, size_of, depends_on)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """This thread's cursor for reading; tables are named without a schema. Outside of `read()` it shows the newest
        snapshot."""
        note_read()
        if self._reading is None and self._memory_tables is not None:
            self.state()
        return self._thread_cursor("reading", self._read_database)

    @property
    def _read_database(self) -> str:
        return self.database if self._memory_tables is None else MEMORY_DATABASE

    def _lake_cursor(self) -> duckdb.DuckDBPyConnection:
        """This thread's cursor for writing."""
        return self._thread_cursor("writing", self.database)

    def _thread_cursor(self, use: str, database: str) -> duckdb.DuckDBPyConnection:
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._local, use, None)
        if cursor is None:
            cursor = self._root.cursor()
            cursor.execute(f"USE {database}")
            setattr(self._local, use, cursor)
        return cursor

    def frame(self, sql: str, parameters: Parameters = ()) -> pd.DataFrame:
        """The result of a query as a pandas frame."""
        return self.cursor().execute(sql, parameters or None).df()

    @overload
    def rows(self, sql: str, parameters: Parameters = ()) -> list[dict[str, Any]]: ...
    @overload
    def rows(self, sql: str, parameters: Parameters, row_type: type[R]) -> list[R]: ...
    def rows(self, sql: str, parameters: Parameters = (), row_type: type[Any] = dict) -> list[Any]:
        """The rows of a query, dicts by column name. `row_type` is a TypedDict of the columns; the query may have
        more. Raises TypeError if it lacks one."""
        result = self.cursor().execute(sql, parameters or None)
        names = _column_names(result, row_type)
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def batches(self, sql: str, parameters: Parameters, row_type: type[R], size: int) -> Iterator[list[R]]:
        """Like `rows`, but `size` rows at a time, never all in memory. This thread may run other queries meanwhile.

        All are of one snapshot, that of the first batch."""
        note_read()
        cursor = self._root.cursor()
        try:
            cursor.execute(f"USE {self._read_database}")
            if self._memory_tables is not None:
                state = self.state()
                if self._memory_tables.begin(cursor) is not state:  # a commit came in between
                    yield from self.at(state.snapshot).batches(sql, parameters, row_type, size)
                    return
            result = cursor.execute(sql, parameters or None)
            names = _column_names(result, row_type)
            while chunk := result.fetchmany(size):
                rows: list[Any] = [dict(zip(names, row, strict=True)) for row in chunk]
                yield rows
        finally:
            cursor.close()

    def value(self, sql: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row; None if there is no row."""
        row = self.cursor().execute(sql, parameters or None).fetchone()
        return row[0] if row else None

    def table_source(
        self, table: str, releases: Collection[str] | None = None, times: Sequence[datetime | None] = ()
    ) -> str:
        """FROM clause for a large table (data/cache/parquet_files.py), pruned to these releases and to the period from
        the earliest to the latest of `times`. None, or no time: all. The clause may yield other rows too, so the query
        still needs the condition in its WHERE."""
        state = self.state()
        if table not in state.files:
            return table
        bounds = [time for time in times if time is not None]
        return state.files[table].sql(releases, min(bounds, default=None), max(bounds, default=None))

    def derived_table(self, table: str) -> str:
        """FROM clause for one of the derived tables (data/cache/memory_tables.py)."""
        if self._memory_tables is not None:
            return table
        if self._pinned is None:
            return f"({derived_sql(table)})"
        # An earlier snapshot never changes. To plan this SQL is most of the cost of a query that has it.
        with self._derive_lock:
            if table not in self._derived:
                self.cursor().execute(f"CREATE TABLE {_derived(self.database)}.{table} AS {derived_sql(table)}")
                self._derived.add(table)
        return f"{_derived(self.database)}.{table}"

    def probe(self) -> Snapshot:
        """Read a row of the data, and return the newest snapshot of the catalog. It does not wait for the memory tables
        to be renewed. Raises duckdb.Error if the store cannot be read."""
        cursor = self._thread_cursor("reading", self._read_database)
        state = None if self._memory_tables is None else self._memory_tables.state
        if state is None:
            cursor.execute("SELECT build FROM results LIMIT 1").fetchall()
        else:
            try:
                cursor.execute(f"SELECT build FROM {state.files['results'].newest().sql()} LIMIT 1").fetchall()
            except duckdb.Error:  # the file may be gone, if the state is old
                cursor.execute(f"SELECT build FROM {self.state().files['results'].newest().sql()} LIMIT 1").fetchall()
        return self._snapshot()

    def last_rebuild(self) -> int:
        """The newest snapshot of a `rebuild`, which may derive other results from the same builds; 0 for none."""
        if self._memory_tables is not None:
            return self.state().last_rebuild
        sql = f"SELECT max(snapshot_id) FROM {LAKE}.snapshots() WHERE author = 'rebuild' AND snapshot_id <= ?"
        return self.value(sql, [self.snapshot().id]) or 0

    def is_rebuilding(self) -> bool:
        """Whether a `rebuild` has begun and not finished: a part of the results is of older parsers and rules."""
        if self._memory_tables is not None:
            return self.state().is_rebuilding
        sql = f"""SELECT arg_max(commit_message, snapshot_id) FROM {LAKE}.snapshots()
            WHERE author = 'rebuild' AND snapshot_id <= ?"""
        message = self.value(sql, [self.snapshot().id])
        return message is not None and message.endswith(REBUILT)

    def snapshot(self) -> Snapshot:
        """The snapshot that this thread reads; outside of `read()`, the newest committed one of any process."""
        note_read()
        return self._snapshot()

    def _snapshot(self) -> Snapshot:
        if self._pinned is not None:
            return self._pinned
        if self._reading is not None:
            return Snapshot(self._reading.snapshot, self._reading.committed_at)
        if self._watch is not None:
            return Snapshot(*self._watch.newest())
        sql = f"SELECT snapshot_id, timezone('UTC', snapshot_time) FROM {LAKE}.snapshots() ORDER BY 1 DESC LIMIT 1"
        return Snapshot(*one_row(self._thread_cursor("reading", self._read_database).execute(sql)))

    def last_write(self) -> bytes | None:
        """What changes with every write of any process to the catalog, also one without a snapshot, for the price of a
        stat. None if that is not known: the catalog is in PostgreSQL, or being written."""
        return self._watch.last_write() if self._watch is not None else None

    def now(self) -> datetime:
        """The current time (UTC, naive); for a pinned store, the commit time of its snapshot."""
        return self._pinned.committed_at if self._pinned is not None else datetime.now(UTC).replace(tzinfo=None)

    def snapshot_at(self, moment: datetime) -> Snapshot:
        """The newest snapshot at a moment (UTC, naive). Raises SnapshotNotFoundError before the first one."""
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
            raise SnapshotNotFoundError(f"the store has no snapshot as old as {moment.isoformat()}Z")
        return Snapshot(*row)

    def oldest_snapshot_time(self) -> datetime:
        """The earliest moment that `snapshot_at` accepts (UTC, naive)."""
        oldest: datetime = self.value(f"SELECT timezone('UTC', min(snapshot_time)) FROM {LAKE}.snapshots()")
        return oldest

    def at(self, snapshot_id: int) -> Store:
        """The lake as it was at a snapshot. Raises SnapshotNotFoundError."""
        if self._pinned is not None and self._pinned.id == snapshot_id:
            return self
        with self._attach_lock:
            pinned = self._pinned_stores.get(snapshot_id) or self._open_pinned(snapshot_id)
            self._recently_pinned.pop(snapshot_id, None)
            self._recently_pinned[snapshot_id] = pinned
            if len(self._recently_pinned) > MAX_PINNED_STORES:
                self._recently_pinned.pop(next(iter(self._recently_pinned)))
            return pinned

    def _open_pinned(self, snapshot_id: int) -> Store:
        committed = self.value(
            f"SELECT timezone('UTC', snapshot_time) FROM {LAKE}.snapshots() WHERE snapshot_id = ?", [snapshot_id]
        )
        if committed is None:
            raise SnapshotNotFoundError(f"there is no snapshot {snapshot_id}: it never existed, or it has expired")
        name = f"{LAKE}_{snapshot_id}_{next(_attach_numbers)}"
        cursor = self._root.cursor()
        cursor.execute(attach_statement(self.settings.lake, name, snapshot_id))
        cursor.execute(f"ATTACH ':memory:' AS {_derived(name)}")
        pinned = Store(
            self.settings,
            self._root,
            name,
            pinned=Snapshot(snapshot_id, committed),
            answers=self.answers,
            result_arrays=self.result_arrays,
            intermediate=self.intermediate,
        )
        # Detached only when no thread uses it any more: a query fails if its database is detached while it runs.
        weakref.finalize(pinned, _detach, self._root, name).atexit = False
        self._pinned_stores[snapshot_id] = pinned
        return pinned

    def transact(self, author: str, message: str, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Run `work` in one transaction, commit it with author and message, and return what `work` returned.

        Writers of all processes take turns; if the commit still conflicts, `work` runs again. Any exception from
        `work` rolls everything back.
        """
        if self.database != LAKE:
            raise StoreError("an earlier snapshot cannot be written to")
        cursor = self._lake_cursor()
        for attempt in range(1, MAX_COMMIT_ATTEMPTS + 1):
            with self._write_lock, self._writer_lock():
                cursor.execute("BEGIN")
                try:
                    self._refuse_newer(cursor)
                    answer = work(cursor)
                    cursor.execute(f"CALL {LAKE}.set_commit_message(?, ?)", [author, message])
                    cursor.execute("COMMIT")
                    return answer
                except duckdb.Error as error:
                    roll_back(cursor)
                    if attempt == MAX_COMMIT_ATTEMPTS or not is_conflict(error):
                        raise
                except BaseException:
                    roll_back(cursor)
                    raise
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
        raise AssertionError("unreachable")

    def _refuse_newer(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Raise StoreError if a newer version has migrated the store since it was opened. Checked now and then: it
        costs a fifth of a small commit."""
        if time.monotonic() >= self._check_schema_at:
            migrations.refuse_newer([one_row(cursor.execute("SELECT max(number) FROM migrations"))[0]])
            self._check_schema_at = time.monotonic() + SCHEMA_CHECK_S

    def write_unversioned(self, work: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Run `work` in one transaction without a snapshot. It may write only tables of the catalog database that are
        not part of the lake."""
        cursor = self._lake_cursor()
        with self._write_lock, self._writer_lock():
            cursor.execute("BEGIN")
            try:
                answer = work(cursor)
                cursor.execute("COMMIT")
            except BaseException:
                roll_back(cursor)
                raise
            return answer

    def close(self) -> None:
        if self._memory_tables is not None and self._pinned is None:
            self._memory_tables.close()
        self._root.close()

    def _writer_lock(self) -> AbstractContextManager[Any]:
        return writer_lock(self._root, self.settings.lake)


def _detach(root: duckdb.DuckDBPyConnection, name: str) -> None:
    with suppress(duckdb.Error):  # the lake itself may be closed already
        root.cursor().execute(f"DETACH {name}")
        root.cursor().execute(f"DETACH {_derived(name)}")


def _derived(name: str) -> str:
    """The database of the derived tables of a pinned store, whose lake has this name."""
    return f"{name}_derived"


def _column_names(result: duckdb.DuckDBPyConnection, row_type: type) -> list[str]:
    names = [column[0] for column in result.description]
    if missing := _required_columns(row_type) - set(names):
        raise TypeError(f"the query has no column {', '.join(sorted(missing))}, which {row_type.__name__} needs")
    return names


@cache
def _required_columns(row_type: type) -> frozenset[str]:
    # Not `__required_keys__`: it does not know `NotRequired` where annotations are not evaluated.
    hints = get_type_hints(row_type, include_extras=True)
    return frozenset(name for name, hint in hints.items() if get_origin(hint) is not NotRequired)
