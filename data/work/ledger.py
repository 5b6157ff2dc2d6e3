"""The ledger: one row per discovered build that is not done. With the builds that are, it is the cursor of ingestion.

No number marks "everything below is read": a build counts as known when it has a row here or stands in `builds` or
`runs`, so a failed build can never be stepped over, and a crash between two commits loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa

from data.lake.arrow_views import registered
from data.lake.store import Store
from data.write.runs import RUN_FACTS, RunRecord

NEW, RUNNING, RETRY, RECHECK, GONE = "new", "running", "retry", "recheck", "gone"
RUN, BUILD = "run", "build"

RETRY_FIRST = timedelta(seconds=30)
RETRY_LONGEST = timedelta(hours=6)
MISSES = 5  # answers "not found" in a row before a build counts as gone
GONE_FOR = timedelta(hours=1)  # after which a build that is listed again is looked for again


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
    next_try: datetime | None = None  # None where nothing more is tried
    first_seen: datetime | None = None

    @property
    def key(self) -> tuple[str, str, int]:
        return self.source, self.job, self.number


@dataclass(frozen=True)
class JobRow:
    """A Jenkins job as the last sweep found it."""

    source: str
    job: str
    next_build: int | None = None
    missing: int = 0
    seen_at: datetime | None = None
    wanted_since: datetime | None = None  # start of the oldest build that the first sweep wanted


def back_off(attempts: int) -> timedelta:
    """How long to wait after the n-th failed attempt: 30 s, doubled each time, at most 6 h."""
    return min(RETRY_FIRST * 2 ** min(attempts - 1, 20), RETRY_LONGEST)


def jobs(store: Store, source: str) -> dict[str, JobRow]:
    return {row["job"]: JobRow(**row) for row in store.rows("SELECT * FROM jobs WHERE source = ?", [source])}


def known_builds(
    store: Store, source: str, kind: str, names: Sequence[str], now: datetime
) -> dict[str, dict[int, set[datetime | None]]]:
    """Per job, the numbers that are known with the start times of what stands under each.

    None among the times: that build's start is not known, so it stands for whatever has its number.
    """
    answer: dict[str, dict[int, set[datetime | None]]] = {name: {} for name in names}
    done = _STORED_RUNS if kind == RUN else _STORED_BUILDS
    rows = store.cursor().execute(
        f"""WITH wanted AS (SELECT unnest($1::VARCHAR[]) AS job)
        {done} JOIN wanted USING (job) WHERE source = $2
        UNION ALL SELECT job, number, NULL FROM ledger JOIN wanted USING (job)
            WHERE source = $2 AND NOT (state = 'gone' AND updated_at < $3)""",
        [list(names), source, now - GONE_FOR],
    )
    for job, number, started_at in rows.fetchall():
        answer[job].setdefault(number, set()).add(started_at)
    return answer


_STORED_RUNS = "SELECT job, number, started_at FROM runs"
_STORED_BUILDS = """SELECT job, number, CASE WHEN contains(flags, 'no_start_time') THEN NULL ELSE started_at END
        FROM builds"""


def due(
    store: Store, source: str, kind: str, now: datetime, limit: int = 100_000, eager: bool = False
) -> list[LedgerEntry]:
    """What is to be tried now, the newest builds first. `eager`: whatever failed or runs, however short ago."""
    rows = store.rows(
        """SELECT source, job, number, any_value(kind) AS kind, any_value(state) AS state, max(attempts) AS attempts,
                  any_value(error) AS error, min(next_try) AS next_try, min(first_seen) AS first_seen
        FROM ledger WHERE source = $source AND kind = $kind
            AND (next_try <= $now OR ($eager AND state IN ('new', 'running', 'retry')))
        GROUP BY source, job, number ORDER BY number DESC, job LIMIT $limit""",
        {"source": source, "kind": kind, "now": now, "limit": limit, "eager": eager},
    )
    return [LedgerEntry(**row) for row in rows]


@dataclass
class EntryContext:
    """What the store knows about an entry: the runs that list it, the builds under its number as (start, state), and
    for an orchestrating build its runs, and the (run's start, job, number) of what they list and has been read."""

    parents: list[RunRecord] = field(default_factory=list)
    runs: list[RunRecord] = field(default_factory=list)
    stored: list[tuple[datetime, str]] = field(default_factory=list)
    listed: set[tuple[datetime, str, int]] = field(default_factory=set)


def entry_contexts(store: Store, entries: Sequence[LedgerEntry]) -> dict[tuple[str, str, int], EntryContext]:
    answer = {entry.key: EntryContext() for entry in entries}
    if not answer:
        return answer
    cursor = store.cursor()
    columns = [list(column) for column in zip(*answer, strict=True)]
    with registered(cursor, wanted_keys=pa.table(columns, schema=_KEYS)):
        facts = ", ".join(f"o.{name}" for name in RUN_FACTS)
        for row in cursor.execute(
            f"""SELECT r.source, r.job, r.number, {facts} FROM run_builds r
            JOIN wanted_keys USING (source, job, number) JOIN runs o USING (run)"""
        ).fetchall():
            answer[row[:3]].parents.append(RunRecord(**dict(zip(RUN_FACTS, row[3:], strict=True))))
        for row in cursor.execute(
            f"SELECT {facts} FROM runs o JOIN wanted_keys USING (source, job, number) ORDER BY started_at DESC"
        ).fetchall():
            answer[row[:3]].runs.append(RunRecord(**dict(zip(RUN_FACTS, row, strict=True))))
        for row in cursor.execute(
            """SELECT source, job, number, started_at, state FROM builds
            JOIN wanted_keys USING (source, job, number)"""
        ).fetchall():
            answer[row[:3]].stored.append(row[3:])
        for row in cursor.execute(
            """SELECT o.source, o.job, o.number, o.started_at, r.job, r.number FROM runs o
            JOIN wanted_keys USING (source, job, number) JOIN run_builds r USING (run) WHERE r.build IS NOT NULL"""
        ).fetchall():
            answer[row[:3]].listed.add(row[3:])
    return answer


@dataclass(frozen=True)
class BuildStatus:
    """What the store has of a build: its id as a run or as a build, and the state of its open work; None where none."""

    run: int | None = None
    build: int | None = None
    open: str | None = None

    @property
    def is_held(self) -> bool:
        return self.run is not None or self.build is not None


def build_statuses(
    store: Store, source: str, builds: Iterable[tuple[str, int, datetime | None]]
) -> dict[tuple[str, int], BuildStatus]:
    """How builds, given as (job, number, start), stand, by job and number.

    A build of that number which began at another time is another one: its job was made anew.
    """
    columns = [list(column) for column in zip(*builds, strict=True)] or [[], [], []]
    rows = store.cursor().execute(
        """WITH wanted AS (SELECT unnest($1::VARCHAR[]) AS job, unnest($2::BIGINT[]) AS number,
                unnest($3::TIMESTAMP[]) AS begun),
        held AS (
            SELECT job, number, started_at, run, NULL::BIGINT AS build FROM runs WHERE source = $4
            UNION ALL SELECT job, number, started_at, NULL, build FROM builds WHERE source = $4)
        SELECT w.job, w.number, max(run), max(build), any_value(l.state) FROM wanted w
        LEFT JOIN held h ON (h.job, h.number) = (w.job, w.number)
            AND (begun IS NULL OR abs(epoch(h.started_at) - epoch(begun)) < 1)
        LEFT JOIN ledger l ON (l.source, l.job, l.number) = ($4, w.job, w.number)
        GROUP BY w.job, w.number""",
        [*columns, source],
    )
    return {(job, number): BuildStatus(run, build, state) for job, number, run, build, state in rows.fetchall()}


def next_due(store: Store, source: str) -> datetime | None:
    """When the next piece of open work is to be tried; None where there is none."""
    return store.value("SELECT min(next_try) FROM ledger WHERE source = ?", [source])


def find_entry(store: Store, entry: LedgerEntry) -> LedgerEntry | None:
    """The row of a build as it stands; None where nothing is left to do."""
    rows = store.rows(
        """SELECT source, job, number, kind, state, attempts, error, next_try, first_seen FROM ledger
        WHERE source = ? AND job = ? AND number = ?""",
        entry.key,
    )
    return LedgerEntry(**rows[0]) if rows else None


def builds_of_job(store: Store, source: str, job: str) -> list[tuple[int, datetime]]:
    """(number, start) of what is stored of a job."""
    sql = "SELECT number, started_at FROM builds WHERE source = ? AND job = ? ORDER BY started_at"
    return store.cursor().execute(sql, [source, job]).fetchall()


def stored_builds(store: Store, since: datetime | None = None) -> list[dict[str, Any]]:
    """Every stored build's row, the oldest first, but for its parameters and causes."""
    return store.rows(
        """SELECT * EXCLUDE (parameters, causes) FROM builds WHERE $since IS NULL OR started_at >= $since
        ORDER BY started_at, build""",
        {"since": since},
    )


def stored_runs(store: Store, source: str, since: datetime | None = None) -> list[dict[str, Any]]:
    """Every orchestrating build (source, job, number, started_at) with the release of one of its runs, oldest first."""
    return store.rows(
        """SELECT source, job, number, started_at, min(release) AS release FROM runs
        WHERE source = $source AND ($since IS NULL OR started_at >= $since) GROUP BY ALL ORDER BY started_at, number""",
        {"source": source, "since": since},
    )


def count_new(store: Store, source: str) -> int:
    """How many discovered builds have not been tried yet."""
    return store.value("SELECT count(*) FROM ledger WHERE source = ? AND state = 'new'", [source])


def open_since(store: Store, source: str, since: datetime) -> tuple[int, int]:
    """Of what was discovered since a moment: (how much is not done, how much failed and waits or was given up)."""
    row = store.rows(
        """SELECT count(*) FILTER (state IN ('new', 'running')) AS open,
            count(*) FILTER (state IN ('retry', 'gone')) AS failed
        FROM ledger WHERE source = ? AND first_seen >= ?""",
        [source, since],
    )[0]
    return row["open"], row["failed"]


def add_entries(cursor: duckdb.DuckDBPyConnection, entries: Iterable[LedgerEntry], now: datetime) -> int:
    """Add rows for builds that have none, and for those that were gone long ago. Returns how many were added."""
    rows = list({entry.key: entry for entry in entries}.values())
    if not rows:
        return 0
    with registered(cursor, incoming_ledger=_table(rows, now)):
        (count,) = cursor.execute(
            """INSERT INTO ledger BY NAME SELECT i.* FROM incoming_ledger i ANTI JOIN ledger l
            ON (i.source, i.job, i.number) = (l.source, l.job, l.number)
                AND NOT (l.state = 'gone' AND l.updated_at < ?)""",
            [now - GONE_FOR],
        ).fetchone()
    return count


def update_entries(
    cursor: duckdb.DuckDBPyConnection, done: Iterable[LedgerEntry], still: Iterable[LedgerEntry], now: datetime
) -> None:
    """Forget what is done; replace the rows of what is not."""
    still = list(still)
    keys = {entry.key for entry in (*done, *still)}
    if not keys:
        return
    with registered(cursor, settled=_key_table(keys)):
        cursor.execute("DELETE FROM ledger WHERE (source, job, number) IN (SELECT (source, job, number) FROM settled)")
    if still:
        with registered(cursor, incoming_ledger=_table(still, now)):
            cursor.execute("INSERT INTO ledger BY NAME SELECT * FROM incoming_ledger")


def retry_now(store: Store, author: str, source: str, job: str, number: int) -> bool:
    """Let a build that waits or was given up be tried at the next look, as one that never failed. False where the
    ledger has no such row."""
    now = datetime.now(UTC).replace(tzinfo=None)

    def write(cursor: duckdb.DuckDBPyConnection) -> int:
        (count,) = cursor.execute(
            """UPDATE ledger SET state = 'retry', attempts = 0, next_try = $now, updated_at = $now
            WHERE source = $source AND job = $job AND number = $number AND state IN ('retry', 'gone', 'recheck')""",
            {"now": now, "source": source, "job": job, "number": number},
        ).fetchone()
        return count

    return store.transact(author, f"asked to try {job} #{number} of {source} again", write) > 0


def mark_gone(cursor: duckdb.DuckDBPyConnection, entries: Sequence[LedgerEntry]) -> None:
    """Jenkins no longer has these builds: what is stored of them stays, but is no longer waited for."""
    if entries:
        where = "state = 'running' AND (source, job, number) IN (SELECT (source, job, number) FROM gone)"
        with registered(cursor, gone=_key_table({entry.key for entry in entries})):
            cursor.execute(f"UPDATE builds SET state = 'final', flags = trim(flags || ' gone') WHERE {where}")
            cursor.execute(f"UPDATE runs SET state = 'final' WHERE {where}")


def update_jobs(cursor: duckdb.DuckDBPyConnection, seen: Sequence[JobRow], now: datetime) -> None:
    """Replace what is known of these jobs."""
    rows = [{**vars(job), "seen_at": job.seen_at or now} for job in seen]
    if rows:
        with registered(cursor, incoming_jobs=pa.Table.from_pylist(rows, _JOBS)):
            cursor.execute("DELETE FROM jobs WHERE (source, job) IN (SELECT (source, job) FROM incoming_jobs)")
            cursor.execute("INSERT INTO jobs BY NAME SELECT * FROM incoming_jobs")


@dataclass(frozen=True)
class PollRecord:
    """One poll cycle, for the log."""

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


def log_poll(cursor: duckdb.DuckDBPyConnection, poll: PollRecord) -> None:
    names = list(vars(poll))
    marks = ", ".join("?" for _ in names)
    cursor.execute(f"INSERT INTO poll_log ({', '.join(names)}) VALUES ({marks})", list(vars(poll).values()))


def _table(entries: Sequence[LedgerEntry], now: datetime) -> pa.Table:
    rows = [{**vars(entry), "first_seen": entry.first_seen or now, "updated_at": now} for entry in entries]
    return pa.Table.from_pylist(rows, _LEDGER)


def _key_table(keys: Iterable[tuple[str, str, int]]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(_KEYS.names, key, strict=True)) for key in sorted(keys)], _KEYS)


_KEYS = pa.schema([("source", pa.string()), ("job", pa.string()), ("number", pa.int32())])
_LEDGER = pa.schema(
    [*_KEYS, ("kind", pa.string()), ("state", pa.string()), ("attempts", pa.int32()), ("error", pa.string())]
    + [(name, pa.timestamp("us")) for name in ("next_try", "first_seen", "updated_at")]
)
_JOBS = pa.schema(
    [(name, pa.string()) for name in ("source", "job")]
    + [("next_build", pa.int32()), ("seen_at", pa.timestamp("us")), ("missing", pa.int32())]
    + [("wanted_since", pa.timestamp("us"))]
)
