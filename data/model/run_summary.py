"""The summary of each run: its row, its neighbors and age in its lane (release and environment), the sums over its
builds, and whether it is incomplete."""

from __future__ import annotations

from datetime import timedelta

from data.model.measures import COUNTS, FAILED_RESULTS, INCOMPLETE, LISTED_BUILDS, RUNNING, sums

# A job that lacks in more runs than this, for longer than this, is no longer part of its lane.
GONE_RUNS, GONE_AFTER = 60, timedelta(days=60)
_BUILD_COUNTS = ("builds", "builds_running", "builds_final", "missing", "aborted", "waiting", "partial")


def with_ages(runs: str) -> str:
    """SQL: `runs` (with the columns of `runs` and their rank) with the `age` of each in its lane and `job_age` among
    the runs of its job in the lane (0 is the newest), and whether `job_is_gone` from the lane."""
    return f"""SELECT * EXCLUDE (lane_newest), row_number() OVER (job ORDER BY age) - 1 AS job_age,
            min(age) OVER job > {GONE_RUNS}
                AND lane_newest - max(started_at) OVER job > INTERVAL {GONE_AFTER.days} DAY AS job_is_gone
        FROM (
            SELECT *, row_number() OVER (lane ORDER BY rank DESC) - 1 AS age, max(started_at) OVER lane AS lane_newest
            FROM ({runs}) WINDOW lane AS (PARTITION BY release, environment))
        WINDOW job AS (PARTITION BY release, environment, source, job)"""


_SUMS = f"""SELECT g.run, count(*) AS builds, count(*) FILTER (g.state = 'running') AS builds_running,
        count(*) FILTER (g.state = 'final') AS builds_final,
        count(*) FILTER (g.gap IN ('missing', 'waiting')) AS missing,
        count(*) FILTER (g.gap = 'aborted') AS aborted, count(*) FILTER (g.gap = 'waiting') AS waiting,
        count(*) FILTER (g.gap = 'partial') AS partial,
        arg_min(g.job || ' #' || g.number || ': ' || g.why, (g.job, g.number)) FILTER (
            g.gap IN ('missing', 'aborted', 'partial') AND g.why IS NOT NULL) AS first_partial,
        count(*) FILTER (g.failed > 0 OR g.result IN {FAILED_RESULTS}) AS builds_failed, {sums("g")}
    FROM ({LISTED_BUILDS}) g GROUP BY g.run"""
# SQL: one row for each run. `run_order` is the table of that name, or its SQL.
RUN_SUMMARIES = with_ages(
    f"""SELECT r.*, o.rank, o.previous, o.next, s.first_partial, {RUNNING} AS running,
        coalesce({INCOMPLETE}, false) AS incomplete,
        {", ".join(f"coalesce(s.{name}, 0) AS {name}" for name in (*_BUILD_COUNTS, *COUNTS))}
    FROM runs r JOIN run_order o USING (run) LEFT JOIN ({_SUMS}) s USING (run)"""
)
