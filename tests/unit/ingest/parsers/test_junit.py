"""JUnit XML: what each dialect means, in reports written for these tests."""

from __future__ import annotations

import io
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import encoding, junit, parse_file
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Report


def parse(text: str | bytes, **limits: int) -> Report:
    return junit.parse(io.BytesIO(text.encode() if isinstance(text, str) else text), **limits)


def counts(report: Report) -> tuple[int, int, int, int]:
    """tests, passed, failed, skipped"""
    return report.tests, report.count(PASSED), report.count(FAILED), report.count(SKIPPED)


def statuses(report: Report) -> list[tuple[str, str, int, bool]]:
    return [(case.name, case.status, case.attempt, case.is_final) for case in report.cases]


PYTEST_XUNIT1 = """<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="1" failures="1" skipped="1" tests="4" time="14.5"
    timestamp="2026-01-08T16:01:44" hostname="tb-11">
  <testcase classname="data_plane.tests.routing.bgp_test.TestBgp" name="test_up"
      file="data_plane/tests/routing/bgp_test.py" line="10" time="0.5"/>
  <testcase classname="data_plane.tests.routing.bgp_test.TestBgp" name="test_route_flap[5-site]"
      file="data_plane/tests/routing/bgp_test.py" line="40" time="12.5">
    <properties><property name="id" value="7"/></properties>
    <failure message="AssertionError: flap count 3 != 0">def test_route_flap():
E   AssertionError</failure><system-out>lost &lt;peer&gt;</system-out></testcase>
  <testcase classname="data_plane.tests.routing.bgp_test" name="test_function"
      file="data_plane/tests/routing/bgp_test.py" line="60" time="1.0">
    <error message="fixture boom"><![CDATA[trace]]></error></testcase>
  <testcase classname="data_plane.tests.routing.bgp_test.TestBgp.TestInner" name="test_skip"
      file="data_plane/tests/routing/bgp_test.py" line="70" time="0.000">
    <skipped type="pytest.skip" message="no licence">bgp_test.py:70: no licence</skipped></testcase>
</testsuite></testsuites>"""


def test_pytest_with_files():
    _, report = parse_file("r.xml", io.BytesIO(PYTEST_XUNIT1.encode()))
    assert report.status == "ok"
    assert report.warnings == []
    assert counts(report) == (4, 1, 2, 1)
    assert (report.errors, report.suites, report.duration_s) == (1, 1, 14.5)
    up, flap, function, inner = report.cases
    assert {case.file for case in report.cases} == {"data_plane/tests/routing/bgp_test.py"}
    assert [case.class_name for case in report.cases] == ["TestBgp", "TestBgp", "", "TestBgp.TestInner"]
    assert (flap.kind, flap.message, flap.output) == ("failure", "AssertionError: flap count 3 != 0", "lost <peer>")
    assert flap.trace == "def test_route_flap():\nE   AssertionError"
    assert (function.kind, function.message, function.trace) == ("error", "fixture boom", "trace")
    assert (inner.status, inner.message, inner.duration_s) == (SKIPPED, "no licence", 0.0)
    assert (up.host, up.started_at, flap.started_at) == ("tb-11", 1767888104.0, 1767888104.5)


def test_a_class_that_is_not_the_dotted_file_stays_whole():
    report = parse('<testsuite><testcase classname="FooTest" name="a" file="tests/FooTest.php"/></testsuite>')
    assert (report.cases[0].file, report.cases[0].class_name) == ("tests/FooTest.php", "FooTest")


def test_skipped_before_error_before_failure():
    report = parse("""<testsuite name="s">
      <testcase name="a"><failure message="f">1</failure><skipped/></testcase>
      <testcase name="b"><failure message="f">1</failure><error message="e">2</error></testcase>
      <testcase name="c"><failure>1</failure><failure message="second">2</failure></testcase>
      <testcase name="d"><failure/></testcase>
      <testcase name="e"><error></error></testcase>
      <testcase name="f"><warning>w</warning></testcase>
    </testsuite>""")
    assert [(case.status, case.kind) for case in report.cases] == [
        (SKIPPED, None), (FAILED, "error"), (FAILED, "failure"), (FAILED, "failure"), (FAILED, "error"), (PASSED, None),
    ]  # fmt: skip
    assert (report.cases[1].message, report.cases[1].trace) == ("e", "2\n\n1")
    assert (report.cases[2].message, report.cases[2].trace) == ("second", "1\n2")


@pytest.mark.parametrize(
    "attribute",
    [
        'status="notrun"',
        'status="disabled"',
        'status="Skipped"',
        'result="skipped"',
        'status="run" result="suppressed"',
    ],
)
def test_attributes_that_say_not_run(attribute):
    report = parse(f'<testsuite><testcase name="a" {attribute}><failure>x</failure></testcase></testsuite>')
    assert counts(report) == (1, 0, 0, 1)


def test_status_attributes_of_tests_that_ran_say_nothing():
    report = parse("""<testsuite><testcase name="a" status="run" result="completed"/>
      <testcase name="b" status="failed"/><testcase name="c" status="run"><failure/></testcase></testsuite>""")
    assert counts(report) == (3, 2, 1, 0)


def test_gtest_with_several_failures():
    report = parse("""<testsuites tests="1" failures="1" disabled="0" errors="0" timestamp="2026-01-08T16:01:44.120">
      <testsuite name="Math"><testcase name="Add" value_param="3" status="run" result="completed" time="0.01"
        timestamp="2026-01-08T16:01:45" classname="Math">
        <failure message="a.cc:1&#x0A;Expected: 1" type=""><![CDATA[a.cc:1]]></failure>
        <failure message="a.cc:2" type=""><![CDATA[a.cc:2]]></failure></testcase></testsuite></testsuites>""")
    (case,) = report.cases
    assert (case.message, case.trace, case.started_at) == ("a.cc:1\nExpected: 1", "a.cc:1\na.cc:2", 1767888105.0)


def test_class_names_by_the_rules_of_jenkins():
    report = parse("""<testsuites>
      <testsuite name="Suite"><testcase name="a"/><testcase classname="" name="b"/></testsuite>
      <testsuite><testcase name="org.x.Foo.c"/><testcase name="d"/><testcase name=""/></testsuite>
      <testsuite name="T" package="org.y"><testcase name="e" class="ignored"/></testsuite></testsuites>""")
    assert [(case.class_name, case.name, case.suite) for case in report.cases] == [
        ("Suite", "a", "Suite"), ("", "b", "Suite"),
        ("org.x.Foo", "c", ""), ("", "d", ""), ("", "(?)", ""),
        ("T", "e", "org.y.T"),
    ]  # fmt: skip


def test_nested_suites_of_phpunit():
    report = parse("""<testsuites><testsuite name="" tests="3" time="6"><testsuite name="A" tests="3" time="6">
      <testsuite name="A\\BTest" file="/w/BTest.php" tests="3" time="6">
        <testcase name="one" class="A\\BTest" classname="A.BTest" assertions="1" time="1"/>
        <testsuite name="A\\BTest::two" tests="2" time="5">
          <testcase name="two with data set #0" classname="A.BTest" time="2"/>
          <testcase name="two with data set &quot;x&quot;" classname="A.BTest" time="3"><failure>no</failure></testcase>
        </testsuite></testsuite></testsuite></testsuite></testsuites>""")
    assert counts(report) == (3, 2, 1, 0)
    assert (report.suites, report.warnings) == (2, [])
    assert {case.file for case in report.cases} == {"/w/BTest.php"}


def test_any_root_and_no_suite_at_all():
    assert counts(parse('<results><testcase name="a"/><other><testcase name="no"/></other></results>')) == (1, 1, 0, 0)
    assert counts(parse('<testsuites><testcase name="a" classname="C"/></testsuites>')) == (1, 1, 0, 0)
    assert counts(parse('<all><testsuite><testcase name="a"/></testsuite></all>')) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        '<testsuite xmlns="https://example.test/junit" name="s"><testcase name="a"/></testsuite>',
        '<j:testsuite xmlns:j="https://example.test/junit" name="s"><j:testcase name="a"/></j:testsuite>',
    ],
)
def test_namespaces(text):
    assert counts(parse(text)) == (1, 1, 0, 0)


@pytest.mark.parametrize(
    "codec",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "iso-8859-1", "windows-1252", "utf-32", "shift_jis", "gb18030"],
)
def test_encodings(codec):
    name = {"shift_jis": "テスト", "gb18030": "测试"}.get(codec, "prüfung")
    text = (
        f'<?xml version="1.0" encoding="{codec.removesuffix("-sig")}"?><testsuite><testcase name="{name}"/></testsuite>'
    )
    report = parse(text.encode(codec))
    assert (report.status, report.cases[0].name) == ("ok", name)


def test_a_declared_encoding_that_is_not_there():
    text = '<?xml version="1.0" encoding="{}"?><testsuite><testcase name="prüfung"/></testsuite>'
    for declared in ("UTF-16", "no-such-codec", "idna"):
        assert parse(text.format(declared).encode()).cases[0].name == "prüfung"


def test_utf_16_that_is_none():
    for data in (b"\xff\xfe<\x00", b"\xfe\xff\xff", b"\xff\xfe\x00\xd8<\x00", b"\xff\xfe\x00\x00\xff"):
        assert parse(data).status in ("error", "not_junit")


def test_undeclared_latin_1_is_recovered():
    report = parse('<testsuite><testcase name="prüfung"/></testsuite>'.encode("latin-1"))
    assert (report.status, report.cases[0].name) == ("recovered", "prüfung")
    assert "line 1" in report.warnings[0]


def test_a_suites_own_error_is_a_failed_test():
    report = parse("""<testsuite name="S"><error message="no database">boom</error><error>again</error>
      <failure message="no lab"/><testcase name="a"/></testsuite>""")
    init, case = report.cases
    assert (init.class_name, init.name, init.status, init.kind) == ("S", "<init>", FAILED, "error")
    assert (init.message, init.trace, case.status) == ("no database", "boom\n\nagain\n\nno lab", PASSED)
    assert report.suites == 1


def test_surefire_flaky_and_rerun_are_attempts():
    report = parse("""<testsuite name="S" tests="2">
      <testcase name="flaky" time="0.2">
        <flakyFailure message="first"><stackTrace>one</stackTrace><system-out>out one</system-out></flakyFailure>
        <flakyError message="second"><stackTrace>two</stackTrace></flakyError></testcase>
      <testcase name="broken" time="0.1"><error message="first">one</error>
        <rerunError message="second" time="0.3">two</rerunError><rerunFailure message="third">three</rerunFailure>
        <system-out>out</system-out></testcase>
    </testsuite>""")
    assert statuses(report) == [
        ("flaky", FAILED, 1, False), ("flaky", FAILED, 2, False), ("flaky", PASSED, 3, True),
        ("broken", FAILED, 1, False), ("broken", FAILED, 2, False), ("broken", FAILED, 3, True),
    ]  # fmt: skip
    one, two, passed, first, second, third = report.cases
    assert [case.message for case in report.cases] == ["first", "second", None, "first", "second", "third"]
    assert (one.trace, one.output, one.kind, two.kind) == ("one", "out one", "failure", "error")
    assert (passed.trace, passed.output, passed.duration_s) == (None, None, 0.2)
    assert (first.output, second.duration_s, third.kind) == ("out", 0.3, "error")
    assert counts(report) == (2, 1, 1, 0)
    assert (report.errors, report.warnings) == (1, [])


def test_repeated_cases_all_count():
    report = parse("""<testsuite name="pytest"><testcase name="a"><failure/></testcase><testcase name="a"/>
      <testcase name="a"><error message="teardown"/></testcase></testsuite>""")
    assert counts(report) == (3, 1, 2, 0)


def test_declared_counts_are_compared():
    assert parse('<testsuite tests="12"><testcase name="a"/></testsuite>').warnings == ["declares 12 tests, 1 was read"]
    report = parse("""<testsuites><testsuite tests="1"><testcase name="a"/></testsuite>
      <testsuite tests="3"><testcase name="b"/></testsuite></testsuites>""")
    assert report.warnings == ["declares 3 tests, 1 was read"]
    assert parse('<testsuite tests="{n}"><testcase name="a"/></testsuite>').warnings == []


def test_durations_that_cannot_be_read_are_none_and_said():
    report = parse("""<testsuite><testcase name="a" time="{duration}"/><testcase name="b" time="-1"/>
      <testcase name="c" time="1,234.5"/></testsuite>""")
    assert [case.duration_s for case in report.cases] == [None, None, 1234.5]
    assert report.warnings == ["2 unreadable durations, such as '-1'"]


def test_the_suites_time_counts_else_the_sum():
    report = parse("""<testsuites time="99"><testsuite name="a" time="5"><testcase name="x" time="1"/></testsuite>
      <testsuite name="b"><testcase name="y" time="1"/><testcase name="z" time="2"/></testsuite></testsuites>""")
    assert report.duration_s == 8.0


def test_parts_of_a_suite_are_one_unless_they_declare_counts():
    suite = '<testsuite name="s" {}><testcase name="a"/></testsuite>'
    for first, second, suites in (("", "", 1), ('id="1"', 'id="2"', 2), ('tests="1"', 'tests="1"', 2)):
        assert parse(f"<testsuites>{suite.format(first)}{suite.format(second)}</testsuites>").suites == suites


def test_a_failed_test_without_output_is_given_its_suites():
    report = parse("""<testsuite name="s"><testcase name="a"><failure/></testcase>
      <testcase name="b"><failure/><system-out>own [[ATTACHMENT|b.png]]</system-out></testcase><testcase name="c"/>
      <system-out>of the suite</system-out><system-err>and its errors</system-err></testsuite>""")
    assert [case.output for case in report.cases] == [
        "of the suiteand its errors", "own [[ATTACHMENT|b.png]]", None,
    ]  # fmt: skip


def test_long_texts_keep_head_and_tail():
    body = "H" * 100_000 + "T" * 100_000
    report = parse(
        f'<testsuite><testcase name="a"><failure message="{body}">{body}</failure><system-out>{body}</system-out>'
        "</testcase></testsuite>",
        trace_chars=1000,
        output_chars=100,
    )
    (case,) = report.cases
    assert case.trace == "H" * 500 + "\n...[199000 characters left out]...\n" + "T" * 500
    assert case.output == "H" * 50 + "\n...[199900 characters left out]...\n" + "T" * 50
    assert case.message.startswith("HHH")
    assert len(case.message) < 9000


def test_not_junit():
    for text in (
        "<html><body><p>x</p></body></html>",
        "<test-suite><test-cases><test-case/></test-cases></test-suite>",
    ):
        report = parse(text)
        assert (report.status, report.cases) == ("not_junit", [])
    assert parse("<html><br>login</html>").status == "not_junit"


@pytest.mark.parametrize("data", [b"", b"  \n", b"no xml", b"\x00\x01\x02", b'{"a": 1}'])
def test_what_cannot_be_read_at_all(data):
    report = parse(data)
    assert (report.status, report.cases) == ("error", [])
    assert len(report.warnings) == 1


@pytest.mark.parametrize("text", ["<testsuites/>", '<testsuite name="x" tests="0"></testsuite>'])
def test_an_empty_report_is_a_report(text):
    assert (parse(text).status, parse(text).tests) == ("ok", 0)


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        ('<testcase name="a" time="<<computed>>"/><testcase name="b"><failure/></testcase></testsuite>', (2, 1, 1, 0)),
        ('<testcase name="a"><failure>\x1b[31m & y < z</failure></testcase><testcase name="b"/>', (2, 1, 1, 0)),
        ('<testcase name="a"/></nonsense><testcase name="b"/></testsuite>', (2, 2, 0, 0)),
        ('<testcase name="a"><failure>x</testcase><testcase name="b"/></testsuite>', (2, 1, 1, 0)),
        ('<testcase name="a"/></testsuite><testsuite><testcase name="b"/></testsuite>', (2, 2, 0, 0)),
        ('<testcase name="a" name="b"/></testsuite>trailing', (1, 1, 0, 0)),
        ('<testcase name="a"/><testcase name="b"><failure>cut', (2, 1, 1, 0)),
        ('<testcase name="a"/><testcase name="b"><system-out>cut', (1, 1, 0, 0)),
        ('<testcase name="a"/><testcase name="b"><flakyFailure/>', (1, 1, 0, 0)),
        ('<testcase name="a"><failure>&nbsp;&undefined;</failure></testcase></testsuite>', (1, 0, 1, 0)),
    ],
)
def test_ill_formed_reports_are_recovered(broken, expected):
    report = parse("<testsuite>" + broken)
    assert (report.status, counts(report)) == ("recovered", expected)
    assert report.warnings[0].startswith("ill-formed XML in line ")


@pytest.mark.parametrize("before", ['\n\n<?xml version="1.0"?>', "Starting tests\n", "\x00"])
def test_text_before_the_report_is_skipped(before):
    report = parse(before + '<testsuite><testcase name="a"/></testsuite>')
    assert (report.status, counts(report)) == ("recovered", (1, 1, 0, 0))


# --- properties ---------------------------------------------------------------------------------------------------

characters = st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")
names = st.text(characters, min_size=1, max_size=30)
texts = st.text(characters, max_size=60)
outcomes = st.sampled_from(["passed", "failure", "error", "skipped"])


@given(st.lists(st.tuples(names, names, outcomes, texts, texts, st.floats(0, 1000).map(lambda value: round(value, 3)))))
def test_what_is_written_is_read(cases):
    body = []
    for class_name, name, outcome, message, text, time in cases:
        child = "" if outcome == "passed" else f"<{outcome} message={quoteattr(message)}>{escape(text)}</{outcome}>"
        body.append(
            f'<testcase classname={quoteattr(class_name)} name={quoteattr(name)} time="{time}">{child}</testcase>'
        )
    report = parse(f'<testsuite name="s" tests="{len(cases)}">{"".join(body)}</testsuite>')
    assert (report.status, report.warnings) == ("ok", [])
    assert len(report.cases) == len(cases)
    for case, (class_name, name, outcome, message, text, time) in zip(report.cases, cases, strict=True):
        assert (case.class_name, case.name, case.duration_s) == (class_name, name, time)
        assert case.status == {"passed": PASSED, "skipped": SKIPPED}.get(outcome, FAILED)
        if case.status == FAILED:
            assert (case.kind, case.message, case.trace) == (outcome, message, text.strip() or None)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_report(data):
    report = parse(data)
    assert report.status in ("ok", "recovered", "not_junit", "error")
    assert report.count(PASSED) + report.count(FAILED) + report.count(SKIPPED) == report.tests


_PIECES = """<testsuites>|<testsuite name='s' tests='2'>|<testsuite>|<testcase name='a'>|<testcase name='b' time='1'/>
|<failure message='m'>|<error/>|<skipped>|<system-out>|<rerunFailure>|<flakyError>|<stackTrace>|</stackTrace>
|</testsuites>|</testsuite>|</testcase>|</failure>|</skipped>|</system-out>|</rerunFailure>|</flakyError>
|text|&amp;|&x;|<|<![CDATA[|]]>|<!--|-->|\x1b|<!DOCTYPE a [<!ENTITY b 'c'>]>|<?xml?>"""
_BALANCED = """<testcase name='a' time='2'/>|<testcase name='b' status='notrun'/>
|<testcase name='c'><failure/></testcase>|<n:testcase name='d'><system-out>o</system-out></n:testcase>
|<properties><property name='go.version'/></properties>|<error message='m'>e</error>|text|<skipped/>
|<testsuite name='s' tests='2' timestamp='2025-01-01T00:00:00' hostname='h'/>"""
pieces = st.sampled_from(_PIECES.split("|"))


@given(st.lists(pieces, max_size=40))
def test_any_heap_of_junit_pieces_gives_a_consistent_report(parts):
    report = parse("".join(parts))
    assert report.count(PASSED) + report.count(FAILED) + report.count(SKIPPED) == report.tests
    assert [case.attempt for case in report.cases if case.attempt > 1] == [
        before.attempt + 1 for before, case in pairwise(report.cases) if case.attempt > 1
    ]
    for case in report.cases:
        assert (case.kind is not None) == (case.status == FAILED)


balanced = st.recursive(
    st.sampled_from(_BALANCED.split("|")),
    lambda inner: st.builds(
        "<{0}>{1}</{0}>".format,
        st.sampled_from(["testsuite", "testcase", "system-out", "failure", "rerunFailure", "properties", "x"]),
        st.lists(inner, max_size=4).map("".join),
    ),
)


@given(st.lists(balanced, max_size=12).map("".join), st.integers(1, 60))
def test_the_size_of_the_chunks_changes_nothing(inside, chunk):
    text = f"<testsuites>{inside}</testsuites>"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "CHUNK", chunk)
        in_chunks = parse(text)
    assert in_chunks == parse(text)


@given(st.integers(0, len(PYTEST_XUNIT1)))
def test_a_report_cut_anywhere_never_tells_more_than_the_whole(cut):
    whole, report = parse(PYTEST_XUNIT1), parse(PYTEST_XUNIT1[:cut])
    assert report.status in ("ok", "recovered", "error", "not_junit")
    assert (report.status == "ok") == (cut == len(PYTEST_XUNIT1))
    assert [case.name for case in report.cases] == [case.name for case in whole.cases][: len(report.cases)]
    for case, original in zip(report.cases, whole.cases, strict=False):
        assert case.status == original.status


class Trickle(io.BytesIO):
    """A stream that never has more than three bytes at once."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(3 if size is None or size < 0 else min(size, 3))


@given(text=st.text(alphabet="a<>&\"']![;ä", max_size=40))
def test_references_survive_a_forbidden_character(text: str) -> None:
    # After its first error libxml2 would drop &amp; in text, and give &#38; for it in attributes.
    attribute = escape(text, {'"': "&quot;"})
    cdata = text.replace("]]>", "]]]]><![CDATA[>")
    document = (
        f'<testsuite><testcase name="{attribute}"><failure message="m\x01">{escape(text)}</failure></testcase>'
        f'<testcase name="cdata"><failure><![CDATA[{cdata}]]></failure></testcase></testsuite>'
    )
    report = junit.parse(Trickle(document.encode()))
    plain, quoted = report.cases
    assert report.status == "recovered"
    assert plain.name == (text or "(?)")
    assert (plain.trace or "", quoted.trace or "") == (text, text)
