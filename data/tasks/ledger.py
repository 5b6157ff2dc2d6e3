"""The ledger: one row per discovered build that is not finished.

There is no mark below which every build counts as read: a build is known when it has a row here or in `builds` or
`runs`. So a failed build can never be skipped, and a crash between two commits loses nothing. When failed builds are
retried: ingest/retry.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import duckdb
import pyarrow as pa

from data.lake.cursors import one_row, registered
from data.lake.store import Store
from data.model.build_record import BuildKey
from data.redaction import redact

NEW: Final = "new"
RUNNING: Final = "running"
RETRY: Final = "retry"
RECHECK: Final = "recheck"
GONE: Final = "gone"
FAILED: Final = "failed"
RUN, BUILD = "run", "build"
GONE_FOR = timedelta(hours=1)  # after which a gone build is read again if Jenkins lists it

_KEY_COLUMNS: dict[str, pa.DataType] = {"source": pa.string(), "job": pa.string(), "number": pa.int32()}
_LEDGER_COLUMNS: dict[str, pa.DataType] = {
    **_KEY_COLUMNS,
    "kind": pa.string(),
    "state": pa.string(),
    "attempts": pa.int32(),
    "error": pa.string(),
    "next_try": pa.timestamp("us"),
    "first_seen": pa.timestamp("us"),
    "updated_at": pa.timestamp("us"),
    "crashes": pa.int32(),
}
_COLUMNS = """source, job, number, any_value(kind) AS kind, any_value(state) AS state, max(attempts) AS attempts,
    any_value(error) AS error, min(next_try) AS next_try, min(first_seen) AS first_seen,
    coalesce(max(crashes), 0) AS crashes"""  # of the rows of one build
_EAGERLY_TRIED = (NEW, RUNNING, RETRY)
_KEYS, _LEDGER = pa.schema(_KEY_COLUMNS), pa.schema(_LEDGER_COLUMNS)


@dataclass(frozen=True)
class LedgerEntry:
    """One piece of open work. `number` is the build's; `kind` is run (an orchestrating build) or build."""

    source: str
    job: str
    number: int
    kind: str
    state: str = NEW
    attempts: int = 0
    error: str | None = None
    next_try: datetime | None = None  # None: not tried again
    first_seen: datetime | None = None
    crashes: int = 0  # processes that ended while they read it

    @property
    def key(self) -> BuildKey:
        return self.source, self.job, self.number

    def is_due(self, now: datetime, eager: bool) -> bool:
        """Whether to try it now. `eager`: also if it failed or is running, however recently."""
        return (self.next_try is not None and self.next_try <= now) or (eager and self.state in _EAGERLY_TRIED)


def open_entries(store: Store, source: str, limit: int) -> list[LedgerEntry]:
    """The entries that are due now or later, newest builds first."""
    rows = store.rows(
        f"""SELECT {_COLUMNS} FROM ledger
        WHERE source = $source AND (next_try IS NOT NULL OR list_contains($eagerly, state))
        GROUP BY source, job, number ORDER BY number DESC, job LIMIT $limit""",
        {"source": source, "eagerly": list(_EAGERLY_TRIED), "limit": limit},
    )
    return [LedgerEntry(**row) for row in rows]


def due(
    store: Store, source: str, kind: str, now: datetime, limit: int = 100_000, eager: bool = False
) -> list[LedgerEntry]:
    """The entries to try now, newest builds first. `eager` adds those that failed or are running, however recently."""
    rows = store.rows(
        f"""SELECT {_COLUMNS} FROM ledger WHERE source = $source AND kind = $kind
            AND (next_try <= $now OR ($eager AND list_contains($eagerly, state)))
        GROUP BY source, job, number ORDER BY number DESC, job LIMIT $limit""",
        {
            "source": source,
            "kind": kind,
            "now": now,
            "limit": limit,
            "eager": eager,
            "eagerly": list(_EAGERLY_TRIED),
        },
    )
    return [LedgerEntry(**row) for row in rows]


def next_due(store: Store, source: str) -> datetime | None:
    """When the next entry of a source is due; None if none is."""
    moment: datetime | None = store.value("SELECT min(next_try) FROM ledger WHERE source = ?", [source])
    return moment


def find_entry(store: Store, entry: LedgerEntry) -> LedgerEntry | None:
    """The stored entry of the same build; None if the build is finished."""
    rows = store.rows(
        """SELECT source, job, number, kind, state, attempts, error, next_try, first_seen,
            coalesce(crashes, 0) AS crashes FROM ledger
        WHERE source = ? AND job = ? AND number = ?""",
        entry.key,
    )
    return LedgerEntry(**rows[0]) if rows else None


def count_new(store: Store, source: str) -> int:
    """How many discovered builds have not been tried yet."""
    return int(store.value("SELECT count(*) FROM ledger WHERE source = ? AND state = 'new'", [source]))


def open_since(store: Store, source: str, since: datetime, until: datetime) -> tuple[int, int]:
    """Counts over the entries discovered since a moment: (open, waiting to be retried or given up). Open are those
    that were not read yet, and those discovered `until` a moment whose builds are running."""
    row = store.rows(
        """SELECT count(*) FILTER (state = 'new' OR (state = 'running' AND first_seen <= $until)) AS open,
            count(*) FILTER (state IN ('retry', 'gone', 'failed')) AS failed
        FROM ledger WHERE source = $source AND first_seen >= $since""",
        {"source": source, "since": since, "until": until},
    )[0]
    return row["open"], row["failed"]


def add_entries(cursor: duckdb.DuckDBPyConnection, entries: Iterable[LedgerEntry], now: datetime) -> int:
    """Add entries for builds that have none, or that have been gone for GONE_FOR. Returns how many were added."""
    rows = list({entry.key: entry for entry in entries}.values())
    if not rows:
        return 0
    with registered(cursor, incoming_ledger=_table(rows, now)):
        (count,) = one_row(
            cursor.execute(
                """INSERT INTO ledger BY NAME SELECT i.* FROM incoming_ledger i ANTI JOIN ledger l
                ON (i.source, i.job, i.number) = (l.source, l.job, l.number)
                    AND NOT (l.state = 'gone' AND l.updated_at < ?)""",
                [now - GONE_FOR],
            )
        )
    return int(count)


def update_entries(
    cursor: duckdb.DuckDBPyConnection, completed: Iterable[LedgerEntry], pending: Iterable[LedgerEntry], now: datetime
) -> None:
    """Delete the completed entries; replace the pending ones."""
    pending = list(pending)
    keys = {entry.key for entry in (*completed, *pending)}
    if not keys:
        return
    with registered(cursor, settled=_key_table(keys)):
        cursor.execute("DELETE FROM ledger WHERE (source, job, number) IN (SELECT (source, job, number) FROM settled)")
    if pending:
        with registered(cursor, incoming_ledger=_table(pending, now)):
            cursor.execute("INSERT INTO ledger BY NAME SELECT * FROM incoming_ledger")


def retry_now(store: Store, author: str, source: str, job: str, number: int) -> bool:
    """Make a waiting or abandoned build due now, with no failed attempts. False if the ledger has no such entry."""
    now = datetime.now(UTC).replace(tzinfo=None)

    def write(cursor: duckdb.DuckDBPyConnection) -> int:
        (count,) = one_row(
            cursor.execute(
                """UPDATE ledger SET state = 'retry', attempts = 0, crashes = 0, next_try = $now, updated_at = $now
                WHERE source = $source AND job = $job AND number = $number
                    AND state IN ('retry', 'gone', 'failed', 'recheck')""",
                {"now": now, "source": source, "job": job, "number": number},
            )
        )
        return int(count)

    return store.transact(author, f"retry {job} #{number} of {source}", write) > 0


def finish_builds(cursor: duckdb.DuckDBPyConnection, entries: Sequence[LedgerEntry], flag: str) -> None:
    """Make the running builds and runs of these entries final, as they will not be read again, and flag the builds.
    Their results are kept."""
    if entries:
        where = "state = 'running' AND (source, job, number) IN (SELECT (source, job, number) FROM ended)"
        with registered(cursor, ended=_key_table({entry.key for entry in entries})):
            cursor.execute(f"UPDATE builds SET state = 'final', flags = trim(flags || ' {flag}') WHERE {where}")
            cursor.execute(f"UPDATE runs SET state = 'final' WHERE {where}")


def _table(entries: Sequence[LedgerEntry], now: datetime) -> pa.Table:
    rows = [
        {
            **vars(entry),
            "error": entry.error and redact(entry.error),
            "first_seen": entry.first_seen or now,
            "updated_at": now,
        }
        for entry in entries
    ]
    return pa.Table.from_pylist(rows, _LEDGER)


def _key_table(keys: Iterable[BuildKey]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(_KEYS.names, key, strict=True)) for key in sorted(keys)], _KEYS)
