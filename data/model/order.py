"""The order of runs and builds: within one job the number decides, across jobs the time.

Clocks are wrong at times, and imports start at the same second; the numbers of one job are never wrong. So a build
counts as begun no earlier than those of its job with lower numbers. Equal times are ordered by number.

A job that was deleted and created again restarts at 1: a lower number that started after a higher one had been read
belongs to the new job, for Jenkins would not have started it in the old one.

A build whose time was not believed (flag no_start_time) has the time of its discovery, which means nothing: its
neighbors give its place.
"""

from __future__ import annotations


def _ranked(rows: str, read: str) -> str:
    """SQL: `rows` (id, counter: what numbers count within, number, started_at, is_guessed: whether that time is, ...)
    with the rank of each. `read`: (id, read_at), when each was last read.

    Sorting all rows within their counters is most of the cost, so it is done for those alone in which a number is not
    higher than the one before.
    """
    return f"""WITH numbered AS ({rows}),
        fallen AS (
            SELECT DISTINCT counter FROM (
                SELECT counter, number <= lag(number) OVER (PARTITION BY counter ORDER BY started_at, number) AS falls
                FROM numbered)
            WHERE falls),
        restarting AS (
            SELECT *, number <= lag(number) OVER earlier
                AND started_at > lag(read_at IGNORE NULLS) OVER earlier AND NOT is_guessed AS restarts
            FROM numbered LEFT JOIN ({read}) USING (id) WHERE counter IN (FROM fallen)
            WINDOW earlier AS (PARTITION BY counter ORDER BY started_at, number)),
        generations AS (
            SELECT *, count(*) FILTER (restarts) OVER (PARTITION BY counter ORDER BY started_at, number) AS generation
            FROM restarting),
        moments AS (
            SELECT id, coalesce(
                max(started_at) FILTER (NOT is_guessed) OVER (
                    PARTITION BY counter, generation ORDER BY number, started_at),
                min(started_at) FILTER (NOT is_guessed) OVER (PARTITION BY counter, generation)) AS moment
            FROM generations)
    SELECT *, row_number() OVER (ORDER BY coalesce(moment, started_at), number, started_at, counter, id) AS rank
    FROM numbered LEFT JOIN moments USING (id)"""


_GUESSED = "coalesce(contains(flags, 'no_start_time'), false)"
_BUILDS = f"""SELECT build AS id, hash(source, job) AS counter, number, started_at, {_GUESSED} AS is_guessed
    FROM builds"""
_BUILDS_READ = "SELECT build AS id, ingested_at AS read_at FROM builds"

# The number of a run that a name other than a number names is that of any of its builds: it orders nothing. Imports
# count within an environment. Snapshots from before migration 5 have no key: BY NAME.
_RUNS = f"""SELECT run AS id, release, environment, number, started_at,
        (run, started_at) IN (
            SELECT (l.run, b.started_at) FROM builds b JOIN run_builds l USING (build) WHERE {_GUESSED}) AS is_guessed,
        hash(source, job, CASE WHEN key <> '' THEN environment END,
            CASE WHEN key <> '' AND NOT ends_with(key, '=' || number) THEN key || release END) AS counter
    FROM (FROM runs UNION ALL BY NAME SELECT NULL::VARCHAR AS key WHERE false)"""
_RUNS_READ = """SELECT l.run AS id, max(b.ingested_at) AS read_at
    FROM run_builds l JOIN builds b USING (build) GROUP BY l.run"""

# (build, rank); the newest build has the highest rank.
BUILD_ORDER = f"SELECT id AS build, rank FROM ({_ranked(_BUILDS, _BUILDS_READ)})"

# (run, rank, previous, next): the last two are its neighbors in its lane.
RUN_ORDER = f"""SELECT id AS run, rank, lag(id) OVER lane AS previous, lead(id) OVER lane AS next
    FROM ({_ranked(_RUNS, _RUNS_READ)}) WINDOW lane AS (PARTITION BY release, environment ORDER BY rank)"""
