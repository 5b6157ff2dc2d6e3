"""Test reports as Jenkins exports them."""

from __future__ import annotations

from collections.abc import Callable

from ingest.simulator.jenkins_items import JenkinsBuild, JenkinsJob, report_counts
from ingest.simulator.tree_query import ExportedBean


def test_report(
    build: JenkinsBuild, now: float, build_url: Callable[[JenkinsJob, JenkinsBuild], str]
) -> ExportedBean | None:
    """The build's test report, None if nothing was published."""
    report = build.report(now)
    if not report:
        return None
    if "children" not in report:
        return junit(report)

    def child(job: JenkinsJob, axis: JenkinsBuild) -> ExportedBean:
        return ExportedBean(job.kind[1], {"number": axis.number, "url": build_url(job, axis)})

    children = [
        ExportedBean("", {"child": child(job, axis), "result": junit(axis_report)})
        for job, axis, axis_report in report["children"]
    ]
    properties = {**report_counts(report), "urlName": "testReport", "childReports": children}
    return ExportedBean("hudson.tasks.test.MatrixTestResult", properties)


def junit(report: dict) -> ExportedBean:
    """`hudson.tasks.junit.TestResult`; unlike the aggregate, with passCount and without totalCount."""
    counts = report_counts(report)
    suites = [_suite(suite) for suite in report["suites"]]
    properties = {
        "testActions": [],
        "duration": sum(suite["duration"] for suite in report["suites"]),
        "empty": counts["totalCount"] == 0,
        "failCount": counts["failCount"],
        "passCount": counts["totalCount"] - counts["failCount"] - counts["skipCount"],
        "skipCount": counts["skipCount"],
        "suites": suites,
    }
    return ExportedBean("hudson.tasks.junit.TestResult", properties)


def _suite(suite: dict) -> ExportedBean:
    usual: dict[str, object] = {
        "enclosingBlockNames": [],
        "enclosingBlocks": [],
        "id": None,
        "nodeId": None,
        "stdout": None,
        "stderr": None,
    }
    case = {"testActions": [], "age": 0, "failedSince": 0, "flakyFailures": [], "rerunFailures": [], "properties": {}}
    return ExportedBean(
        "", {**usual, **suite, "cases": [ExportedBean("", {**case, **fields}) for fields in suite["cases"]]}
    )
