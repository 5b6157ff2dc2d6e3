"""The reports of other projects with the counts that those projects assert of them, and Jenkins' own answers."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from ingest.build_results import BuildResults, read_build
from ingest.parsers import jenkins_test_report, parse_file
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Report

# Where this product means something else than the project that wrote the number: file -> the fields, and why.
POLICY = {
    "flaky-report-1.xml": (
        {"passed"},
        "that plugin has a fourth state, flaky; here, as in Jenkins, a test that passed in the end has passed",
    ),
    "TEST-test.CorruptTest.xml": (
        {"status", "tests", "failed_or_error"},
        "cut short: its project gives up, here the one failed test before the cut is kept and the file is flagged",
    ),
    "junitxml-report.golden.xml": (
        {"suites"},
        "its project counts a suite without tests; here, as in Jenkins, that is none",
    ),
    "junitxml-report-hide-skipped-tests.golden.xml": ({"suites"}, "the same"),
}
# A suite count of a tool that means classes: surefire's own reader makes 8 "suites" of the 7 files' 6.
GROUP_POLICY = {"SurefireReportParserTest.testParseXMLReportFiles": {"suites"}}
STATUS = {
    "ok": {"ok"},
    "ok_lenient": {"recovered"},
    "not_junit": {"not_junit"},
    "parse_error": {"error"},
    "no_network": {"error", "not_junit"},
}


def counts(report: Report) -> dict[str, int]:
    failed = report.count(FAILED)
    return {
        "tests": report.tests,
        "passed": report.count(PASSED),
        "failed": failed - report.errors,
        "errors": report.errors,
        "skipped": report.count(SKIPPED),
        "failed_or_error": failed,
        "suites": report.suites,
    }


def differences(entry: dict, report: Report) -> set[str]:
    found = {field for field, count in counts(report).items() if entry[field] not in (None, count)}
    return found | ({"status"} if report.status not in STATUS[entry["expect"]] else set())


def test_every_report_has_the_counts_that_its_project_asserts(corpus):
    entries = json.loads((corpus / "junit/expected.json").read_text())
    wrong, excused = {}, set()
    for entry in entries:
        path = corpus / "junit" / entry["file"]
        with path.open("rb") as stream:
            _, report = parse_file(entry["file"], stream)
        expected = POLICY.get(path.name, (set(), ""))[0]
        excused |= {path.name} if expected else set()
        if differences(entry, report) != expected:
            wrong[entry["file"]] = (differences(entry, report), counts(report), report.warnings)
    assert len(entries) > 200
    assert wrong == {}
    assert excused == set(POLICY)


def asserted(corpus, name: str) -> tuple[Report, dict]:
    (entry,) = [
        entry
        for entry in json.loads((corpus / "junit/expected.json").read_text())
        if entry["file"].endswith("/" + name) and entry.get("asserts")
    ]
    with (corpus / "junit" / entry["file"]).open("rb") as stream:
        return parse_file(name, stream)[1], entry["asserts"]


@pytest.mark.parametrize(
    ("name", "field", "measure"),
    [
        ("junit-report-1233.xml", "case_classnames", lambda report: [case.class_name for case in report.cases][:5]),
        ("junit-report-1463.xml", "case_names", lambda report: [case.name for case in report.cases]),
        ("junit-report-2874.xml", "suite_name", lambda report: report.cases[0].suite),
        ("junit-report-errror-details.xml", "first_error_message", lambda report: failed(report)[0].message),
        ("junit-report-empty-testcasename.xml", "case_name", lambda report: report.cases[0].name),
        ("junit-report-time-aggregation.xml", "total_duration", lambda report: report.duration_s),
        ("junit-report-time-aggregation2.xml", "total_duration", lambda report: report.duration_s),
        ("junit-report-bad-duration.xml", "total_duration", lambda report: report.duration_s),
        ("TEST-umlautTest.BasicTest.xml", "total_duration", lambda report: report.duration_s),
        ("TEST-io.olamy.AlwaysFailTest.xml", "rerun_failures", lambda report: len(report.cases) - report.tests),
        ("TEST-io.olamy.FlakyTest.xml", "flaky_failures", lambda report: len(report.cases) - report.tests),
        ("TEST-io.olamy.FlakyTest.xml", "first_flaky_message", lambda report: failed(report)[0].message),
        ("TEST-org.acme.FlakyTest.xml", "flakes", lambda report: len(report.cases) - report.tests),
        ("TEST-test.RetryTest.xml", "reruns", lambda report: len(report.cases) - report.tests),
        ("zulu-timestamp.xml", "suite_start_ms", lambda report: report.cases[0].started_at * 1000),
        (
            "zulu-timestamp.xml",
            "case_durations_ms",
            lambda report: [int(case.duration_s * 1000) for case in report.cases],
        ),
        ("with-timestamp.xml", "duration_ms", lambda report: report.cases[0].duration_s * 1000),
    ],
)
def test_what_else_a_project_asserts(corpus, name, field, measure):
    report, asserts = asserted(corpus, name)
    assert measure(report) == pytest.approx(asserts[field])


def failed(report: Report) -> list:
    return [case for case in report.cases if case.status == FAILED]


def test_moments_of_suites(corpus):
    report, asserts = asserted(corpus, "junit-report-testsuite-various-timestamps.xml")
    starts = {case.suite: case.started_at * 1000 for case in reversed(report.cases) if case.started_at}
    readable = [start for start in asserts["suite_start_ms"] if start > 0]
    assert len(readable) == 6 - 1
    assert set(readable) <= set(starts.values())


# --- several files as one build -------------------------------------------------------------------------------------


def group_counts(build: BuildResults) -> dict[str, float]:
    final = [case for case in build.cases if case.is_final]
    assert len(final) == build.reported.tests, "no retries within these groups"
    return {
        "tests": len(final),
        "failed_or_error": sum(case.status == FAILED for case in final),
        "suites": len({case.suite for case in final}),
        "total_duration": pytest.approx(sum(case.duration_s or 0 for case in final)),
    }


def test_every_group_of_files_has_the_counts_that_its_project_asserts(corpus):
    groups = json.loads((corpus / "junit/expected_groups.json").read_text())
    for group in groups:
        files = [(path, None, (corpus / "junit" / path).open) for path in group["files"]]
        build = read_build((path, kind, lambda opened=opened: opened("rb")) for path, kind, opened in files)
        reported = group_counts(build)
        policy = next((fields for name, fields in GROUP_POLICY.items() if name in group["derivation"]), set())
        wrong = {field for field, count in reported.items() if field in group and group[field] != count}
        assert wrong == policy, group["derivation"]
        keys = [(case.file, case.class_name, case.name, case.topology, case.attempt) for case in build.cases]
        assert len(set(keys)) == len(keys)
    assert len(groups) > 10


# --- recorded answers of a Jenkins ----------------------------------------------------------------------------------


def test_recorded_matrix_reports(corpus):
    entries = json.loads((corpus / "jenkins_api/expected_testreports.json").read_text())
    for entry in entries:
        path = corpus / "jenkins_api" / entry["file"].removeprefix("jenkins_json/")
        with path.open("rb") as stream:
            kind, report = parse_file(path.name, stream)
        assert (kind, report.status, report.warnings) == ("test_report", "ok", [])
        assert report.tests == entry["totalCount"]
        assert (report.count(FAILED), report.count(SKIPPED)) == (entry["failCount"], entry["skipCount"])
        words = entry["status_counts"]
        assert report.count(FAILED) == words.get("FAILED", 0) + words.get("REGRESSION", 0)
        assert report.count(PASSED) == words.get("PASSED", 0) + words.get("FIXED", 0)
        per_axis = Counter((case.topology, case.class_name, case.name) for case in report.cases)
        assert set(per_axis.values()) == {1}
        assert all(topology.startswith("nodes=") for topology, _, _ in per_axis)
    assert len(entries) == 4


def test_a_recorded_report_of_one_build(corpus):
    path = corpus / "jenkins_api/joelee2012+api4jenkins/tests/unit/tests_data/report/test_report.json"
    with path.open("rb") as stream:
        report = jenkins_test_report.parse(stream)
    (case,) = report.cases
    assert (case.class_name, case.name, case.duration_s) == (
        "tests.integration.test_jenkins.TestJenkins",
        "test_exists",
        0.645,
    )
    assert case.started_at == pytest.approx(1614015220.266)
    assert report.warnings == ["declares 37 passed, 1 was read", "declares 2 failures, none was read"]
