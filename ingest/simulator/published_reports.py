"""Test reports as the plugins of Jenkins have them in memory."""

from __future__ import annotations

from typing import NotRequired, TypedDict, final


class ReportCase(TypedDict):
    className: str
    name: str
    duration: float
    status: str
    skipped: bool
    skippedMessage: str | None
    errorDetails: str | None
    errorStackTrace: str | None
    stdout: str | None
    stderr: str | None


class ReportSuite(TypedDict):
    name: str
    duration: float
    timestamp: NotRequired[str | None]
    cases: list[ReportCase]


@final
class SuitesReport(TypedDict):
    """Of the JUnit plugin."""

    suites: list[ReportSuite]
