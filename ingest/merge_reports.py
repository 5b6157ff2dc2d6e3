"""Merge the reports of one build into tests with attempts.

Order logs decide status, host, order and attempts; reports add durations and failure texts to them, or are the results
if there are no order logs. A repeated result is kept: as an attempt of a retry, or as a variant of the topology.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import NamedTuple

from ingest.parsers.cases import FAILED, Case
from ingest.parsers.identity import dotted
from ingest.repeats import Attempts, append_attempts

MAX_CANDIDATES = 200  # tests of one name that are searched for one whose dotted name ends alike


class Enrichment(NamedTuple):
    """What `enrich` leaves over: tests that only the reports have; how many of their tests are `ambiguous` (several
    topologies may be meant); how many have another status than in the order logs."""

    unknown: list[Attempts]
    ambiguous: int
    status_differs: int


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
            append_attempts(main, [case])
        else:
            case.attempt = 1
            tests.append([case])
            same.append(tests[-1])
    return tests


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
