"""What the suites of a JUnit file declare, by the conventions of the tools that write it.

| convention | tools |
|---|---|
| `tests` without skipped, or without disabled tests | older pytest, gtest |
| `tests` counts attempts, or each name once | surefire with reruns, jest-junit with retries |
| `tests` of a suite with nested ones counts only its own | mocha |
| `tests` counts assertions, `failures` failed assertions | Catch2, doctest |
| the same, of which equal names are one case; the root's `tests` counts scripts | Newman |
| `tests` is something else | Boost.Test |
| `tests` counts an error after a test again, or its subtests | pytest before 9.2, pytest-subtests |
| `failures` includes errors, or `errors` all failures, or both are all | Boost.Test, PHPUnit, web-test-runner |
| `skipped` includes disabled tests, or does not | gtest |
| the failure of a package, class or file is a case that does not count | gotestsum, jest-junit, nose2 |
| skipped tests are counted and left out | mocha-junit-reporter, libtest |
| an empty suite declares the sum of all others | fpcunit |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from ingest.parsers.cases import FAILED, PASSED, Case
from ingest.parsers.totals import count

_SKIPPED = ("skipped", "skip", "skips", "disabled", "ignored", "notrun")
CATCH2_HOST = "tbd"  # literally
PYTEST = "pytest"  # the name of its suite
_BOOST = ["tests", "skipped", "errors", "failures", "id"]  # its attributes, in this order
# The attributes of Newman's root and of its suites, one for each request, in this order.
_NEWMAN, _NEWMAN_REQUEST = ["name", "tests", "time"], ["name", "id", "timestamp", "tests", "failures", "errors", "time"]
# Cases that are none to the tools that write them.
_UNCOUNTED = re.compile(
    r"(?:.*\.)?(?:TestMain|\s*Test execution failure\b.*|(?:setUp|tearDown)(?:Class|Module)\b.*)$", re.DOTALL
)
_SUBTEST = re.compile(r"sub_?test", re.IGNORECASE)
_SOURCE = re.compile(r"\.(?:c|cc|cpp|cxx|h|hh|hpp|hxx|mm?)$")


@dataclass(slots=True)
class SuiteCounts:
    """What was read: every <testcase> is a test. The failures of suites count as tests too, and in `of_suites`."""

    tests: int = 0
    failed: int = 0  # includes errors
    errors: int = 0
    skipped: int = 0
    not_run: int = 0  # of the skipped: by an attribute, without <skipped>
    retries: int = 0  # earlier attempts within a <testcase>
    failure_elements: int = 0  # a test may have several
    error_elements: int = 0
    of_suites: int = 0

    def add(self, other: SuiteCounts) -> None:
        self.tests += other.tests
        self.failed += other.failed
        self.errors += other.errors
        self.skipped += other.skipped
        self.not_run += other.not_run
        self.retries += other.retries
        self.failure_elements += other.failure_elements
        self.error_elements += other.error_elements
        self.of_suites += other.of_suites


@dataclass(slots=True)
class SuiteTotals:
    """The totals in the attributes of a suite."""

    tests: int | None
    failures: int | None
    errors: int | None
    skipped: dict[str, int]
    counts_assertions: bool
    is_of_pytest: bool

    @classmethod
    def read(cls, attrs: dict[str, str]) -> SuiteTotals | None:
        """None if the suite declares nothing."""
        tests, failures, errors = count(attrs.get("tests")), count(attrs.get("failures")), count(attrs.get("errors"))
        skipped = {name: skips for name in _SKIPPED if name in attrs and (skips := count(attrs[name])) is not None}
        if tests is None and failures is None and errors is None and not skipped:
            return None
        if "id" in attrs and list(attrs)[: len(_BOOST)] == _BOOST:
            tests = None
        names = list(attrs)
        if names == _NEWMAN:
            tests = None
        assertions = "doctest_version" in attrs or attrs.get("hostname") == CATCH2_HOST or names == _NEWMAN_REQUEST
        return cls(tests, failures, errors, skipped, assertions, attrs.get("name") == PYTEST)

    @property
    def failed(self) -> int:
        return (self.failures or 0) + (self.errors or 0)

    @property
    def skipped_tests(self) -> int:
        """How many skipped tests it declares."""
        return max(self.skipped.values(), default=0)

    def is_exact(self, read: SuiteCounts) -> bool:
        """Whether each number is the one that was read, without any convention: the usual case, and quick."""
        return (
            self.tests == read.tests
            and (self.failures is None or self.failures == read.failed - read.errors)
            and (self.errors is None or self.errors == read.errors)
            and (not self.skipped or list(self.skipped.values()) == [read.skipped])
        )


def differences(
    declared: SuiteTotals, own: SuiteCounts, total: SuiteCounts, cases: Sequence[Case]
) -> dict[str, tuple[int, int]]:
    """By measure, the declared number and the number read, where they differ.

    `own`: what is directly in the suite; `total`: with the nested suites; `cases`: the attempts of `total`.
    """
    levels = [total] if own == total else [total, own]
    if uncounted := sum(case.status == FAILED and _is_uncounted(case) for case in cases):
        levels += [replace(one, tests=one.tests - uncounted, failed=one.failed - uncounted) for one in tuple(levels)]
        if (declared.errors or 0) <= uncounted:
            declared = replace(declared, errors=None)
    left_out = declared.skipped_tests - total.skipped
    if left_out > 0 and declared.tests == total.tests - total.of_suites + left_out:
        declared = replace(declared, tests=None, skipped={})
    if _counts_assertions(declared, total, cases):
        # Failures of tests that may fail count too: only whether there are any can be compared.
        missing = declared.failed and not total.failed and not total.skipped
        return {"failures": (declared.failed, 0)} if missing else {}
    found = {}
    if declared.tests is not None and not _tests_fit(declared, declared.tests, levels, cases):
        found["tests"] = (declared.tests, total.tests - total.of_suites)
    if not any(_failures_agree(declared, level) for level in levels):
        found |= _differing_failures(declared, total)
    if declared.skipped and not any(_skipped_agree(declared.skipped, level) for level in levels):
        found["skipped tests"] = (declared.skipped_tests, total.skipped)
    return found


def _tests_fit(declared: SuiteTotals, tests: int, levels: Sequence[SuiteCounts], cases: Sequence[Case]) -> bool:
    """Whether the number of tests is right by one of the conventions."""
    total = levels[0]
    return (
        any(_tests_agree(tests, level) for level in levels)
        or _distinct_agree(tests, total, cases)
        or (declared.is_of_pytest and _counts_phases(tests, total, cases))
    )


def _differing_failures(declared: SuiteTotals, read: SuiteCounts) -> dict[str, tuple[int, int]]:
    failures, errors = read.failed - read.errors, read.errors
    found = {}
    if declared.failures is not None and declared.failures != failures:
        found["failures"] = (declared.failures, failures)
    if declared.errors is not None and declared.errors != errors:
        found["errors"] = (declared.errors, errors)
    return found


def _counts_phases(tests: int, read: SuiteCounts, cases: Iterable[Case]) -> bool:
    """pytest counts an error after a test again, and subtests, of which it writes only those that failed.

    A test that was run again has several cases, but counts once.
    """
    more = tests - read.tests
    distinct = len({(case.file, case.class_name, case.name) for case in cases})
    return (
        0 < more <= read.error_elements
        or distinct <= tests <= distinct + read.error_elements
        or (
            more > 0 and any(_SUBTEST.search(f"{case.message} {case.trace}") for case in cases if case.status != PASSED)
        )
    )


def sums_up(declared: SuiteTotals, others: SuiteCounts) -> bool:
    """Whether the totals of an empty suite are those of the suites beside it."""
    return declared.tests == others.tests and _failures_agree(declared, others)


def _is_uncounted(case: Case) -> bool:
    return bool(_UNCOUNTED.match(f"{case.class_name}.{case.name}"))


def _tests_agree(tests: int, read: SuiteCounts) -> bool:
    count = read.tests - read.of_suites
    passed = count - (read.failed - read.of_suites) - read.skipped
    return tests in (
        count,
        read.tests,
        count + read.retries,
        count - read.skipped,
        count - read.not_run,
        passed,
    )


def _failures_agree(declared: SuiteTotals, read: SuiteCounts) -> bool:
    failures, errors = declared.failures, declared.errors
    elements = read.failure_elements + read.error_elements
    if failures is None:
        return errors in (None, read.errors, read.error_elements, read.failed)
    if errors is None:
        finals = (read.failed, read.failed - read.errors, read.failed + read.retries)
        return failures in (*finals, read.failure_elements, elements)
    if failures + errors in (read.failed, elements, read.failed - read.of_suites, read.failed + read.retries):
        return True
    return failures == read.failed and (errors == failures or errors <= max(read.errors, read.error_elements))


def _skipped_agree(declared: dict[str, int], read: SuiteCounts) -> bool:
    counts = list(declared.values())
    sums = {sum(some) for size in range(1, len(counts) + 1) for some in combinations(counts, size)}
    if not sums.isdisjoint((read.skipped, read.skipped - read.not_run)):
        return True
    return declared.keys() == {"disabled"} and declared["disabled"] <= read.skipped


def _counts_assertions(declared: SuiteTotals, read: SuiteCounts, cases: Sequence[Case]) -> bool:
    if (declared.tests or 0) < read.failure_elements + read.error_elements:
        return False
    if read.failure_elements > read.failed - read.errors and declared.failures == read.failure_elements:
        return True
    # doctest's classes are source files.
    return declared.counts_assertions or (bool(cases) and bool(_SOURCE.search(cases[0].class_name)))


def _distinct_agree(tests: int, read: SuiteCounts, cases: Iterable[Case]) -> bool:
    distinct = len({(case.suite, case.file, case.class_name, case.name) for case in cases})
    return tests in (distinct, distinct - read.skipped)
