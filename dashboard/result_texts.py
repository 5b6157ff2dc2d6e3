"""What screens say about a result of a test, or the lack of one: titles of bars, and sentences of the drawer."""

from __future__ import annotations

from collections.abc import Sequence

from dashboard.formats import duration, shorten
from data.answers.base import Status
from data.answers.evidence import ExclusionReason
from data.answers.runs import Module, RunDetail
from data.answers.tests import Attempt, HistoryRow

# Why verdicts do not count a failure: words, and the term in them that the documentation explains.
EXCLUSIONS: dict[ExclusionReason, tuple[str, str | None, str]] = {
    "aborted": ("the build was aborted", None, ""),
    "running": ("the build is still running", None, ""),
    "storm": ("a ", "storm", " of its module"),
    "host": ("it failed only on a ", "sick_host", ""),
}
_THEN: dict[Status, str] = {"passed": "It passed", "skipped": "It was skipped", "failed": "It failed"}


def status_text(row: HistoryRow) -> str:
    """failed, or failed (running) where the build's results are not judged."""
    return f"{row['status']} ({row['unfinished']})" if row["unfinished"] else row["status"]


def build_title(row: HistoryRow, excluded: bool) -> str:
    """A result in the strip of the drawer: its build, run, status and message."""
    run = f" in run #{row['run_number']}" if row["run"] else ""
    left_out = ", not counted in verdicts" if excluded else ""
    return f"build #{row['number']}{run} {status_text(row)}{left_out}{_message(row)}"


def bar_title(row: HistoryRow) -> str:
    """A result in a lane of the test's page: its run, status, duration, host and message."""
    number, host = row["run_number"] or row["number"], f" on {row['host']}" if row["host"] else ""
    return f"#{number} {status_text(row)} in {duration(row['duration_s'])}{host}{_message(row)}"


def bar_label(row: HistoryRow) -> str:
    """The same result for who cannot see its colour and height."""
    return f"{status_text(row)} in {duration(row['duration_s'])}, build {row['number']}"


def dot_title(row: HistoryRow) -> str:
    """A result in the chart of durations."""
    topology = f" on {row['topology']}" if row["topology"] else ""
    return f"#{row['run_number'] or row['number']} {row['status']} in {duration(row['duration_s'])}{topology}"


def elsewhere_text(
    opened_from: RunDetail, status: Status | None, attempts: Sequence[Attempt], shown_run: int | None
) -> str:
    """What the test did in the run that the drawer was opened from, where another run's result is shown."""
    then = _THEN[status] if status else "It has no result"
    last = "failure" if any(attempt["status"] == "failed" for attempt in attempts) else "result"
    where = "" if shown_run is None else f", in run #{shown_run}"
    return f"{then} in run #{opened_from['number']}. This is its last {last}{where}."


def without_results(module: Module) -> str:
    """Why a module of a run has no results, and how many it usually has."""
    why = "build not read" if module["state"] == "missing" else "build without results"
    return f"{why}, usually about {module['expected_total']}" if module["expected_total"] else why


def _message(row: HistoryRow) -> str:
    return f": {shorten(row['message'], 120)}" if row["message"] else ""


FUNCTIONS = {
    "build_title": build_title,
    "bar_title": bar_title,
    "bar_label": bar_label,
    "dot_title": dot_title,
    "without_results": without_results,
}
