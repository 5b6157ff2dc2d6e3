"""Robot Framework's output.xml, of 3.x to 7.x.

Robot's own `robot.api.ExecutionResult` must read all keywords to get their failure messages, and then holds the whole
run: 410 MB for a file of 60 MB. This streaming parser needs almost no memory and a third of the time.
"""

from __future__ import annotations

from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.identity import identify
from ingest.parsers.text import Clip, clip, epoch, seconds
from ingest.parsers.xml_dialect import ElementHandler
from ingest.parsers.xml_stream import Source, read_status, read_xml

_STATUS = {"PASS": PASSED, "FAIL": FAILED}


def parse(stream: ReportStream) -> Report:
    """Parse one output.xml: the suites' names joined by dots are the class, the suite's source is the file."""
    reader, problem = read_xml(stream, _Reader)
    status, warnings = read_status(problem, reader, found=reader.found, complete=reader.complete)
    return Report(status, reader.cases, len(reader.with_tests), reader.duration, None, warnings)


def _when(text: str) -> float | None:
    """3.x to 6.x write 20240103 12:27:11.070, from 7 on it is ISO."""
    if text[:8].isdecimal() and text[8:9] == " ":
        text = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[9:]}"
    return epoch(text)


class _Reader(ElementHandler):
    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.found = False
        self.with_tests: set[str] = set()
        self.duration: float | None = None
        self._suites: list[tuple[str, str]] = []  # name, source
        self._test: Case | None = None
        self._settled = False  # a test that was cut off has no status
        self._failures = Clip(0)
        self._attrs: dict[str, str] = {}  # of the open <status>

    def wants(self, tag: str, attrs: dict[str, str]) -> bool:
        if tag == "msg":
            return self._test is not None and attrs.get("level") in ("FAIL", "ERROR")
        return tag == "status" and self.path[-2:-1] in (["test"], ["suite"])

    def opened(self, tag: str, attrs: dict[str, str]) -> None:
        if tag == "robot":
            self.found = True
        elif tag == "suite":
            self._suites.append((attrs.get("name", ""), attrs.get("source", "")))
        elif tag == "test":
            suite = ".".join(name for name, _ in self._suites)
            file, class_name = identify(self._suites[-1][1] if self._suites else "", suite)
            self._test = Case(file, class_name, attrs.get("name") or "(?)", SKIPPED, suite=suite)
            self._failures, self._settled = Clip(64 << 10), False
            self.with_tests.add(suite)
        elif tag == "status":
            self._attrs = attrs

    def closed(self, tag: str, text: str) -> None:
        parent = self.path[-1] if self.path else ""
        if tag == "msg" and text:
            self._failures.add(text + "\n")
        elif tag == "status" and parent == "test" and self._test is not None and not self._settled:
            self._settle(self._test, text)
        elif tag == "status" and parent == "suite" and len(self._suites) == 1:
            self.duration = self._elapsed()
        elif tag == "test":
            if self._test is not None and self._settled:
                self.cases.append(self._test)
            self._test = None
        elif tag == "suite" and self._suites:
            self._suites.pop()

    def _settle(self, test: Case, text: str) -> None:
        attrs = self._attrs
        self._settled = "status" in attrs
        test.status = _STATUS.get(attrs.get("status", ""), SKIPPED)
        test.message = clip(text, 8 << 10) or None
        test.duration_s = self._elapsed()
        test.started_at = _when(attrs.get("start") or attrs.get("starttime") or "")
        if test.status == FAILED:
            test.kind = "failure"
            test.trace = str(self._failures).strip() or text or None

    def _elapsed(self) -> float | None:
        attrs = self._attrs
        if "elapsed" in attrs:
            return seconds(attrs["elapsed"])
        start, end = _when(attrs.get("starttime", "")), _when(attrs.get("endtime", ""))
        return round(end - start, 3) if start is not None and end is not None and end >= start else None
