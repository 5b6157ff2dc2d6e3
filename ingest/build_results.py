"""All result files of one build, read and laid upon each other: the cases that go into the store.

Order logs decide status, host, order and attempts; JUnit files add durations and failure text to them, or are the
results where no order logs are. What repeats stays: as attempts of a retry, or as variants of the topology.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import BinaryIO, NamedTuple

from data.write.raw_files import AXIS_END
from ingest.parsers import console_log, order_log, parse_file
from ingest.parsers.cases import FAILED, SKIPPED, Case, Report
from ingest.parsers.identity import dotted

# Where JUnit files lie by topology beside order logs.
JUNIT_TOPOLOGY = re.compile(r"(?:^|/)junit/(?P<topology>[^/]+)/[^/]+$")
MAX_WARNINGS = 100
MAX_NEAR = 200

_FALLBACKS = ("testng", "junit_result", "console", "test_report", "testng_json")
_COUNTED_BY_JENKINS = ("junit", "junit_result", "test_report")

Test = list[Case]  # the attempts of one test, the last of them final
ReportInput = tuple[str, str | None, Callable[[], BinaryIO]]  # path, kind (None: see for yourself), open


@dataclass(slots=True)
class FileResult:
    """What became of one input file. `status` as in Report."""

    path: str
    kind: str
    status: str
    tests: int


@dataclass(slots=True)
class Counts:
    tests: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(slots=True)
class BuildResults:
    """`cases` holds the attempts of a test side by side, tests in the order in which they ran.

    `reported` is what Jenkins itself counts for these files (every <testcase>, repeated or not), None where the results
    are not of the kind that it counts. `flags`: recovered, unreadable, declared_differs, status_differs, ambiguous,
    repeated.
    """

    cases: list[Case] = field(default_factory=list)
    files: list[FileResult] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    reported: Counts | None = None

    def warn(self, text: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            self.warnings.append(text)


def read_build(
    files: Iterable[ReportInput],
    *,
    number: int | None = None,
    topology: re.Pattern[str] | None = None,
    console_patterns: Sequence[re.Pattern[str]] = (),
) -> BuildResults:
    """Reads every file of a build once, in the order of their paths.

    `topology` finds a JUnit file's topology (group of that name) in its path; without it JUNIT_TOPOLOGY does, but only
    beside order logs; the axis before a path comes first. TestNG files that were not asked for by kind, console logs
    and Jenkins' own reports tell again what other files tell: each is used only where those before it gave no case. An
    archive's BadArchive is not caught.
    """
    build = BuildResults()
    logs: list[_Read] = []
    reports: list[_Read] = []
    fallbacks: dict[str, list[_Read]] = defaultdict(list)
    for path, asked, open_file in sorted(files, key=lambda file: file[0]):
        with open_file() as stream:
            if asked == "console":
                read = _Read(path, asked, console_log.parse(stream, console_patterns))
            else:
                read = _Read(path, *parse_file(path, stream, kind=asked, number=number))
        _note(build, read)
        if read.kind == "order":
            logs.append(read)
        elif read.kind in _FALLBACKS and asked != "testng":
            fallbacks[read.kind].append(read)
        else:
            reports.append(read)
    for kind in _FALLBACKS:
        if fallbacks[kind] and not any(read.report.cases for read in (*logs, *reports)):
            reports = fallbacks[kind]
    build.reported = _reported([read.report for read in reports if read.kind in _COUNTED_BY_JENKINS])

    rule = topology or (JUNIT_TOPOLOGY if logs else None)
    for path, _, report in reports:
        if rule and (found := rule.search(path)):
            for case in report.cases:
                case.topology = case.topology or found["topology"] or ""
    for path, _, report in (*logs, *reports):
        if axis := path.rpartition(AXIS_END)[0]:
            for case in report.cases:
                case.topology = ",".join(filter(None, (axis, case.topology)))
    cases = [case for read in reports for case in read.report.cases]
    if not logs and len({(case.file, case.class_name, case.name, case.topology) for case in cases}) == len(cases):
        build.cases = cases  # nothing repeats, so that there is nothing to sort out
        return build
    told = _tests([read.report for read in reports])
    tests = _lay_reruns(logs)
    if tests and told:
        told = _enrich(tests, told, build)
    _tell_apart([*tests, *told], build)
    build.cases = [case for test in (*tests, *told) for case in test]
    return build


class _Read(NamedTuple):
    path: str
    kind: str
    report: Report


def _note(build: BuildResults, read: _Read) -> None:
    path, kind, report = read
    build.files.append(FileResult(path, kind, report.status, report.tests))
    if report.status == "recovered":
        build.flags.add("recovered")
    elif report.status == "error":
        build.flags.add("unreadable")
    if report.miscounted:
        build.flags.add("declared_differs")
    for warning in report.warnings:
        build.warn(f"{path}: {warning}")


def _reported(reports: list[Report]) -> Counts | None:
    counts = Counts()
    for report in reports:
        final = [case.status for case in report.cases if case.is_final]
        counts.tests += len(final)
        counts.failed += final.count(FAILED)
        counts.skipped += final.count(SKIPPED)
    return counts if reports else None


def _attempts(cases: Iterable[Case]) -> Iterator[Test]:
    """Groups the cases of a report, where attempts stand side by side."""
    test: Test = []
    for case in cases:
        test.append(case)
        if case.is_final:
            yield test
            test = []


def _append(test: Test, later: Iterable[Case]) -> None:
    for case in later:
        test[-1].is_final = False
        case.attempt, case.is_final = len(test) + 1, True
        test.append(case)


def _lay_reruns(logs: list[_Read]) -> list[Test]:
    """Each line of a main log is a test; a line of a rerun log is a further attempt of it, or a test of its own."""
    mains, reruns = [], []
    for path, _, report in logs:
        (reruns if order_log.log_name(path).is_rerun else mains).extend(report.cases)
    tests = [[case] for case in mains]
    if not reruns:
        return tests
    known: dict[tuple[str, str, str, str], list[Test]] = defaultdict(list)
    for test in tests:
        known[test[0].file, test[0].class_name, test[0].name, test[0].topology].append(test)
    for case in reruns:
        same = known[case.file, case.class_name, case.name, case.topology]
        if same:
            # Of several main logs of a topology: the one that had failed, best of the same suite.
            main = min(same, key=lambda test: (test[-1].status != FAILED, test[0].suite != case.suite))
            _append(main, [case])
        else:
            case.attempt = 1
            tests.append([case])
            same.append(tests[-1])
    return tests


def _tests(reports: list[Report]) -> list[Test]:
    """The tests of reports without order logs. A test that failed and stands again in the same report and suite was
    retried there; any other repetition is a result of its own."""
    tests: list[Test] = []
    for report in reports:
        latest: dict[tuple[str, str, str, str, str], Test] = {}
        for test in _attempts(report.cases):
            case = test[0]
            key = (case.suite, case.file, case.class_name, case.name, case.topology)
            before = latest.get(key)
            if before is not None and before[-1].status == FAILED:
                _append(before, test)
            else:
                latest[key] = test
                tests.append(test)
    return tests


def has_reruns(report: Report) -> int:
    """How many results of a report, each counted by Jenkins, the store takes for attempts of a retry."""
    return 0 if any(case.attempt > 1 for case in report.cases) else len(report.cases) - len(_tests([report]))


def _tell_apart(tests: Iterable[Test], build: BuildResults) -> None:
    """Numbers results of the same test on the same topology, from the second on, by a variant behind the topology."""
    seen: Counter[tuple[str, str, str, str]] = Counter()
    repeated = 0
    for test in tests:
        case = test[0]
        key = (case.file, case.class_name, case.name, case.topology)
        seen[key] += 1
        if seen[key] > 1:
            repeated += 1
            for attempt in test:
                attempt.topology = f"{key[3]} #{seen[key]}".lstrip()
    if repeated:
        build.flags.add("repeated")
        build.warn(f"{repeated} results repeat a test on its topology: kept as variants #2 and on")


def _full_name(case: Case) -> str:
    """`pkg.mod.Class.test` of a case, whether its report gives file and class or the two as one dotted class."""
    prefix = dotted(case.file) if case.file else ""
    if prefix and case.class_name:
        return f"{prefix}.{case.class_name}.{case.name}"
    return ".".join(filter(None, (prefix, case.class_name, case.name)))


class _Index:
    """Finds the attempts that a JUnit case tells about; what only odd cases need is built when the first one comes."""

    def __init__(self, tests: list[Test]) -> None:
        self.exact: dict[tuple[str, str], Test] = {}
        for test in tests:
            key = (_full_name(test[0]), test[0].topology)
            self.exact[key] = self.exact[key] + test if key in self.exact else test

    @cached_property
    def topologies(self) -> dict[str, list[str]]:
        """By full name."""
        found = defaultdict(list)
        for full, topology in self.exact:
            found[full].append(topology)
        return found

    @cached_property
    def same_name(self) -> dict[tuple[str, str], list[str]]:
        """Full names by last name and topology."""
        found = defaultdict(list)
        for (full, topology), test in self.exact.items():
            found[test[0].name, topology].append(full)
        return found

    def find(self, case: Case) -> Test | None:
        """None where no order log knows the test, [] where several topologies may be meant."""
        full, topology = _full_name(case), case.topology
        if attempts := self.exact.get((full, topology)):
            return attempts
        if not topology and (topologies := self.topologies.get(full)):
            return [] if len(topologies) > 1 else self.exact[full, topologies[0]]
        # The two may start from different roots: then one name ends with the other.
        candidates = self.same_name.get((case.name, topology), ())
        near = [
            known
            for known in (candidates if len(candidates) <= MAX_NEAR else ())
            if known.endswith("." + full) or full.endswith("." + known)
        ]
        return self.exact[near[0], topology] if len(near) == 1 else None


def _enrich(tests: list[Test], told: list[Test], build: BuildResults) -> list[Test]:
    """Gives the attempts of the order logs what the reports know of them; gives back what only the reports know."""
    index = _Index(tests)
    unknown: list[Test] = []
    matched: dict[int, tuple[Test, list[Case]]] = {}
    ambiguous = 0
    for test in told:
        attempts = index.find(test[0])
        if attempts is None:
            unknown.append(test)
        elif not attempts:
            ambiguous += 1
        elif id(attempts) in matched:
            matched[id(attempts)] = (attempts, matched[id(attempts)][1] + test)
        else:
            matched[id(attempts)] = (attempts, test)
    if ambiguous:
        build.flags.add("ambiguous")
        build.warn(f"{ambiguous} JUnit cases name no topology, and several ran the test: left out")
    differ = sum(_match(attempts, cases) for attempts, cases in matched.values())
    if differ:
        build.flags.add("status_differs")
        build.warn(f"{differ} tests have another status in JUnit than in the order log, which counts")
    return unknown


def _match(attempts: list[Case], told: list[Case]) -> bool:
    """Pairs from the last backwards, failed with failed and passed with passed, so that text reaches only an attempt
    that failed: one text for two failures belongs to the last. Gives back whether the statuses exclude each other.
    """
    pairs = []
    for failed in (True, False):
        mine = [case for case in reversed(attempts) if (case.status == FAILED) == failed]
        theirs = [case for case in reversed(told) if (case.status == FAILED) == failed]
        pairs += zip(mine, theirs, strict=False)
    for case, other in pairs:
        case.duration_s, case.started_at = other.duration_s, other.started_at
        case.message, case.trace, case.output = other.message, other.trace, other.output
        if case.kind and other.kind == "error":
            case.kind = "error"
    return not pairs
