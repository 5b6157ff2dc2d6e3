"""NUnit 3 and xUnit.net 2; Visual Studio's is in test_other_formats.py."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import nunit, parse_file, trx, xunit
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Report


def read(parser, text: str) -> Report:
    return parser(io.BytesIO(text.encode()))


def results(report: Report) -> list[tuple[str, str, str]]:
    return [(case.class_name, case.name, case.status) for case in report.cases]


NUNIT = """<?xml version="1.0" encoding="utf-8"?>
<test-run id="0" testcasecount="9" result="Failed" total="8" passed="2" failed="3" warnings="1" inconclusive="1"
  skipped="2" start-time="2026-01-08 16:01:44Z" end-time="2026-01-08 16:01:50Z" duration="5.5">
 <test-suite type="Assembly" name="Pier.dll" fullname="/build/Pier.dll" result="Failed" site="Child">
  <environment machine-name="agent1"/>
  <test-suite type="TestFixture" name="Dock(5)" fullname="Pier.Dock(5)" classname="Pier.Dock" result="Failed"
    site="Child">
   <test-case name="Berths" fullname="Pier.Dock(5).Berths" classname="Pier.Dock" result="Passed" duration="0.5"
     start-time="2026-01-08 16:01:45Z"/>
   <test-suite type="ParameterizedMethod" name="Adds" fullname="Pier.Dock(5).Adds" result="Failed">
    <test-case name="Adds(1,&quot;a.b&quot;)" fullname="Pier.Dock(5).Adds(1,&quot;a.b&quot;)" classname="Pier.Dock"
      result="Failed" duration="0.1"><failure><message><![CDATA[still moored]]></message>
      <stack-trace>at Pier.Dock</stack-trace></failure><output>creaks</output></test-case>
    <test-case name="Adds(2,null)" fullname="Pier.Dock(5).Adds(2,null)" classname="Pier.Dock" result="Failed"
      label="Error"><failure><message>System.Exception : no crane</message></failure></test-case>
   </test-suite>
   <test-case name="Warns" fullname="Pier.Dock(5).Warns" classname="Pier.Dock" result="Warning"/>
   <test-case name="Later" fullname="Pier.Dock(5).Later" classname="Pier.Dock" result="Skipped" label="Ignored">
     <reason><message>not yet</message></reason></test-case>
   <test-case name="ByHand" fullname="Pier.Dock(5).ByHand" classname="Pier.Dock" result="Skipped" label="Explicit"/>
   <test-case name="Unsure" fullname="Pier.Dock(5).Unsure" classname="Pier.Dock" result="Inconclusive"/>
  </test-suite>
  {fixture}
 </test-suite>
</test-run>"""
TORN_DOWN = """<test-suite type="TestFixture" name="Ship" fullname="Pier.Ship" classname="Pier.Ship" result="Failed"
  label="Error" site="TearDown"><failure><message>TearDown : no rope</message><stack-trace>at Ship</stack-trace>
  </failure>
  <test-case name="Sails" fullname="Pier.Ship.Sails" classname="Pier.Ship" result="Passed"/></test-suite>"""
SET_UP = """<test-suite type="TestFixture" name="Ship" fullname="Pier.Ship" classname="Pier.Ship" result="Failed"
  label="Error" site="SetUp"><failure><message>no water</message></failure>
  <test-case name="Sails" fullname="Pier.Ship.Sails"
  classname="Pier.Ship" result="Failed" label="Error" site="Parent"><failure><message>OneTimeSetUp: no water</message>
  </failure></test-case></test-suite>"""


def test_nunit_with_every_result():
    report = read(nunit.parse, NUNIT.replace("{fixture}", TORN_DOWN))
    assert results(report) == [
        ("Pier.Dock(5)", "Berths", PASSED),
        ("Pier.Dock(5)", 'Adds(1,"a.b")', FAILED),
        ("Pier.Dock(5)", "Adds(2,null)", FAILED),
        ("Pier.Dock(5)", "Warns", PASSED),
        ("Pier.Dock(5)", "Later", SKIPPED),
        ("Pier.Dock(5)", "ByHand", SKIPPED),
        ("Pier.Dock(5)", "Unsure", SKIPPED),
        ("Pier.Ship", "Sails", PASSED),
        ("Pier.Ship", "OneTimeTearDown", FAILED),
    ]
    berths, adds, broken, *_, torn = report.cases
    assert (berths.duration_s, berths.host, berths.started_at) == (0.5, "agent1", 1767888105.0)
    assert (adds.kind, adds.message, adds.trace, adds.output) == ("failure", "still moored", "at Pier.Dock", "creaks")
    assert (broken.kind, report.cases[4].message) == ("error", "not yet")
    assert (torn.kind, torn.message, torn.trace) == ("error", "TearDown : no rope", "at Ship")
    assert (report.duration_s, report.uncounted) == (5.5, 1)
    # total="8" and skipped are right; of failed="3" two are tests.
    assert report.differences == ["declares 3 failures, 2 were read"]


@pytest.mark.parametrize("site", ['site="TearDown"', ""])
def test_a_failed_tear_down_of_a_fixture_with_failed_tests_is_shown_by_its_own_text(site):
    """NUnit puts the words about the tests before those of the tear-down; some writers leave out the site."""
    fixture = f"""<test-suite type="TestFixture" name="Ship" fullname="Pier.Ship" result="Failed" label="Error" {site}>
      <failure><message>One or more child tests had errors&#10;TearDown : no rope</message>
      <stack-trace>--TearDown&#10;at Ship</stack-trace></failure><output>heaves</output>
      <test-case name="Sails" fullname="Pier.Ship.Sails" result="Failed"><failure><message>becalmed</message></failure>
      <assertions><assertion result="Failed"><message>no wind</message></assertion></assertions></test-case>
      </test-suite>"""
    sails, torn = read(nunit.parse, NUNIT.replace("{fixture}", fixture)).cases[-2:]
    assert (sails.name, sails.message) == ("Sails", "becalmed")
    assert (torn.name, torn.message, torn.output) == ("OneTimeTearDown", "TearDown : no rope", "heaves")


def test_tests_that_failed_with_the_set_up_of_their_fixture_tell_of_it():
    report = read(nunit.parse, NUNIT.replace("{fixture}", SET_UP))
    assert results(report)[-1] == ("Pier.Ship", "Sails", FAILED)
    assert (report.uncounted, report.warnings) == (0, [])


def test_a_run_of_nunit_that_failed_without_a_test_is_not_green():
    text = """<test-run result="Failed" total="0" failed="0"><test-suite type="Assembly" name="Pier.dll"
      fullname="Pier.dll" runstate="NotRunnable" result="Failed" label="Invalid"><failure><message>not found</message>
      </failure></test-suite></test-run>"""
    (case,) = read(nunit.parse, text).cases
    assert (case.class_name, case.name, case.status, case.message) == ("Pier.dll", "<init>", FAILED, "not found")


XUNIT = """<?xml version="1.0" encoding="utf-8"?>
<assemblies computer="agent1" timestamp="01/08/2026 16:01:44"><assembly name="C:\\build\\Pier.dll" run-date="2026-01-08"
  run-time="16:01:44" total="4" passed="1" failed="2" skipped="1" errors="1" time="2.5">
 <errors><error type="test-class-cleanup" name="Pier.Crane"><failure exception-type="E"><message>no power</message>
   <stack-trace>at Crane.Dispose</stack-trace></failure></error></errors>
 <collection name="Test collection for Pier.Crane" total="4" passed="1" failed="2" skipped="1">
  <test name="Pier.Crane.Lifts(kg: 5)" type="Pier.Crane" method="Lifts" time="0.5" result="Pass"/>
  <test name="Pier.Crane.Lifts(kg: 50)" type="Pier.Crane" method="Lifts" time="0.1" result="Fail">
   <failure exception-type="E"><message><![CDATA[too heavy]]></message><stack-trace>at Crane</stack-trace></failure>
   <output>creaks</output></test>
  <test name="lowers what it lifted" type="Pier.Crane" method="Lowers" time-rtf="00:00:01.5" result="Fail">
   <failure><message>stuck</message></failure></test>
  <test name="Pier.Crane.Paints" type="Pier.Crane" method="Paints" time="0" result="Skip"><reason>rain</reason></test>
 </collection></assembly></assemblies>"""


def test_xunit_with_theories_and_a_failed_clean_up():
    report = read(xunit.parse, XUNIT)
    assert results(report) == [
        ("Pier.Crane", "test-class-cleanup", FAILED),
        ("Pier.Crane", "Lifts(kg: 5)", PASSED),
        ("Pier.Crane", "Lifts(kg: 50)", FAILED),
        ("Pier.Crane", "lowers what it lifted", FAILED),
        ("Pier.Crane", "Paints", SKIPPED),
    ]
    clean_up, lifts, heavy, lowers, paints = report.cases
    assert (clean_up.kind, clean_up.message, clean_up.trace) == ("error", "no power", "at Crane.Dispose")
    assert (lifts.duration_s, lifts.host, lifts.started_at) == (0.5, "agent1", 1767888104.0)
    assert (heavy.message, heavy.trace, heavy.output) == ("too heavy", "at Crane", "creaks")
    assert (lowers.duration_s, paints.message, report.duration_s) == (1.5, "rain", 2.5)
    assert (report.warnings, report.uncounted) == ([], 1)


def test_xunit_totals_at_every_level():
    wrong = XUNIT.replace('passed="1" failed="2" skipped="1">', 'passed="1" failed="7" skipped="1">')
    assert read(xunit.parse, wrong).differences == [
        "collection 'Test collection for Pier.Crane' declares 7 failures, 2 were read"
    ]
    wrong = XUNIT.replace('errors="1" time', 'errors="2" time')
    assert read(xunit.parse, wrong).differences == ["declares 2 errors, 1 was read"]


TRX = """<TestRun xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010"><Results>
  <UnitTestResult testId="1" testName="A.B.c" outcome="Passed"/></Results>
  <ResultSummary outcome="{outcome}"><Counters total="{total}" executed="1" passed="1" failed="{failed}"/>
  </ResultSummary></TestRun>"""


def test_trx_counters_and_the_outcome_of_the_run():
    fine = read(trx.parse, TRX.format(outcome="Completed", total=1, failed=0))
    assert (fine.warnings, fine.count(FAILED)) == ([], 0)
    more = read(trx.parse, TRX.format(outcome="Completed", total=3, failed=2))
    assert more.differences == [
        "declares 3 tests, 1 was read",
        "declares 2 failures, none was read",
        "declares 2 skipped tests, none was read",
    ]
    aborted = read(trx.parse, TRX.format(outcome="Aborted", total=1, failed=0))
    assert [case.status for case in aborted.cases] == [PASSED, FAILED]


@pytest.mark.parametrize(("name", "text"), [("a.xml", NUNIT), ("a.xml", XUNIT)])
@given(st.data())
def test_damage_anywhere_gives_a_report(name, text, data):
    content = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=6))
    _, report = parse_file(name, io.BytesIO(bytes(content)))
    assert report.count(PASSED) + report.count(FAILED) + report.count(SKIPPED) == report.tests


@pytest.mark.parametrize(("text", "kind"), [(NUNIT, "nunit"), (XUNIT, "xunit")])
def test_cut_files_keep_what_is_before_the_cut(text, kind):
    found, cut = parse_file("r.xml", io.BytesIO(text[: text.index("creaks")].encode()))
    assert (found, cut.status) == (kind, "recovered")
    assert [case.name for case in cut.cases if case.status == PASSED] != []


def test_tests_that_a_run_of_nunit_declares_and_does_not_list_are_missing():
    case = '<test-case name="a" fullname="N.a" result="Passed"/>'
    whole, short = (
        f'<test-run testcasecount="{n}" total="{n}" passed="{n}" failed="0">{case}</test-run>' for n in (1, 3)
    )
    assert nunit.parse(io.BytesIO(whole.encode())).missing == ""
    assert nunit.parse(io.BytesIO(short.encode())).missing == "declares 3 tests, 1 was read"
