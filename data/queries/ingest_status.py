"""Questions about ingestion: is everything here, and if not, what is missing and why."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, NotRequired, TypedDict

from data.answers.operations import (
    BuildRemark,
    Drop,
    EmptyBuild,
    EmptyRun,
    Freshness,
    Gap,
    IngestSource,
    LedgerRow,
    LedgerState,
    TableSize,
)
from data.lake.cached_query import cached_query, of_tables
from data.lake.connection import LAKE
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import Where
from data.model.filters import EVERYTHING, Filter
from data.model.measures import iso
from data.tasks import poll_status


def status(store: Store) -> list[IngestSource]:
    """One row a source: the last poll and its outcome, the next (None: not known; past: it is due), whether it is being
    read now, open work by state, builds and results held, lag in seconds."""
    now = datetime.now(UTC).replace(tzinfo=None)
    polls = poll_status.latest(store, now)
    rows: list[IngestSource] = []
    for source in _sources(store):
        row: IngestSource = {
            **source,
            "next_poll": None,
            "is_read": False,
            "lag_s": None,
            **polls.get(source["source"], {}),
        }
        if row["last_poll"] is not None:
            row["lag_s"] = (now - datetime.fromisoformat(row["last_poll"].rstrip("Z"))).total_seconds()
        rows.append(row)
    return rows


def is_late(source: IngestSource) -> bool:
    """Whether a configured source was last polled longer ago than twice its interval, or never."""
    if source["poll_minutes"] is None:
        return False
    return source["lag_s"] is None or source["lag_s"] > 2 * 60 * source["poll_minutes"]


def freshness(store: Store) -> Freshness:
    """Whether new data arrives, as every screen and /health show it."""
    if not store.settings.source:
        return {"state": "unwatched", "behind_s": None}
    sources = [row for row in status(store) if row["poll_minutes"] is not None]
    late = [row for row in sources if is_late(row)]
    seen, is_alive = poll_status.last_heartbeat(store)
    polls = [row["last_poll"] for row in sources if row["last_poll"]]
    if is_alive:
        lags = [row["lag_s"] for row in late if row["lag_s"] is not None]
        return {"state": "late" if late else "live", "behind_s": max(lags, default=None)}
    # Without a process, `regtracker poll` may keep the store up to date.
    if not late and (seen is None or max(polls) > seen):
        return {"state": "live", "behind_s": None}
    last = max((*polls, *([seen] if seen else [])), default=None)
    return {"state": "stopped", "behind_s": None if last is None else _seconds_since(last)}


def _seconds_since(moment: str) -> float:
    now = datetime.now(UTC).replace(tzinfo=None)
    return max(0.0, (now - datetime.fromisoformat(moment.rstrip("Z"))).total_seconds())


class _Source(TypedDict):
    """A source as the lake has it: IngestSource without what follows from the clock."""

    source: str
    last_poll: str | None
    last_error: str | None
    last_failed: int | None
    duration_s: float | None
    requests: int | None
    failed_24h: int
    open: int
    retrying: int
    running: int
    gone: int
    builds: int
    results: int
    newest_build: str | None
    without_results: int
    flagged: int
    poll_minutes: float | None


class _SourceRow(TypedDict):
    source: str
    last_poll: datetime | None
    last_error: str | None
    last_failed: int | None
    duration_s: float | None
    requests: int | None
    failed_24h: int | None
    open: int | None
    retrying: int | None
    running: int | None
    gone: int | None
    builds: int | None
    results: int | None
    newest_build: datetime | None
    without_results: int | None
    flagged: int | None


class _LedgerRow(TypedDict):
    source: str
    job: str
    number: int
    kind: Literal["run", "build"]
    state: LedgerState
    attempts: int
    crashes: NotRequired[int | None]  # no column in earlier snapshots
    error: str | None
    next_try: datetime | None
    first_seen: datetime | None
    updated_at: datetime | None


class _Remark(TypedDict):
    build: int
    job: str
    number: int
    started_at: datetime
    path: str | None
    message: str


class _EmptyBuild(TypedDict):
    build: int
    source: str
    job: str
    number: int
    started_at: datetime
    result: str | None


class _EmptyRun(TypedDict):
    run: int
    source: str
    job: str
    number: int
    started_at: datetime
    result: str | None


@cached_query()
def _sources(store: Store) -> list[_Source]:
    rows = store.rows(
        """WITH polled AS (
            SELECT source, max(started_at) AS last_poll,
                unnest(arg_max({'last_error': error, 'last_failed': failed, 'duration_s': duration_s,
                    'requests': requests}, started_at)),
                sum(failed) FILTER (started_at > now()::TIMESTAMP - INTERVAL 1 DAY) AS failed_24h
            FROM poll_log GROUP BY source),
        open AS (SELECT source, count(*) AS open, count(*) FILTER (state = 'retry') AS retrying,
                    count(*) FILTER (state = 'running') AS running, count(*) FILTER (state = 'gone') AS gone
                 FROM ledger GROUP BY source),
        held AS (SELECT source, count(*) AS builds, sum(total)::BIGINT AS results, max(started_at) AS newest_build,
                    count(*) FILTER (state = 'final' AND total = 0) AS without_results,
                    count(*) FILTER (flags <> '') AS flagged FROM builds GROUP BY source)
        SELECT * FROM (SELECT source FROM polled UNION SELECT source FROM held UNION SELECT source FROM open) s
        LEFT JOIN polled USING (source) LEFT JOIN open USING (source) LEFT JOIN held USING (source) ORDER BY source""",
        {},
        _SourceRow,
    )
    poll_minutes = {source.name: source.poll_minutes for source in store.settings.source}
    answer = [_source(row, poll_minutes.get(row["source"])) for row in rows]
    with_rows = {row["source"] for row in answer}
    return answer + [_no_polls(name, minutes) for name, minutes in poll_minutes.items() if name not in with_rows]


def _source(row: _SourceRow, poll_minutes: float | None) -> _Source:
    return {
        "source": row["source"],
        "last_poll": iso(row["last_poll"]),
        "last_error": row["last_error"],
        "last_failed": row["last_failed"],
        "duration_s": row["duration_s"],
        "requests": row["requests"],
        "failed_24h": int(row["failed_24h"] or 0),
        "open": int(row["open"] or 0),
        "retrying": int(row["retrying"] or 0),
        "running": int(row["running"] or 0),
        "gone": int(row["gone"] or 0),
        "builds": int(row["builds"] or 0),
        "results": int(row["results"] or 0),
        "newest_build": iso(row["newest_build"]),
        "without_results": int(row["without_results"] or 0),
        "flagged": int(row["flagged"] or 0),
        "poll_minutes": poll_minutes,
    }


def _no_polls(name: str, poll_minutes: float | None) -> _Source:
    """A configured source that nothing was read from."""
    return {
        "source": name,
        "last_poll": None,
        "last_error": None,
        "last_failed": None,
        "duration_s": None,
        "requests": None,
        "failed_24h": 0,
        "open": 0,
        "retrying": 0,
        "running": 0,
        "gone": 0,
        "builds": 0,
        "results": 0,
        "newest_build": None,
        "without_results": 0,
        "flagged": 0,
        "poll_minutes": poll_minutes,
    }


@cached_query(of_tables("ledger"))
def ledger(
    store: Store,
    source: str | None = None,
    state: str | None = None,
    limit: int = 200,
    offset: int = 0,
    flt: Filter = EVERYTHING,
    rechecks: bool = True,
) -> list[LedgerRow]:
    """Open work: discovered builds that are not done, with their error. Failed builds come first, then waiting ones by
    their next try, then those that Jenkins has deleted, and last, with `rechecks`, builds that are read and will be
    rechecked once."""
    where = Where("true" if rechecks else "l.state <> 'recheck'").equal("l", source=source, state=state)
    rows = store.rows(
        f"""SELECT * FROM ledger l WHERE {where}
        ORDER BY state = 'recheck', state = 'gone', state NOT IN ('failed', 'retry'), next_try NULLS FIRST,
            source, job, number
        LIMIT $limit OFFSET $offset""",
        where.parameters | {"limit": limit, "offset": offset},
        _LedgerRow,
    )
    return [
        {
            "source": row["source"],
            "job": row["job"],
            "number": row["number"],
            "kind": row["kind"],
            "state": row["state"],
            "attempts": row["attempts"],
            "error": row["error"],
            "next_try": iso(row["next_try"]),
            "first_seen": iso(row["first_seen"]),
            "updated_at": iso(row["updated_at"]),
            "crashes": row.get("crashes") or 0,
        }
        for row in rows
    ]


@cached_query(of_tables("ledger"))
def rechecks(store: Store, source: str | None = None) -> int:
    """How many builds are read and will only be rechecked once."""
    return store.value(
        "SELECT count(*) FROM ledger WHERE state = 'recheck' AND ($source IS NULL OR source = $source)",
        {"source": source},
    )


@cached_query()
def build_names(store: Store, builds: Sequence[str]) -> dict[str, str]:
    """By build id: release, module and number, as text."""
    rows = store.cursor().execute(
        "SELECT build, release, module, number FROM builds WHERE build IN (SELECT unnest($builds))",
        {"builds": [ids.number(build) for build in builds]},
    )
    return {ids.text(build): f"{release} {module} #{number}" for build, release, module, number in rows.fetchall()}


@cached_query()
def gaps(store: Store, flt: Filter = EVERYTHING, limit: int = 200) -> list[Gap]:
    """Build numbers that are in no table between the first and the newest known one of a job: (source, job, first,
    last) of each hole, newest first. Picked or backfilled builds from before the polled history leave no gaps;
    nor do imports and uploads, whose numbers are free."""
    return store.rows(
        """WITH held AS (
            SELECT source, job, number, started_at FROM builds UNION ALL
            SELECT source, job, number, started_at FROM runs),
        wanted AS (
            SELECT source, job, min(number) AS lowest FROM held JOIN jobs USING (source, job)
            WHERE started_at >= wanted_since GROUP BY source, job),
        known AS (
            SELECT source, job, number FROM (
                SELECT source, job, number FROM held UNION SELECT source, job, number FROM ledger)
            LEFT JOIN wanted USING (source, job)
            WHERE number >= coalesce(lowest, 0) AND source NOT IN ('import', 'upload'))
        SELECT source, job, number + 1 AS first, following - 1 AS last FROM (
            SELECT *, lead(number) OVER (PARTITION BY source, job ORDER BY number) AS following FROM known)
        WHERE following > number + 1 ORDER BY last DESC, source, job LIMIT $limit""",
        {"limit": limit},
        Gap,
    )


@cached_query()
def drops(store: Store, flt: Filter = EVERYTHING, share: float = 0.8) -> list[Drop]:
    """Jobs whose newest final build has fewer tests than `share` of the median of the ten before it."""
    return store.rows(
        f"""WITH numbered AS (
            SELECT source, job, number, total,
                row_number() OVER (PARTITION BY source, job ORDER BY rank DESC) AS age
            FROM builds JOIN {store.derived_table("build_order")} USING (build) WHERE state = 'final')
        SELECT source, job, any_value(number) FILTER (age = 1) AS number, any_value(total) FILTER (age = 1) AS total,
            median(total) FILTER (age BETWEEN 2 AND 11) AS usual
        FROM numbered WHERE age <= 11 GROUP BY source, job
        HAVING count(*) > 3 AND any_value(total) FILTER (age = 1) < $share * median(total) FILTER (age BETWEEN 2 AND 11)
        ORDER BY source, job""",
        {"share": share},
        Drop,
    )


@cached_query()
def remarks(store: Store, limit: int = 100) -> list[BuildRemark]:
    """The parsers' warnings about reports, newest builds first: (build (id), job, number, started_at, path,
    message)."""
    rows = store.rows(
        f"""SELECT b.build, b.job, b.number, b.started_at, w.path, w.message
        FROM {store.table_source("warnings")} w JOIN builds b USING (build)
            JOIN {store.derived_table("build_order")} o USING (build)
        ORDER BY o.rank DESC, w.path, w.message LIMIT $limit""",
        {"limit": limit},
        _Remark,
    )
    return [
        {
            "build": ids.text(row["build"]),
            "job": row["job"],
            "number": row["number"],
            "started_at": iso(row["started_at"]),
            "path": row["path"],
            "message": row["message"],
        }
        for row in rows
    ]


@cached_query()
def empty_builds(store: Store, limit: int = 100) -> list[EmptyBuild]:
    """The newest finished builds without results: (build (id), source, job, number, started_at, result)."""
    rows = store.rows(
        f"""SELECT build, source, job, number, started_at, result
        FROM builds JOIN {store.derived_table("build_order")} USING (build) WHERE state = 'final' AND total = 0
        ORDER BY rank DESC LIMIT $limit""",
        {"limit": limit},
        _EmptyBuild,
    )
    return [
        {
            "build": ids.text(row["build"]),
            "source": row["source"],
            "job": row["job"],
            "number": row["number"],
            "started_at": iso(row["started_at"]),
            "result": row["result"],
        }
        for row in rows
    ]


def catalog_bytes(store: Store) -> int | None:
    """The catalogue's SQLite file, with its log; None in PostgreSQL, whose own tools tell."""
    catalog = store.settings.lake.local_catalog
    if catalog is None:
        return None
    return sum(path.stat().st_size for path in (catalog, Path(f"{catalog}-wal")) if path.exists())


@cached_query()
def empty_runs(store: Store, limit: int = 100) -> list[EmptyRun]:
    """The newest finished orchestrating builds whose module builds are unknown: (run (id),
    source, job, number, started_at, result)."""
    rows = store.rows(
        """SELECT min(r.run) AS run, r.source, r.job, r.number, r.started_at, any_value(r.result) AS result
        FROM runs r LEFT JOIN run_builds b USING (run) WHERE r.state = 'final'
        GROUP BY r.source, r.job, r.number, r.started_at HAVING count(b.job) = 0
        ORDER BY r.started_at DESC, r.number DESC, r.job LIMIT $limit""",
        {"limit": limit},
        _EmptyRun,
    )
    return [
        {
            "run": ids.text(row["run"]),
            "source": row["source"],
            "job": row["job"],
            "number": row["number"],
            "started_at": iso(row["started_at"]),
            "result": row["result"],
        }
        for row in rows
    ]


@cached_query()
def sizes(store: Store) -> list[TableSize]:
    """By table: its data files and their bytes, in the newest snapshot."""
    return store.rows(
        f"""SELECT table_name AS "table", (file_count + delete_file_count)::BIGINT AS files,
            (file_size_bytes + delete_file_size_bytes)::BIGINT AS bytes
        FROM ducklake_table_info('{LAKE}') ORDER BY table_name""",
        {},
        TableSize,
    )
