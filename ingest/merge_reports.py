"""Merge the reports of one build into tests with attempts.

Order logs decide status, host, order and attempts; reports add durations and failure texts to them, or are the results
if there are no order logs. A repeated result is kept: as an attempt of a retry, or as a variant of the topology.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import NamedTuple

from ingest.parsers.cases import FAILED, Case, Report
from ingest.parsers.identity import dotted

MAX_CANDIDATES = 200  # tests of one name that are searched for one whose dotted name ends alike

Attempts = list[Case]  # of one test in one topology, the last of them final


class Enrichment(NamedTuple):
    """What `enrich` leaves over: tests that only the reports have; how many of their tests are `ambiguous` (several
    topologies may be meant); how many have another status than in the order logs."""

    unknown: list[Attempts]
    ambiguous: int
    status_differs: int


def has_repeats(cases: list[Case]) -> bool:
    """Whether a test occurs twice in one topology, so that there is something to merge."""
    return len({(case.file, case.class_name, case.name, case.topology) for case in cases}) != len(cases)


def merge_reruns(main_cases: list[Case], rerun_cases: list[Case]) -> list[Attempts]:
    """Each line of a main log is a test; a line of a rerun log is a further attempt of it, or a test of its own."""
    tests = [[case] for case in main_cases]
    if not rerun_cases:
        return tests
    by_identity: dict[tuple[str, str, str, str], list[Attempts]] = defaultdict(list)
    for test in tests:
        by_identity[test[0].file, test[0].class_name, test[0].name, test[0].topology].append(test)
    for case in rerun_cases:
        same = by_identity[case.file, case.class_name, case.name, case.topology]
        if same:
            # Of several main logs of a topology: the one that failed, preferably of the same suite.
            main = min(same, key=lambda test: (test[-1].status != FAILED, test[0].suite != case.suite))
            _append(main, [case])
        else:
            case.attempt = 1
            tests.append([case])
            same.append(tests[-1])
    return tests


def group_attempts(reports: Iterable[Report]) -> list[Attempts]:
    """The tests of reports without order logs. A test that failed and occurs again in the same report and suite was
    retried there; any other repetition is a result of its own."""
    tests: list[Attempts] = []
    for report in reports:
        latest: dict[tuple[str, str, str, str, str], Attempts] = {}
        for test in _split_tests(report.cases):
            case = test[0]
            key = (case.suite, case.file, case.class_name, case.name, case.topology)
            before = latest.get(key)
            if before is not None and before[-1].status == FAILED:
                _append(before, test)
            else:
                latest[key] = test
                tests.append(test)
    return tests


def count_retries(report: Report) -> int:
    """How many results of a report, each counted by Jenkins, the store takes for attempts of a retry."""
    return 0 if any(case.attempt > 1 for case in report.cases) else len(report.cases) - len(group_attempts([report]))


def number_duplicates(tests: Iterable[Attempts]) -> int:
    """Turn repeated results of a test on a topology into variants: from the second on, `#2` and so on is appended to
    the topology. Returns how many there were."""
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
    return repeated


def enrich(tests: list[Attempts], reported: list[Attempts]) -> Enrichment:
    """Add to the attempts of order logs what the reports know about them: durations, texts, error or failure."""
    index = _Index(tests)
    unknown: list[Attempts] = []
    matched: dict[int, tuple[Attempts, list[Case]]] = {}
    ambiguous = 0
    for test in reported:
        attempts = index.find(test[0])
        if attempts is None:
            unknown.append(test)
        elif not attempts:
            ambiguous += 1
        elif id(attempts) in matched:
            matched[id(attempts)] = (attempts, matched[id(attempts)][1] + test)
        else:
            matched[id(attempts)] = (attempts, test)
    differ = sum(not _add_details(attempts, cases) for attempts, cases in matched.values())
    return Enrichment(unknown, ambiguous, differ)


def _split_tests(cases: Iterable[Case]) -> Iterator[Attempts]:
    """Groups the cases of a report, in which the attempts of a test follow each other."""
    test: Attempts = []
    for case in cases:
        test.append(case)
        if case.is_final:
            yield test
            test = []


def _append(test: Attempts, later: Iterable[Case]) -> None:
    for case in later:
        test[-1].is_final = False
        case.attempt, case.is_final = len(test) + 1, True
        test.append(case)


def _add_details(attempts: list[Case], reported: list[Case]) -> bool:
    """Pair from the last backwards, failed with failed and passed with passed, so that text reaches only an attempt
    that failed: one text for two failures belongs to the last. Returns False if no status agrees.
    """
    pairs: list[tuple[Case, Case]] = []
    for failed in (True, False):
        own = [case for case in reversed(attempts) if (case.status == FAILED) == failed]
        theirs = [case for case in reversed(reported) if (case.status == FAILED) == failed]
        pairs += zip(own, theirs, strict=False)
    for case, other in pairs:
        case.duration_s, case.started_at = other.duration_s, other.started_at
        case.message, case.trace, case.output = other.message, other.trace, other.output
        if case.kind and other.kind == "error":
            case.kind = "error"
    return bool(pairs)


def _full_name(case: Case) -> str:
    """`pkg.mod.Class.test` of a case, whether its report gives file and class or one dotted class."""
    prefix = dotted(case.file) if case.file else ""
    if prefix and case.class_name:
        return f"{prefix}.{case.class_name}.{case.name}"
    return ".".join(filter(None, (prefix, case.class_name, case.name)))


class _Index:
    """Finds the attempts that a reported case describes. Lookups for unusual cases are built when first needed."""

    def __init__(self, tests: list[Attempts]) -> None:
        self.exact: dict[tuple[str, str], Attempts] = {}
        for test in tests:
            key = (_full_name(test[0]), test[0].topology)
            self.exact[key] = self.exact[key] + test if key in self.exact else test

    @cached_property
    def topologies(self) -> dict[str, list[str]]:
        """By full name."""
        found: dict[str, list[str]] = defaultdict(list)
        for full, topology in self.exact:
            found[full].append(topology)
        return found

    @cached_property
    def same_name(self) -> dict[tuple[str, str], list[str]]:
        """Full names by last name and topology."""
        found: dict[tuple[str, str], list[str]] = defaultdict(list)
        for (full, topology), test in self.exact.items():
            found[test[0].name, topology].append(full)
        return found

    def find(self, case: Case) -> Attempts | None:
        """None if no order log has the test, [] if several topologies may be meant."""
        full, topology = _full_name(case), case.topology
        if attempts := self.exact.get((full, topology)):
            return attempts
        if not topology and (topologies := self.topologies.get(full)):
            return [] if len(topologies) > 1 else self.exact[full, topologies[0]]
        # The two names may start at different roots: then one ends with the other.
        candidates = self.same_name.get((case.name, topology), ())
        near = [
            name
            for name in (candidates if len(candidates) <= MAX_CANDIDATES else ())
            if name.endswith("." + full) or full.endswith("." + name)
        ]
        return self.exact[near[0], topology] if len(near) == 1 else None
