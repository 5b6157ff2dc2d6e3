"""Work requests from people and scripts: one row each, handled by the first ingest process that claims it.

Kinds and their payload: poll {}; build {"url"} or {"urls"}; discover and backfill {"from", "to"} (build numbers, or ISO
dates; both optional); upload {"release", "module", ...} with files. An upload waits outside the lake
(data/tasks/waiting_uploads.py) until it has ended, so that it makes one snapshot.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import duckdb

from data.answers.operations import RequestKind, RequestPayload, RequestState
from data.lake.cursors import one_row
from data.lake.store import Store
from data.model.build_record import RawFile
from data.model.json_values import JsonObject
from data.redaction import redact
from data.tasks import waiting_uploads
from data.tasks.waiting_uploads import StoredRequest
from data.write.raw_files import files_of, replace_raw_files

WAITING: Final = "waiting"
WORKING: Final = "working"
DONE: Final = "done"
FAILED: Final = "failed"
# After this time without progress a request is claimed again: its ingest process has died.
LOST_AFTER = timedelta(minutes=2)
MAX_TRIES = 3  # processes that may die over a request before it is given up


@dataclass(frozen=True)
class WorkRequest:
    """One request. `payload` also has what the work reports: `progress` {"done", "total"}; `builds`, the ids of the
    uploaded builds; for a discovery `found`, the number of builds, `cut`, whether there are more, and `listed`, a dict
    per build."""

    request: int
    kind: RequestKind
    source: str
    payload: RequestPayload
    state: RequestState
    error: str | None
    created_at: datetime
    updated_at: datetime
    author: str
    tries: int = 0  # how often work on it has begun since its last progress


_GIVEN_UP = (
    f"Given up: the ingest process ended {MAX_TRIES} times while it worked on this. Was it killed for its memory? Its "
    "log and that of the system say more; smaller reports, or lower [limits], may help."
)


def submit(
    store: Store, kind: RequestKind, source: str, payload: JsonObject, author: str, files: Sequence[RawFile] = ()
) -> int:
    """Add a request, whose payload has the keys of RequestPayload. Returns its id."""
    request, now = secrets.randbits(63), _now()
    row: StoredRequest = {
        "request": request,
        "kind": kind,
        "source": source,
        "payload": json.dumps(payload),
        "state": WAITING,
        "error": None,
        "created_at": now,
        "updated_at": now,
        "author": author,
        "tries": 0,
    }
    if kind == "upload":
        waiting_uploads.add(store, row, files)
    else:
        store.transact(author, f"request {kind} of {source}", lambda cursor: _insert(cursor, row))
    return request


def status(store: Store, request: int) -> WorkRequest | None:
    """The request of this id; None if there is none."""
    found = _read(store, "request = ?", [request]) or _waiting(store, request)
    return next(iter(found), None)


def recent(store: Store, limit: int = 100) -> list[WorkRequest]:
    """The newest requests first, without the builds that a discovery listed."""
    ended = _read(store, "true ORDER BY created_at DESC LIMIT ?", [limit])
    known = {one.request for one in ended}
    found = ended + [one for one in _waiting(store) if one.request not in known]
    for request in found:
        request.payload.pop("listed", None)
    return sorted(found, key=lambda one: one.created_at, reverse=True)[:limit]


def uploaded_files(store: Store, request: WorkRequest) -> list[RawFile]:
    """The files of an upload."""
    files = waiting_uploads.files(store, request.request)
    return files or files_of(store, request.request, request.created_at)  # of an upload to an older version


def claim(store: Store) -> list[WorkRequest]:
    """Claim the waiting requests for this process, and those whose process has died; oldest first. A request that
    MAX_TRIES processes have died over has failed."""
    return sorted(claim_in_lake(store) + claim_uploads(store), key=lambda one: one.created_at)


def claim_uploads(store: Store) -> list[WorkRequest]:
    """As `claim`, the uploads. They wait outside the lake, so they come without a snapshot."""
    claimed = []
    for upload in map(_request, waiting_uploads.claim(store, _now() - LOST_AFTER, _now())):
        if upload.tries < MAX_TRIES:
            claimed.append(upload)
        else:
            report_progress(store, upload, FAILED, _GIVEN_UP)
    return claimed


def claim_in_lake(store: Store) -> list[WorkRequest]:
    """As `claim`, the requests in the lake."""
    where = "state = 'waiting' OR (state = 'working' AND updated_at < ?)"
    arguments = [_now() - LOST_AFTER]
    if not _read(store, where, arguments):
        return []

    def take(cursor: duckdb.DuckDBPyConnection) -> list[int]:
        found = cursor.execute(
            f"SELECT request, created_at, coalesce(tries, 0) FROM requests WHERE {where}", arguments
        ).fetchall()
        for request, created_at, tries in found:
            if tries >= MAX_TRIES:
                cursor.execute(
                    "UPDATE requests SET state = ?, error = ?, updated_at = ? WHERE request = ?",
                    [FAILED, _GIVEN_UP, _now(), request],
                )
                replace_raw_files(cursor, {(request, created_at): ()})
        taken = [request for request, _, tries in found if tries < MAX_TRIES]
        _set_state(cursor, taken, WORKING)
        return taken

    taken = store.transact("ingest", "requests claimed", take)
    marks = ", ".join("?" for _ in taken)
    return _read(store, f"request IN ({marks}) ORDER BY created_at", taken) if taken else []


def begin(store: Store, request: WorkRequest) -> None:
    """Record that work on a claimed request begins. If it is its process's last, the next one knows."""
    if _uploads_among(store, [request.request]):
        waiting_uploads.begin(store, request.request, _now())
        return
    sql = "UPDATE requests SET tries = coalesce(tries, 0) + 1, updated_at = ? WHERE request = ?"
    store.transact(
        "ingest",
        f"request {request.kind} of {request.source}: begun",
        lambda cursor: cursor.execute(sql, [_now(), request.request]),
    )


def release(store: Store, taken: Sequence[int]) -> None:
    """Give claimed requests back, to be claimed by the next process: this one ends, and not because of them."""
    uploads = _uploads_among(store, taken)
    waiting_uploads.give_back(store, uploads, _now())
    sql = """UPDATE requests SET state = ?, tries = greatest(coalesce(tries, 0) - 1, 0), updated_at = ?
        WHERE state = 'working' AND request IN"""
    _update_in_lake(store, set(taken) - uploads, "released", sql, [WAITING, _now()])


def renew_leases(store: Store, taken: Sequence[int]) -> None:
    """Renew the leases on these requests, so that no other process claims them."""
    uploads = _uploads_among(store, taken)
    waiting_uploads.renew(store, uploads, _now())
    sql = "UPDATE requests SET updated_at = ? WHERE state = 'working' AND request IN"
    _update_in_lake(store, set(taken) - uploads, "renewed", sql, [_now()])


def report_progress(
    store: Store, request: WorkRequest, state: RequestState, error: str | None = None, **facts: object
) -> None:
    """Record the progress of a request. When it has ended, its uploaded files are deleted."""
    record = recorder(request, state, error, **facts)
    store.transact("ingest", f"request {request.kind} of {request.source}: {state}", record)
    if state in (DONE, FAILED) and request.kind == "upload":
        delete_uploaded_files(store, request)


def recorder(
    request: WorkRequest, state: RequestState, error: str | None = None, **facts: object
) -> Callable[[duckdb.DuckDBPyConnection], None]:
    """Records the progress of a request in a transaction of the caller."""
    payload = json.dumps({**request.payload, **facts})

    def write(cursor: duckdb.DuckDBPyConnection) -> None:
        row: StoredRequest = {
            "request": request.request,
            "kind": request.kind,
            "source": request.source,
            "payload": payload,
            "state": state,
            "error": error and redact(error),
            "created_at": request.created_at,
            "updated_at": _now(),
            "author": request.author,
            "tries": 0,
        }
        changed = [row["state"], row["error"], payload, row["updated_at"], request.request]
        (known,) = one_row(
            cursor.execute(
                "UPDATE requests SET state = ?, error = ?, payload = ?, updated_at = ?, tries = 0 WHERE request = ?",
                changed,
            )
        )
        if not known:  # an upload that waited outside the lake
            _insert(cursor, row)
        elif state in (DONE, FAILED) and request.kind == "upload":
            replace_raw_files(cursor, {(request.request, request.created_at): ()})

    return write


def delete_uploaded_files(store: Store, request: WorkRequest) -> None:
    """Delete the files of an upload that has ended."""
    waiting_uploads.delete_files(store, request.request)


def _insert(cursor: duckdb.DuckDBPyConnection, row: StoredRequest) -> None:
    marks = ", ".join("?" for _ in row)
    cursor.execute(f"INSERT INTO requests ({', '.join(row)}) VALUES ({marks})", list(row.values()))


def _update_in_lake(store: Store, taken: Collection[int], what: str, sql: str, values: list[Any]) -> None:
    """Run an UPDATE of these requests, whose SQL ends with IN."""
    if taken:
        marks = ", ".join("?" for _ in taken)
        message = f"{len(taken)} requests {what}"
        store.transact("ingest", message, lambda cursor: cursor.execute(f"{sql} ({marks})", [*values, *taken]))


def _set_state(cursor: duckdb.DuckDBPyConnection, taken: Sequence[int], state: str) -> None:
    marks = ", ".join("?" for _ in taken)
    if taken:
        cursor.execute(
            f"UPDATE requests SET state = ?, updated_at = ? WHERE request IN ({marks})", [state, _now(), *taken]
        )


def _uploads_among(store: Store, taken: Sequence[int]) -> set[int]:
    """Those of these requests that are uploads and wait outside the lake."""
    return {row["request"] for row in waiting_uploads.rows(store)} & set(taken)


def _waiting(store: Store, request: int | None = None) -> list[WorkRequest]:
    return [_request(row) for row in waiting_uploads.rows(store, request)]


def _read(store: Store, where: str, arguments: list[Any]) -> list[WorkRequest]:
    return [_request(row) for row in store.rows(f"SELECT * FROM requests WHERE {where}", arguments, StoredRequest)]


def _request(row: StoredRequest) -> WorkRequest:
    return WorkRequest(
        request=row["request"],
        kind=row["kind"],
        source=row["source"],
        payload=json.loads(row["payload"]),
        state=row["state"],
        error=row["error"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        author=row["author"],
        tries=row.get("tries") or 0,
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
