"""Telling the formats apart."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import detect, parse_file


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("report.xml", "<?xml version='1.0'?><!-- <robot> --><testsuites/>", "junit"),
        ("x", "\ufeff<testsuite/>", "junit"),
        ("output.xml", "<?xml version='1.0'?>\n<robot><suite/></robot>", "robot"),
        ("testng-results.xml", "<!DOCTYPE x>\n<testng-results/>", "testng"),
        ("a.trx", "<?xml version='1.0'?><TestRun xmlns='x'/>", "trx"),
        ("junitResult.xml", "<?xml version='1.1'?><result><suites/></result>", "junit_result"),
        ("pom.xml", "<project/>", "junit"),
        ("a.tap", "anything", "tap"),
        ("out.txt", "noise\nTAP version 13\n1..2\n", "tap"),
        ("out.txt", "ok 1 - a\n", "tap"),
        ("1_rt_5s.order.txt", "", "order"),
        ("out.log", "  1 [10.0.0.1] PASSED a/b.py::T::x\n", "order"),
        ("testReport.json", '{"_class":"hudson.tasks.junit.TestResult","suites":[]}', "test_report"),
        ("testng.json", '{"name":"TestNG","total":1,"package":[]}', "testng_json"),
        ("notes.txt", "nothing of the kind", "junit"),
        ("empty.xml", "", "junit"),
    ],
)
def test_the_kind_is_detected_by_name_and_first_bytes(name, content, kind):
    assert detect(name, io.BytesIO(content.encode())) == kind


def test_the_kind_of_utf_16_is_detected():
    assert detect("x.xml", io.BytesIO("<?xml version='1.0'?><robot/>".encode("utf-16"))) == "robot"
    assert detect("x.xml", io.BytesIO("<robot/>".encode("utf-16-le"))) == "robot"


def test_what_is_none_of_them_says_so():
    kind, report = parse_file("notes.txt", io.BytesIO(b"nothing of the kind"))
    assert (kind, report.status) == ("junit", "not_junit")
    kind, report = parse_file("pom.xml", io.BytesIO(b"<project/>"))
    assert (kind, report.status) == ("junit", "not_junit")


def test_a_kind_that_is_given_is_not_guessed():
    kind, report = parse_file("output.xml", io.BytesIO(b"<robot/>"), kind="junit")
    assert (kind, report.status) == ("junit", "not_junit")


def test_the_number_of_a_matrix_build_reaches_its_report():
    text = b"""{"childReports":[{"child":{"url":"http://x/job/m/a=1/4/"},"result":{"suites":[{"cases":[{"name":"x"}]}]}},
      {"child":{"url":"http://x/job/m/a=2/5/"},"result":{"suites":[{"cases":[{"name":"y"}]}]}}]}"""
    assert [case.name for case in parse_file("r.json", io.BytesIO(text))[1].cases] == ["y"]
    assert [case.name for case in parse_file("r.json", io.BytesIO(text), number=4)[1].cases] == ["x"]


@given(st.sampled_from(["a.xml", "a.json", "a.tap", "a.order.txt", "a"]), st.binary(max_size=200))
def test_any_name_and_bytes_give_a_report(name, data):
    assert parse_file(name, io.BytesIO(data))[1].status in ("ok", "recovered", "not_junit", "error")
