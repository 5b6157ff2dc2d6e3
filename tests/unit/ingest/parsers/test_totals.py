"""A report's own totals: which differences count, and failures that belong to no test."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import jenkins_test_report, junit, robot, tap, testng, totals
from ingest.parsers.cases import FAILED, PASSED, Report


def parse(text: str) -> Report:
    return junit.parse(io.BytesIO(text.encode()))


def cases(passed: int = 0, failed: int = 0, errors: int = 0, skipped: int = 0) -> str:
    children = [""] * passed + ["<failure/>"] * failed + ["<error/>"] * errors + ["<skipped/>"] * skipped
    return "".join(f'<testcase name="t{number}">{child}</testcase>' for number, child in enumerate(children))


CONTENT = cases(passed=4, failed=2, errors=1, skipped=3)


@pytest.mark.parametrize(
    ("attributes", "lines"),
    [
        ('tests="10" failures="2" errors="1" skipped="3"', []),
        ('tests="7" failures="2" errors="1" skip="3"', []),
        ('tests="10" failures="3" errors="0" skipped="3"', []),
        ('tests="10" failures="3" errors="1" skipped="3"', []),
        ('tests="10" failures="3"', []),
        ('tests="10" errors="3" failures="0" skips="3"', []),
        ('tests="10" disabled="1" skipped="2"', []),
        ('tests="4" failures="2" errors="1"', []),
        ('name="no totals"', []),
        ('tests="{n}" failures="" errors="-1" skipped="many"', []),
        ('tests="11"', ["declares 11 tests, 10 were read"]),
        ('tests="10" failures="3" errors="3"', []),
        ('tests="10" failures="4" errors="3"', ["declares 4 failures, 2 were read", "declares 3 errors, 1 was read"]),
        ('failures="0" errors="1"', ["declares 0 failures, 2 were read"]),
        ('failures="0"', ["declares 0 failures, 2 were read"]),
        ('skipped="9"', ["declares 9 skipped tests, 3 were read"]),
    ],
)
def test_known_conventions_are_no_difference(attributes, lines):
    report = parse(f"<testsuite {attributes}>{CONTENT}</testsuite>")
    assert report.differences == report.warnings == lines


@pytest.mark.parametrize(
    "text",
    [
        # gtest: disabled tests count in `tests`, or not
        '<testsuite tests="2" disabled="1"><testcase name="a" status="notrun"/><testcase name="b"/></testsuite>',
        '<testsuite tests="1" disabled="1"><testcase name="a" status="notrun"/><testcase name="b"/></testsuite>',
        # attempts and names
        '<testsuite tests="1"><testcase name="a"><failure/></testcase><testcase name="a"/></testsuite>',
        '<testsuite tests="2" failures="1"><testcase name="a"><flakyFailure/></testcase></testsuite>',
        # Catch2 and doctest count assertions
        """<testsuite tests="9" failures="2" errors="0" hostname="tbd"><testcase name="a"><failure/><failure/>
        </testcase></testsuite>""",
        '<testsuite name="x" errors="0" failures="0" tests="9"><testcase classname="sum.cpp" name="a"/></testsuite>',
        # Newman: three assertions of two names, one of which failed in two iterations; the root counts scripts
        """<testsuites name="Shop" tests="7" time="0.5"><testsuite name="Create" id="5f" timestamp="2026-11-20T10:00Z"
        tests="3" failures="2" errors="0" time="0.1"><testcase name="a" time="0.1" classname="Shop"/><testcase name="b"
        time="0.1" classname="Shop"><failure type="AssertionFailure"/></testcase></testsuite><testsuite name="L" id="6"
        timestamp="2026-11-20T10:00:00Z" tests="0" failures="0" errors="0" time="0.1"/></testsuites>""",
        # mocha: a suite counts what is directly in it; PHPUnit: all that is below it
        """<testsuite name="r" tests="1"><testcase name="a"/><testsuite name="s" tests="1"><testcase name="b"/>
        </testsuite></testsuite>""",
        """<testsuite name="r" tests="2"><testcase name="a"/><testsuite name="s" tests="1"><testcase name="b"/>
        </testsuite></testsuite>""",
        # gotestsum
        """<testsuites tests="0" failures="0"><testsuite tests="0" failures="0" name="p"><testcase classname="p"
        name="TestMain"><failure/></testcase></testsuite></testsuites>""",
        # jest-junit and nose2
        """<testsuite tests="1" failures="0"><testcase name="a"/><testcase classname=" Test execution failure: hooks"
        name=" Test execution failure: hooks"><failure/></testcase></testsuite>""",
        """<testsuite tests="1" errors="1"><testcase name="a"/><testcase classname="setUpClass (tests.test_a" name="A)">
        <error/></testcase></testsuite>""",
        # Boost.Test
        '<testsuite tests="8" skipped="0" errors="0" failures="0" id="0" name="m"><testcase name="a"/></testsuite>',
        # libtest and mocha leave skipped tests out
        '<testsuite tests="3" failures="0" skipped="2"><testcase name="a"/></testsuite>',
        """<testsuites tests="3" skipped="2"><testsuite name="A" tests="2"><testcase name="a"/></testsuite>
        <testsuite name="B" tests="1"/></testsuites>""",
        # fpcunit
        """<testsuites><testsuite name="" tests="2"/><testsuite name="A" tests="2"><testcase name="a"/>
        <testcase name="b"/></testsuite></testsuites>""",
    ],
)
def test_conventions_of_tools(text):
    assert parse(text).warnings == []


def test_a_difference_is_reported_once_where_it_is():
    report = parse(
        f"""<testsuites tests="13" failures="3"><testsuite name="A" tests="12" failures="3">{cases(passed=2, failed=1)}
        </testsuite><testsuite name="B" tests="1"><testcase name="x"/></testsuite></testsuites>"""
    )
    assert report.warnings == [
        "suite 'A' declares 12 tests, 3 were read",
        "suite 'A' declares 3 failures, 1 was read",
    ]
    root = parse('<testsuites tests="5"><testsuite name="A" tests="1"><testcase name="x"/></testsuite></testsuites>')
    assert root.warnings == ["declares 5 tests, 1 was read"]


def test_many_differences_are_summed_up():
    report = parse(
        "<testsuites>" + '<testsuite name="s" tests="3"><testcase name="a"/></testsuite>' * 30 + "</testsuites>"
    )
    assert len(report.warnings) == totals.MAX_LINES + 1
    assert report.warnings[-1] == "20 more totals differ from what was read"


@pytest.mark.parametrize(
    "text",
    [
        '<testsuites tests="0" failures="1"><testsuite name="Root" tests="0" failures="1" file="a.js"/></testsuites>',
        '<testsuite name="Root" tests="0" errors="1"/>',
        '<testsuites errors="2"/>',
        '<testsuite name="Root" tests="3" failures="1"></testsuite>',
    ],
)
def test_a_report_that_declares_failures_and_has_no_test_is_not_green(text):
    report = parse(text)
    (case,) = report.cases
    assert (case.name, case.status, case.kind, report.uncounted) == ("<init>", FAILED, "error", 1)
    assert "before its tests" in case.message
    assert report.differences


@pytest.mark.parametrize("text", ["<testsuites/>", '<testsuite tests="0" failures="0" errors="0"/>'])
def test_a_report_without_tests_that_declares_none_is_empty(text):
    assert (parse(text).tests, parse(text).warnings) == (0, [])


def test_all_failures_of_a_suite_itself_are_kept():
    report = parse(
        """<testsuite name="S" errors="3" tests="1"><testcase name="a"/><error message="no lab">one</error>
        <error>two</error><failure message="three"/></testsuite>"""
    )
    init = report.cases[1]
    assert (init.message, init.trace, report.tests) == ("no lab", "one\n\ntwo\n\nthree", 2)
    assert report.warnings == []


@pytest.mark.parametrize("tag", ["error", "failure"])
def test_a_suites_own_failure_is_a_failed_result(tag):
    report = parse(f'<testsuite name="S"><testcase name="a"/><{tag} message="no lab">trace</{tag}></testsuite>')
    assert [(case.class_name, case.name, case.status) for case in report.cases] == [
        ("S", "a", PASSED),
        ("S", "<init>", FAILED),
    ]
    assert report.cases[1].message == "no lab"
    # Jenkins counts the error of a suite, and not its failure.
    assert report.uncounted == (tag == "failure")


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_right_totals_never_differ_at_any_level(passed, failed, errors, skipped):
    total = passed + failed + errors + skipped
    attributes = f'tests="{total}" failures="{failed}" errors="{errors}" skipped="{skipped}"'
    content = cases(passed, failed, errors, skipped)
    suite = f"<testsuite name='s' {attributes}>{content}</testsuite>"
    assert (
        parse(f"<testsuites {attributes}><testsuite name='o' {attributes}>{suite}</testsuite></testsuites>").warnings
        == []
    )


# --- Robot ----------------------------------------------------------------------------------------------------------


def robot_file(teardown: str, tests: str, statistics: str, inner: str = "") -> Report:
    text = f"""<robot><suite id="s1" name="Lab" source="/x/lab">{inner}{tests}{teardown}
      <status status="FAIL" start="2026-01-08T16:01:44" elapsed="4"/></suite>
      <statistics><total>{statistics}</total><suite/></statistics></robot>"""
    return robot.parse(io.BytesIO(text.encode()))


def robot_test(name: str, status: str, message: str = "") -> str:
    return f'<test name="{name}"><status status="{status}">{message}</status></test>'


TEARDOWN = """<kw name="Release" type="{type}"><kw name="Ask"><msg level="FAIL">no answer</msg>
  <status status="FAIL">no answer</status></kw><status status="FAIL">{text}</status></kw>"""


@pytest.mark.parametrize(("kind", "text"), [("TEARDOWN", "switch is gone"), ("teardown", "")])
def test_a_failed_teardown_of_a_suite_fails_all_its_tests(kind, text):
    inner = f"""<suite id="s1-s1" name="Inner">{robot_test("deep", "PASS")}<status status="PASS"/></suite>"""
    tests = robot_test("up", "PASS") + robot_test("down", "FAIL", "3 != 0") + robot_test("later", "SKIP", "why")
    report = robot_file(
        TEARDOWN.format(type=kind, text=text), tests, '<stat pass="0" fail="4" skip="0">All Tests</stat>', inner
    )
    assert [case.status for case in report.cases] == [FAILED] * 4
    reason = text or "no answer"
    assert report.cases[1].message == f"Parent suite teardown failed:\n{reason}"
    assert report.cases[2].message == f"3 != 0\n\nAlso parent suite teardown failed:\n{reason}"
    assert report.warnings == []


def test_the_teardown_of_a_keyword_or_test_is_none_of_the_suite():
    test = '<test name="up"><kw name="x" type="TEARDOWN"><status status="FAIL"/></kw><status status="PASS"/></test>'
    setup = '<kw name="s" type="SETUP"><kw type="TEARDOWN"><status status="FAIL"/></kw><status status="PASS"/></kw>'
    report = robot_file(setup, test + robot_test("down", "FAIL"), '<stat pass="1" fail="1">All Tests</stat>')
    assert [case.status for case in report.cases] == [PASSED, FAILED]
    assert report.warnings == []


def test_a_robot_suite_that_failed_by_itself_is_not_green():
    report = robot_file("", robot_test("up", "PASS"), '<stat pass="1" fail="0" skip="0">All Tests</stat>')
    assert [(case.name, case.status) for case in report.cases] == [("up", PASSED), ("<init>", FAILED)]
    assert report.warnings == []


def test_robots_statistics_are_compared_as_a_whole_and_by_suite():
    wrong = """<stat pass="1" fail="0" skip="0">All Tests</stat></total><tag/><suite><stat id="s1" pass="1"
      fail="0">Lab</stat></suite><total>"""
    report = robot_file("", robot_test("up", "PASS") + robot_test("x", "FAIL"), wrong)
    assert report.differences == ["declares 0 failures, 1 was read"]


# --- TestNG and Jenkins ---------------------------------------------------------------------------------------------


def test_testng_compares_what_the_root_declares():
    text = """<testng-results {}><suite name="s"><test name="t"><class name="C">
      <test-method name="a" status="PASS"/><test-method name="b" status="FAIL"/>
      <test-method name="c" status="SKIP" retried="true"/><test-method name="c" status="PASS"/>
      <test-method name="down" is-config="true" status="FAIL"/></class></test></suite></testng-results>"""
    for right in (
        'total="3" passed="2" failed="1" skipped="0"',
        'total="4" passed="2" failed="1" skipped="1" ignored="0"',
    ):
        assert testng.parse(io.BytesIO(text.format(right).encode())).differences == []
    report = testng.parse(io.BytesIO(text.format('total="9" passed="2" failed="7" skipped="0"').encode()))
    assert report.differences == ["declares 9 tests, 3 were read", "declares 7 failures, 1 was read"]
    assert [(case.name, case.status) for case in report.cases][-1] == ("down", FAILED)


def test_jenkins_own_counts_at_every_level():
    def result(fail: int, **fields: object) -> dict:
        suites = [{"name": "s", "cases": [{"name": "a", "status": "PASSED"}, {"name": "b", "status": "FAILED"}]}]
        return {"failCount": fail, "passCount": 1, "skipCount": 0, "suites": suites} | fields

    def read(document: dict) -> Report:
        return jenkins_test_report.parse(io.BytesIO(json.dumps(document).encode()))

    assert read(result(1)).differences == []
    assert read(result(3)).differences == ["declares 3 failures, 1 was read"]
    child = {"url": "http://x/job/m/os=a/7/", "number": 7}
    older = {"url": "http://x/job/m/os=b/5/", "number": 5}
    children = [{"child": child, "result": result(1)}, {"child": older, "result": result(1)}]
    matrix = {"failCount": 2, "skipCount": 0, "totalCount": 4, "childReports": children}
    assert read(matrix).differences == []
    children[0]["result"] = result(5)
    assert read(matrix).differences == ["os=a declares 5 failures, 1 was read"]


# --- missing results ------------------------------------------------------------------------------------------------


@given(
    passed=st.integers(1, 30),
    failed=st.integers(0, 30),
    more_tests=st.integers(-30, 30),
    more_failures=st.integers(-30, 30),
)
def test_results_are_missing_if_and_only_if_more_is_declared_than_read(passed, failed, more_tests, more_failures):
    tests, failures = max(passed + failed + more_tests, 0), max(failed + more_failures, 0)
    report = parse(f'<testsuite tests="{tests}" failures="{failures}" errors="0">{cases(passed, failed)}</testsuite>')
    assert bool(report.missing) == (tests > passed + failed or failures > failed)


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ('<testsuite tests="3"><testcase name="a"/><testcase name="b"/></testsuite>', "declares 3 tests, 2 were read"),
        ('<testsuite><testcase name="a"/><testcase name="b"/><testcase name="c"><fail', "is cut off after 2 tests"),
        (
            '<testsuite tests="2"><testcase name="a"/><testcase name="b',
            "is cut off after 1 test, declares 2 tests, 1 was read",
        ),
        ('<testsuite tests="1"><testcase name="a">&nothing; \x08</testcase></testsuite>', ""),  # malformed, and whole
        ('<testsuite name="pytest" tests="9"><testcase name="a"/></testsuite>', ""),  # its subtests
        ('<testsuite name="pytest" tests="9"><testcase name="a"/><testcase name="b', "is cut off after 1 test"),
        ('<testsuite tests="3"><testcase name="a"><rerunFailure/><rerunError/><failure/></testcase></testsuite>', ""),
        (
            (
                '<testsuites><testsuite name="a" tests="2"><testcase name="x"/></testsuite>'
                '<testsuite name="b" tests="1"><testcase name="y"/><testcase name="z"/></testsuite></testsuites>'
            ),
            "",
        ),
    ],
)
def test_a_report_says_why_results_of_it_are_missing(text: str, missing: str) -> None:
    assert parse(text).missing == missing


def test_subtests_that_end_early_fail_their_test_and_a_short_plan_lacks_results():
    ended = b"# Subtest: a\n    1..2\n    not ok 1 - x\nnot ok 1 - a\n1..1\n"
    assert tap.parse(io.BytesIO(ended)).missing == ""
    assert tap.parse(io.BytesIO(b"1..40\nok 1 - a\n")).missing == "declares 40 tests, 1 was read"
