"""The order of runs and builds: within one job the number decides, across jobs the time.

Clocks are wrong at times, and imports start at the same second; the numbers of one job are never wrong. So a build
counts as begun no earlier than those of its job with lower numbers. Equal times are ordered by number.

A job that was deleted and created again restarts at 1, and its builds form a new generation, which comes after the
older one. Where numbers fall, three things prove it:
- The lower number started after the higher one had been read: Jenkins would not have started it in the old job.
- A number occurs twice with different starts: between the two, the fall after the longest pause begins the new job.
- Everything agrees, where old builds were imported: after a pause of days, at least two builds with lower numbers
  follow at least two with higher ones, and the numbers do not mix, nor join up unless the lower ones begin with 1.
  One wrong clock proves nothing.

A build whose time was not believed (flag no_start_time) has the time of its discovery, which means nothing: its
neighbors give its place.
"""

from __future__ import annotations

# In the key of a run whose name an earlier or later generation has too: the start of its first build.
GENERATION = r"@\d{4}-\d\d-\d\dT[\d:.]+$"
_LONGEST_SKEW = "INTERVAL 2 DAY"  # no clock error or time zone makes a longer pause between two builds


def _ranked(rows: str, read: str) -> str:
    """SQL: `rows` (id, counter: what numbers count within, number, started_at, is_guessed: whether that time is,
    is_named: whether a number that occurs twice is no evidence, ...) with the rank of each.
    `read`: (id, read_at), when each was last read.

    Sorting all rows within their counters is most of the cost, so it is done for those alone in which a number is not
    higher than the one before. Runs that share number and start are of one orchestrating build: no fall.
    """
    return f"""WITH numbered AS ({rows}),
        fallen AS (
            SELECT DISTINCT counter FROM (
                SELECT counter,
                    number <= lag(number) OVER earlier AND started_at > lag(started_at) OVER earlier AS falls
                FROM numbered WINDOW earlier AS (PARTITION BY counter ORDER BY started_at, number))
            WHERE falls),
        steps AS (
            SELECT *, row_number() OVER earlier AS step,
                CASE WHEN number <= lag(number) OVER earlier
                    THEN started_at - lag(started_at) OVER earlier END AS pause,
                started_at > lag(read_at IGNORE NULLS) OVER earlier AS is_later,
                started_at > lag(started_at) OVER (PARTITION BY counter, number ORDER BY started_at)
                    AND NOT is_named AS is_repeated
            FROM numbered LEFT JOIN ({read}) USING (id) WHERE counter IN (FROM fallen) AND NOT is_guessed
            WINDOW earlier AS (PARTITION BY counter ORDER BY started_at, number)),
        falls AS (
            SELECT *, step - lag(step) OVER (PARTITION BY counter, number ORDER BY step) - 1 AS between_repeats
            FROM steps WHERE counter IN (SELECT counter FROM steps WHERE is_repeated)),
        repeats AS (
            SELECT DISTINCT counter, step FROM (
                SELECT counter, is_repeated, arg_max(step, pause) OVER (
                    PARTITION BY counter ORDER BY step
                    ROWS BETWEEN coalesce(between_repeats, 0) PRECEDING AND CURRENT ROW) AS step
                FROM falls)
            WHERE is_repeated),
        proven AS (
            SELECT *, count(*) FILTER ((pause IS NOT NULL AND is_later) OR (counter, step) IN (FROM repeats)) OVER (
                PARTITION BY counter ORDER BY step) AS generation
            FROM steps),
        unanimous AS (
            SELECT id, pause >= {_LONGEST_SKEW} AND min(number) OVER before > max(number) OVER after
                AND (min(number) OVER before > max(number) OVER after + 1 OR min(number) OVER after = 1)
                AND count(*) OVER before > 1 AND count(*) OVER after > 1 AS restarts
            FROM proven WHERE counter IN (SELECT counter FROM proven WHERE pause >= {_LONGEST_SKEW})
            WINDOW before AS (PARTITION BY counter, generation ORDER BY step
                    ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
                after AS (PARTITION BY counter, generation ORDER BY step
                    ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING)),
        restarts AS (
            SELECT id FROM proven QUALIFY generation > lag(generation, 1, 0) OVER (PARTITION BY counter ORDER BY step)
            UNION ALL SELECT id FROM unanimous WHERE restarts),
        generations AS (
            SELECT *, count(*) FILTER (id IN (FROM restarts)) OVER (PARTITION BY counter ORDER BY started_at, number)
                AS generation
            FROM numbered WHERE counter IN (FROM fallen)),
        moments AS (
            SELECT id, coalesce(
                max(started_at) FILTER (NOT is_guessed) OVER (
                    PARTITION BY counter, generation ORDER BY number, started_at),
                min(started_at) FILTER (NOT is_guessed) OVER (PARTITION BY counter, generation)) AS moment
            FROM generations)
    SELECT *, row_number() OVER (ORDER BY coalesce(moment, started_at), number, started_at, counter, id) AS rank
    FROM numbered LEFT JOIN moments USING (id)"""


_GUESSED = "coalesce(contains(flags, 'no_start_time'), false)"
_BUILDS = f"""SELECT build AS id, hash(source, job) AS counter, number, started_at, {_GUESSED} AS is_guessed,
        false AS is_named
    FROM builds"""
_BUILDS_READ = "SELECT build AS id, ingested_at AS read_at FROM builds"

# Snapshots from before migration 5 have no key: BY NAME.
_KEYED = "(FROM runs UNION ALL BY NAME SELECT NULL::VARCHAR AS key WHERE false)"

# The number of a run that a name other than a number names is that of any of its builds: it orders nothing. Nor do
# numbers where one of the jobs that count together was created again (data/write/named_runs.py): the others went on.
# Imports count within an environment, and may have one number in two releases.
_RUNS = f"""SELECT run AS id, release, environment, number, started_at,
        (run, started_at) IN (
            SELECT (l.run, b.started_at) FROM builds b JOIN run_builds l USING (build) WHERE {_GUESSED}) AS is_guessed,
        hash(source, job, CASE WHEN key <> '' THEN environment END,
            CASE WHEN key <> '' AND (is_again OR NOT ends_with(key, '=' || number)) THEN run END) AS counter,
        key <> '' AS is_named
    FROM {_KEYED} LEFT JOIN (
        SELECT DISTINCT source, job, environment, true AS is_again FROM {_KEYED}
        WHERE regexp_matches(key, '{GENERATION}')) USING (source, job, environment)"""
_RUNS_READ = """SELECT l.run AS id, max(b.ingested_at) AS read_at
    FROM run_builds l JOIN builds b USING (build) GROUP BY l.run"""

# (build, rank); the newest build has the highest rank.
BUILD_ORDER = f"SELECT id AS build, rank FROM ({_ranked(_BUILDS, _BUILDS_READ)})"

# (run, rank, previous, next): the last two are its neighbors in its lane.
RUN_ORDER = f"""SELECT id AS run, rank, lag(id) OVER lane AS previous, lead(id) OVER lane AS next
    FROM ({_ranked(_RUNS, _RUNS_READ)}) WINDOW lane AS (PARTITION BY release, environment ORDER BY rank)"""
