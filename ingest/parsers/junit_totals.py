"""What the suites of a JUnit file declare, by the conventions of the tools that write it.

| convention | tools |
|---|---|
| `tests` without skipped, or without disabled tests | older pytest, gtest |
| `tests` counts attempts, or each name once | surefire with reruns, jest-junit with retries |
| `tests` of a suite with nested ones counts only its own | mocha |
| `tests` counts assertions, `failures` failed assertions | Catch2, doctest |
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

from ingest.parsers.cases import FAILED, Case
from ingest.parsers.totals import line, number

_SKIPPED = ("skipped", "skip", "skips", "disabled", "ignored", "notrun")
_DECLARING = ("tests", "failures", "errors", *_SKIPPED)
CATCH2_HOST = "tbd"  # literally
PYTEST = "pytest"  # the name of its suite
_BOOST = ["tests", "skipped", "errors", "failures", "id"]  # its attributes, in this order
# Cases that are none to the tools that write them.
_UNCOUNTED = re.compile(
    r"(?:.*\.)?(?:TestMain|\s*Test execution failure\b.*|(?:setUp|tearDown)(?:Class|Module)\b.*)$", re.DOTALL
)
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
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class SuiteTotals:
    """The totals in the attributes of a suite."""

    tests: int | None
    failures: int | None
    errors: int | None
    skipped: dict[str, int]
    counts_assertions: bool
    counts_phases: bool  # pytest, which writes its file when all tests have run

    @classmethod
    def read(cls, attrs: dict[str, str]) -> SuiteTotals | None:
        """None if the suite declares nothing."""
        if not any(name in attrs for name in _DECLARING):
            return None
        skipped = {name: count for name in _SKIPPED if (count := number(attrs.get(name))) is not None}
        tests, failures, errors = (number(attrs.get(name)) for name in ("tests", "failures", "errors"))
        if list(attrs)[: len(_BOOST)] == _BOOST:
            tests = None
        assertions = "doctest_version" in attrs or attrs.get("hostname") == CATCH2_HOST
        return cls(tests, failures, errors, skipped, assertions, attrs.get("name") == PYTEST)

    @property
    def failed(self) -> int:
        return (self.failures or 0) + (self.errors or 0)


def differences(
    declared: SuiteTotals, own: SuiteCounts, total: SuiteCounts, cases: Sequence[Case]
) -> dict[str, tuple[int, int]]:
    """By measure, the declared number and the number read, where they differ.

    `own`: what is directly in the suite; `total`: with the nested suites; `cases`: the attempts of `total`.
    """
    levels = [total] if own == total else [total, own]
    if packages := sum(case.status == FAILED and _is_uncounted(case) for case in cases):
        levels += [
            replace(level, tests=level.tests - packages, failed=level.failed - packages) for level in tuple(levels)
        ]
        if (declared.errors or 0) <= packages:
            declared = replace(declared, errors=None)
    found = {}
    assertions = _counts_assertions(declared, total, cases)
    tests = declared.tests
    left_out = max(declared.skipped.values(), default=0) - total.skipped
    if left_out > 0 and tests == total.tests - total.of_suites + left_out:
        tests, declared = None, replace(declared, skipped={})
    if tests is not None and not (
        assertions
        or any(_tests_agree(tests, level) for level in levels)
        or _distinct_agree(tests, total, cases)
        or (declared.counts_phases and tests > total.tests)
    ):
        found["tests"] = (tests, total.tests - total.of_suites)
    if assertions:
        # Failures of tests that may fail count too: only whether there are any can be compared.
        if declared.failed and not total.failed and not total.skipped:
            found["failures"] = (declared.failed, 0)
        return found
    if not any(_failures_agree(declared, level) for level in levels):
        failures, errors = total.failed - total.errors, total.errors
        if declared.failures is not None and declared.failures != failures:
            found["failures"] = (declared.failures, failures)
        if declared.errors is not None and declared.errors != errors:
            found["errors"] = (declared.errors, errors)
    if declared.skipped and not any(_skipped_agree(declared.skipped, level) for level in levels):
        found["skipped tests"] = (max(declared.skipped.values()), total.skipped)
    return found


def sums_up(declared: SuiteTotals, others: SuiteCounts) -> bool:
    """Whether the totals of an empty suite are those of the suites beside it."""
    return declared.tests == others.tests and _failures_agree(declared, others)


def is_of_tests(text: str) -> bool:
    """Whether a line is about the number of tests."""
    return bool(re.search(r"declares \d+ tests?, ", text))


def lines(found: dict[str, tuple[int, int]], element: str) -> list[str]:
    return [line(count, measure, read, element) for measure, (count, read) in found.items()]


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
