"""xUnit.net's XML, version 2 and later: `xunit.console -xml`, `dotnet test --logger xunit`. No library reads it."""

from __future__ import annotations

from ingest.parsers import totals
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.text import clip, epoch, seconds
from ingest.parsers.trx import span
from ingest.parsers.xml_dialect import ElementHandler
from ingest.parsers.xml_stream import Source, read_status, read_xml

_STATUS = {"pass": PASSED, "fail": FAILED}
_MEASURES = {"total": "tests", "passed": "passed", "failed": "failures", "errors": "errors"}
_SKIPPED = ("skipped", "not-run")


def parse(stream: ReportStream) -> Report:
    """Parse the assemblies of one file. Skip and NotRun are skipped.

    An <error>, such as of a fixture's clean-up, is a failed result besides the tests, named after its kind.
    """
    reader, problem = read_xml(stream, _Reader)
    status, warnings, is_cut = read_status(problem, reader, found=reader.found, complete=reader.complete)
    report = Report(status, reader.cases, len({case.suite for case in reader.cases}), reader.duration, warnings)
    report.uncounted, report.started_at, report.is_cut = reader.uncounted, reader.started, is_cut
    report.differ(reader.differences)
    return report


class _Reader(ElementHandler):
    texts = frozenset({"message", "stack-trace", "output", "reason"})

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.found = False
        self.duration: float | None = None
        self.started: float | None = None
        self.uncounted = 0
        self.differences: list[totals.Difference] = []
        self._host = ""
        self._begun: float | None = None  # of the open assembly
        self._levels: list[tuple[dict[str, str], int, int]] = []  # attributes, first case, errors before it
        self._result: dict[str, str] | None = None  # of the open <test> or <error>
        self._texts: dict[str, str] = {}

    def opened(self, tag: str, attrs: dict[str, str]) -> None:
        if tag == "assemblies":
            self.found = True
            self._host = attrs.get("computer", "")
        elif tag == "assembly":
            self.found |= len(self.path) == 1  # version 1
            when = attrs.get("start-rtf") or f"{attrs.get('run-date', '')}T{attrs.get('run-time', '')}"
            self._begun = epoch(when)
            self.started = self.started or self._begun
            lasted = seconds(attrs.get("time", ""))
            self.duration = self.duration if lasted is None else (self.duration or 0.0) + lasted
        if tag in ("assembly", "collection"):
            self._levels.append((attrs, len(self.cases), self.uncounted))
        elif tag in ("test", "error"):
            self._result, self._texts = attrs, {}

    def closed(self, tag: str, text: str) -> None:
        if tag in self.texts and self._result is not None:
            self._texts.setdefault(tag, text)
        elif tag == "test" and self._result is not None:
            self._add_test(self._result)
            self._result = None
        elif tag == "error" and self._result is not None:
            self._add_error(self._result)
            self._result = None
        elif tag in ("assembly", "collection") and self._levels:
            self._compare(tag, *self._levels.pop())

    def close(self) -> None:
        self._result = None  # an open one was cut off
        super().close()

    def _add_test(self, attrs: dict[str, str]) -> None:
        status = _STATUS.get(attrs.get("result", "").lower(), SKIPPED)
        failed = status == FAILED
        class_name = attrs.get("type", "")
        name = attrs.get("name") or attrs.get("method") or "(?)"
        lasted = attrs.get("time-rtf") or attrs.get("time") or ""
        reason = self._texts.get("message") if failed else self._texts.get("reason")
        self.cases.append(
            Case(
                file=attrs.get("source-file", ""),
                class_name=class_name,
                name=name.removeprefix(f"{class_name}.") if class_name else name,
                status=status,
                kind="failure" if failed else None,
                duration_s=span(lasted) if ":" in lasted else seconds(lasted),
                message=clip(reason, 8 << 10) if reason and status != PASSED else None,
                trace=self._texts.get("stack-trace") or None if failed else None,
                output=clip(self._texts.get("output", ""), 32 << 10) or None if failed else None,
                host=self._host,
                suite=class_name,
                started_at=epoch(attrs.get("start-rtf", "")) or self._begun,
            )
        )

    def _add_error(self, attrs: dict[str, str]) -> None:
        class_name = attrs.get("name", "")
        if "\\" in class_name or "/" in class_name:
            class_name = class_name.replace("\\", "/").rpartition("/")[2]  # an assembly, with the folder of its build
        self.cases.append(
            Case(
                "",
                class_name,
                attrs.get("type") or "error",
                FAILED,
                "error",
                message=clip(self._texts.get("message", ""), 8 << 10) or None,
                trace=self._texts.get("stack-trace") or None,
                host=self._host,
                suite=class_name,
                started_at=self._begun,
            )
        )
        self.uncounted += 1

    def _compare(self, tag: str, attrs: dict[str, str], first: int, errors_before: int) -> None:
        status = [case.status for case in self.cases[first:]]
        errors = self.uncounted - errors_before
        failed, skipped = status.count(FAILED) - errors, status.count(SKIPPED)
        declared = {measure: totals.number(attrs.get(name)) for name, measure in _MEASURES.items()}
        left_out = [count for name in _SKIPPED if (count := totals.number(attrs.get(name))) is not None]
        declared["skipped tests"] = sum(left_out) if left_out else None
        tests = len(status) - errors
        found = totals.differences(
            declared,
            {
                "tests": (tests, tests - skipped),
                "passed": (status.count(PASSED),),
                "failures": (failed,),
                "errors": (errors,),
                "skipped tests": (skipped, sum(left_out) if tests - skipped == declared["tests"] else skipped),
            },
            f"{tag} {clip(attrs.get('name', ''), 100)!r}" if tag == "collection" else "",
        )
        # The sums of an assembly repeat the differences of its collections.
        repeated = {one.numbers for one in self.differences}
        self.differences += [one for one in found if one.numbers not in repeated]
