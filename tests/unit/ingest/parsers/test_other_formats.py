"""TestNG, TAP, Robot Framework and .trx."""

from __future__ import annotations

import io
import json
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import robot, tap, testng, trx
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Report


def read(parser, text: str) -> Report:
    return parser(io.BytesIO(text.encode()))


def attempts(report: Report) -> list[tuple]:
    return [(case.class_name, case.name, case.status, case.attempt, case.is_final) for case in report.cases]


TESTNG = """<?xml version="1.0" encoding="UTF-8"?>
<testng-results ignored="0" total="6" passed="3" failed="1" skipped="1">
  <suite started-at="2026-01-08T16:01:44 UTC" name="Nightly" duration-ms="2500"><groups/>
   <test name="t"><class name="org.x.Flap">
    <test-method is-config="true" signature="setUp()" name="setUp" duration-ms="7" status="FAIL"><exception
      class="E"><message><![CDATA[no database]]></message></exception></test-method>
    <test-method signature="up()" name="up" duration-ms="1500" status="PASS" started-at="2026-01-08T16:01:45Z"/>
    <test-method signature="flap(int)" name="flap" duration-ms="3" status="FAIL"><params>
      <param index="0"><value><![CDATA[5-site]]></value></param>
      <param index="1"><value><![CDATA[org.x.Box@1b2c3d4e]]></value></param></params>
      <exception class="java.lang.AssertionError"><message><![CDATA[3 != 0]]></message>
      <full-stacktrace><![CDATA[trace]]></full-stacktrace></exception>
      <reporter-output><line><![CDATA[lost peer]]></line></reporter-output></test-method>
    <test-method signature="nat()" name="nat" duration-ms="0" status="SKIP"><exception class="S"><message>why</message>
      </exception></test-method>
    <test-method signature="again()" name="again" duration-ms="1" status="SKIP" retried="true"><exception class="E">
      <message>first</message></exception></test-method>
    <test-method signature="between()" name="between" status="PASS"/>
    <test-method signature="again()" name="again" duration-ms="1" status="PASS"/>
   </class></test></suite></testng-results>"""


def methods_of_testng(*methods: str) -> list[tuple[str, str, str, int, bool]]:
    inner = "".join(f"<test-method {method}</test-method>" for method in methods)
    return attempts(
        read(testng.parse, f'<testng-results><suite name="s"><class name="c">{inner}</class></suite></testng-results>')
    )


FAILURE = '><exception class="java.lang.AssertionError"><message>m</message></exception>'
SKIP = '><exception class="org.testng.SkipException"><message>m</message></exception>'


@pytest.mark.parametrize("marked", [' retried="true"', ""])
def test_the_attempts_of_testng_are_in_any_order(marked):
    # TestNG writes passed methods before skipped ones; before 7.0 an attempt that was retried is just skipped.
    assert methods_of_testng(
        'name="a" status="PASS">', f'name="b" status="FAIL"{FAILURE}', f'name="a" status="SKIP"{marked}{FAILURE}',
        f'name="b" status="SKIP"{marked}{FAILURE}', f'name="b" status="SKIP"{marked}{FAILURE}',
    ) == [
        ("c", "a", FAILED, 1, False),
        ("c", "a", PASSED, 2, True),
        ("c", "b", FAILED, 1, False),
        ("c", "b", FAILED, 2, False),
        ("c", "b", FAILED, 3, True),
    ]  # fmt: skip


def test_what_testng_skipped_is_no_attempt():
    assert methods_of_testng(
        f'name="a" status="SKIP"{SKIP}', 'name="a" status="PASS">', f'name="b" status="SKIP"{FAILURE}'
    ) == [("c", "a", SKIPPED, 1, True), ("c", "a", PASSED, 1, True), ("c", "b", SKIPPED, 1, True)]


def test_testng():
    report = read(testng.parse, TESTNG)
    assert attempts(report) == [
        ("org.x.Flap", "setUp", FAILED, 1, True),
        ("org.x.Flap", "up", PASSED, 1, True),
        ("org.x.Flap", "flap[5-site, org.x.Box]", FAILED, 1, True),
        ("org.x.Flap", "nat", SKIPPED, 1, True),
        ("org.x.Flap", "again", FAILED, 1, False),
        ("org.x.Flap", "again", PASSED, 2, True),
        ("org.x.Flap", "between", PASSED, 1, True),
    ]
    set_up, up, flap, nat, first, again, _ = report.cases
    assert (set_up.kind, set_up.message) == ("error", "no database")
    assert (up.duration_s, up.started_at, up.suite) == (1.5, 1767888105.0, "Nightly")
    assert (flap.message, flap.trace, flap.output) == ("3 != 0", "trace", "lost peer")
    assert (nat.message, first.message, again.message) == ("why", "first", None)
    assert (report.suites, report.duration_s) == (1, 2.5)
    assert report.warnings == ["configuration method org.x.Flap.setUp failed: no database"]


def test_testng_json_of_the_plugin():
    method = {"name": "up", "className": "org.x.Flap", "status": "PASS", "duration": 1.5, "startedAt": 1767888105000}
    failing = {"name": "flap", "status": "FAIL", "exception": "E: 3 != 0\n at x", "parameters": ["5-site"]}
    document = {
        "name": "TestNG", "total": 2, "fail-config": 0,
        "package": [{"name": "org.x", "classs": [{"name": "org.x.Flap", "test-method": [method, failing]}]}],
    }  # fmt: skip
    report = read(testng.parse_json, json.dumps(document))
    assert attempts(report) == [("org.x.Flap", "up", PASSED, 1, True), ("org.x.Flap", "flap[5-site]", FAILED, 1, True)]
    up, flap = report.cases
    assert (up.duration_s, up.started_at, flap.message, flap.trace) == (
        1.5,
        1767888105.0,
        "E: 3 != 0",
        "E: 3 != 0\n at x",
    )
    for text in ("[]", "{}", '{"package": 3}', "x"):
        assert read(testng.parse_json, text).status == "error"


def test_tap_with_directives_diagnostics_and_yaml():
    report = read(
        tap.parse,
        """TAP version 13
1..6
ok 1 - comes up
not ok 2 - flaps # time=12.5ms
#   Failed test 'flaps'
#   at flap.t line 40.
  ---
  duration_ms: 34.5
  message: 'flap count 3 != 0'
  at: flap.js
  ...
ok 3 - nat # SKIP no licence
not ok 4 - later # TODO not written yet
ok 5 works \\# 5
""",
    )
    assert [(case.name, case.status) for case in report.cases] == [
        ("comes up", PASSED), ("flaps", FAILED), ("nat", SKIPPED), ("later", SKIPPED), ("works # 5", PASSED),
    ]  # fmt: skip
    flaps, nat = report.cases[1:3]
    assert (flaps.duration_s, flaps.message, nat.message) == (0.0345, "flap count 3 != 0", "no licence")
    assert flaps.trace.startswith("Failed test 'flaps'\nat flap.t line 40.\n")
    assert report.warnings == ["declares 6 tests, 5 were read"]


def test_tap_subtests_count_instead_of_the_point_that_sums_them_up():
    report = read(
        tap.parse,
        """TAP version 14
# Subtest: routing
    # Subtest: bgp
        ok 1 - up
        not ok 2 - flap
        1..2
    not ok 1 - bgp
    ok 2 - ospf
    1..2
not ok 1 - routing
# Subtest: setup
    ok 1 - one
    1..1
not ok 2 - setup # time=3s
ok 3 - alone
1..3
""",
    )
    assert attempts(report) == [
        ("routing > bgp", "up", PASSED, 1, True),
        ("routing > bgp", "flap", FAILED, 1, True),
        ("routing", "ospf", PASSED, 1, True),
        ("setup", "one", PASSED, 1, True),
        ("", "setup", FAILED, 1, True),
        ("", "alone", PASSED, 1, True),
    ]
    assert report.warnings == []


def test_tap_that_bails_out():
    report = read(tap.parse, "1..9\nok 1 - a\nBail out! no database\n")
    assert [(case.name, case.status, case.kind, case.message) for case in report.cases] == [
        ("a", PASSED, None, None), ("Bail out!", FAILED, "error", "no database"),
    ]  # fmt: skip
    assert report.warnings == ["declares 9 tests, 1 was read"]
    assert read(tap.parse, "hello\n").status == "error"


ROBOT = """<?xml version="1.0" encoding="UTF-8"?>
<robot generator="Robot 7.0" generated="2026-01-08T16:02:00"><suite id="s1" name="Routing" source="/w/routing">
 <suite id="s1-s1" name="Bgp" source="/var/workspace/nightly/routing/bgp.robot">
  <kw name="Set up" type="SETUP"><status status="PASS" start="2026-01-08T16:01:44" elapsed="0.1"/></kw>
  <test id="t1" name="Comes up" line="7"><kw name="Log"><msg level="INFO">hello</msg>
    <status status="PASS" start="2026-01-08T16:01:44" elapsed="0.001"/></kw>
    <status status="PASS" start="2026-01-08T16:01:44" elapsed="1.5"/></test>
  <test id="t2" name="Flaps" line="9"><kw name="Check"><msg level="INFO">x</msg><msg level="FAIL">3 != 0</msg>
    <status status="FAIL" start="2026-01-08T16:01:46" elapsed="0.5"/></kw><tag>slow</tag>
    <status status="FAIL" start="2026-01-08T16:01:46" elapsed="0.5">flap count 3 != 0</status></test>
  <test id="t3" name="Nat"><status status="SKIP" starttime="20260108 16:01:47.000" endtime="20260108 16:01:47.250">why
    </status></test>
  <status status="FAIL" start="2026-01-08T16:01:44" elapsed="3"/></suite>
 <status status="FAIL" start="2026-01-08T16:01:44" elapsed="4"/></suite>
 <statistics><total><stat pass="1" fail="1" skip="1">All Tests</stat></total></statistics></robot>"""


def test_results_that_rebot_merged_are_attempts():
    def status(state, outcome, message=""):
        text = f'<span class="{state}-message">{state.title()} message:</span> {message}<br>' if message else ""
        span = f'<span class="{outcome.lower()}">{outcome}</span>'
        return f'<span class="{state}-status">{state.title()} status:</span> {span}<br>{text}'

    head = '*HTML* <span class="merge">Test has been re-executed and results merged.</span>'
    first = status("old", "FAIL", "no route to &lt;lab&gt;<br>again")
    messages = {
        "rescued": ("PASS", "<hr>".join([head, status("new", "PASS"), first])),
        "twice": ("FAIL", "<hr>".join([head, status("new", "FAIL", "x" * 9000), status("old", "FAIL", "b"), first])),
        "added": ("FAIL", "*HTML* Test added from merged suite.<hr>no route"),
    }
    tests = "".join(
        f'<test name="{name}"><status status="{outcome}">{escape(message)}</status></test>'
        for name, (outcome, message) in messages.items()
    )
    text = f'<robot><suite name="s">{tests}<status status="FAIL"/></suite></robot>'
    report = read(robot.parse, text)
    assert [(case.name, case.status, case.attempt, case.is_final) for case in report.cases] == [
        ("rescued", FAILED, 1, False),
        ("rescued", PASSED, 2, True),
        ("twice", FAILED, 1, False),
        ("twice", FAILED, 2, False),
        ("twice", FAILED, 3, True),
        ("added", FAILED, 1, True),
    ]
    assert [case.message for case in report.cases[:2]] == ["no route to <lab><br>again", None]
    assert [case.message for case in report.cases[2:4]] == ["no route to <lab><br>again", "b"]
    assert report.cases[4].message.startswith("xxx") and "<span" not in report.cases[4].message + report.cases[4].trace


def test_robot():
    report = read(robot.parse, ROBOT)
    assert attempts(report) == [
        ("Routing.Bgp", "Comes up", PASSED, 1, True),
        ("Routing.Bgp", "Flaps", FAILED, 1, True),
        ("Routing.Bgp", "Nat", SKIPPED, 1, True),
    ]
    up, flaps, nat = report.cases
    assert (up.file, up.duration_s, up.started_at) == ("/var/workspace/nightly/routing/bgp.robot", 1.5, 1767888104.0)
    assert (flaps.message, flaps.trace, flaps.kind) == ("flap count 3 != 0", "3 != 0", "failure")
    assert (nat.message, nat.duration_s, nat.started_at) == ("why", 0.25, 1767888107.0)
    assert (report.suites, report.duration_s, report.warnings) == (1, 4.0, [])


TRX = """\ufeff<?xml version="1.0" encoding="utf-8"?>
<TestRun id="1" name="run" xmlns="http://microsoft.com/schemas/VisualStudio/TeamTest/2010"><Results>
 <UnitTestResult testId="i1" testName="Ns.Flap.Up" computerName="agent1" duration="00:00:01.5000000"
   startTime="2026-01-08T16:01:44.0000000+00:00" outcome="Passed"/>
 <UnitTestResult testId="i2" testName="Flaps(5)" duration="1.00:00:00" outcome="Failed"><Output><StdOut>lost</StdOut>
   <ErrorInfo><Message>3 != 0</Message><StackTrace>at Ns.Flap</StackTrace></ErrorInfo></Output></UnitTestResult>
 <UnitTestResult testId="i1" testName="Ns.Flap.Nat" outcome="NotExecuted"><Output><ErrorInfo><Message>why</Message>
   </ErrorInfo></Output></UnitTestResult>
 <UnitTestResult testId="i2" testName="Rows" outcome="Failed"><InnerResults>
   <UnitTestResult testId="i2" testName="Rows (1)" outcome="Passed"/>
   <UnitTestResult testId="i2" testName="Rows (2)" outcome="Timeout"/></InnerResults></UnitTestResult></Results>
 <TestDefinitions>
  <UnitTest name="Up" id="i1"><TestMethod className="Ns.Flap, Assembly, Version=1" name="Up"/></UnitTest>
  <UnitTest name="Flaps" id="i2"><TestMethod className="Ns.Flap" name="Flaps"/></UnitTest></TestDefinitions>
 <ResultSummary outcome="Failed"><Counters total="5" executed="4" passed="2" failed="2"/></ResultSummary></TestRun>"""


def test_trx():
    report = read(trx.parse, TRX)
    assert attempts(report) == [
        ("Ns.Flap", "Up", PASSED, 1, True),
        ("Ns.Flap", "Flaps(5)", FAILED, 1, True),
        ("Ns.Flap", "Nat", SKIPPED, 1, True),
        ("Ns.Flap", "Rows (1)", PASSED, 1, True),
        ("Ns.Flap", "Rows (2)", FAILED, 1, True),
    ]
    up, flaps, nat, _, timeout = report.cases
    assert (up.duration_s, up.host, up.started_at, flaps.duration_s) == (1.5, "agent1", 1767888104.0, 86400.0)
    assert (flaps.message, flaps.trace, flaps.output, flaps.kind) == ("3 != 0", "at Ns.Flap", "lost", "failure")
    assert (nat.message, nat.output, timeout.kind) == ("why", None, "error")
    assert report.warnings == []


def test_a_trx_whose_run_went_wrong():
    text = """<TestRun><Results/><ResultSummary outcome="Failed"><RunInfos>
      <RunInfo outcome="Error"><Text>Test host process crashed</Text></RunInfo>
      <RunInfo outcome="Warning"><Text>slow</Text></RunInfo></RunInfos></ResultSummary></TestRun>"""
    report = read(trx.parse, text)
    assert [(case.name, case.status, case.message) for case in report.cases] == [
        ("<init>", FAILED, "Test host process crashed")
    ]
    assert report.warnings == ["the run itself failed: Test host process crashed"]


def test_a_failed_configuration_method_without_a_message_tells_the_head_of_its_trace():
    text = TESTNG.replace(
        "<message><![CDATA[no database]]></message>", "<full-stacktrace>E: gone\n at x</full-stacktrace>"
    )
    assert read(testng.parse, text).warnings == ["configuration method org.x.Flap.setUp failed: E: gone"]


@pytest.mark.parametrize(("parser", "text"), [(testng.parse, TESTNG), (robot.parse, ROBOT), (trx.parse, TRX)])
def test_other_xml_and_cut_files(parser, text):
    assert read(parser, "<html><body/></html>").status == "not_junit"
    assert read(parser, "").status == "error"
    whole, cut = read(parser, text), read(parser, text[: text.index("why")])
    assert cut.status == "recovered"
    assert [case.status for case in cut.cases][:2] == [case.status for case in whole.cases][:2]


@pytest.mark.parametrize(("parser", "text"), [(testng.parse, TESTNG), (robot.parse, ROBOT), (trx.parse, TRX)])
@given(st.data())
def test_damage_anywhere_gives_a_report(parser, text, data):
    data_bytes = bytearray(text.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(data_bytes) - 1))
        data_bytes[at : at + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=6))
    report = parser(io.BytesIO(bytes(data_bytes)))
    assert report.count(PASSED) + report.count(FAILED) + report.count(SKIPPED) == report.tests


@given(st.lists(st.sampled_from(
    ["ok", "not ok", "ok 1 - a", "not ok 2 b # TODO", "    ok 1", "1..3", "    1..2", "---", "  ---", "  ...", "...",
     "# time=1ms", "Bail out!", "  duration_ms: 3", "  message: x", "# Subtest: s", "\t\tok", "", "x", "ok {", "}"]
)))  # fmt: skip
def test_any_heap_of_tap_lines_gives_a_report(lines):
    report = read(tap.parse, "\n".join(lines))
    assert report.count(PASSED) + report.count(FAILED) + report.count(SKIPPED) == report.tests == len(report.cases)
