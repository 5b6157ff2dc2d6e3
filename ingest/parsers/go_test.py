"""The events of `go test -json`, one JSON object a line, also with other lines between them; gotestsum's --jsonfile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from data.model.json_values import JsonObject
from ingest.parsers.allowance import count_case
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report, ReportStream
from ingest.parsers.text import Clip, clip, epoch

LINE_BYTES = 4 << 20
MAX_OPEN = 200_000  # tests and packages that have begun
PACKAGE = "TestMain"  # as gotestsum names the failure of a package outside of its tests
_LOOKS = re.compile(
    r'^\{(?=[^\n]*"Action"\s*:\s*"[a-z-]+")(?=[^\n]*"(?:Package|ImportPath)"\s*:\s*")[^\n]*$', re.MULTILINE
)
_END = {"pass": PASSED, "bench": PASSED, "fail": FAILED, "skip": SKIPPED}
# What go itself prints around the output of a test.
_FRAME = re.compile(
    r"\s*(?:=== (?:RUN|PAUSE|CONT|NAME)\b|--- (?:PASS|FAIL|SKIP|BENCH):)|(?:PASS|FAIL|ok)\s*(?:\t|$)|exit status \d"
)
_PLACE = re.compile(r"^\s*\S+\.go:\d+: ?")
_REASONS = (
    re.compile(r"^\s*Error:\s+(?P<text>\S.*)"),  # testify
    re.compile(r"^(?P<text>panic: .*)"),
    re.compile(r"^(?P<text>fatal error: .*)"),
    re.compile(r"^\s*\S+\.go:\d+: (?P<text>\S.*)"),
    re.compile(r"^\S+\.go:\d+:\d+: (?P<text>\S.*)"),  # the compiler
)


def looks_like(head: str) -> bool:
    return bool(_LOOKS.search(head))


def parse(stream: ReportStream) -> Report:
    """Parse one stream. The package is the class; tests with subtests count besides them, as go counts.

    A test that has begun and not ended fails if its package failed, or if the stream ends. The stream is cut off if a
    package or a test has no end, or its last line is no whole event. A package that fails without
    a failed test (it was not built, or failed in TestMain) is one failed test, TestMain. If a package runs again with
    nothing but tests that had failed, these were retried; any other repetition is a result of its own (-count).
    """
    reader = _Reader()
    for event in _events(stream):
        reader.event(event)
    return reader.report()


def _events(stream: ReportStream) -> Iterator[JsonObject | None]:
    """The events; None for the beginning of one, which other lines may follow."""
    whole = True
    while raw := stream.readline(LINE_BYTES):
        begins, whole = whole, raw.endswith(b"\n")
        if not begins:
            continue  # the rest of a line that is too long
        line = raw.lstrip(b"\xef\xbb\xbf \t")
        if line.startswith(b"{"):
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                yield None
                continue
            if isinstance(event, dict) and isinstance(event.get("Action"), str):
                yield event


class _Open:
    """A test or package that has begun."""

    def __init__(self, started: float | None) -> None:
        self.started = started
        self.output = Clip(64 << 10)


class _Reader:
    def __init__(self) -> None:
        self._tests: list[list[Case]] = []  # attempts
        self._latest: dict[tuple[str, str], list[Case]] = {}  # attempts, of the runs of packages that have ended
        self._current: dict[str, list[Case]] = {}  # by package, of its open run
        self._open: dict[tuple[str, str], _Open] = {}
        self._packages: dict[str, _Open] = {}
        self._builds: dict[str, Clip] = {}  # the compiler's output
        self._seen: set[str] = set()
        self._events = 0
        self._is_broken_off = False  # in the middle of an event
        self._has_package_events = False  # a selection of events may have none
        self._uncounted = 0
        self._started: float | None = None
        self._duration: float | None = None
        self._warnings: list[str] = []

    def event(self, event: JsonObject | None) -> None:
        self._is_broken_off = event is None
        if event is None:
            return
        self._events += 1
        action, package, test = str(event["Action"]), str(event.get("Package") or ""), str(event.get("Test") or "")
        if action.startswith("build-"):
            build = str(event.get("ImportPath") or "")
            self._builds.setdefault(build, Clip(64 << 10)).add(str(event.get("Output") or ""))
            return
        if not package:
            return
        when = epoch(str(event.get("Time") or ""))
        self._started = self._started or when
        self._seen.add(package)
        known = self._packages.get(package)
        if known is None and len(self._packages) < MAX_OPEN:
            known = self._packages[package] = _Open(when)
        if test:
            self._test(action, (package, test), event, when)
        elif action == "start":
            self._has_package_events = True
        elif action == "output" and known is not None:
            known.output.add(str(event.get("Output") or ""))
        elif action in _END:
            self._end_package(action, package, event)

    def _test(self, action: str, key: tuple[str, str], event: JsonObject, when: float | None) -> None:
        running = self._open.get(key)
        if running is None and (action in _END or action in ("run", "output")) and len(self._open) < MAX_OPEN:
            running = self._open[key] = _Open(when)
        if action == "output" and running is not None:
            running.output.add(str(event.get("Output") or ""))
        elif action in _END:
            self._open.pop(key, None)
            self._add(key, _END[action], _elapsed(event), running or _Open(when))

    def _add(self, key: tuple[str, str], status: str, duration: float | None, run: _Open, reason: str = "") -> None:
        package, name = key
        count_case()
        case = Case("", package, name, status, duration_s=duration, suite=package, started_at=run.started)
        lines = [line for line in str(run.output).splitlines() if line.strip() and not _FRAME.match(line)]
        if status == FAILED:
            case.kind = "failure"
            case.message = clip(reason or _reason(lines), 8 << 10) or None
            case.trace = clip("\n".join(lines), 64 << 10) or None
        elif status == SKIPPED and lines:
            case.message = clip(_PLACE.sub("", lines[-1]).strip(), 8 << 10) or None
        self._current.setdefault(package, []).append(case)

    def _end_run(self, package: str) -> None:
        """Add the cases of a package's run to its tests."""
        cases = self._current.pop(package, [])
        earlier = [self._latest.get((package, case.name)) for case in cases]
        retried = all(attempts is not None and attempts[-1].status == FAILED for attempts in earlier)
        for case, attempts in zip(cases, earlier, strict=True):
            if retried and attempts is not None:
                attempts[-1].is_final = False
                case.attempt = len(attempts) + 1
                attempts.append(case)
            else:
                self._tests.append([case])
                self._latest[package, case.name] = self._tests[-1]

    def _end_package(self, action: str, package: str, event: JsonObject) -> None:
        self._has_package_events = True
        run = self._packages.pop(package, None) or _Open(None)
        duration = _elapsed(event)
        if duration is not None:
            self._duration = (self._duration or 0.0) + duration
        unfinished = [key for key in self._open if key[0] == package]
        for key in unfinished:
            # A test that stopped its process, or a subtest whose end got lost.
            self._end_open(key, FAILED if action == "fail" else PASSED, run)
        if action == "fail" and not any(case.status == FAILED for case in self._current.get(package, ())):
            build = str(event.get("FailedBuild") or "")
            output = self._builds.get(build) or self._builds.get(package)
            if output is not None:
                run.output.add(str(output))
            self._add((package, PACKAGE), FAILED, duration, run, "" if not build else _reason(str(output).splitlines()))
            self._uncounted += 1
        self._end_run(package)

    def _end_open(self, key: tuple[str, str], status: str, package: _Open) -> None:
        run = self._open.pop(key)
        reason = ""
        if status == FAILED:
            lines = [*str(run.output).splitlines(), *str(package.output).splitlines()]
            found = _reason([line for line in lines if not _FRAME.match(line)])
            reason = found if found.startswith(("panic:", "fatal error:")) else "The test did not finish."
        self._add(key, status, None, run, reason)

    def report(self) -> Report:
        endless = next(iter(self._packages), None) if self._has_package_events else None
        is_cut = self._is_broken_off or bool(self._open) or endless is not None
        if self._open:
            tests = "1 test has" if len(self._open) == 1 else f"{len(self._open)} tests have"
            self._warnings.append(f"{tests} no end: the report ends before it")
        elif endless is not None:
            self._warnings.append(f"the report ends before the end of package {endless}")
        elif self._is_broken_off:
            self._warnings.append("the report ends in the middle of an event")
        for key in list(self._open):
            self._end_open(key, FAILED, self._packages.get(key[0]) or _Open(None))
        if not self._seen:
            for build, output in self._builds.items():
                reason = _reason(str(output).splitlines())
                self._add((build.partition(" ")[0], PACKAGE), FAILED, None, _Open(None), reason)
                self._uncounted += 1
        for package in list(self._current):
            self._end_run(package)
        cases = [case for attempts in self._tests for case in attempts]
        if not self._events:
            return Report("error", warnings=["no event of go test in this file"])
        return Report(
            cases=cases,
            suites=len({case.suite for case in cases}),
            duration_s=self._duration,
            warnings=self._warnings,
            is_cut=is_cut,
            uncounted=self._uncounted,
            started_at=self._started,
        )


def _elapsed(event: JsonObject) -> float | None:
    value = event.get("Elapsed")
    return float(value) if isinstance(value, (int, float)) and 0 <= value <= 365 * 86400 else None


def _reason(lines: list[str]) -> str:
    """The line that says why: an assertion's error, a panic, a compiler's message, else the first line."""
    for pattern in _REASONS:
        for line in lines:
            if found := pattern.match(line):
                return found["text"].strip()
    return next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")
