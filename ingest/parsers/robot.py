"""Robot Framework's output.xml, of 3.x to 7.x.

Robot's own `robot.api.ExecutionResult` must read all keywords to get their failure messages, and then holds the whole
run: 410 MB for a file of 60 MB. This streaming parser needs almost no memory and a third of the time.
"""

from __future__ import annotations

import re
from html import unescape
from itertools import islice

from ingest.parsers import totals
from ingest.parsers.cases import FAILED, INIT, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.text import Clip, clip, epoch, seconds
from ingest.parsers.xml_dialect import ElementHandler
from ingest.parsers.xml_stream import Source, read_status, read_xml

MESSAGE_CHARS = 8 << 10
_STATUS = {"PASS": PASSED, "FAIL": FAILED}
# What `rebot --merge` writes into the message of a test that was run again: the newest result first, messages as HTML.
_MERGED = re.compile(
    r'<span class="(?:new|old)-status">[^<]*</span>\s*<span class="[a-z -]*">(?P<status>[A-Z ]+)</span><br>'
    r'(?:<span class="(?:new|old)-message">[^<]*</span> (?P<message>.*?)<br>(?=<hr>|$))?',
    re.DOTALL,
)
MAX_ATTEMPTS = 1000  # of one test
# Which number of a <stat> counts what.
_STATISTICS = {"pass": ("passed", PASSED), "fail": ("failures", FAILED), "skip": ("skipped tests", SKIPPED)}


def parse(stream: ReportStream) -> Report:
    """Parse one output.xml: the suites' names joined by dots are the class, the suite's source is the file.

    As in Robot, a failed teardown of a suite fails all of its tests. The file has their status from before it. Results
    that `rebot --merge` replaced are earlier attempts.
    """
    reader, problem = read_xml(stream, _Reader)
    status, warnings, is_cut = read_status(problem, reader, found=reader.found, complete=reader.complete)
    report = Report(status, reader.cases, len(reader.with_tests), reader.duration, warnings)
    report.uncounted, report.started_at, report.is_cut = reader.uncounted, reader.started, is_cut
    report.differ(reader.differences())
    return report


def _when(text: str) -> float | None:
    """3.x to 6.x write 20240103 12:27:11.070, from 7 on it is ISO."""
    if text[:8].isdecimal() and text[8:9] == " ":
        text = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[9:]}"
    return epoch(text)


class _Suite:
    def __init__(self, attrs: dict[str, str], first: int) -> None:
        self.name, self.source, self.id = attrs.get("name", ""), attrs.get("source", ""), attrs.get("id", "")
        self.first = first  # the index of its first case
        self.teardown: str | None = None  # the message of a failed teardown
        self.failed = False
        self.message = ""


class _Reader(ElementHandler):
    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.found = False
        self.with_tests: set[str] = set()
        self.duration: float | None = None
        self.started: float | None = None
        self.uncounted = 0
        self._suites: list[_Suite] = []
        self._spans: dict[str, tuple[str, int, int]] = {}  # by id: the name and the cases of a suite
        self._statistics: list[tuple[str, dict[str, str]]] = []  # the id of a suite, or empty; the numbers
        self._test: Case | None = None
        self._settled = False  # a test that was cut off has no status
        self._failures = Clip(0)
        self._message = ""  # of the test, unclipped
        self._attrs: dict[str, str] = {}  # of the open <status>
        self._teardown = False  # inside the teardown of a suite

    def wants(self, tag: str, attrs: dict[str, str]) -> bool:
        if tag == "msg":
            return (self._test is not None or self._teardown) and attrs.get("level") in ("FAIL", "ERROR")
        if tag == "stat":
            return True
        return tag == "status" and (self.path[-2:-1] in (["test"], ["suite"]) or self._ends_teardown())

    def _ends_teardown(self) -> bool:
        return self._teardown and self.path[-3:-1] == ["suite", "kw"]

    def opened(self, tag: str, attrs: dict[str, str]) -> None:
        if tag == "robot":
            self.found = True
        elif tag == "suite" and self.path[-2:-1] in ([], ["robot"], ["suite"]):
            self._suites.append(_Suite(attrs, len(self.cases)))
        elif tag == "test":
            suite = ".".join(suite.name for suite in self._suites)
            file = self._suites[-1].source if self._suites else ""
            self._test = Case(file, suite, attrs.get("name") or "(?)", SKIPPED, suite=suite)
            self._failures, self._settled = Clip(64 << 10), False
            self.with_tests.add(suite)
        elif tag == "kw" and self.path[-2:-1] == ["suite"]:
            self._teardown = attrs.get("type", "").lower() == "teardown"
            self._failures = Clip(64 << 10)
        elif tag in ("status", "stat"):
            self._attrs = attrs

    def closed(self, tag: str, text: str) -> None:
        parent = self.path[-1] if self.path else ""
        if tag == "msg" and text:
            self._failures.add(text + "\n")
        elif tag == "status":
            self._end_status(parent, text)
        elif tag == "kw" and parent == "suite":
            self._teardown = False
        elif tag == "test":
            if self._test is not None and self._settled:
                self.cases += _attempts(self._test, self._message)
            self._test = None
        elif tag == "suite" and self._suites and parent in ("", "robot", "suite"):
            self._end_suite(self._suites.pop())
        elif tag == "stat" and (parent == "suite" or text in ("", "All Tests")):
            self._statistics.append((self._attrs.get("id", ""), self._attrs))

    def _end_status(self, parent: str, text: str) -> None:
        if parent == "test" and self._test is not None and not self._settled:
            self._settle(self._test, text)
        elif parent == "suite" and self._suites:
            self._settle_suite(self._suites[-1], text)
        elif (
            self._teardown
            and self.path[-2:] == ["suite", "kw"]
            and self._attrs.get("status") == "FAIL"
            and self._suites
        ):
            self._suites[-1].teardown = text or str(self._failures).strip()

    def _settle(self, test: Case, text: str) -> None:
        attrs = self._attrs
        self._settled = "status" in attrs
        test.status = _STATUS.get(attrs.get("status", ""), SKIPPED)
        self._message = text
        test.message = clip(text, MESSAGE_CHARS) or None
        test.duration_s = self._elapsed()
        test.started_at = _when(attrs.get("start") or attrs.get("starttime") or "")
        if test.status == FAILED:
            test.kind = "failure"
            test.trace = str(self._failures).strip() or text or None

    def _settle_suite(self, suite: _Suite, text: str) -> None:
        suite.failed, suite.message = self._attrs.get("status") == "FAIL", text
        if len(self._suites) == 1:
            self.duration = self._elapsed()
            self.started = _when(self._attrs.get("start") or self._attrs.get("starttime") or "")

    def _end_suite(self, suite: _Suite) -> None:
        cases = self.cases[suite.first :]
        if suite.teardown is not None:
            message = suite.teardown or suite.message.partition("\n")[2] or "no message"
            for case in cases:
                if case.is_final:
                    _fail(case, message)
        elif suite.failed and not any(case.status == FAILED for case in cases):
            path = ".".join(suite.name for suite in (*self._suites, suite))
            message = clip(suite.message, MESSAGE_CHARS) or "The suite failed, but none of its tests."
            self.cases.append(Case(suite.source, path, INIT, FAILED, "error", message=message, suite=path))
            self.uncounted += 1
        if suite.id:
            self._spans[suite.id] = (suite.name, suite.first, len(self.cases))

    def differences(self) -> list[totals.Difference]:
        """What Robot's statistics count, other than was read: of the whole run, and of each suite."""
        differences: list[totals.Difference] = []
        for suite, numbers in self._statistics:
            if suite not in self._spans and suite:
                continue
            name, first, last = self._spans.get(suite, ("", 0, len(self.cases)))
            cases = [case for case in self.cases[first:last] if case.is_final and case.name != INIT]
            declared = {measure: totals.number(numbers.get(key)) for key, (measure, _) in _STATISTICS.items()}
            read = {measure: [sum(case.status == status for case in cases)] for measure, status in _STATISTICS.values()}
            found = totals.differences(declared, read, f"suite {clip(name, 100)!r}" if suite else "")
            # The statistics of the outermost suite are those of the run.
            repeated = {one.numbers for one in differences}
            differences += [one for one in found if one.numbers not in repeated]
        return differences

    def _elapsed(self) -> float | None:
        attrs = self._attrs
        if "elapsed" in attrs:
            return seconds(attrs["elapsed"])
        start, end = _when(attrs.get("starttime", "")), _when(attrs.get("endtime", ""))
        return round(end - start, 3) if start is not None and end is not None and end >= start else None


def _attempts(test: Case, message: str) -> list[Case]:
    """The attempts of a test, of which the file has the last, and a summary of all in its message."""
    merged = [*islice(_MERGED.finditer(message), MAX_ATTEMPTS)] if message.startswith("*HTML*") else []
    if len(merged) < 2:
        return [test]
    messages = [clip(unescape(found["message"] or ""), MESSAGE_CHARS) or None for found in merged]
    attempts = []
    for number in range(1, len(merged)):
        status = _STATUS.get(merged[-number]["status"], SKIPPED)
        kind = "failure" if status == FAILED else None
        attempt = Case(test.file, test.class_name, test.name, status, kind, message=messages[-number], suite=test.suite)
        attempt.trace = attempt.message if kind else None
        attempt.attempt, attempt.is_final = number, False
        attempts.append(attempt)
    test.trace = messages[0] if test.trace == message else test.trace
    test.message, test.attempt = messages[0], len(merged)
    return [*attempts, test]


def _fail(case: Case, message: str) -> None:
    """Fail a test because the teardown of a suite around it failed, as Robot does."""
    before = f"{case.message}\n\nAlso parent" if case.message else "Parent"
    case.message = clip(f"{before} suite teardown failed:\n{message}", MESSAGE_CHARS)
    case.trace = case.trace or case.message
    case.status, case.kind = FAILED, "failure"
