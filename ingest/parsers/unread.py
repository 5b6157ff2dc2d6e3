"""What a file is that no parser reads, so that nobody has to wonder where its results are."""

from __future__ import annotations

import re

# Reports of tests, by their root element or by what their first characters contain.
_XML_REPORTS = {
    "test-results": "NUnit 2 XML",
    "Site": "CTest's own XML",
    "TestLog": "Boost.Test's own XML",
    "TestResult": "Boost.Test's own XML",
    "TestCase": "QtTest's own XML",
    "Catch2TestRun": "Catch2's own XML",
    "Catch": "Catch2's own XML",
    "doctest": "doctest's own XML",
    "TestRun": "CppUnit XML",
    "CUNIT_TEST_RUN_REPORT": "CUnit XML",
    "CUNIT_TEST_RUN_RESULTS": "CUnit XML",
    "gtester": "GLib's gtester XML",
    "AHFRunReport": "AUnit XML",
    "Tests": "a test report in XML",
    "tests": "a test report in XML",
    "test_results": "a test report in XML",
    "testresults": "a test report in XML",
    "testResults": "JMeter XML",
    "TestResults": "FPCUnit's own XML",
    "TestResultListing": "FPCUnit's own XML",
    "srunner": "Check XML",
    "TestReport": "a test report in XML",
}
_JSON_REPORTS = (
    (re.compile(r'"numTotalTests"\s*:|"numFailedTestSuites"\s*:'), "Jest's or Vitest's JSON"),
    (re.compile(r'"config"\s*:\s*\{.*"suites"\s*:\s*\[|"rootSuiteUuid"|"specs"\s*:', re.DOTALL), "Playwright's JSON"),
    (re.compile(r'"stats"\s*:\s*\{[^}]*"(?:passes|suites)"\s*:'), "Mocha's JSON"),
    (re.compile(r'"(?:meta|testRunStarted|gherkinDocument|testCaseStarted)"\s*:\s*\{'), "Cucumber messages"),
    (re.compile(r'"(?:exitcode|root)"\s*:.*"(?:collectors|summary)"\s*:', re.DOTALL), "pytest's JSON"),
    (re.compile(r'"results"\s*:\s*\{\s*"tool"\s*:'), "CTRF JSON"),
    (re.compile(r'"(?:historyId|testCaseId)"\s*:'), "an Allure result"),
    (re.compile(r'"type"\s*:\s*"(?:suite|test)",\s*"event"\s*:'), "Rust's JSON"),
    (re.compile(r'"(?:testID|suiteID|groupIDs)"\s*:'), "Dart's or Flutter's JSON"),
)


def describe(head: str, root: str) -> tuple[bool, str]:
    """(whether it is a report of tests, what it looks like), by the first characters and the root element of XML."""
    if root:
        if name := _XML_REPORTS.get(root):
            return True, f"{name} (root <{root}>)"
        return False, f"XML with the root <{root[:60]}>, no kind of report that is known"
    if head.startswith(("{", "[")):
        found = next((name for pattern, name in _JSON_REPORTS if pattern.search(head)), None)
        return found is not None, found or "JSON, no kind of report that is known"
    if not head:
        return False, "an empty file"
    return False, "text of an unknown kind"
