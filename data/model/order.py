"""The order of runs and builds: within one job the number decides, across jobs the time.

Clocks are wrong at times, and imports start at the same second; the numbers of one job are never wrong. So a build
counts as begun no earlier than those of its job with lower numbers. Equal times are ordered by number.

A job that was deleted and created again restarts at 1: a lower number that started after a higher one had been read
belongs to the new job, for Jenkins would not have started it in the old one.
"""

from __future__ import annotations


def _ranked(rows: str) -> str:
    """SQL: `rows` (counter: what numbers count within; number, started_at, read_at, ...) with the rank of each."""
    return f"""SELECT *, row_number() OVER (ORDER BY moment, number, started_at, counter, id) AS rank
        FROM (
            SELECT *, max(started_at) OVER (PARTITION BY counter, generation ORDER BY number, started_at) AS moment
            FROM (
                SELECT *, count(*) FILTER (restarts) OVER (PARTITION BY counter ORDER BY started_at, number)
                    AS generation
                FROM (
                    SELECT *, number <= lag(number) OVER earlier
                        AND started_at > lag(read_at IGNORE NULLS) OVER earlier AS restarts
                    FROM ({rows})
                    WINDOW earlier AS (PARTITION BY counter ORDER BY started_at, number))))"""


_BUILDS = """SELECT build AS id, concat_ws(chr(0), source, job) AS counter, number, started_at, ingested_at AS read_at
    FROM builds"""

# The number of a run that a name other than a number names is that of any of its builds: it orders nothing. Imports
# count within an environment. Snapshots from before migration 5 have no key: BY NAME.
_RUNS = """SELECT r.run AS id, r.release, r.environment, r.number, r.started_at, b.read_at,
        concat_ws(chr(0), r.source, r.job, CASE WHEN r.key <> '' THEN r.environment END,
            CASE WHEN r.key <> '' AND NOT ends_with(r.key, '=' || r.number) THEN r.key || r.release END) AS counter
    FROM (FROM runs UNION ALL BY NAME SELECT NULL::VARCHAR AS key WHERE false) r
    LEFT JOIN (
        SELECT run, max(ingested_at) AS read_at FROM run_builds JOIN builds USING (build) GROUP BY run) b USING (run)"""

# (build, rank); the newest build has the highest rank.
BUILD_ORDER = f"SELECT id AS build, rank FROM ({_ranked(_BUILDS)})"

# (run, rank, previous, next): the last two are its neighbors in its lane.
RUN_ORDER = f"""SELECT id AS run, rank, lag(id) OVER lane AS previous, lead(id) OVER lane AS next
    FROM ({_ranked(_RUNS)}) WINDOW lane AS (PARTITION BY release, environment ORDER BY rank)"""
