"""The live status of the ingest processes: the last and next poll of each source, polls in progress, the last read of
the bug feed, and heartbeats.

It is kept in the catalog database but outside the lake: as commits, the polls of a quiet source would be thousands of
snapshots without a change.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TypedDict

import duckdb

from data.answers.operations import FeedHealth
from data.lake.connection import LAKE
from data.lake.migrations import POLL_STATUS_TABLE
from data.lake.store import Store
from data.model.measures import iso
from data.tasks.poll_log import PollRecord

FORGOTTEN_AFTER = timedelta(days=1)  # rows of processes that no longer run
HEARTBEAT_S = 30.0
SHOWN_AFTER_S = 1.0  # a poll in progress
ALIVE_FOR = timedelta(seconds=100)  # after this time without a heartbeat a process and its polls count as ended
# Names of rows that are not polls; no source can have one of them.
_HEARTBEAT, _FEED, _IN_PROGRESS = "*process", "*bugs", "*reading "
_PROCESS = f"{socket.gethostname()}:{os.getpid()}"


def record_poll(store: Store, poll: PollRecord, following: datetime | None = None) -> None:
    """Record a poll of this process, and when it will next poll the source (UTC); None if unknown."""
    _save_status(store, poll, following)


def record_feed_read(
    store: Store, began: datetime, duration_s: float, error: str | None, following: datetime | None
) -> None:
    """Record a read of the bug feed or its error, and when it will next be read (UTC)."""
    _save_status(store, PollRecord(_FEED, began, duration_s, error=error), following)


def record_heartbeat(store: Store) -> None:
    """Record that this process is running and handles requests."""
    _save_status(store, PollRecord(_HEARTBEAT, _now(), 0.0))


@contextmanager
def poll_in_progress(store: Store, source: str, after_s: float = SHOWN_AFTER_S) -> Iterator[None]:
    """Record that this process polls a source, once the block has taken `after_s` seconds: most polls find nothing and
    end before anybody could see it. It counts only with recent heartbeats."""
    name, ended, began = _IN_PROGRESS + source, False, _now()
    lock = threading.Lock()
    shown = False

    def show() -> None:
        nonlocal shown
        with lock:
            if not ended:
                _save_status(store, PollRecord(name, began, 0.0))
                shown = True

    timer = threading.Timer(after_s, show)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            ended = True
        if shown:
            store.write_unversioned(lambda cursor: _delete_old_status(cursor, name, _now()))


def _save_status(store: Store, poll: PollRecord, following: datetime | None = None) -> None:
    facts = [iso(poll.started_at), poll.duration_s, poll.failed, poll.requests, poll.error, iso(following)]

    def write(cursor: duckdb.DuckDBPyConnection) -> None:
        _delete_old_status(cursor, poll.source, poll.started_at)
        cursor.execute(
            f"INSERT INTO {POLL_STATUS_TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [poll.source, _PROCESS, *facts]
        )

    store.write_unversioned(write)


def _delete_old_status(cursor: duckdb.DuckDBPyConnection, name: str, now: datetime) -> None:
    cursor.execute(
        f"DELETE FROM {POLL_STATUS_TABLE} WHERE source = ? AND (process = ? OR started_at < ?)",
        [name, _PROCESS, iso(now - FORGOTTEN_AFTER)],
    )


class PollStatus(TypedDict, total=False):
    """The last poll of a source by any process, the next planned poll, and whether one is in progress."""

    is_read: bool
    last_poll: str
    duration_s: float
    requests: int
    last_failed: int
    last_error: str | None
    next_poll: str


class _StatusRow(TypedDict):
    source: str
    process: str
    started_at: str
    duration_s: float
    failed: int
    requests: int
    error: str | None
    next_at: str | None


def latest(store: Store, now: datetime) -> dict[str, PollStatus]:
    """Per source: its polls, as far as they are known.

    Empty for a store pinned to an earlier snapshot.
    """
    rows = _rows(store)
    alive = {
        row["process"] for row in rows if row["source"] == _HEARTBEAT and row["started_at"] >= iso(now - ALIVE_FOR)
    }
    answer: dict[str, PollStatus] = {}
    planned: dict[str, list[str]] = {}
    for row in rows:
        if row["source"].startswith(_IN_PROGRESS):
            if row["process"] in alive:
                answer.setdefault(row["source"].removeprefix(_IN_PROGRESS), {})["is_read"] = True
        elif not row["source"].startswith("*"):
            if row["next_at"]:
                planned.setdefault(row["source"], []).append(row["next_at"])
            answer.setdefault(row["source"], {}).update(
                {
                    "last_poll": row["started_at"],
                    "duration_s": row["duration_s"],
                    "requests": row["requests"],
                    "last_failed": row["failed"],
                    "last_error": row["error"],
                }
            )
    for source, moments in planned.items():
        kept = [moment for moment in moments if moment > iso(now)]
        answer[source]["next_poll"] = min(kept) if kept else max(moments)
    return answer


def last_heartbeat(store: Store) -> tuple[str | None, bool]:
    """(time of the last heartbeat of any ingest process, or None; whether one is running)."""
    last = max((row["started_at"] for row in _rows(store) if row["source"] == _HEARTBEAT), default=None)
    return last, last is not None and last >= iso(_now() - ALIVE_FOR)


def feed_status(store: Store) -> FeedHealth | None:
    """The last read of the bug feed: last_read, last_error (None if it succeeded), next_read. None if never read."""
    row = next((row for row in reversed(_rows(store)) if row["source"] == _FEED), None)
    return row and {"last_read": row["started_at"], "last_error": row["error"], "next_read": row["next_at"]}


def _rows(store: Store) -> list[_StatusRow]:
    if store.database != LAKE:
        return []
    return store.rows(f"SELECT * FROM {POLL_STATUS_TABLE} ORDER BY started_at", {}, _StatusRow)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
