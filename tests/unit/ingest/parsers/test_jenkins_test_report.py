"""Jenkins' own reports: testReport JSON and junitResult.xml."""

from __future__ import annotations

import io
import json

from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import jenkins_junit_result, jenkins_test_report
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Report


def parse(document: object, number: int | None = None) -> Report:
    return jenkins_test_report.parse(io.BytesIO(json.dumps(document).encode()), number=number)


def suite(*cases: dict, **more: object) -> dict:
    return {"name": "s", "cases": list(cases), **more}


def case(name: str, status: str = "PASSED", **more: object) -> dict:
    return {"name": name, "status": status, **more}


def child(axis: str, url_number: int, *cases: dict, **fields: object) -> dict:
    url = f"https://ci.example.test/job/m/{axis}/{url_number}/"
    return {"child": {"url": url, **fields}, "result": {"suites": [suite(*cases)]}}


def test_a_full_report():
    report = parse(
        {
            "_class": "hudson.tasks.junit.TestResult",
            "duration": 3.5, "passCount": 2, "failCount": 2, "skipCount": 1,
            "suites": [
                suite(
                    case("a", className="C", duration=0.5, stdout="kept only where it failed"),
                    case("b", "FIXED", className="C", duration=1.0e-4),
                    case("c", "REGRESSION", className="C", errorDetails="3 != 0", errorStackTrace="t", stdout="out"),
                    case("d", "FAILED", className="C", duration=float("nan")),
                    case("e", "SKIPPED", className="C", skippedMessage="why"),
                    timestamp="2026-01-08T16:01:44",
                )
            ],
        }
    )  # fmt: skip
    assert (report.status, report.warnings, report.duration_s) == ("ok", [], 3.5)
    a, b, c, d, e = report.cases
    assert [one.status for one in report.cases] == [PASSED, PASSED, FAILED, FAILED, SKIPPED]
    assert (c.kind, c.message, c.trace, c.output) == ("failure", "3 != 0", "t", "out")
    assert (a.duration_s, b.duration_s, d.duration_s, a.output, e.message) == (0.5, 1e-4, None, None, "why")
    assert {one.started_at for one in report.cases} == {1767888104.0}


def test_a_report_with_hardly_a_field():
    report = parse({"suites": [{"cases": [{"name": "x", "status": "PASSED"}, {"name": "y"}, {}]}, {}]})
    assert [(one.class_name, one.name, one.status) for one in report.cases] == [
        ("", "x", PASSED), ("", "y", PASSED), ("", "(?)", PASSED),
    ]  # fmt: skip


def test_axes_are_topologies_and_inherited_ones_are_left_out():
    document = {
        "failCount": 1, "skipCount": 0, "totalCount": 3,
        "childReports": [
            child("nodes=debian9-64", 880, case("a"), case("b", "FAILED")),
            child("nodes=osx1010", 867, case("a")),
            child("arch=x64,os=linux%20lts", 880, case("a")),
        ],
    }  # fmt: skip
    report = parse(document)
    assert [(one.name, one.topology) for one in report.cases] == [
        ("a", "nodes=debian9-64"), ("b", "nodes=debian9-64"), ("a", "arch=x64,os=linux lts"),
    ]  # fmt: skip
    assert "1 results from older builds" in report.warnings[0] or "1 results from older builds" in report.warnings[-1]
    assert parse(document, number=867).tests == 1


def test_the_childs_own_number_goes_before_the_one_in_its_url():
    report = parse({"childReports": [child("a=1", 5, case("x"), number=7), child("a=2", 7, case("x"))]})
    assert {one.topology for one in report.cases} == {"a=1", "a=2"}


def test_children_that_are_no_axes_are_all_counted():
    report = parse({"childReports": [child("com.acme$core", 7, case("x")), child("other", 3, case("y"))]})
    assert [(one.name, one.topology) for one in report.cases] == [("x", ""), ("y", "")]


def test_parallel_branches_are_topologies_only_where_they_ran_the_same():
    one = suite(case("a", className="C"), enclosingBlockNames=["linux", "Tests"])
    same = suite(case("a", className="C"), enclosingBlockNames=["windows", "Tests"])
    other = suite(case("b", className="C"), enclosingBlockNames=["windows", "Tests"])
    assert [c.topology for c in parse({"suites": [one, same]}).cases] == ["Tests / linux", "Tests / windows"]
    assert [c.topology for c in parse({"suites": [one, other]}).cases] == ["", ""]


def test_declared_counts_are_compared():
    assert parse({"totalCount": 3, "suites": [suite(case("a"))]}).warnings == ["declares 3 tests, 1 was read"]


def test_other_json():
    assert parse({"jobs": []}).status == "not_junit"
    assert parse([1, 2]).status == "not_junit"
    assert parse({"suites": 3}).status == "error"
    assert parse({"suites": [{"cases": [3]}]}).status == "error"
    for data in (b"", b"<html>", b'{"suites": [', b"[" * 100_000):
        assert jenkins_test_report.parse(io.BytesIO(data)).status == "error"


scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
FIELDS = """suites cases childReports child url number result name status className duration totalCount passCount
    errorDetails errorStackTrace enclosingBlockNames timestamp skipped"""
keys = st.sampled_from(FIELDS.split())
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=30
)


@given(st.dictionaries(keys, values, max_size=5))
def test_any_json_gives_a_report(document):
    report = parse(document)
    assert report.count(PASSED) + report.count(FAILED) + report.count(SKIPPED) == report.tests


def test_what_jenkins_keeps_on_its_disk():
    report = jenkins_junit_result.parse(
        io.BytesIO(b"""<?xml version='1.1' encoding='UTF-8'?><result plugin="junit@1.60"><suites>
      <suite><file>TEST-a.xml</file><name>S</name><duration>0.5</duration><timestamp>2026-01-08T16:01:44</timestamp><cases>
        <case><duration>0.25</duration><className>C</className><testName>a</testName><skipped>false</skipped></case>
        <case><duration>0.1</duration><className>C</className><testName>b</testName><skipped>true</skipped>
          <skippedMessage>why</skippedMessage></case>
        <case><className>C</className><testName>c</testName><skipped>false</skipped>
          <errorStackTrace>trace</errorStackTrace><errorDetails>3 != 0</errorDetails></case></cases></suite>
      <suite><name>empty</name><duration>0.0</duration><cases/></suite></suites></result>""")
    )
    assert (report.status, report.suites, report.duration_s) == ("ok", 2, 0.5)
    a, b, c = report.cases
    assert [(one.class_name, one.name, one.status) for one in report.cases] == [
        ("C", "a", PASSED), ("C", "b", SKIPPED), ("C", "c", FAILED),
    ]  # fmt: skip
    assert (a.suite, a.duration_s, a.started_at, b.message) == ("S", 0.25, 1767888104.0, "why")
    assert (c.message, c.trace) == ("3 != 0", "trace")
