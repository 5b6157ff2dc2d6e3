"""Read all reports of one build: the cases that go into the store, with flags and warnings about the files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

from data.settings import SourceSettings
from data.write.raw_files import AXIS_END
from ingest.build_files import ResultFiles
from ingest.merge_reports import enrich, merge_reruns
from ingest.parsers import console_log, order_log, parse_file
from ingest.parsers.agent_paths import compile_roots
from ingest.parsers.allowance import Allowance
from ingest.parsers.cases import FAILED, SKIPPED, Case, DeclaredCounts, Report, ReportStream
from ingest.parsers.metered_stream import MeteredStream
from ingest.repeats import group_attempts, has_repeats, merge_rerun_files, number_twins
from ingest.report_folders import module_of
from ingest.report_inputs import JENKINS_REPORTS, ReportInput, open_reports

# The folder of a JUnit file beside order logs is its topology.
JUNIT_TOPOLOGY = re.compile(r"(?:^|/)junit/(?P<topology>[^/]+)/[^/]+$")
MAX_WARNINGS = 100
MAX_UNREAD = 20  # files that are named because they are not read

# These repeat the results of other reports: each is used only if those before it have no case.
_FALLBACKS = ("testng", "junit_result", "console", "test_report", "testng_json")
_COUNTED_BY_JENKINS = ("junit", "junit_result", "test_report")


class UnfinishedBuildError(Exception):
    """What was downloaded is incomplete and has to be downloaded again."""


class FileWarning(NamedTuple):
    """`path` is empty if it concerns no single file."""

    path: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text}" if self.path else self.text


@dataclass(slots=True)
class FileResult:
    """How one report was read. `status` as in Report."""

    path: str
    kind: str
    status: str
    tests: int


@dataclass(slots=True)
class JenkinsCounts:
    tests: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(slots=True)
class BuildResults:
    """`cases` has the attempts of a test next to each other, tests in the order in which they ran.

    `reported` is what Jenkins itself counts for these files (every <testcase>, repeated or not), None if the results
    are not of a kind that it counts. `flags`: recovered, unreadable, not_read, declared_differs, status_differs,
    ambiguous, repeated. `missing`: why results are missing, a line for each report. `started_at`: the newest time in
    the reports, seconds since the epoch.
    """

    cases: list[Case] = field(default_factory=list)
    files: list[FileResult] = field(default_factory=list)
    warnings: list[FileWarning] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    missing: list[str] = field(default_factory=list)
    reported: JenkinsCounts | None = None
    started_at: float | None = None

    def warn(self, text: str, path: str = "", flag: str | None = None) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(FileWarning(path, text))
        if flag:
            self.flags.add(flag)


class _Parsed(NamedTuple):
    path: str
    kind: str
    report: Report
    is_fallback: bool


def read_results(
    source: SourceSettings,
    files: ResultFiles,
    number: int | None,
    roots: Sequence[str] = (),
    allowance: Allowance | None = None,
    jenkins: DeclaredCounts | None = None,
) -> BuildResults:
    """The results of a build's downloaded files; `jenkins` is what Jenkins counts in them.

    Raises UnfinishedBuildError, BadArchiveError, LimitError.
    """
    inputs, refused = open_reports(source, files)
    if allowance:
        allowance.add_files(len(inputs))
        allowance.received = sum(file.stream.seek(0, 2) for file in files.downloads)
    results = read_build(
        inputs,
        allowance=allowance,
        number=number,
        topology=re.compile(source.topology) if source.topology else None,
        console_patterns=console_log.compile_patterns(rule.pattern for rule in source.console),
        roots=roots,
        jenkins=jenkins,
    )
    for why in dict.fromkeys(refused):
        results.warn(why, flag="unreadable")
        results.missing.append(why)
    for file in results.files:
        # Jenkins has just written it: if it cannot be read, the transfer damaged it.
        if file.kind in JENKINS_REPORTS and file.status == "error":
            raise UnfinishedBuildError(f"Jenkins' test report cannot be read: {results.warnings[0]}")
    return results


def read_build(
    files: Iterable[ReportInput],
    *,
    number: int | None = None,
    topology: re.Pattern[str] | None = None,
    console_patterns: Sequence[re.Pattern[str]] = (),
    roots: Sequence[str] = (),
    allowance: Allowance | None = None,
    jenkins: DeclaredCounts | None = None,
) -> BuildResults:
    """Read each report of a build once, in the order of their paths, and merge them.

    `topology` finds a report's topology (the group of that name) in its path; without it JUNIT_TOPOLOGY does, but only
    beside order logs. The axis before a path is prepended. TestNG files without a configured kind, console logs and
    Jenkins' own reports are used only if no other report has a case. `roots` are folders of agents that no test's file
    contains; `jenkins` is what Jenkins counts. Raises BadArchiveError, LimitError.
    """
    build = BuildResults()
    parsed = [
        _parse(build, path, kind, open_file, number, console_patterns, roots, allowance)
        for path, kind, open_file in sorted(files, key=lambda file: file[0])
    ]
    _name_unread(build, parsed)
    logs = [file for file in parsed if file.kind == "order"]
    reports = _choose_reports(parsed, logs)
    build.missing += [f"{file.path}: {why}" for file in (*logs, *reports) if (why := file.report.missing)]
    build.reported = _count_as_jenkins(reports)
    _set_topologies(reports, topology or (JUNIT_TOPOLOGY if logs else None))
    _prepend_axes([*logs, *reports])
    if not logs:
        _set_modules(reports)
    cases = [case for file in reports for case in file.report.cases]
    build.started_at = _newest(reports, cases)
    if not logs and not has_repeats(cases):
        build.cases = cases
    else:
        _merge(build, logs, reports, jenkins if build.reported is not None else None)
    return build


def _parse(
    build: BuildResults,
    path: str,
    kind: str | None,
    open_file: Callable[[], ReportStream],
    number: int | None,
    console_patterns: Sequence[re.Pattern[str]],
    roots: Sequence[str],
    allowance: Allowance | None,
) -> _Parsed:
    with open_file() as opened, allowance.one_report() if allowance else nullcontext():
        stream = MeteredStream(opened, allowance) if allowance else opened
        if kind == "console":
            found, report = kind, console_log.parse(stream, console_patterns, compile_roots(tuple(roots)))
        else:
            found, report = parse_file(path, stream, kind=kind, number=number, roots=roots)
    if allowance:
        allowance.add_cases(len(report.cases))
    build.files.append(FileResult(path, found, report.status, report.tests))
    if report.status == "recovered":
        build.flags.add("recovered")
    elif report.status == "error":
        build.flags.add("unreadable")
    if report.differences:
        build.flags.add("declared_differs")
    if report.status != "not_junit":
        for warning in report.warnings:
            build.warn(warning, path)
    return _Parsed(path, found, report, is_fallback=found in _FALLBACKS and kind != "testng")


def _name_unread(build: BuildResults, parsed: list[_Parsed]) -> None:
    """Name the files that no parser reads: the reports of tests first, for these have results that are missing."""
    files = sorted(
        (file for file in parsed if file.report.status == "not_junit"), key=lambda file: not file.report.unread
    )
    build.missing += [f"{file.path}: {file.report.warnings[-1]}" for file in files if file.report.unread]
    for file in files[:MAX_UNREAD]:
        build.warn("; ".join(file.report.warnings), file.path, flag="not_read" if file.report.unread else None)
    if len(files) > MAX_UNREAD:
        build.warn(f"{len(files) - MAX_UNREAD} more files are not read: they are no reports of a known kind")


def _newest(reports: list[_Parsed], cases: list[Case]) -> float | None:
    times = [case.started_at for case in cases if case.started_at]
    return max(times or [file.report.started_at for file in reports if file.report.started_at], default=None)


def _choose_reports(parsed: list[_Parsed], logs: list[_Parsed]) -> list[_Parsed]:
    reports = [file for file in parsed if file.kind != "order" and not file.is_fallback]
    for kind in _FALLBACKS:
        fallback = [file for file in parsed if file.is_fallback and file.kind == kind]
        if fallback and not any(file.report.cases for file in (*logs, *reports)):
            reports = fallback
    return reports


def _count_as_jenkins(reports: list[_Parsed]) -> JenkinsCounts | None:
    counted = [file.report for file in reports if file.kind in _COUNTED_BY_JENKINS]
    counts = JenkinsCounts()
    for report in counted:
        final = [case.status for case in report.cases if case.is_final]
        counts.tests += len(final) - report.uncounted + report.unmarked
        counts.failed += final.count(FAILED) - report.uncounted
        counts.skipped += final.count(SKIPPED)
    return counts if counted else None


def _set_topologies(reports: list[_Parsed], rule: re.Pattern[str] | None) -> None:
    if rule is None:
        return
    for file in reports:
        if found := rule.search(file.path):
            for case in file.report.cases:
                case.topology = case.topology or found["topology"] or ""


def _set_modules(reports: list[_Parsed]) -> None:
    """Tests without a file have the module's folder as their file: modules may have tests of one name."""
    for file in reports:
        if file.kind not in _FALLBACKS and (module := module_of(file.path.rpartition(AXIS_END)[2])):
            for case in file.report.cases:
                case.file = case.file or module


def _prepend_axes(parsed: list[_Parsed]) -> None:
    for file in parsed:
        if axis := file.path.rpartition(AXIS_END)[0]:
            for case in file.report.cases:
                case.topology = ",".join(filter(None, (axis, case.topology)))


def _merge(build: BuildResults, logs: list[_Parsed], reports: list[_Parsed], jenkins: DeclaredCounts | None) -> None:
    main_cases: list[Case] = []
    rerun_cases: list[Case] = []
    for log in logs:
        (rerun_cases if order_log.log_name(log.path).is_rerun else main_cases).extend(log.report.cases)
    tests = merge_reruns(main_cases, rerun_cases)
    grouped = group_attempts([file.report for file in reports], jenkins)
    reported = merge_rerun_files([(file.path, tests) for file, tests in zip(reports, grouped, strict=True)])
    if tests and reported:
        enrichment = enrich(tests, reported)
        reported = enrichment.unknown
        if count := enrichment.ambiguous:
            text = f"{count} JUnit cases name no topology, and several topologies ran the test: left out"
            build.warn(text, flag="ambiguous")
        if count := enrichment.status_differs:
            which = "1 test has" if count == 1 else f"{count} tests have"
            text = f"{which} another status in JUnit than in the order log, which counts"
            build.warn(text, flag="status_differs")
    if count := number_twins([*tests, *reported]):
        repeat = "1 result repeats" if count == 1 else f"{count} results repeat"
        text = f"{repeat} a test on its topology: kept as variants #2 and up"
        build.warn(text, flag="repeated")
    build.cases = [case for test in (*tests, *reported) for case in test]
