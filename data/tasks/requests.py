"""Work requests from people and scripts: one row each, handled by the first ingest process that claims it.

Kinds and their payload: poll {}; build {"url"} or {"urls"}; discover and backfill {"from", "to"} (build numbers, or ISO
dates; both optional); upload {"release", "module", ...} with files. Uploaded files are kept in `raw_files`
under the request's id until it is done.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb

from data.lake.store import Store
from data.model.build_record import RawFile
from data.redaction import redact
from data.write.raw_files import files_of, replace_raw_files

KINDS = ("poll", "discover", "build", "backfill", "upload")
WAITING, WORKING, DONE, FAILED = "waiting", "working", "done", "failed"
# After this time without progress a request is claimed again: its ingest process has died.
LOST_AFTER = timedelta(minutes=2)
MAX_TRIES = 3  # processes that may die over a request before it is given up


@dataclass(frozen=True)
class WorkRequest:
    """One request. `payload` also has what the work reports: `progress` {"done", "total"}; `builds`, the ids of the
    uploaded builds; for a discovery `found`, the number of builds, `cut`, whether there are more, and `listed`, a dict
    per build."""

    request: int
    kind: str
    source: str
    payload: dict[str, Any]
    state: str
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
    store: Store, kind: str, source: str, payload: dict[str, Any], author: str, files: Sequence[RawFile] = ()
) -> int:
    """Add a request. Returns its id. Raises ValueError for an unknown kind."""
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is not a kind of request; the kinds are {', '.join(KINDS)}")
    request, now = secrets.randbits(63), _now()

    def write(cursor: duckdb.DuckDBPyConnection) -> None:
        cursor.execute(
            """INSERT INTO requests (request, kind, source, payload, state, created_at, updated_at, author, tries)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)""",
            [request, kind, source, json.dumps(payload), WAITING, now, now, author],
        )
        if files:
            replace_raw_files(cursor, request, now, files)

    store.transact(author, f"request {kind} of {source}", write)
    return request


def status(store: Store, request: int) -> WorkRequest | None:
    """The request of this id; None if there is none."""
    return next(iter(_read(store, "request = ?", [request])), None)


def recent(store: Store, limit: int = 100) -> list[WorkRequest]:
    """The newest requests first, without the builds that a discovery listed."""
    found = _read(store, "true ORDER BY created_at DESC LIMIT ?", [limit])
    for request in found:
        request.payload.pop("listed", None)
    return found


def uploaded_files(store: Store, request: WorkRequest) -> list[RawFile]:
    """The files of an upload."""
    return files_of(store, request.request, request.created_at)


def claim(store: Store) -> list[WorkRequest]:
    """Claim the waiting requests for this process, and those whose process has died; oldest first. A request that
    MAX_TRIES processes have died over has failed."""
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
                replace_raw_files(cursor, request, created_at, [])
        taken = [request for request, _, tries in found if tries < MAX_TRIES]
        _set_state(cursor, taken, WORKING)
        return taken

    taken = store.transact("ingest", "requests claimed", take)
    marks = ", ".join("?" for _ in taken)
    return _read(store, f"request IN ({marks}) ORDER BY created_at", taken) if taken else []


def begin(store: Store, request: WorkRequest) -> None:
    """Record that work on a claimed request begins. If it is its process's last, the next one knows."""
    sql = "UPDATE requests SET tries = coalesce(tries, 0) + 1, updated_at = ? WHERE request = ?"
    store.transact(
        "ingest",
        f"request {request.kind} of {request.source}: begun",
        lambda cursor: cursor.execute(sql, [_now(), request.request]),
    )


def release(store: Store, taken: Sequence[int]) -> None:
    """Give claimed requests back, to be claimed by the next process: this one ends, and not because of them."""
    marks = ", ".join("?" for _ in taken)
    sql = f"""UPDATE requests SET state = ?, tries = greatest(coalesce(tries, 0) - 1, 0), updated_at = ?
        WHERE state = 'working' AND request IN ({marks})"""
    store.transact(
        "ingest", f"{len(taken)} requests released", lambda cursor: cursor.execute(sql, [WAITING, _now(), *taken])
    )


def renew_leases(store: Store, taken: Sequence[int]) -> None:
    """Renew the leases on these requests, so that no other process claims them."""
    marks = ", ".join("?" for _ in taken)
    sql = f"UPDATE requests SET updated_at = ? WHERE state = 'working' AND request IN ({marks})"
    store.transact("ingest", f"{len(taken)} leases renewed", lambda cursor: cursor.execute(sql, [_now(), *taken]))


def report_progress(store: Store, request: WorkRequest, state: str, error: str | None = None, **facts: Any) -> None:
    """Record the progress of a request. When it has ended, its uploaded files are deleted."""
    payload = json.dumps(request.payload | facts)

    def write(cursor: duckdb.DuckDBPyConnection) -> None:
        cursor.execute(
            "UPDATE requests SET state = ?, error = ?, payload = ?, updated_at = ?, tries = 0 WHERE request = ?",
            [state, error and redact(error), payload, _now(), request.request],
        )
        if state in (DONE, FAILED) and request.kind == "upload":
            replace_raw_files(cursor, request.request, request.created_at, [])

    store.transact("ingest", f"request {request.kind} of {request.source}: {state}", write)


def _set_state(cursor: duckdb.DuckDBPyConnection, taken: Sequence[int], state: str) -> None:
    marks = ", ".join("?" for _ in taken)
    if taken:
        cursor.execute(
            f"UPDATE requests SET state = ?, updated_at = ? WHERE request IN ({marks})", [state, _now(), *taken]
        )


def _read(store: Store, where: str, arguments: list[Any]) -> list[WorkRequest]:
    rows = store.rows(f"SELECT * FROM requests WHERE {where}", arguments)
    return [
        WorkRequest(**row | {"payload": json.loads(row["payload"]), "tries": row.get("tries") or 0}) for row in rows
    ]


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
