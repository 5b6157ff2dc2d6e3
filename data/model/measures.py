"""The one definition of each number: counts, pass rate, and what each state of a run and a release means.

Counts are of final results, one per test and topology; failed includes errors. Rates are 0..1, None where nothing ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from data.settings import MeasureSettings

COUNTS = ("total", "passed", "failed", "errors", "skipped")
# SQL: listed builds that ingest has yet to read. Those that could not be read do not count, though they are tried on:
# they must not keep their run open. (No attempt is counted while it is Jenkins as a whole that does not answer.)
WAITING = """SELECT DISTINCT source, job, number, true AS waits FROM ledger
    WHERE kind = 'build' AND (state IN ('new', 'running') OR (state = 'retry' AND attempts = 0))"""
# SQL over `runs r` and what is summed over its builds, `s`: the runs that `run_state` calls running.
RUNNING = "(r.state = 'running' OR coalesce(s.builds_running + s.waiting, 0) > 0)"
DELTAS = ("total", "passed", "failed", "skipped", "pass_rate")


def sums(alias: str) -> str:
    """SQL: the counts of a group of `builds` or `build_counts` rows."""
    return ", ".join(f"coalesce(sum({alias}.{name}), 0)::BIGINT AS {name}" for name in COUNTS)


def pass_rate(row: Mapping[str, Any], settings: MeasureSettings) -> float | None:
    """passed / total; passed / (passed + failed) where the settings leave skipped tests out."""
    ran = row["total"] if settings.skipped_in_pass_rate else row["passed"] + row["failed"]
    return row["passed"] / ran if ran else None


def deltas(row: Mapping[str, Any], previous: Mapping[str, Any] | None) -> dict[str, float] | None:
    """This row's numbers minus the previous one's; None where there is no previous one."""
    if previous is None:
        return None
    return {name: row[name] - previous[name] for name in DELTAS if row[name] is not None and previous[name] is not None}


def run_state(row: Mapping[str, Any]) -> str:
    """running (in Jenkins, or ingest has yet to read some of it) | broken (nothing came out of it) | failing (something
    failed or is missing) | ok."""
    if row["state"] == "running" or row["builds_running"] or row["waiting"]:
        return "running"
    if not row["total"]:
        return "broken"
    return "failing" if row["failed"] or row["missing"] else "ok"


def release_state(
    latest: Mapping[str, Any] | None,
    running: bool,
    words: Mapping[str, int],
    age_s: float | None,
    settings: MeasureSettings,
) -> str:
    """empty | running (its first run) | broken | stale | failing | ok.

    Failing: tests are judged broken, not merely flaky; or tests failed and nothing is known of any yet, as in a
    release's first run, or in one that a storm broke.
    """
    if latest is None:
        return "running" if running else "empty"
    if latest["state"] == "broken":
        return "broken"
    if age_s is not None and age_s > settings.stale_hours * 3600 and not running:
        return "stale"
    broken = sum(words.get(word, 0) for word in ("regression", "new_failure", "always_failing"))
    unknown = latest["failed"] and not any(words.values())
    return "failing" if broken or unknown or latest["missing"] else "ok"


def iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds") + "Z"
