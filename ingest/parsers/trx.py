"""The .trx files of Visual Studio and `dotnet test`. There is no maintained library for them."""

from __future__ import annotations

import re

from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.text import clip, epoch
from ingest.parsers.xml_dialect import ElementHandler
from ingest.parsers.xml_stream import Source, read_status, read_xml

# In the schema a missing outcome means Failed.
_FAILED = {"failed": "failure", "": "failure", "error": "error", "timeout": "error", "aborted": "error",
           "disconnected": "error"}  # fmt: skip
_PASSED = {"passed", "completed", "warning", "passedbutrunaborted"}
_SPAN = re.compile(r"(?:(\d{1,5})\.)?(\d{1,4}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


def parse(stream: ReportStream) -> Report:
    """Parse one test run. A data-driven test counts by its rows; NotExecuted, Inconclusive and the like are skipped.

    A failure of the run itself (such as a crashed test host) is not a test but a warning."""
    reader, problem = read_xml(stream, _Reader)
    status, warnings = read_status(problem, reader, found=reader.found, complete=reader.complete)
    report = Report(
        status,
        reader.cases,
        len({case.class_name for case in reader.cases}),
        None,
        reader.declared,
        warnings + reader.warnings,
    )
    if report.miscounted:
        report.warnings.append(f"declares {reader.declared} tests, has {report.tests}")
    return report


def _span(text: str) -> float | None:
    found = _SPAN.fullmatch(text.strip())
    if not found:
        return None
    days, hours, minutes, rest = found.groups()
    return int(days or 0) * 86400.0 + int(hours) * 3600 + int(minutes) * 60 + float(rest)


class _Open:
    def __init__(self, case: Case, test_id: str) -> None:
        self.case, self.test_id = case, test_id
        self.has_rows = False


class _Reader(ElementHandler):
    texts = frozenset({"Message", "StackTrace", "StdOut", "StdErr", "Text"})

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.found = False
        self.declared: int | None = None
        self._open: list[_Open] = []
        self._tests: list[str] = []  # of each of `cases`, the id that leads to its class
        self._classes: dict[str, str] = {}
        self._definition = ""
        self._in_failed_info = False  # inside the <RunInfo> of a failed run
        self.warnings: list[str] = []

    def opened(self, tag: str, attrs: dict[str, str]) -> None:
        if tag == "TestRun":
            self.found = True
        elif tag.endswith("TestResult"):
            outcome = attrs.get("outcome", "").lower()
            status = FAILED if outcome in _FAILED else PASSED if outcome in _PASSED else SKIPPED
            for parent in self._open:
                parent.has_rows = True
            case = Case(
                file="",
                class_name="",
                name=attrs.get("testName") or "(?)",
                status=status,
                kind=_FAILED.get(outcome),
                duration_s=_span(attrs.get("duration", "")),
                host=attrs.get("computerName", ""),
                started_at=epoch(attrs.get("startTime", "")),
            )
            self._open.append(_Open(case, attrs.get("testId", "")))
        elif tag == "RunInfo":
            self._in_failed_info = attrs.get("outcome", "passed").lower() in _FAILED
        elif tag == "UnitTest":
            self._definition = attrs.get("id", "")
        elif tag == "TestMethod":
            self._classes[self._definition] = attrs.get("className", "").partition(",")[0]
        elif tag == "Counters" and attrs.get("total", "").isdecimal():
            self.declared = int(attrs["total"][:9])

    def closed(self, tag: str, text: str) -> None:
        if not self._open:
            if self._in_failed_info and tag == "Text" and text.strip():
                self.warnings.append(f"the run itself failed: {clip(text.strip(), 200)}")
            return
        case = self._open[-1].case
        if tag == "Message":
            case.message = case.message or clip(text, 8 << 10) or None
        elif tag == "StackTrace" and case.status == FAILED:
            case.trace = text or None
        elif tag in ("StdOut", "StdErr") and case.status == FAILED:
            case.output = clip("\n".join(filter(None, (case.output, text))), 32 << 10) or None
        elif tag.endswith("TestResult"):
            result = self._open.pop()
            if not result.has_rows:
                self.cases.append(case)
                self._tests.append(result.test_id)

    def close(self) -> None:
        super().close()
        for case, test in zip(self.cases, self._tests, strict=True):
            case.class_name = self._classes.get(test, "")
            case.name = case.name.removeprefix(case.class_name + ".") if case.class_name else case.name
            case.suite = case.class_name
