"""Results that repeat a test within a build: attempts of a retry, or twins.

A repeat is an attempt only if something says so: an element or flag of the report (its parser has read it), the file of
a rerun, the place in the source, a tool that gives no two tests one name, or declared totals that fit nothing else. Any
other repeat is a twin: both results count. docs/ingest.md has the rules for users.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ingest.parsers.cases import FAILED, INIT, PASSED, SKIPPED, Case, DeclaredCounts, Report
from ingest.parsers.junit_totals import PYTEST

Attempts = list[Case]  # of one test in one topology, the last of them final

# The number of a rerun in the path of its file: rerun.xml, results-retry-2.xml, Retries/ID/1/x.trx, attempt_2/x.xml
_RERUN = re.compile(
    r"(?i)(?:^|[/_. -])(?:"
    r"(?:re-?_?run|re-?_?try|retries|reruns)s?(?:/\w{1,40}/(?P<of_id>\d{1,4})(?=/)|[/_. -]?(?P<number>\d{1,4}))?"
    r"|(?P<explicit>(?:test_)?attempts?(?:/attempt)?[/_. -]?(?P<attempt>\d{1,4})))(?=[/_. -]|$)"
)

LAST = 10_000  # more than any number of a rerun
_GO_TEST = re.compile(r"(?:Test|Example|Fuzz|Benchmark)(?:[^a-z\s]\S*)?")
_OF_GO = {FAILED: 0, SKIPPED: 1}


class RerunFile(NamedTuple):
    """What the path of a rerun's file says. `number`: above 0 after the file without one, below 0 before it.
    `explicit`: its numbered folder leaves no doubt."""

    number: int
    explicit: bool


class _Key(NamedTuple):
    file: str
    class_name: str
    name: str
    topology: str


def _key(case: Case) -> _Key:
    return _Key(case.file, case.class_name, case.name, case.topology)


def has_repeats(cases: list[Case]) -> bool:
    """Whether a test occurs twice in one topology, so that there is something to merge."""
    return len({(case.file, case.class_name, case.name, case.topology) for case in cases}) != len(cases)


def append_attempts(test: Attempts, later: Iterable[Case]) -> None:
    """Make later results of a test its next attempts."""
    for case in later:
        test[-1].is_final = False
        case.attempt, case.is_final = len(test) + 1, True
        test.append(case)


def split_tests(cases: Iterable[Case]) -> Iterator[Attempts]:
    """Groups the cases of a report, in which the attempts of a test follow each other."""
    test: Attempts = []
    for case in cases:
        test.append(case)
        if case.is_final:
            yield test
            test = []


def group_attempts(reports: Sequence[Report], jenkins: DeclaredCounts | None = None) -> list[list[Attempts]]:
    """The tests of each report. `jenkins`: what Jenkins counts in these reports together."""
    grouped = [_GroupedReport(report) for report in reports]
    undecided = [suite for report in grouped for suite in report.undecided]
    if jenkins is not None and undecided:
        _decide_together(undecided, jenkins, [suite for report in grouped for suite in report.suites])
    return [list(report.tests()) for report in grouped]


def count_retries(report: Report) -> int:
    """How many results of a report, each counted by Jenkins, the store takes for attempts of a retry."""
    return 0 if any(case.attempt > 1 for case in report.cases) else len(report.cases) - len(group_attempts([report])[0])


@dataclass(slots=True)
class _Suite:
    """The tests of one suite of a report. `chains`: repeats that may be a retry, since all but the last failed, and of
    which it is not known whether they are."""

    tests: list[Attempts] = field(default_factory=list)
    chains: list[list[Attempts]] = field(default_factory=list)
    retried: list[list[Attempts]] = field(default_factory=list)

    def count(self) -> DeclaredCounts:
        """If all results count. The failure of a suite is none of its tests."""
        tests = sum(test[0].name != INIT for test in self.tests)
        return DeclaredCounts(tests, sum(test[-1].status == FAILED for test in self.tests))

    def count_merged(self) -> DeclaredCounts:
        """If the chains are retries."""
        both, earlier = self.count(), [test for chain in self.chains for test in chain[:-1]]
        return DeclaredCounts((both.tests or 0) - len(earlier), (both.failed or 0) - len(earlier))

    def decide(self, are_retries: bool) -> None:
        if are_retries:
            self.retried += self.chains
        self.chains = []


class _GroupedReport:
    def __init__(self, report: Report) -> None:
        suites: dict[str, _Suite] = defaultdict(_Suite)
        for test in split_tests(report.cases):
            suites[test[0].suite].tests.append(test)
        self.suites = list(suites.values())
        for name, suite in suites.items():
            _find_chains(suite, name, report.declared.get(name))
        self.undecided = [suite for suite in self.suites if suite.chains]
        whole = report.declared.get(None)
        if whole is not None and self.undecided:
            _decide_together(self.undecided, whole, self.suites)
            self.undecided = [suite for suite in self.undecided if suite.chains]

    def tests(self) -> Iterator[Attempts]:
        for suite in self.suites:
            merged = {id(test): chain for chain in suite.retried for test in chain}
            for test in suite.tests:
                chain = merged.get(id(test), ())
                if chain and chain[0] is not test:
                    continue
                for later in chain[1:]:
                    append_attempts(test, later)
                yield test


def _find_chains(suite: _Suite, name: str, declared: DeclaredCounts | None) -> None:
    """Find the repeats in a suite that may be a retry, and decide about them as far as the suite shows it."""
    if len({_key(test[0]) for test in suite.tests}) == len(suite.tests):
        return
    by_key: dict[_Key, list[Attempts]] = defaultdict(list)
    for test in suite.tests:
        by_key[_key(test[0])].append(test)
    repeated = [tests for tests in by_key.values() if len(tests) > 1]
    all_results = suite.count()  # a loop gives twins one line: the totals then count both
    all_count = declared is not None and (declared.failed == all_results.failed or declared.tests == all_results.tests)
    for tests in repeated:
        if all(test[-1].status == FAILED for test in tests[:-1]):
            lines = {test[0].line for test in tests}
            if len(lines) == 1 and (name == PYTEST or (lines != {""} and not all_count)):
                suite.retried.append(tests)
            elif len(lines) == 1:
                suite.chains.append(tests)
    if len(suite.chains) + len(suite.retried) < len(repeated):
        suite.decide(are_retries=False)  # some repeat a test that had passed: so names are no identities here
    elif suite.chains and ((declared is not None and declared.reruns_only_failed) or _is_of_go(suite, name)):
        suite.decide(are_retries=len(repeated) < len(by_key))  # -count repeats all tests
    elif declared is not None and suite.chains:
        _decide_together([suite], declared, [suite])


def _is_of_go(suite: _Suite, name: str) -> bool:
    """Whether gotestsum wrote a suite: the failed tests of a package, then the skipped, then the passed ones."""
    statuses = [_OF_GO.get(test[-1].status, 2) for test in suite.tests]
    return statuses == sorted(statuses) and all(
        test[0].class_name == name and _GO_TEST.fullmatch(test[0].name) for test in suite.tests
    )


def _decide_together(undecided: Sequence[_Suite], declared: DeclaredCounts, suites: Sequence[_Suite]) -> None:
    """Decide about all chains by totals that fit only one reading; the number of failures counts more than that of
    tests."""
    twins, retries = DeclaredCounts(0, 0), DeclaredCounts(0, 0)
    for suite in suites:
        twins, retries = twins.plus(suite.count()), retries.plus(suite.count_merged())
    for number, as_twins, as_retries in (
        (declared.failed, twins.failed, retries.failed),
        (declared.tests, twins.tests, retries.tests),
    ):
        if number is not None and as_twins != as_retries and number in (as_twins, as_retries):
            for suite in undecided:
                suite.decide(are_retries=number == as_retries)
            return


def rerun_file(path: str) -> RerunFile | None:
    """What a path says about a rerun; None if it names none."""
    found = _RERUN.search(path)
    if found is None:
        return None
    number = int(found["of_id"] or found["number"] or found["attempt"] or "1")
    if (found["explicit"] or "").lower().startswith("test_"):
        number -= LAST  # Bazel: attempts before the test.xml beside their folder
    return RerunFile(number, bool(found["of_id"] or found["explicit"]))


def merge_rerun_files(files: Sequence[tuple[str, list[Attempts]]]) -> list[Attempts]:
    """The tests of the reports at these paths; what the file of a rerun repeats is a further attempt.

    A file whose name alone says that it is a rerun has to have nothing but tests that ran before it.
    """
    reruns = {path: rerun for path, _ in files if (rerun := rerun_file(path)) is not None}
    tests: list[Attempts] = []
    by_key: dict[_Key, list[Attempts]] = defaultdict(list)
    ordered = sorted(files, key=lambda file: _rank(reruns.get(file[0])))
    for path, of_file in ordered:
        rerun = reruns.get(path)
        is_rerun = rerun is not None and (rerun.explicit or all(_key(test[0]) in by_key for test in of_file))
        new: list[Attempts] = []
        for test in of_file:
            same = by_key.get(_key(test[0]), []) if is_rerun else []
            if not same:
                new.append(test)
            elif not any(_is_copy(test, other) for other in same):
                main = min(same, key=lambda one: one[-1].status != FAILED)
                main[:] = [*test, *main] if rerun is not None and rerun.number < 0 else [*main, *test]
                _number_attempts(main)
        for test in new:
            by_key[_key(test[0])].append(test)
        tests += new
    return tests


def _is_copy(test: Attempts, other: Attempts) -> bool:
    """Whether one report repeats a result of another, with its time."""
    case = test[-1]
    facts = (case.started_at, case.status, case.duration_s)
    return case.started_at is not None and any(
        (each.started_at, each.status, each.duration_s) == facts for each in other
    )


def _rank(rerun: RerunFile | None) -> int:
    """The order in which files are merged: from the one without a number outwards."""
    return 0 if rerun is None else rerun.number if rerun.number > 0 else LAST - rerun.number


def _number_attempts(test: Attempts) -> None:
    """By their times, if all are known."""
    times = {case.started_at for case in test if case.started_at is not None}
    if len(times) == len(test):
        test.sort(key=lambda case: case.started_at or 0.0)
    for number, case in enumerate(test, 1):
        case.attempt, case.is_final = number, number == len(test)


def number_twins(tests: Sequence[Attempts]) -> int:
    """Give repeated results of a test on a topology topologies of their own: `#2` and so on is appended. The worst
    comes first, so that the order of twins in a report changes nothing. Returns how many were numbered."""
    seen: Counter[_Key] = Counter()
    numbered = 0
    for test in sorted(tests, key=lambda test: _SEVERITY.get(test[-1].status, 2)):
        key = _key(test[0])
        seen[key] += 1
        if seen[key] > 1:
            numbered += 1
            for attempt in test:
                attempt.topology = f"{key.topology} #{seen[key]}".lstrip()
    return numbered


_SEVERITY = {FAILED: 0, PASSED: 1}
