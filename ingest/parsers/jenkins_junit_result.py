"""The junitResult.xml that Jenkins keeps next to a build: the only report in a copy of JENKINS_HOME."""

from __future__ import annotations

from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.text import clip, epoch, seconds
from ingest.parsers.xml_dialect import ElementHandler
from ingest.parsers.xml_stream import Source, read_status, read_xml


def parse(stream: ReportStream) -> Report:
    """Parse one file. Jenkins does not record in it whether a failure was an error."""
    reader, problem = read_xml(stream, _Reader)
    status, warnings, is_cut = read_status(problem, reader, found=reader.found, complete=reader.complete)
    return Report(status, reader.cases, reader.suites, reader.duration, warnings, is_cut=is_cut)


class _Reader(ElementHandler):
    texts = frozenset({
        "name", "duration", "className", "testName", "skipped", "skippedMessage", "errorDetails", "errorStackTrace",
        "stdout", "timestamp",
    })  # fmt: skip

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.found = False
        self.suites = 0
        self.duration: float | None = None
        self._suite: dict[str, str] = {}
        self._case: dict[str, str] | None = None

    def opened(self, tag: str, attrs: dict[str, str]) -> None:
        if tag == "suites":
            self.found = True
        elif tag == "suite":
            self._suite = {}
            self.suites += 1
        elif tag == "case":
            self._case = {}

    def closed(self, tag: str, text: str) -> None:
        if tag == "case" and self._case is not None:
            self.cases.append(self._to_case(self._case))
            self._case = None
        elif tag == "suite":
            self.duration = (self.duration or 0.0) + (seconds(self._suite.get("duration", "")) or 0.0)
        elif tag in self.texts and self.path:
            if self.path[-1] == "case" and self._case is not None:
                self._case[tag] = text
            elif self.path[-1] == "suite":
                self._suite[tag] = text

    def close(self) -> None:
        self._case = None  # an open one was cut off before its outcome
        super().close()

    def _to_case(self, fields: dict[str, str]) -> Case:
        failed = "errorStackTrace" in fields or "errorDetails" in fields
        status = SKIPPED if fields.get("skipped") == "true" else FAILED if failed else PASSED
        return Case(
            file="",
            class_name=fields.get("className", ""),
            name=fields.get("testName") or "(?)",
            status=status,
            kind="failure" if status == FAILED else None,
            duration_s=seconds(fields.get("duration", "")),
            message=clip(fields.get("errorDetails") or fields.get("skippedMessage") or "", 8 << 10) or None,
            trace=fields.get("errorStackTrace") if status == FAILED else None,
            output=clip(fields.get("stdout", ""), 32 << 10) or None if status == FAILED else None,
            suite=self._suite.get("name", ""),
            started_at=epoch(self._suite.get("timestamp", "")),
        )
