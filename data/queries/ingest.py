"""Questions about ingestion: is everything here, and if not, what is missing and why."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data import ids
from data.cache import question
from data.filters import EVERYTHING, Filter
from data.measures import iso
from data.store import LAKE, Store


def status(store: Store) -> list[dict[str, Any]]:
    """One row a source: the last poll and its outcome, open work by state, builds and results held, lag in seconds."""
    now = datetime.now(UTC).replace(tzinfo=None)
    rows = []
    for row in _sources(store):
        last = row["last_poll"]
        age = None if last is None else (now - datetime.fromisoformat(last.rstrip("Z"))).total_seconds()
        rows.append(row | {"lag_s": age})
    return rows


@question
def _sources(store: Store) -> list[dict[str, Any]]:
    rows = store.rows(
        """WITH polled AS (
            SELECT source, max(started_at) AS last_poll, arg_max(error, started_at) AS last_error,
                arg_max(failed, started_at) AS last_failed,
                arg_max(duration_s, started_at) AS duration_s, arg_max(requests, started_at) AS requests,
                sum(failed) FILTER (started_at > now()::TIMESTAMP - INTERVAL 1 DAY) AS failed_24h
            FROM poll_log GROUP BY source),
        open AS (SELECT source, count(*) AS open, count(*) FILTER (state = 'retry') AS retrying,
                    count(*) FILTER (state = 'running') AS running, count(*) FILTER (state = 'gone') AS gone
                 FROM ledger GROUP BY source),
        held AS (SELECT source, count(*) AS builds, sum(total)::BIGINT AS results, max(started_at) AS newest_build,
                    count(*) FILTER (state = 'final' AND total = 0) AS without_results,
                    count(*) FILTER (flags <> '') AS flagged FROM builds GROUP BY source)
        SELECT * FROM (SELECT source FROM polled UNION SELECT source FROM held UNION SELECT source FROM open) s
        LEFT JOIN polled USING (source) LEFT JOIN open USING (source) LEFT JOIN held USING (source) ORDER BY source"""
    )
    counts = ("open", "retrying", "running", "gone", "builds", "results", "without_results", "flagged", "failed_24h")
    configured = {source.name: source for source in store.settings.source}
    answer = [
        row
        | {name: int(row[name] or 0) for name in counts}
        | {"last_poll": iso(row["last_poll"]), "newest_build": iso(row["newest_build"])}
        | {"poll_minutes": configured[row["source"]].poll_minutes if row["source"] in configured else None}
        for row in rows
    ]
    known = {row["source"] for row in answer}
    for name, source in configured.items():
        if name not in known:
            empty = dict.fromkeys(("last_poll", "last_error", "last_failed", "duration_s", "requests", "newest_build"))
            answer.append({"source": name, **empty, **dict.fromkeys(counts, 0), "poll_minutes": source.poll_minutes})
    return answer


@question
def ledger(
    store: Store,
    source: str | None = None,
    state: str | None = None,
    limit: int = 200,
    offset: int = 0,
    flt: Filter = EVERYTHING,
) -> list[dict[str, Any]]:
    """Open work, the next to be tried first: discovered builds that are not done, with their error. After them what is
    read and will only be looked at once more."""
    where, parameters = "true", {"limit": limit, "offset": offset}
    for name, value in (("source", source), ("state", state)):
        if value is not None:
            where += f" AND {name} = ${name}"
            parameters[name] = value
    rows = store.rows(
        f"""SELECT * FROM ledger WHERE {where}
        ORDER BY state = 'recheck', next_try NULLS FIRST, source, job, number LIMIT $limit OFFSET $offset""",
        parameters,
    )
    return [row | {name: iso(row[name]) for name in ("next_try", "first_seen", "updated_at")} for row in rows]


@question
def gaps(store: Store, flt: Filter = EVERYTHING, limit: int = 200) -> list[dict[str, Any]]:
    """Build numbers that are in no table between the first and the newest known one of a job: (source, job, first,
    last) of each hole, newest first."""
    rows = store.rows(
        """WITH known AS (
            SELECT source, job, number FROM builds UNION SELECT source, job, number FROM ledger
            UNION SELECT source, job, number FROM runs)
        SELECT source, job, number + 1 AS first, following - 1 AS last FROM (
            SELECT *, lead(number) OVER (PARTITION BY source, job ORDER BY number) AS following FROM known)
        WHERE following > number + 1 ORDER BY last DESC, source, job LIMIT $limit""",
        {"limit": limit},
    )
    return rows


@question
def drops(store: Store, flt: Filter = EVERYTHING, share: float = 0.8) -> list[dict[str, Any]]:
    """Jobs whose newest final build has fewer tests than `share` of the median of the ten before it."""
    rows = store.rows(
        """WITH numbered AS (
            SELECT source, job, number, total, started_at,
                row_number() OVER (PARTITION BY source, job ORDER BY started_at DESC) AS age
            FROM builds WHERE state = 'final')
        SELECT source, job, any_value(number) FILTER (age = 1) AS number, any_value(total) FILTER (age = 1) AS total,
            median(total) FILTER (age BETWEEN 2 AND 11) AS usual
        FROM numbered WHERE age <= 11 GROUP BY source, job
        HAVING count(*) > 3 AND any_value(total) FILTER (age = 1) < $share * median(total) FILTER (age BETWEEN 2 AND 11)
        ORDER BY source, job""",
        {"share": share},
    )
    return rows


@question
def remarks(store: Store, limit: int = 100) -> list[dict[str, Any]]:
    """What parsers remarked on reports, the newest builds first: (build (id), job, number, started_at, path,
    message)."""
    rows = store.rows(
        f"""SELECT b.build, b.job, b.number, b.started_at, w.path, w.message
        FROM {store.part("warnings")} w JOIN builds b USING (build)
        ORDER BY b.started_at DESC, b.job, w.path, w.message LIMIT $limit""",
        {"limit": limit},
    )
    return [row | {"build": ids.text(row["build"]), "started_at": iso(row["started_at"])} for row in rows]


@question
def empty_builds(store: Store, limit: int = 100) -> list[dict[str, Any]]:
    """The newest ended builds that brought no results: (build (id), source, job, number, started_at, result)."""
    rows = store.rows(
        """SELECT build, source, job, number, started_at, result FROM builds WHERE state = 'final' AND total = 0
        ORDER BY started_at DESC, job LIMIT $limit""",
        {"limit": limit},
    )
    return [row | {"build": ids.text(row["build"]), "started_at": iso(row["started_at"])} for row in rows]


def catalog_bytes(store: Store) -> int | None:
    """The catalogue's SQLite file, with its log; None in PostgreSQL, whose own tools tell."""
    catalog = store.settings.catalog
    if "://" in catalog:
        return None
    return sum(path.stat().st_size for path in (Path(catalog), Path(f"{catalog}-wal")) if path.exists())


@question
def sizes(store: Store) -> list[dict[str, Any]]:
    """By table: its data files and their bytes, in the newest snapshot."""
    return store.rows(
        f"""SELECT table_name AS "table", (file_count + delete_file_count)::BIGINT AS files,
            (file_size_bytes + delete_file_size_bytes)::BIGINT AS bytes
        FROM ducklake_table_info('{LAKE}') ORDER BY table_name"""
    )
