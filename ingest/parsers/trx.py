"""The .trx files of Visual Studio and `dotnet test`. There is no maintained library for them."""

from __future__ import annotations

import re

from ingest.parsers import totals
from ingest.parsers.cases import FAILED, INIT, PASSED, SKIPPED, Case, Report, ReportStream
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

    A failure of the run itself, such as a crashed test host, is a failed result besides the tests."""
    reader, problem = read_xml(stream, _Reader)
    status, warnings, is_cut = read_status(problem, reader, found=reader.found, complete=reader.complete)
    report = Report(
        status,
        reader.cases,
        len({case.class_name for case in reader.cases if case.name != INIT}),
        None,
        warnings + reader.warnings,
    )
    report.uncounted, report.started_at, report.is_cut = reader.uncounted, reader.started, is_cut
    if reader.found and not reader.is_trx:
        return Report("not_junit")
    report.differ(reader.differences())
    return report


def span(text: str) -> float | None:
    """A .NET time span such as 1.02:03:04.5, in seconds; None if it is none."""
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
        self.is_trx = False  # and not another <TestRun>, such as CppUnit's
        self.started: float | None = None
        self.uncounted = 0
        self._counters: dict[str, int | None] = {}
        self._outcome = ""  # of the run
        self._problems: list[str] = []  # of the run itself
        self._parents = 0  # results that only sum up their rows
        self._failed_parents = 0
        self._open: list[_Open] = []
        self._tests: list[str] = []  # of each of `cases`, the id that leads to its class
        self._classes: dict[str, str] = {}
        self._definition = ""
        self._in_failed_info = False  # inside the <RunInfo> of a failed run
        self.warnings: list[str] = []

    def opened(self, tag: str, attrs: dict[str, str]) -> None:
        if tag == "TestRun":
            self.found = True
        elif tag in ("Results", "ResultSummary", "TestDefinitions", "TestSettings", "Times"):
            self.is_trx = True
            if tag == "Times":
                self.started = epoch(attrs.get("start", ""))
            elif tag == "ResultSummary":
                self._outcome = attrs.get("outcome", "").lower()
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
                duration_s=span(attrs.get("duration", "")),
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
        elif tag == "Counters":
            self._counters = {name: totals.number(value) for name, value in attrs.items()}

    def closed(self, tag: str, text: str) -> None:
        if not self._open:
            if self._in_failed_info and tag == "Text" and text.strip():
                self.warnings.append(f"the run itself failed: {clip(text.strip(), 200)}")
                self._problems.append(text.strip())
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
            if result.has_rows:
                self._parents += 1
                self._failed_parents += case.status == FAILED
            else:
                self.cases.append(case)
                self._tests.append(result.test_id)

    def close(self) -> None:
        super().close()
        for case, test in zip(self.cases, self._tests, strict=True):
            case.class_name = self._classes.get(test, "")
            case.name = case.name.removeprefix(case.class_name + ".") if case.class_name else case.name
            case.suite = case.class_name
        if self._outcome and self._outcome in _FAILED and not any(case.status == FAILED for case in self.cases):
            self._problems.append(f"The outcome of the run is {self._outcome}, but none of its tests failed.")
        if self._problems:
            problem = clip(self._problems[0], 8 << 10)
            trace = clip("\n".join(self._problems), 64 << 10)
            self.cases.append(Case("", "", INIT, FAILED, "error", message=problem, trace=trace))
            self.uncounted = 1

    def differences(self) -> list[totals.Difference]:
        """What the counters say, other than was read. A result that sums up its rows may count, and may not."""
        counters = self._counters
        failed = [count for name in _FAILED if name and (count := counters.get(name)) is not None]
        total, executed = counters.get("total"), counters.get("executed")
        status = [case.status for case in self.cases if case.name != INIT]
        tests, failures, skipped = len(status), status.count(FAILED), status.count(SKIPPED)
        return totals.differences(
            {
                "tests": total,
                "failures": sum(failed) if failed else None,
                # dotnet test leaves notExecuted at 0.
                "skipped tests": None if total is None or executed is None else max(total - executed, 0),
            },
            {
                "tests": (tests, tests + self._parents),
                "failures": (failures, failures + self._failed_parents),
                "skipped tests": (skipped, status.count(SKIPPED) + self._parents, 0),
            },
        )
