"""How each source was polled last, and when it will be next: told after every poll, so that it is true at any time.

It stands in the catalogue's database but outside of the lake. As commits, the polls of a quiet source would be
thousands of snapshots that say nothing.
"""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta
from typing import Any

from data.ledger import Poll
from data.measures import iso
from data.migrations import POLLS
from data.store import LAKE, Store

FORGOTTEN_AFTER = timedelta(days=1)  # what a process told that polls no more
_PROCESS = f"{socket.gethostname()}:{os.getpid()}"


def tell(store: Store, poll: Poll, following: datetime | None = None) -> None:
    """Note a poll of this process, and when it will poll the source again (UTC); None where it does not know."""
    facts = [iso(poll.started_at), poll.duration_s, poll.failed, poll.requests, poll.error, iso(following)]

    def write(cursor) -> None:
        cursor.execute(
            f"DELETE FROM {POLLS} WHERE source = ? AND (process = ? OR started_at < ?)",
            [poll.source, _PROCESS, iso(poll.started_at - FORGOTTEN_AFTER)],
        )
        cursor.execute(f"INSERT INTO {POLLS} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [poll.source, _PROCESS, *facts])

    store.note(write)


def latest(store: Store, now: datetime) -> dict[str, dict[str, Any]]:
    """By source: the last poll of any process, and the next that any has promised, in the names of `ingest.status`.

    Of an earlier snapshot nothing is known here.
    """
    if store.database != LAKE:
        return {}
    answer: dict[str, dict[str, Any]] = {}
    promised: dict[str, list[str]] = {}
    for row in store.rows(f"SELECT * FROM {POLLS} ORDER BY started_at"):
        if row["next_at"]:
            promised.setdefault(row["source"], []).append(row["next_at"])
        answer[row["source"]] = {
            "last_poll": row["started_at"],
            "duration_s": row["duration_s"],
            "requests": row["requests"],
            "last_failed": row["failed"],
            "last_error": row["error"],
        }
    for source, moments in promised.items():
        kept = [moment for moment in moments if moment > iso(now)]
        answer[source]["next_poll"] = min(kept) if kept else max(moments)
    return answer
