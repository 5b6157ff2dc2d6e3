"""NUnit 3 XML: the <test-run> of nunit3-console, `dotnet test --logger nunit` and Unity. No library reads it."""

from __future__ import annotations

import re

from ingest.parsers import totals
from ingest.parsers.cases import FAILED, INIT, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.text import clip, epoch, seconds
from ingest.parsers.xml_dialect import ElementHandler
from ingest.parsers.xml_stream import Source, read_status, read_xml

_STATUS = {"passed": PASSED, "warning": PASSED, "failed": FAILED, "success": PASSED, "failure": FAILED, "error": FAILED}
_ERRORS = {"error", "invalid", "cancelled"}  # labels of what could not run
_TEAR_DOWN = re.compile(r"^(OneTime)?TearDown ?:", re.MULTILINE)
_FIXTURES = {"SetUp": "OneTimeSetUp", "TearDown": "OneTimeTearDown"}  # by the site of a failure


def parse(stream: ReportStream) -> Report:
    """Parse one run. Skipped, ignored, explicit and inconclusive tests are skipped; a test with warnings has passed.

    A fixture that failed by itself, such as in its OneTimeTearDown, is a failed result besides its tests. Fixtures with
    arguments are classes of their own: `Ns.Dock(5)`.
    """
    reader, problem = read_xml(stream, _Reader)
    status, warnings, is_cut = read_status(problem, reader, found=reader.found, complete=reader.complete)
    report = Report(status, reader.cases, len({case.suite for case in reader.cases}), reader.duration, warnings)
    report.uncounted, report.started_at, report.is_cut = reader.uncounted, reader.started, is_cut
    report.differ(reader.differences)
    return report


class _Level:
    """An open <test-run> or <test-suite>."""

    def __init__(self, attrs: dict[str, str], first: int, uncounted: int) -> None:
        self.attrs, self.first, self.uncounted = attrs, first, uncounted
        self.texts: dict[str, str] = {}


class _Reader(ElementHandler):
    texts = frozenset({"message", "stack-trace", "output"})

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.found = False
        self.duration: float | None = None
        self.started: float | None = None
        self.uncounted = 0
        self.differences: list[totals.Difference] = []
        self._levels: list[_Level] = []
        self._host = ""
        self._case: dict[str, str] | None = None
        self._texts: dict[str, str] = {}

    def opened(self, tag: str, attrs: dict[str, str]) -> None:
        if tag == "test-run":
            self.found = True
            self.duration = seconds(attrs.get("duration", ""))
            self.started = epoch(attrs.get("start-time", ""))
        if tag in ("test-run", "test-suite"):
            self._levels.append(_Level(attrs, len(self.cases), self.uncounted))
        elif tag == "test-case":
            self._case, self._texts = attrs, {}
        elif tag == "environment":
            self._host = attrs.get("machine-name", "")

    def closed(self, tag: str, text: str) -> None:
        if tag in self.texts:
            if self._case is not None:
                self._texts.setdefault(tag, text)
            elif self._levels:
                self._levels[-1].texts.setdefault(tag, text)
        elif tag == "test-case" and self._case is not None:
            self._add(self._case)
            self._case = None
        elif tag in ("test-run", "test-suite") and self._levels:
            self._close_level(self._levels.pop())

    def close(self) -> None:
        self._case = None  # an open one was cut off before its outcome
        super().close()

    def _add(self, attrs: dict[str, str]) -> None:
        status = _STATUS.get(attrs.get("result", "").lower(), SKIPPED)
        failed = status == FAILED
        name = attrs.get("name") or attrs.get("methodname") or "(?)"
        full = attrs.get("fullname", "")
        # The full name has the arguments of the fixture, which the class name lacks.
        class_name = full[: -len(name) - 1] if full.endswith(f".{name}") else attrs.get("classname", "")
        self.cases.append(
            Case(
                file="",
                class_name=class_name,
                name=name,
                status=status,
                kind=None if not failed else "error" if attrs.get("label", "").lower() in _ERRORS else "failure",
                duration_s=seconds(attrs.get("duration") or attrs.get("time") or ""),
                message=clip(self._texts.get("message", ""), 8 << 10) or None if status != PASSED else None,
                trace=self._texts.get("stack-trace") or None if failed else None,
                output=clip(self._texts.get("output", ""), 32 << 10) or None if failed else None,
                host=self._host,
                suite=class_name,
                started_at=epoch(attrs.get("start-time", "")) or self.started,
            )
        )

    def _close_level(self, level: _Level) -> None:
        attrs, cases = level.attrs, self.cases[level.first :]
        failed = _STATUS.get(attrs.get("result", "").lower()) == FAILED
        message = level.texts.get("message", "")
        # Of a fixture with failed tests the message first says so; not every writer gives the site.
        torn_down = _TEAR_DOWN.search(message)
        site = "TearDown" if torn_down else attrs.get("site", "")
        # Tests have failed with their fixture's set-up; they have not with its tear-down.
        if failed and (site == "TearDown" or not any(case.status == FAILED for case in cases)):
            name = _FIXTURES.get(site, INIT)
            class_name = attrs.get("fullname") or attrs.get("classname") or attrs.get("name") or ""
            message = message[torn_down.start() if torn_down else 0 :] or "It failed, but none of its tests."
            self.cases.append(
                Case(
                    "",
                    class_name,
                    name,
                    FAILED,
                    "error",
                    message=clip(message, 8 << 10),
                    trace=level.texts.get("stack-trace") or None,
                    output=clip(level.texts.get("output", ""), 32 << 10) or None,
                    host=self._host,
                    suite=class_name,
                    started_at=epoch(attrs.get("start-time", "")) or self.started,
                )
            )
            self.uncounted += 1
        self._compare(level, cases)

    def _compare(self, level: _Level, cases: list[Case]) -> None:
        """Compare the totals of the run; those of suites repeat them."""
        if self._levels:
            return
        counts = {name: totals.number(value) for name, value in level.attrs.items()}
        status = [case.status for case in cases]
        tests = len(status) - (self.uncounted - level.uncounted)
        failures = status.count(FAILED) - (self.uncounted - level.uncounted)
        passed, skipped = status.count(PASSED), status.count(SKIPPED)
        not_run = [count for name in ("skipped", "inconclusive") if (count := counts.get(name)) is not None]
        self.differences += totals.differences(
            {
                "tests": counts.get("total"),
                "passed": counts.get("passed"),
                "failures": counts.get("failed"),
                "skipped tests": sum(not_run) if not_run else None,
            },
            {
                # Explicit tests that were not chosen count in neither.
                "tests": (tests, tests - skipped),
                # Some writers count those that passed with a warning apart.
                "passed": (passed, passed + (counts.get("warnings") or 0), passed - (counts.get("warnings") or 0)),
                "failures": (failures,),
                "skipped tests": (skipped, 0 if counts.get("total") == tests - skipped else skipped),
            },
        )
