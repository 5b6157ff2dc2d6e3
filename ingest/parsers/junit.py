"""JUnit XML in every dialect, read as Jenkins' junit plugin reads it, except for its bugs.

As the plugin: any root, nested suites, skipped before error before failure, an empty <failure/> fails. In addition: the
attributes with which gtest and others mark tests as not run, retries as attempts, the file as pytest's xunit1 has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from xml.etree.ElementTree import Element

from ingest.parsers.cases import FAILED, INIT, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.junit_dialects import NODE_CLASS
from ingest.parsers.junit_suites import NAME_CHARS, ClosedSuites, JunitSuite
from ingest.parsers.junit_totals import SuiteCounts
from ingest.parsers.text import YEAR_S, Clip, clip, epoch, seconds
from ingest.parsers.xml_stream import MAX_DEPTH, MAX_TEXT, RefusedXmlError, Source, local, read_status, read_xml

TRACE_CHARS = 64 << 10
OUTPUT_CHARS = 32 << 10
MESSAGE_CHARS = 8 << 10
STARVED_CHARS = 1 << 10  # of each text once the budget of the document is used up
SHARED_OUTPUTS = 10  # how many failed tests of a suite get the suite's own output
MAX_ATTEMPTS = 1000  # of one test

_RETRIES = {"flakyFailure": "failure", "flakyError": "error", "rerunFailure": "failure", "rerunError": "error"}
_KINDS = ("error", "failure")  # the first one decides
GO_VERSION = "go.version"  # the property of tools that convert what go prints
_OUTPUTS = ("system-out", "system-err")
_WITHOUT_OUTCOME = frozenset((*_OUTPUTS, "properties"))
_NOT_RUN = {"notrun", "disabled", "skipped", "ignored", "suppressed"}
_SUITES = ("testsuite", "testsuites")


def parse(stream: ReportStream, *, trace_chars: int = TRACE_CHARS, output_chars: int = OUTPUT_CHARS) -> Report:
    """Parse one report; never raises, whatever the bytes are.

    Every <testcase> counts, as in Jenkins. The output of a test is kept only if it failed; of a text longer than its
    limit (in characters) head and tail are kept.
    """
    reader, problem = read_xml(stream, lambda source: _Reader(source, trace_chars, output_chars))
    return reader.report(problem)


class _CaseState:
    """State collected from the children of the open <testcase>."""

    __slots__ = ("flaky", "messages", "output", "rerun", "skipped", "synthetic", "traces")

    def __init__(self) -> None:
        self.synthetic = False  # not from a <testcase>, but from the <error> of a suite
        self.skipped: str | None = None
        self.messages: dict[str, str] = {}  # by kind, the first of each
        self.traces: dict[str, Clip] = {}  # by kind, all of them
        self.flaky: list[Case] = []
        self.rerun: list[Case] = []
        self.output: Clip | None = None


def _continued(clip: Clip | None, limit: int) -> Clip:
    if clip is None:
        return Clip(limit)
    clip.add("\n")
    return clip


class _Reader:
    """The handler behind `parse`. A test that passed costs one call, that of `_take`; keep it that way."""

    def __init__(self, source: Source, trace_chars: int, output_chars: int) -> None:
        self.cases: list[Case] = []
        self.elements = 0
        self._source = source
        self._trace_chars, self._output_chars = trace_chars, output_chars
        self._budget = MAX_TEXT
        self._is_junit = self._complete = False
        self._closed = ClosedSuites(self.cases)
        self._bad_times, self._bad_time = 0, ""
        self._stack: list[tuple[str, JunitSuite | None]] = []
        self._suite: JunitSuite | None = None  # the one that a <testcase> would belong to
        source.gather(self._take)
        if source.lenient:
            # A stray closing tag may end a suite too early; its remaining cases then belong to no suite.
            self._suite = JunitSuite({}, None, 0, 0)
            self._stack.append(("", self._suite))
        self._base_depth = len(self._stack)
        self._case: Case | None = None  # the open one
        self._state: _CaseState | None = None
        self._depth = 0  # of the open element below the open <testcase>
        self._child = ""
        self._child_attrs: dict[str, str] = {}
        self._trace: Clip | None = None
        self._text: Clip | None = None  # where text goes now
        self._retry_output: Clip | None = None

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        if self._case is None:
            suite = self._suite
            if suite is not None and (tag == "testcase" or local(tag) == "testcase"):
                self._add_cases((attrs,), suite)
                self._case = self.cases[-1]
            else:
                self._start_other(local(tag), attrs)
            return
        tag = local(tag)
        if self._source.lenient and (tag == "testcase" or tag in _SUITES):
            # The closing tag of the open case is missing.
            self._end_child()
            self._finish_case()
            self.start(tag, attrs)
            return
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RefusedXmlError(f"nests more than {MAX_DEPTH} elements")
        if self._depth == 1:
            self._start_child(tag, attrs)
        elif self._depth == 2 and tag in _OUTPUTS and self._child in _RETRIES:
            self._retry_output = self._retry_output or Clip(self._output_chars)
            self._text = self._retry_output

    def _take(self, elements: Iterator[Element]) -> Element | None:
        """Take tests without an outcome, which passed: nearly all are. Their output is not kept."""
        suite = self._suite
        if suite is None or self._case is not None or self._text is not None:
            return next(elements, None)
        plain: list[dict[str, str]] = []
        left = None
        for element in elements:
            tag = element.tag
            if tag == "testcase" or local(tag) == "testcase":
                if not len(element) or _WITHOUT_OUTCOME.issuperset([child.tag for child in element]):
                    plain.append(element.attrib)
                    continue
            elif tag == "properties" and self._take_properties(element, suite):
                continue
            left = element
            break
        self._add_cases(plain, suite)
        return left

    def _take_properties(self, element: Element, suite: JunitSuite) -> bool:
        is_go = False
        for child in element:
            if child.tag != "property" or len(child):
                return False
            is_go |= child.get("name") == GO_VERSION
        self.elements += 1 + len(element)
        suite.is_go |= is_go
        return True

    def _add_cases(self, elements: Iterable[dict[str, str]], suite: JunitSuite) -> None:
        """Add a case for the attributes of each <testcase>."""
        start, elapsed, host, label, default_file = suite.start, suite.elapsed, suite.host, suite.label, suite.file
        append = self.cases.append
        before = len(self.cases)
        started = start
        for attrs in elements:
            get = attrs.get
            name = get("name") or "(?)"
            class_name = get("classname")
            if class_name is None:
                class_name = suite.name
                if class_name is None:
                    class_name, _, last = name.rpartition(".")
                    name = last or name
            elif class_name == NODE_CLASS:
                class_name = suite.path or class_name
            file = get("file") or default_file
            if len(file) + len(class_name) + len(name) > NAME_CHARS:
                file, class_name, name = (clip(text, NAME_CHARS) for text in (file, class_name, name))
            if start is not None:
                started = start + elapsed
            duration = None
            time = get("time")
            if time is not None:
                try:
                    duration = float(time)
                except ValueError:
                    duration = -1.0
                if not 0.0 <= duration <= YEAR_S:
                    duration = seconds(time)
                if duration is None:
                    self._bad_times += 1
                    self._bad_time = time
                else:
                    elapsed += duration
            status = PASSED
            if ("status" in attrs and attrs["status"].lower() in _NOT_RUN) or (
                "result" in attrs and attrs["result"].lower() in _NOT_RUN
            ):
                status = SKIPPED
                suite.own.skipped += 1
                suite.own.not_run += 1
            append(
                Case(
                    file, class_name, name, status, None, duration, None, None, None, "", host, 1, True, label,
                    (epoch(attrs["timestamp"]) or started) if "timestamp" in attrs else started,
                    attrs.get("line", ""),
                )
            )  # fmt: skip
        suite.elapsed = elapsed
        suite.kept += len(self.cases) - before

    def _start_other(self, tag: str, attrs: dict[str, str]) -> None:
        self.elements += 1
        parent = self._suite
        if tag in _SUITES or len(self._stack) == self._base_depth:
            self._is_junit |= tag in _SUITES
            outer = parent or next((suite for _, suite in reversed(self._stack) if suite), None)
            self._suite = JunitSuite(attrs, outer, len(self.cases), len(self._closed.differences))
            self._stack.append((tag, self._suite))
            return
        if parent is not None and tag in _KINDS and parent.init is None:
            # A suite with an <error> is a failed test of that name to Jenkins; one with a <failure> is not.
            self._closed.uncounted += tag == "failure"
            parent.own.of_suites += 1
            self._add_cases(({"name": INIT, "classname": parent.name or ""},), parent)
            self._case = self.cases[-1]
            self._depth = 1
            self._start_child(tag, attrs).synthetic = True
            parent.init = self._case
            return
        if parent is not None and tag in _KINDS:
            parent.own.error_elements += 1
            self._text = Clip(self._trace_chars)
            self._text.add(clip(attrs.get("message", ""), MESSAGE_CHARS) + "\n")
            self._source.listen(True)
        if parent is not None and tag in _OUTPUTS:
            parent.output = self._text = parent.output or Clip(self._output_chars)
            self._source.listen(True)
        if tag == "property" and attrs.get("name") == GO_VERSION:
            suite = next((outer for _, outer in reversed(self._stack) if outer is not None), None)
            if suite is not None:
                suite.is_go = True
        if len(self._stack) > MAX_DEPTH:
            raise RefusedXmlError(f"nests more than {MAX_DEPTH} elements")
        self._stack.append((tag, None))
        self._suite = None

    def _start_child(self, tag: str, attrs: dict[str, str]) -> _CaseState:
        state = self._state = self._state or _CaseState()
        self._child, self._child_attrs = tag, attrs
        if tag in _OUTPUTS:
            self._text = state.output = _continued(state.output, self._output_chars)
        elif tag in _KINDS:
            self._text = state.traces[tag] = _continued(state.traces.get(tag), self._trace_chars)
            if self._suite is not None:
                if tag == "error":
                    self._suite.own.error_elements += 1
                else:
                    self._suite.own.failure_elements += 1
            if "message" in attrs:
                state.messages.setdefault(tag, clip(attrs["message"], MESSAGE_CHARS))
        elif tag == "skipped" or tag in _RETRIES:
            self._trace = self._text = Clip(self._trace_chars)
        else:
            return state
        self._source.listen(True)
        return state

    def data(self, text: str) -> None:
        if self._text is not None:
            self._text.add(text)

    def end(self, tag: str) -> None:
        if self._case is not None:
            if not self._depth:
                if self._state is not None:
                    self._finish_case()
                self._case = None
                return
            if self._depth == 2:
                self._text = self._trace
            self._depth -= 1
            if not self._depth:
                self._end_child()
                if self._state is not None and self._state.synthetic:
                    self._finish_case()
            return
        if self._stack and self._stack[-1][0] == local(tag):
            self._end_other()

    def _end_child(self) -> None:
        """Add the child that has just ended to the state of its case."""
        case, state, tag, attrs = self._case, self._state, self._child, self._child_attrs
        trace, output = self._trace, self._retry_output
        self._trace = self._text = self._retry_output = None
        self._child, self._depth = "", 0
        self._source.listen(False)
        if case is None or state is None or trace is None:
            return
        message, text = attrs.get("message"), str(trace).strip()
        if tag == "skipped":
            if state.skipped is None:
                state.skipped = clip(text if message is None else message, MESSAGE_CHARS)
        elif len(state.flaky) + len(state.rerun) < MAX_ATTEMPTS:
            retry = replace(
                case,
                status=FAILED,
                kind=_RETRIES[tag],
                duration_s=seconds(attrs.get("time", "")),
                message=None if message is None else clip(message, MESSAGE_CHARS),
                trace=self._keep(text),
                output=self._keep(str(output).strip()) if output else None,
                started_at=epoch(attrs.get("timestamp", "")),
            )
            (state.flaky if tag.startswith("flaky") else state.rerun).append(retry)

    def _finish_case(self) -> None:
        case, state = self._case, self._state
        self._case = self._state = None
        if case is None or state is None:
            return
        own = self._suite.own if self._suite is not None else SuiteCounts()
        if state.skipped is not None or case.status == SKIPPED:
            if case.status == SKIPPED:
                own.not_run -= state.skipped is not None
            else:
                own.skipped += 1
            case.status = SKIPPED
            case.message = state.skipped or None
        elif state.traces:
            case.status = FAILED
            case.kind = next(kind for kind in _KINDS if kind in state.traces)
            case.message = next((state.messages[kind] for kind in _KINDS if kind in state.messages), None)
            traces = (str(state.traces[kind]).strip() for kind in _KINDS if kind in state.traces)
            case.trace = self._keep("\n\n".join(filter(None, traces)))
            case.output = self._keep(str(state.output).strip()) if state.output else None
            own.failed += 1
            own.errors += case.kind == "error"
            if self._suite is not None:
                self._suite.failed.append(case)
        if state.flaky or state.rerun:
            self.cases[-1:] = attempts = _attempts(case, state)
            own.retries += len(attempts) - 1

    def _keep(self, text: str) -> str | None:
        if self._budget <= 0:
            text = clip(text, STARVED_CHARS)
        self._budget -= len(text)
        return text or None

    def _end_other(self) -> None:
        tag, suite = self._stack.pop()
        self._suite = self._stack[-1][1] if self._stack else None
        if self._text is not None:
            if tag in _KINDS and self._suite is not None and (init := self._suite.init) is not None:
                init.trace = self._keep("\n\n".join(filter(None, (init.trace, str(self._text).strip()))))
            self._text = None
            self._source.listen(False)
        if suite is None:
            return
        if suite.output:
            text = self._keep(str(suite.output).strip())
            for case in suite.failed[:SHARED_OUTPUTS]:
                case.output = case.output or text
        self._closed.add(suite, self._is_junit)

    def close(self) -> None:
        self._complete = len(self._stack) == self._base_depth
        if self._case is not None:
            self._end_child()
            state = self._state
            if state is None or not (state.traces or state.skipped is not None):
                # Cut off before its outcome: whether it passed is not known.
                self.cases.pop()
                if self._suite is not None:
                    self._suite.kept -= 1
                self._state = None
            self._finish_case()
        while self._stack:
            self._end_other()

    def report(self, problem: str) -> Report:
        found, closed = self._is_junit or bool(self.cases), self._closed
        status, warnings, is_cut = read_status(problem, self, found=found, complete=self._complete)
        report = Report(
            status=status,
            cases=self.cases,
            suites=len(closed),
            duration_s=closed.seconds if closed else None,
            warnings=warnings,
            uncounted=closed.uncounted,
            unmarked=closed.unmarked,
            started_at=closed.started,
            declared=closed.totals,
            is_cut=is_cut,
        )
        report.differ(closed.differences if found else [])
        if self._bad_times:
            warnings.append(f"{self._bad_times} unreadable durations, such as {clip(self._bad_time, 40)!r}")
        return report


def _attempts(case: Case, state: _CaseState) -> list[Case]:
    """All attempts of a case. In surefire a flaky* test passed in the end, a rerun* test kept failing."""
    failed = case.status == FAILED
    attempts = [*state.flaky, case, *state.rerun] if failed else [*state.flaky, *state.rerun, case]
    for number, attempt in enumerate(attempts, 1):
        attempt.attempt, attempt.is_final = number, number == len(attempts)
    if failed:
        attempts[-1].kind = case.kind
    return attempts
