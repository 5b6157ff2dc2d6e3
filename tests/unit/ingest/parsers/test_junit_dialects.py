"""What single tools write into JUnit XML in their own way."""

from __future__ import annotations

import io

import pytest

from ingest.parsers import junit
from ingest.parsers.cases import Case, Report


def parse(text: str) -> Report:
    return junit.parse(io.BytesIO(text.encode()))


def attempts(report: Report) -> list[tuple[str, str, int, bool]]:
    return [(case.name, case.status, case.attempt, case.is_final) for case in report.cases]


def pytest_report(declared: int, *cases: str) -> str:
    return f'<testsuites><testsuite name="pytest" tests="{declared}">{"".join(cases)}</testsuite></testsuites>'


PASSED = '<testcase classname="t.test_a" name="{}"/>'
FAILED = '<testcase classname="t.test_a" name="{}"><failure message="m"/></testcase>'


def test_what_pytest_ran_again_had_failed() -> None:
    cases = [PASSED.format("rescued"), FAILED.format("other"), PASSED.format("rescued"), PASSED.format("failing"),
             PASSED.format("failing"), FAILED.format("failing")]  # fmt: skip
    report = parse(pytest_report(3, *cases))
    assert attempts(report) == [
        ("rescued", "failed", 1, False),
        ("rescued", "passed", 2, True),
        ("other", "failed", 1, True),
        ("failing", "failed", 1, False),
        ("failing", "failed", 2, False),
        ("failing", "failed", 3, True),
    ]
    assert (report.tests, report.unmarked, report.warnings) == (3, 3, [])


ERROR = '<testcase classname="t.test_a" name="{}"><error message="m"/></testcase>'


def test_older_pytest_counts_an_error_after_a_test_again() -> None:
    report = parse(pytest_report(3, PASSED.format("rescued"), PASSED.format("rescued"), ERROR.format("other")))
    assert attempts(report)[:2] == [("rescued", "failed", 1, False), ("rescued", "passed", 2, True)]
    assert (report.tests, report.warnings) == (2, [])


def test_a_test_that_fails_twice_in_one_attempt_is_no_rerun() -> None:
    report = parse(pytest_report(1, FAILED.format("a"), ERROR.format("a")))
    assert report.unmarked == 0 and [case.status for case in report.cases] == ["failed", "failed"]


def test_the_last_attempt_may_fail_twice() -> None:
    cases = [PASSED.format("a"), FAILED.format("a"), ERROR.format("a"), PASSED.format("b")]
    report = parse(pytest_report(2, *cases))
    assert attempts(report) == [
        ("a", "failed", 1, False),
        ("a", "failed", 2, True),
        ("a", "failed", 1, True),
        ("b", "passed", 1, True),
    ]
    assert (report.unmarked, report.warnings) == (1, [])


@pytest.mark.parametrize(
    "text",
    [
        pytest_report(2, PASSED.format("a"), PASSED.format("a")),
        pytest_report(1, FAILED.format("a"), PASSED.format("a")),
        pytest_report(1, PASSED.format("a"), PASSED.format("a")).replace('name="pytest"', 'name="other"'),
    ],
)
def test_a_repeated_test_is_a_rerun_of_pytest_only_where_its_totals_say_so(text: str) -> None:
    report = parse(text)
    assert report.unmarked == 0 and all(case.is_final for case in report.cases)


NODE = 'disabled="0" errors="0" tests="1" failures="0" skipped="0" hostname="h"'


def classes(text: str) -> list[str]:
    cases: list[Case] = parse(text).cases
    return [case.class_name for case in cases]


def test_the_class_of_node_is_the_path_of_its_suites() -> None:
    case = '<testcase name="works" classname="test"/>'
    inner = f'<testsuite name="inner" {NODE}>{case}</testsuite>'
    suites = f'<testsuite name="a" {NODE}>{case}{inner}</testsuite><testsuite name="b" {NODE}>{case}</testsuite>'
    assert classes(f"<testsuites>{suites}{case}</testsuites>") == ["a", "a > inner", "b", "test"]


@pytest.mark.parametrize(
    "suite",
    [
        'name="pytest" errors="0" tests="1" failures="0" skipped="0" hostname="h"',
        'name="(empty)" tests="1" failures="0" disabled="0" skipped="0" hostname=""',
        'name="T" tests="1" failures="0" disabled="0" errors="0"',
    ],
)
def test_a_class_named_test_of_another_tool_stays(suite: str) -> None:
    assert classes(f'<testsuite {suite}><testcase name="a" classname="test"/></testsuite>') == ["test"]


def names(*given: str) -> list[str]:
    cases = "".join(f'<testcase name="{name}"/>' for name in given)
    return [case.name for case in parse(f'<testsuite name="a_t">{cases}<error message="exit 1"/></testsuite>').cases]


def test_the_numbers_of_prove_are_no_part_of_the_names() -> None:
    assert names("1 - connects", "2", "3 - 4 - x") == ["connects", "2", "4 - x", "<init>"]


@pytest.mark.parametrize(
    "given", [("1 - a", "3 - b"), ("2 - a", "1 - b"), ("1 - a", "b"), ("1", "2"), ("1 - a", "² - b")]
)
def test_other_numbers_are_kept(given: tuple[str, ...]) -> None:
    assert names(*given) == [*given, "<init>"]


def test_the_line_is_no_part_of_the_class() -> None:
    given = ["spec/a_spec.lua:2", "spec/a_spec.lua:10", "db.example.com:80"]
    cases = "".join(f'<testcase name="a" classname="{name}"/>' for name in given)
    found = classes(f'<testsuite name="Run 1 of 1">{cases}</testsuite>')
    assert found == ["spec/a_spec.lua", "spec/a_spec.lua", "db.example.com:80"]
    assert classes('<testsuite><testcase name="a" classname="db.example.com:80"/></testsuite>') == ["db.example.com:80"]
