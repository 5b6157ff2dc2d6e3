"""Example queries of the SQL console: questions that no screen answers directly, each with a chart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """`chart`: kind (bar or line) and the columns for x, y and series; None for a plain table."""

    question: str
    sql: str
    chart: tuple[str, str, str, str] | None = None


EXAMPLES = (
    Example(
        "Which modules fail most in the 10 newest runs of each release?",
        """WITH newest AS (
    SELECT run, release FROM runs
    QUALIFY row_number() OVER (PARTITION BY release ORDER BY started_at DESC, number DESC) <= 10)
SELECT n.release, c.module, sum(c.failed)::BIGINT AS failed, sum(c.total)::BIGINT AS total,
    round(sum(c.failed) / sum(c.total), 4) AS share
FROM newest n JOIN run_builds USING (run) JOIN build_counts c USING (build)
GROUP BY ALL HAVING sum(c.failed) > 0 ORDER BY failed DESC LIMIT 50""",
        ("bar", "module", "failed", "release"),
    ),
    Example(
        "How has the pass rate changed from day to day?",
        """SELECT date_trunc('day', started_at)::DATE AS day, release, sum(passed) / sum(total) AS pass_rate
FROM build_counts
WHERE started_at > (SELECT max(started_at) FROM builds) - INTERVAL 30 DAY
GROUP BY ALL ORDER BY day, release""",
        ("line", "day", "pass_rate", "release"),
    ),
    Example(
        "Which tests passed only on a rerun in the last two weeks?",
        """SELECT r.release, t.file, t.name, count(*) AS rescued, r.test
FROM results r JOIN tests t USING (test)
WHERE r.started_at > (SELECT max(started_at) FROM builds) - INTERVAL 14 DAY
    AND r.status = 'passed' AND r.is_final AND r.attempt > 1
GROUP BY ALL ORDER BY rescued DESC LIMIT 50""",
    ),
    Example(
        "Which files take the most test time?",
        """SELECT r.module, t.file, round(sum(r.duration_s) / 3600, 2) AS hours, count(*) AS attempts
FROM results r JOIN tests t USING (test)
WHERE r.started_at > (SELECT max(started_at) FROM builds) - INTERVAL 7 DAY
GROUP BY ALL ORDER BY hours DESC LIMIT 25""",
        ("bar", "file", "hours", "module"),
    ),
    Example(
        "Which hosts fail most often?",
        """SELECT host, count(*) AS ran, count(*) FILTER (status = 'failed') AS failed,
    round(failed / ran, 4) AS share
FROM results
WHERE started_at > (SELECT max(started_at) FROM builds) - INTERVAL 14 DAY
    AND is_final AND status <> 'skipped' AND host IS NOT NULL
GROUP BY ALL ORDER BY share DESC LIMIT 40""",
        ("bar", "host", "share", ""),
    ),
    Example(
        "Which failure patterns affect the most tests, and when were they first seen?",
        """SELECT s.pattern, count(DISTINCT f.test) AS tests, count(*) AS failures, s.first_seen, f.signature
FROM failures f JOIN signatures s USING (signature)
WHERE f.started_at > (SELECT max(started_at) FROM builds) - INTERVAL 7 DAY
GROUP BY ALL ORDER BY tests DESC LIMIT 25""",
    ),
    Example(
        "Which P0 and P1 tests failed in the newest run of each release?",
        """WITH newest AS (
    SELECT run, release FROM runs WHERE state = 'final'
    QUALIFY row_number() OVER (PARTITION BY release ORDER BY started_at DESC, number DESC) = 1)
SELECT n.release, m.priority, r.module, t.name, r.topology, r.test
FROM newest n JOIN run_builds USING (run) JOIN results r USING (build)
JOIN tests t USING (test) JOIN test_metadata m ON m.base_name = t.base_name
    AND coalesce(m.file, t.file) = t.file AND coalesce(m.class, t.class) = t.class
WHERE r.is_final AND r.status = 'failed' AND m.priority IN ('P0', 'P1')
    AND (m.release IS NULL OR m.release = n.release)
ORDER BY ALL LIMIT 200""",
    ),
    Example(
        "How long do runs take?",
        """SELECT started_at, release, duration_s / 3600 AS hours, number, run
FROM runs WHERE duration_s > 0 ORDER BY started_at DESC, number DESC LIMIT 200""",
        ("line", "started_at", "hours", "release"),
    ),
)
