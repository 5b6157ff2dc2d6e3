"""The single definition of each measure: counts, pass rate, and the states of runs and releases.

Counts are of final results, one per test and topology; failed includes errors. Rates are 0..1, None if nothing ran.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, overload

from data.settings import MeasureSettings

COUNTS = ("total", "passed", "failed", "errors", "skipped")
# SQL: listed builds that ingest has not read yet. Builds that could not be read do not count, although they are
# retried: they must not keep their run open. (An attempt does not count while Jenkins as a whole is unreachable.)
WAITING = """SELECT DISTINCT source, job, number, true AS waits FROM ledger
    WHERE kind = 'build' AND (state IN ('new', 'running') OR (state = 'retry' AND attempts = 0))"""
# SQL: builds and runs that were never read. One that failed is retried, but nothing waits for it.
UNREAD = """SELECT DISTINCT source, job, number, kind FROM ledger
    WHERE state = 'new' OR (state = 'retry' AND attempts = 0)"""
# SQL condition on `runs r` and its sums over builds `s`: the runs whose `run_state` is running.
RUNNING = "(r.state = 'running' OR coalesce(s.builds_running + s.waiting, 0) > 0)"
DELTAS = ("total", "passed", "failed", "skipped", "pass_rate")


def sums(alias: str) -> str:
    """SQL: the counts of a group of `builds` or `build_counts` rows."""
    return ", ".join(f"coalesce(sum({alias}.{name}), 0)::BIGINT AS {name}" for name in COUNTS)


def pass_rate(row: Mapping[str, Any], settings: MeasureSettings) -> float | None:
    """passed / total; passed / (passed + failed) if the settings exclude skipped tests."""
    ran = row["total"] if settings.skipped_in_pass_rate else row["passed"] + row["failed"]
    return float(row["passed"] / ran) if ran else None


def deltas(row: Mapping[str, Any], previous: Mapping[str, Any] | None) -> dict[str, float] | None:
    """The measures of this row minus those of the previous one; None without a previous one."""
    if previous is None:
        return None
    return {name: row[name] - previous[name] for name in DELTAS if row[name] is not None and previous[name] is not None}


def run_state(row: Mapping[str, Any]) -> str:
    """running (in Jenkins, or not fully read yet) | broken (no results) | failing (something failed or is missing) |
    ok."""
    if row["state"] == "running" or row["builds_running"] or row["waiting"]:
        return "running"
    if not row["total"]:
        return "broken"
    return "failing" if row["failed"] or row["missing"] else "ok"


def release_state(
    latest: Mapping[str, Any] | None,
    running: bool,
    kinds: Mapping[str, int],
    age_s: float | None,
    settings: MeasureSettings,
) -> str:
    """empty | running (its first run) | broken | stale | failing | ok.

    Failing: a test has the verdict regression, new failure or always failing; or tests failed and none has a verdict
    yet, as in the first run of a release or in a storm.
    """
    if latest is None:
        return "running" if running else "empty"
    if latest["state"] == "broken":
        return "broken"
    if age_s is not None and age_s > settings.stale_hours * 3600 and not running:
        return "stale"
    broken = sum(kinds.get(kind, 0) for kind in ("regression", "new_failure", "always_failing"))
    unknown = latest["failed"] and not any(kinds.values())
    return "failing" if broken or unknown or latest["missing"] else "ok"


@overload
def iso(moment: datetime) -> str: ...
@overload
def iso(moment: None) -> None: ...
@overload
def iso(moment: datetime | None) -> str | None: ...
def iso(moment: datetime | None) -> str | None:
    """A naive UTC time in ISO 8601, to the second."""
    return None if moment is None else moment.isoformat(timespec="seconds") + "Z"
