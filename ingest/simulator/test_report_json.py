"""Test reports as Jenkins exports them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from ingest.simulator.jenkins_items import JenkinsBuild, JenkinsJob, report_counts
from ingest.simulator.published_reports import ReportCase, ReportSuite, SuitesReport
from ingest.simulator.tree_query import ExportedBean, Properties

SEARCHED_BUILDS = 25


def test_report(
    job: JenkinsJob, build: JenkinsBuild, now: float, build_url: Callable[[JenkinsJob, JenkinsBuild], str]
) -> ExportedBean | None:
    """The build's test report, None if nothing was published."""
    report = build.report(now)
    if not report:
        return None
    if "children" not in report:
        return _junit(report, _FailureAges(job, build, now))

    def child(job: JenkinsJob, axis: JenkinsBuild) -> ExportedBean:
        return ExportedBean(job.kind[1], {"number": axis.number, "url": build_url(job, axis)})

    children = [
        ExportedBean("", {"child": child(job, axis), "result": _junit(axis_report, _FailureAges(job, axis, now))})
        for job, axis, axis_report in report["children"]
    ]
    properties: Properties = {**report_counts(report), "urlName": "testReport", "childReports": children}
    return ExportedBean("hudson.tasks.test.MatrixTestResult", properties)


@dataclass(frozen=True)
class _FailureAges:
    """Since which build the failed tests of a build have failed."""

    job: JenkinsJob
    build: JenkinsBuild
    now: float

    @cached_property
    def since(self) -> dict[tuple[str, str], int]:
        """(class, name) -> number of the oldest build of those in a row in which the test failed."""
        builds = [build for build in self.job.builds(self.now) if build.number <= self.build.number]
        found: dict[tuple[str, str], int] = {}
        failing: set[tuple[str, str]] | None = None
        for build in builds[:SEARCHED_BUILDS]:
            report = build.report(self.now)
            suites = report["suites"] if report and "suites" in report else []
            failed = {_key(case) for suite in suites for case in suite["cases"] if case["status"] == "FAILED"}
            failing = failed if failing is None else failing & failed
            if not failing:
                break
            found |= dict.fromkeys(failing, build.number)
        return found

    def first(self, case: ReportCase) -> int:
        return self.since.get(_key(case), self.build.number)

    def age(self, case: ReportCase) -> int:
        return self.build.number - self.first(case) + 1


def _key(case: ReportCase) -> tuple[str, str]:
    return case["className"], case["name"]


def _junit(report: SuitesReport, ages: _FailureAges) -> ExportedBean:
    """`hudson.tasks.junit.TestResult`; unlike the aggregate, with passCount and without totalCount."""
    counts = report_counts(report)
    properties: Properties = {
        "testActions": [],
        "duration": sum(suite["duration"] for suite in report["suites"]),
        "empty": counts["totalCount"] == 0,
        "failCount": counts["failCount"],
        "passCount": counts["totalCount"] - counts["failCount"] - counts["skipCount"],
        "skipCount": counts["skipCount"],
        "suites": [_suite(suite, ages) for suite in report["suites"]],
    }
    return ExportedBean("hudson.tasks.junit.TestResult", properties)


def _suite(suite: ReportSuite, ages: _FailureAges) -> ExportedBean:
    usual: Properties = {
        "enclosingBlockNames": [],
        "enclosingBlocks": [],
        "id": None,
        "nodeId": None,
        "properties": {},
        "stderr": None,
        "stdout": None,
    }
    cases = [_case(fields, ages) for fields in suite["cases"]]
    own: Properties = {"name": suite["name"], "duration": suite["duration"], "timestamp": suite.get("timestamp")}
    return ExportedBean("", {**usual, **own, "cases": cases})


def _case(fields: ReportCase, ages: _FailureAges) -> ExportedBean:
    usual: Properties = {
        "age": 0,
        "failedSince": 0,
        "flakyFailures": [],
        "properties": {},
        "rerunFailures": [],
        "testActions": [],
    }
    if fields["status"] == "FAILED":
        usual |= {"age": lambda: ages.age(fields), "failedSince": lambda: ages.first(fields)}
    own: Properties = {
        "className": fields["className"],
        "name": fields["name"],
        "duration": fields["duration"],
        "status": fields["status"],
        "skipped": fields["skipped"],
        "skippedMessage": fields["skippedMessage"],
        "errorDetails": fields["errorDetails"],
        "errorStackTrace": fields["errorStackTrace"],
        "stdout": fields["stdout"],
        "stderr": fields["stderr"],
    }
    return ExportedBean("", {**usual, **own})
