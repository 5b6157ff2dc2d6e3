"""Questions about ingestion: is everything here, and if not, what is missing and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from data.lake.cached_query import cached_query, of_tables
from data.lake.connection import LAKE, local_catalog
from data.lake.store import Store
from data.model import ids
from data.model.filters import EVERYTHING, Filter
from data.model.measures import iso
from data.tasks import poll_status


def status(store: Store) -> list[dict[str, Any]]:
    """One row a source: the last poll and its outcome, the next (None: not known; past: it is due), whether it is being
    read now, open work by state, builds and results held, lag in seconds."""
    now = datetime.now(UTC).replace(tzinfo=None)
    polls = poll_status.latest(store, now)
    rows = []
    for row in _sources(store):
        row = {**row, "next_poll": None, "is_read": False, **polls.get(row["source"], {})}
        last = row["last_poll"]
        age = None if last is None else (now - datetime.fromisoformat(last.rstrip("Z"))).total_seconds()
        rows.append(row | {"lag_s": age})
    return rows


def is_late(source: Mapping[str, Any]) -> bool:
    """Whether a configured source was last polled longer ago than twice its interval, or never."""
    if source["poll_minutes"] is None:
        return False
    return source["lag_s"] is None or source["lag_s"] > 2 * 60 * source["poll_minutes"]


def freshness(store: Store) -> dict[str, Any]:
    """Whether new data arrives, as every screen and /health show it: {"state": live | late (a source was not polled for
    twice its interval) | stopped (no ingest process is running) | unwatched (no source is configured), "behind_s":
    seconds since the data was last up to date, None where it is or never was}."""
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


@cached_query()
def _sources(store: Store) -> list[dict[str, Any]]:
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
    with_rows = {row["source"] for row in answer}
    for name, source in configured.items():
        if name not in with_rows:
            empty = dict.fromkeys(("last_poll", "last_error", "last_failed", "duration_s", "requests", "newest_build"))
            answer.append({"source": name, **empty, **dict.fromkeys(counts, 0), "poll_minutes": source.poll_minutes})
    return answer


@cached_query(of_tables("ledger"))
def ledger(
    store: Store,
    source: str | None = None,
    state: str | None = None,
    limit: int = 200,
    offset: int = 0,
    flt: Filter = EVERYTHING,
    rechecks: bool = True,
) -> list[dict[str, Any]]:
    """Open work: discovered builds that are not done, with their error. Failed builds come first, then waiting ones by
    their next try, then those that Jenkins has deleted, and last, with `rechecks`, builds that are read and will be
    rechecked once."""
    where = "true" if rechecks else "state <> 'recheck'"
    parameters: dict[str, Any] = {"limit": limit, "offset": offset}
    for name, value in (("source", source), ("state", state)):
        if value is not None:
            where += f" AND {name} = ${name}"
            parameters[name] = value
    rows = store.rows(
        f"""SELECT * FROM ledger WHERE {where}
        ORDER BY state = 'recheck', state = 'gone', state NOT IN ('failed', 'retry'), next_try NULLS FIRST,
            source, job, number
        LIMIT $limit OFFSET $offset""",
        parameters,
    )
    return [
        row
        | {name: iso(row[name]) for name in ("next_try", "first_seen", "updated_at")}
        | {"crashes": row.get("crashes") or 0}  # no column in earlier snapshots
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
    rows = store.rows(
        "SELECT build, release, module, number FROM builds WHERE build IN (SELECT unnest($builds))",
        {"builds": [ids.number(build) for build in builds]},
    )
    return {ids.text(row["build"]): "{release} {module} #{number}".format(**row) for row in rows}


@cached_query()
def gaps(store: Store, flt: Filter = EVERYTHING, limit: int = 200) -> list[dict[str, Any]]:
    """Build numbers that are in no table between the first and the newest known one of a job: (source, job, first,
    last) of each hole, newest first. Picked or backfilled builds from before the polled history leave no gaps;
    nor do imports and uploads, whose numbers are free."""
    rows = store.rows(
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
    )
    return rows


@cached_query()
def drops(store: Store, flt: Filter = EVERYTHING, share: float = 0.8) -> list[dict[str, Any]]:
    """Jobs whose newest final build has fewer tests than `share` of the median of the ten before it."""
    rows = store.rows(
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
    )
    return rows


@cached_query()
def remarks(store: Store, limit: int = 100) -> list[dict[str, Any]]:
    """The parsers' warnings about reports, newest builds first: (build (id), job, number, started_at, path,
    message)."""
    rows = store.rows(
        f"""SELECT b.build, b.job, b.number, b.started_at, w.path, w.message
        FROM {store.table_source("warnings")} w JOIN builds b USING (build)
            JOIN {store.derived_table("build_order")} o USING (build)
        ORDER BY o.rank DESC, w.path, w.message LIMIT $limit""",
        {"limit": limit},
    )
    return [row | {"build": ids.text(row["build"]), "started_at": iso(row["started_at"])} for row in rows]


@cached_query()
def empty_builds(store: Store, limit: int = 100) -> list[dict[str, Any]]:
    """The newest finished builds without results: (build (id), source, job, number, started_at, result)."""
    rows = store.rows(
        f"""SELECT build, source, job, number, started_at, result
        FROM builds JOIN {store.derived_table("build_order")} USING (build) WHERE state = 'final' AND total = 0
        ORDER BY rank DESC LIMIT $limit""",
        {"limit": limit},
    )
    return [row | {"build": ids.text(row["build"]), "started_at": iso(row["started_at"])} for row in rows]


def catalog_bytes(store: Store) -> int | None:
    """The catalogue's SQLite file, with its log; None in PostgreSQL, whose own tools tell."""
    catalog = local_catalog(store.settings)
    if catalog is None:
        return None
    return sum(path.stat().st_size for path in (catalog, Path(f"{catalog}-wal")) if path.exists())


@cached_query()
def empty_runs(store: Store, limit: int = 100) -> list[dict[str, Any]]:
    """The newest finished orchestrating builds whose module builds are unknown: (run (id),
    source, job, number, started_at, result)."""
    rows = store.rows(
        """SELECT min(r.run) AS run, r.source, r.job, r.number, r.started_at, any_value(r.result) AS result
        FROM runs r LEFT JOIN run_builds b USING (run) WHERE r.state = 'final'
        GROUP BY r.source, r.job, r.number, r.started_at HAVING count(b.job) = 0
        ORDER BY r.started_at DESC, r.number DESC, r.job LIMIT $limit""",
        {"limit": limit},
    )
    return [row | {"run": ids.text(row["run"]), "started_at": iso(row["started_at"])} for row in rows]


@cached_query()
def sizes(store: Store) -> list[dict[str, Any]]:
    """By table: its data files and their bytes, in the newest snapshot."""
    return store.rows(
        f"""SELECT table_name AS "table", (file_count + delete_file_count)::BIGINT AS files,
            (file_size_bytes + delete_file_size_bytes)::BIGINT AS bytes
        FROM ducklake_table_info('{LAKE}') ORDER BY table_name"""
    )
