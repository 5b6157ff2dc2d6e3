"""What the ingest processes tell of themselves: how each source was polled last and when it will be next, what is being
read now, how the bug feed fared, and that they live. It is true at any time.

It stands in the catalogue's database but outside of the lake. As commits, the polls of a quiet source would be
thousands of snapshots that say nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from data.lake.connection import LAKE
from data.lake.migrations import POLL_STATUS_TABLE
from data.lake.store import Store
from data.model.measures import iso
from data.work.poll_log import PollRecord

FORGOTTEN_AFTER = timedelta(days=1)  # what a process told that polls no more
HEARTBEAT_S = 30.0
ALIVE_FOR = timedelta(seconds=100)  # a process that gave no sign for longer is gone, with whatever it was reading
# Rows that are no polls; no source can be named so.
_BEAT, _FEED, _READING = "*process", "*bugs", "*reading "
_PROCESS = f"{socket.gethostname()}:{os.getpid()}"


def record_poll(store: Store, poll: PollRecord, following: datetime | None = None) -> None:
    """Note a poll of this process, and when it will poll the source again (UTC); None where it does not know."""
    _note(store, poll, following)


def record_feed_read(
    store: Store, began: datetime, duration_s: float, error: str | None, following: datetime | None
) -> None:
    """Note how the bug feed was read, or why it was not, and when it will be looked at again (UTC)."""
    _note(store, PollRecord(_FEED, began, duration_s, error=error), following)


def record_heartbeat(store: Store) -> None:
    """Note that this process lives and carries out what is asked for."""
    _note(store, PollRecord(_BEAT, _now(), 0.0))


@contextmanager
def poll_in_progress(store: Store, source: str) -> Iterator[None]:
    """While this process reads a source. Only a process that beats is believed."""
    _note(store, PollRecord(_READING + source, _now(), 0.0))
    try:
        yield
    finally:
        store.write_unversioned(lambda cursor: _forget(cursor, _READING + source, _now()))


def _note(store: Store, poll: PollRecord, following: datetime | None = None) -> None:
    facts = [iso(poll.started_at), poll.duration_s, poll.failed, poll.requests, poll.error, iso(following)]

    def write(cursor) -> None:
        _forget(cursor, poll.source, poll.started_at)
        cursor.execute(
            f"INSERT INTO {POLL_STATUS_TABLE} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [poll.source, _PROCESS, *facts]
        )

    store.write_unversioned(write)


def _forget(cursor, name: str, now: datetime) -> None:
    cursor.execute(
        f"DELETE FROM {POLL_STATUS_TABLE} WHERE source = ? AND (process = ? OR started_at < ?)",
        [name, _PROCESS, iso(now - FORGOTTEN_AFTER)],
    )


def latest(store: Store, now: datetime) -> dict[str, dict[str, Any]]:
    """By source: the last poll of any process, the next that any has promised, and whether one reads it now, in the
    names of `ingest.status`.

    Of an earlier snapshot nothing is known here.
    """
    rows = _rows(store)
    alive = {row["process"] for row in rows if row["source"] == _BEAT and row["started_at"] >= iso(now - ALIVE_FOR)}
    answer: dict[str, dict[str, Any]] = {}
    promised: dict[str, list[str]] = {}
    for row in rows:
        if row["source"].startswith(_READING):
            if row["process"] in alive:
                answer.setdefault(row["source"].removeprefix(_READING), {})["is_read"] = True
        elif not row["source"].startswith("*"):
            if row["next_at"]:
                promised.setdefault(row["source"], []).append(row["next_at"])
            answer.setdefault(row["source"], {}).update(
                last_poll=row["started_at"],
                duration_s=row["duration_s"],
                requests=row["requests"],
                last_failed=row["failed"],
                last_error=row["error"],
            )
    for source, moments in promised.items():
        kept = [moment for moment in moments if moment > iso(now)]
        answer[source]["next_poll"] = min(kept) if kept else max(moments)
    return answer


def last_heartbeat(store: Store) -> tuple[str | None, bool]:
    """(when an ingest process was last seen, None where none is remembered; whether one lives)."""
    seen = max((row["started_at"] for row in _rows(store) if row["source"] == _BEAT), default=None)
    return seen, seen is not None and seen >= iso(_now() - ALIVE_FOR)


def feed_status(store: Store) -> dict[str, Any] | None:
    """How the bug feed was read last: last_read, last_error (None where it went well), next_read; None: never."""
    row = next((row for row in reversed(_rows(store)) if row["source"] == _FEED), None)
    return row and {"last_read": row["started_at"], "last_error": row["error"], "next_read": row["next_at"]}


def _rows(store: Store) -> list[dict[str, Any]]:
    return store.rows(f"SELECT * FROM {POLL_STATUS_TABLE} ORDER BY started_at") if store.database == LAKE else []


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
