"""The log of polls that changed something: one row per poll of a source."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import duckdb

from data.redaction import redact


@dataclass(frozen=True)
class PollRecord:
    """One poll of a source. `found`, `ingested`, `running` and `failed` count builds."""

    source: str
    started_at: datetime
    duration_s: float
    found: int = 0
    ingested: int = 0
    running: int = 0
    failed: int = 0
    results: int = 0
    requests: int = 0
    error: str | None = None

    def __post_init__(self) -> None:
        if self.error:
            object.__setattr__(self, "error", redact(self.error))


def log_poll(cursor: duckdb.DuckDBPyConnection, poll: PollRecord) -> None:
    """Append a poll to the log."""
    names = list(vars(poll))
    marks = ", ".join("?" for _ in names)
    cursor.execute(f"INSERT INTO poll_log ({', '.join(names)}) VALUES ({marks})", list(vars(poll).values()))
