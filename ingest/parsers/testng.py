"""TestNG: its own testng-results.xml, and the JSON of Jenkins' TestNG plugin.

No maintained library reads either. As in the plugin, configuration methods are not tests. One that failed is a failed
result besides the tests, for the tests of its class may all have passed.
"""

from __future__ import annotations

import json

from data.model.json_values import Json, JsonObject
from ingest.parsers import totals
from ingest.parsers.allowance import count_case
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.identity import without_addresses
from ingest.parsers.jenkins_test_report import MAX_BYTES
from ingest.parsers.text import Clip, clip, epoch, epoch_ms, seconds
from ingest.parsers.xml_dialect import ElementHandler
from ingest.parsers.xml_stream import Source, read_status, read_xml

_STATUS = {"PASS": PASSED, "FAIL": FAILED, "SKIP": SKIPPED}
_TOTALS = {
    "total": "tests",
    "passed": "passed",
    "failed": "failures",
    "skipped": "skipped tests",
    "ignored": "ignored",
}
MAX_PARAMETERS = 20
SKIP_EXCEPTION = "org.testng.SkipException"


def parse(stream: ReportStream) -> Report:
    """Parse testng-results.xml. Invocations by a retry analyser ("retried") are earlier, failed attempts."""
    reader, problem = read_xml(stream, _Reader)
    status, warnings, is_cut = read_status(problem, reader, found=reader.found, complete=reader.complete)
    report = Report(status, reader.cases, reader.suites, reader.duration, warnings + reader.warnings)
    report.uncounted, report.started_at, report.is_cut = reader.uncounted, reader.started, is_cut
    report.differ(_differences(reader.declared, reader.cases, reader.uncounted))
    return report


def _differences(declared: dict[str, int | None], cases: list[Case], uncounted: int) -> list[totals.Difference]:
    """What the root declares, other than was read. TestNG's `skipped` counts the attempts that a retry analyser made,
    or does not; so does its total."""
    final = [case.status for case in cases if case.is_final]
    retried = len(cases) - len(final)
    tests, failed, skipped = len(final) - uncounted, final.count(FAILED) - uncounted, final.count(SKIPPED)
    ignored = declared.pop("ignored", None) or 0
    return totals.differences(
        declared,
        {
            "tests": (tests, tests + retried, tests + ignored, tests + retried + ignored),
            "passed": (final.count(PASSED),),
            "failures": (failed, failed + retried),
            "skipped tests": (skipped, skipped + retried, skipped + ignored),
        },
    )


def _name(method: str, parameters: list[str]) -> str:
    # The attempts of a retry are found by their name: each has new objects, at other addresses.
    return f"{method}[{clip(without_addresses(', '.join(parameters)), 200)}]" if parameters else method


class _Reader(ElementHandler):
    texts = frozenset({"value", "message", "full-stacktrace", "short-stacktrace", "line"})

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.found = False
        self.suites = 0
        self.duration: float | None = None
        self.started: float | None = None
        self.uncounted = 0
        self.declared: dict[str, int | None] = {}
        self.warnings: list[str] = []
        self._suite = self._class = ""
        self._method: dict[str, str] | None = None
        self._texts: dict[str, str] = {}
        self._values: list[str] = []
        self._output = Clip(0)
        self._exception = ""  # its class
        self._tests: dict[tuple[str, str, str, int], _Test] = {}

    def opened(self, tag: str, attrs: dict[str, str]) -> None:
        if tag == "testng-results":
            self.found = True
            self.declared = {measure: totals.number(attrs.get(name)) for name, measure in _TOTALS.items()}
        elif tag == "suite":
            self._suite = attrs.get("name", "")
            self.suites += 1
            self.started = self.started or epoch(attrs.get("started-at", ""))
            lasted = seconds(attrs.get("duration-ms", ""))
            if lasted is not None:
                self.duration = (self.duration or 0.0) + lasted / 1000
        elif tag == "class":
            self._class = attrs.get("name", "")
        elif tag == "test-method":
            self._method, self._texts, self._values, self._output = attrs, {}, [], Clip(32 << 10)
            self._exception = ""
        elif tag == "exception":
            self._exception = attrs.get("class", "")

    def closed(self, tag: str, text: str) -> None:
        if tag == "value" and len(self._values) < MAX_PARAMETERS:
            self._values.append(text)
        elif tag == "line":
            self._output.add(text + "\n")
        elif tag in self.texts:
            self._texts.setdefault(tag, text)
        elif tag == "test-method" and self._method is not None:
            self._add_case(self._method)
            self._method = None

    def _add_case(self, attrs: dict[str, str]) -> None:
        name = _name(attrs.get("name") or "(?)", self._values)
        status = _STATUS.get(attrs.get("status", "").upper(), SKIPPED)
        message = self._texts.get("message")
        is_config = attrs.get("is-config") == "true"
        if is_config:
            if status != FAILED:
                return
            reason = message or self._texts.get("full-stacktrace", "").strip().partition("\n")[0] or "no message"
            self.warnings.append(f"configuration method {self._class}.{name} failed: {clip(reason, 200)}")
            self.uncounted += 1
        retried = attrs.get("retried") == "true" and not is_config
        if retried:
            status = FAILED
        lasted = seconds(attrs.get("duration-ms", ""))
        case = Case(
            file="",
            class_name=self._class,
            name=name,
            status=status,
            kind=None if status != FAILED else "error" if is_config else "failure",
            duration_s=None if lasted is None else lasted / 1000,
            message=message,
            trace=self._texts.get("full-stacktrace") or self._texts.get("short-stacktrace")
            if status == FAILED
            else None,
            output=str(self._output).strip() or None if status == FAILED else None,
            suite=self._suite,
            started_at=epoch(attrs.get("started-at", "")),
        )
        self.cases.append(case)
        key = (self._suite, self._class, name, len(self._tests) if is_config else -1)
        test = self._tests.setdefault(key, _Test())
        if retried:
            test.retried.append(case)
        else:
            test.results.append(case)
            if self._exception not in ("", SKIP_EXCEPTION):
                test.unmarked += [case] if status == SKIPPED else []

    def close(self) -> None:
        super().close()
        self.cases = [case for test in self._tests.values() for case in test.attempts()]


class _Test:
    """The invocations of a method with the same parameters. Their order in the file says nothing."""

    def __init__(self) -> None:
        self.retried: list[Case] = []
        self.results: list[Case] = []
        self.unmarked: list[Case] = []  # of the results: skipped, but with the exception of a failure

    def attempts(self) -> list[Case]:
        """The attempts of the tests next to each other; those of a retry analyser are before the first result."""
        if len(self.unmarked) < len(self.results):
            # TestNG before 7 marks an attempt that is followed by another one as skipped.
            for case in self.unmarked:
                case.status, case.kind, case.trace = FAILED, "failure", case.trace or case.message
                self.results.remove(case)
            self.retried += self.unmarked
        first = [*sorted(self.retried, key=lambda case: case.started_at or 0.0), *self.results[:1]]
        for number, case in enumerate(first, 1):
            case.attempt, case.is_final = number, number == len(first)
        return [*first, *self.results[1:]]


def parse_json(stream: ReportStream) -> Report:
    """Parse `testngreports/api/json`: packages, their classes (the field is really called `classs`), their methods."""
    try:
        document = json.loads(stream.read(MAX_BYTES))
        packages = document["package"]
        methods = [
            (class_, method)
            for package in packages
            for class_ in package.get("classs") or ()
            for method in class_.get("test-method") or ()
        ]
        cases = [_from_json(class_, method) for class_, method in methods]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return Report("error", warnings=[f"not the JSON of the TestNG plugin ({error!r})"])
    report = Report(cases=cases, suites=len(packages))
    declared = {"tests": document.get("total"), "failures": document.get("fail"), "skipped tests": document.get("skip")}
    report.differ(_differences({name: totals.number(count) for name, count in declared.items()}, cases, 0))
    return report


def _parameters(value: Json) -> list[str]:
    """Raises TypeError if it is no list."""
    if value and not isinstance(value, list):
        raise TypeError("parameters are not a list")
    return [str(one) for one in value] if isinstance(value, list) else []


def _from_json(class_: JsonObject, method: JsonObject) -> Case:
    status = _STATUS.get(str(method.get("status")).upper(), SKIPPED)
    exception = method.get("exception")
    count_case()
    return Case(
        file="",
        class_name=str(method.get("className") or class_.get("name") or ""),
        name=_name(str(method.get("name") or "(?)"), _parameters(method.get("parameters"))),
        status=status,
        kind="failure" if status == FAILED else None,
        duration_s=seconds(str(method.get("duration"))),
        message=clip(str(exception).partition("\n")[0], 8 << 10) if exception and status == FAILED else None,
        trace=clip(str(exception), 64 << 10) if exception and status == FAILED else None,
        started_at=epoch_ms(method.get("startedAt")),
    )
