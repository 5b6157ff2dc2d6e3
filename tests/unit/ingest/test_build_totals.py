"""What is said about a build whose files declare other totals, are not read, or failed outside of their tests."""

from __future__ import annotations

import io

import pytest

from ingest.build_results import MAX_UNREAD, BuildResults, read_build

NUNIT2 = '<test-results name="x" total="3" failures="1"/>'
CPPUNIT = "<TestRun><FailedTests/><SuccessfulTests/><Statistics/></TestRun>"
PLAYWRIGHT = '{"config": {"rootDir": "/w"}, "suites": [{"title": "a", "specs": []}]}'
JEST = '{"numFailedTestSuites": 1, "numTotalTests": 3, "testResults": []}'
MESSAGES = '{"meta":{"protocolVersion":"22"}}\n{"testCaseStarted":{}}\n'
GOOD = '<testsuite tests="1"><testcase name="a"/></testsuite>'


def build(files: dict[str, str]) -> BuildResults:
    return read_build((path, None, lambda text=text: io.BytesIO(text.encode())) for path, text in files.items())


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("TestResult.xml", NUNIT2, "NUnit 2 XML"),
        ("cppunit.xml", CPPUNIT, "CppUnit XML"),
        ("Test.xml", "<Site BuildName='x'><Testing/></Site>", "CTest's own XML"),
        ("boost.xml", "<TestLog><TestSuite name='x'/></TestLog>", "Boost.Test's own XML"),
        ("playwright.json", PLAYWRIGHT, "Playwright's JSON"),
        ("jest.json", JEST, "Jest's or Vitest's JSON"),
        ("messages.ndjson", MESSAGES, "Cucumber messages"),
        ("mocha.json", '{"stats": {"suites": 1, "passes": 1}, "tests": []}', "Mocha's JSON"),
        ("ctrf.json", '{"results": {"tool": {"name": "x"}}}', "CTRF JSON"),
    ],
)
def test_a_report_of_another_kind_is_named_and_flagged(path, text, words):
    results = build({"a.xml": GOOD, path: text})
    (warning,) = results.warnings
    assert (warning.path, results.flags, len(results.cases)) == (path, {"not_read"}, 1)
    assert warning.text.startswith("not read: ") and words in warning.text


@pytest.mark.parametrize(
    ("path", "text"),
    [("pom.xml", "<project/>"), ("coverage.xml", "<coverage/>"), ("x.json", "[1]"), ("x.json", "{}"), ("e.log", "hi")],
)
def test_what_is_no_report_is_named_and_not_flagged(path, text):
    results = build({"a.xml": GOOD, path: text})
    assert [warning.path for warning in results.warnings] == [path]
    assert results.flags == set()


def test_many_files_that_are_no_reports_do_not_hide_one_that_is():
    files = {f"{number:02}.xml": "<project/>" for number in range(40)}
    results = build(files | {"z.xml": NUNIT2, "a.xml": GOOD})
    assert (len(results.warnings), results.warnings[0].path) == (MAX_UNREAD + 1, "z.xml")
    assert results.warnings[-1].text == "21 more files are not read: they are no reports of a known kind"


def test_differing_totals_are_flagged_and_failures_of_suites_are_no_tests_to_jenkins():
    suite = '<testsuite name="S" tests="9"><testcase name="b"/><failure message="no lab"/></testsuite>'
    results = build({"a.xml": GOOD, "b.xml": suite, "c.xml": '<testsuites failures="1"/>'})
    assert results.flags == {"declared_differs"}
    assert {str(warning) for warning in results.warnings} == {
        "b.xml: declares 9 tests, 1 was read",
        "c.xml: declares 1 failure, none was read",
    }
    assert sorted(case.name for case in results.cases) == ["<init>", "<init>", "a", "b"]
    assert results.reported is not None
    assert (results.reported.tests, results.reported.failed) == (2, 0)


def test_the_time_of_a_build_is_the_newest_that_can_be():
    suite = '<testsuite timestamp="{}"><testcase name="a" timestamp="{}"/></testsuite>'
    moments = {
        ("1970-01-01T01:00:00", "1980-01-01T00:00:00"): None,
        ("2026-01-08T16:01:44", "1970-01-01T01:00:00"): 1767888104.0,
        ("2026-01-08T16:01:44", "2999-01-01T00:00:00"): 1767888104.0,
        ("2026-01-08T16:01:44Z", "2026-01-08T18:01:45+02:00"): 1767888105.0,
    }
    for times, moment in moments.items():
        assert build({"a.xml": suite.format(*times)}).started_at == moment
    assert build({"a.xml": '<testsuite timestamp="2026-01-08T16:01:44" failures="1"/>'}).started_at == 1767888104.0
