"""Uploads that wait for the ingest process, with their files.

They are kept in the catalog database but outside the lake, as the live status is (data/tasks/poll_status.py): an upload
makes one snapshot, that of its build. Its request enters the lake in the same commit. From then on the row here is
finished; the next claim deletes it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NotRequired, TypedDict

import duckdb
import pyarrow as pa

from data.answers.operations import RequestKind, RequestState
from data.lake.connection import LAKE
from data.lake.cursors import registered
from data.lake.migrations import UPLOAD_FILES_TABLE, UPLOADS_TABLE
from data.lake.store import Store
from data.model.build_record import RawFile

_FILES = pa.schema(
    [pa.field("request", pa.int64())]
    + [pa.field(name, pa.string()) for name in ("path", "kind", "encoding")]
    + [pa.field("size", pa.int64()), pa.field("content", pa.binary())]
)


class RequestFacts(TypedDict):
    """What is stored of a request, in the lake and of an upload beside it. `payload` is JSON."""

    request: int
    kind: RequestKind
    source: str
    payload: str
    state: RequestState
    author: str
    tries: NotRequired[int | None]  # missing in snapshots that are older than the column


class StoredRequest(RequestFacts):
    error: str | None
    created_at: datetime
    updated_at: datetime


class _StoredUpload(RequestFacts):
    created_at: str
    updated_at: str


def add(store: Store, request: StoredRequest, files: Sequence[RawFile]) -> None:
    """Keep an upload until it is read."""
    columns = pa.Table.from_pylist([{"request": request["request"], **vars(file)} for file in files], _FILES)
    names = list(_StoredUpload.__annotations__)
    values = [_text(request.get(name)) for name in names]

    def write(cursor: duckdb.DuckDBPyConnection) -> None:
        marks = ", ".join("?" for _ in values)
        cursor.execute(f"INSERT INTO {UPLOADS_TABLE} ({', '.join(names)}) VALUES ({marks})", values)
        with registered(cursor, incoming_files=columns):
            cursor.execute(f"INSERT INTO {UPLOAD_FILES_TABLE} SELECT * FROM incoming_files")

    store.write_unversioned(write)


def rows(store: Store, request: int | None = None) -> list[StoredRequest]:
    """The uploads that wait or are being read: all of them, or that of one request. None in an earlier snapshot."""
    if store.database != LAKE:
        return []
    where = "true" if request is None else f"request = {request}"
    return [_row(row) for row in store.rows(f"SELECT * FROM {UPLOADS_TABLE} WHERE {where}", {}, _StoredUpload)]


def files(store: Store, request: int) -> list[RawFile]:
    """The files of an upload."""
    columns = "path, kind, encoding, size, content"
    found = store.rows(f"SELECT {columns} FROM {UPLOAD_FILES_TABLE} WHERE request = {request} ORDER BY path")
    return [RawFile(**row) for row in found]


def claim(store: Store, lost_before: datetime, now: datetime) -> list[StoredRequest]:
    """Claim the uploads that wait, and those without progress since `lost_before`. Deletes the finished ones."""
    present = _list([row["request"] for row in rows(store)])
    if not present:
        return []

    def take(cursor: duckdb.DuckDBPyConnection) -> set[int]:
        ended = cursor.execute(
            f"SELECT request FROM requests WHERE request IN ({present}) AND state IN ('done', 'failed')"
        )
        finished = [request for (request,) in ended.fetchall()]
        _delete(cursor, UPLOADS_TABLE, finished)
        _delete(cursor, UPLOAD_FILES_TABLE, finished)
        due = cursor.execute(
            f"SELECT request FROM {UPLOADS_TABLE} WHERE state = 'waiting' OR updated_at < ?", [_text(lost_before)]
        )
        taken = {request for (request,) in due.fetchall()}
        _set(cursor, taken, now, "state = 'working'")
        return taken

    claimed = store.write_unversioned(take)
    return [row for row in rows(store) if row["request"] in claimed] if claimed else []


def begin(store: Store, request: int, now: datetime) -> None:
    """Count a try, as work on a claimed upload begins."""
    store.write_unversioned(lambda cursor: _set(cursor, [request], now, "tries = tries + 1"))


def give_back(store: Store, requests: Collection[int], now: datetime) -> None:
    """Let the next process claim these uploads; their last try does not count."""
    back = "state = 'waiting', tries = CASE WHEN tries > 0 THEN tries - 1 ELSE 0 END"
    store.write_unversioned(lambda cursor: _set(cursor, requests, now, back))


def renew(store: Store, requests: Collection[int], now: datetime) -> None:
    """Renew the leases on these uploads."""
    store.write_unversioned(lambda cursor: _set(cursor, requests, now))


def delete_files(store: Store, request: int) -> None:
    """Delete the files of a finished upload."""
    store.write_unversioned(lambda cursor: _delete(cursor, UPLOAD_FILES_TABLE, [request]))


def _set(cursor: duckdb.DuckDBPyConnection, requests: Collection[int], now: datetime, change: str = "") -> None:
    if requests:
        changes = f"updated_at = ?{change and ', '}{change}"
        cursor.execute(f"UPDATE {UPLOADS_TABLE} SET {changes} WHERE request IN ({_list(requests)})", [_text(now)])


def _delete(cursor: duckdb.DuckDBPyConnection, table: str, requests: Collection[int]) -> None:
    if requests:
        cursor.execute(f"DELETE FROM {table} WHERE request IN ({_list(requests)})")


def _list(requests: Collection[int]) -> str:
    return ", ".join(str(int(request)) for request in requests)


def _text(value: object) -> object:
    return value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value


def _row(stored: _StoredUpload) -> StoredRequest:
    created_at, updated_at = (datetime.fromisoformat(stored[name]) for name in ("created_at", "updated_at"))
    return {**stored, "created_at": created_at, "updated_at": updated_at, "error": None}
