"""Reports with attributes, comments and texts of any length, in every XML reader."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import encoding, long_tokens, parse_file, xml_stream
from ingest.parsers.long_tokens import clipped_chunks

BIG = "E   - x &amp; y\u00e9 &#10;"
LIMIT = 1 << 20  # here; 16 times as much in the product

JUNIT = """<testsuite tests="3" failures="2"><testcase name="a"/>
  <testcase name="b"><failure message="{big}">no</failure>
  </testcase><!-- {big} --><testcase name="c"><failure/><system-out>{big}</system-out></testcase></testsuite>"""
ROBOT = """<robot><suite name="s" source="{big}"><doc>{big}</doc><test name="a"><status status="PASS"/></test>
  <test name="b"><status status="FAIL">{big}</status></test><status status="FAIL"/></suite></robot>"""
TESTNG = """<testng-results><suite name="s"><class name="C"><test-method name="a" status="PASS" description="{big}"/>
  <test-method name="b" status="FAIL"><exception class="{big}"><message>{big}</message></exception></test-method>
  </class></suite></testng-results>"""
TRX = """<TestRun><Results><UnitTestResult testName="a" outcome="Passed" x="{big}"/><UnitTestResult testName="b"
  outcome="Failed"><Output><StdOut>{big}</StdOut></Output></UnitTestResult></Results></TestRun>"""
NUNIT = """<test-run><test-case name="a" result="Passed" fullname="{big}"/><test-case name="b" result="Failed"><failure>
  <message>{big}</message></failure></test-case></test-run>"""
XUNIT = """<assemblies><assembly name="{big}"><test name="a" result="Pass"/><test name="b" result="Fail"><failure>
  <message>{big}</message></failure></test></assembly></assemblies>"""


@pytest.mark.parametrize("text", [JUNIT, ROBOT, TESTNG, TRX, NUNIT, XUNIT])
def test_the_rest_of_the_report_is_read(text, monkeypatch):
    monkeypatch.setattr(xml_stream, "MAX_TOKEN", LIMIT)
    _, report = parse_file("r.xml", io.BytesIO(text.replace("{big}", BIG * (LIMIT // len(BIG) + 1)).encode()))
    assert report.status == "ok"
    assert [case.name for case in report.cases][:2] == ["a", "b"]
    assert [case.status for case in report.cases][:2] == ["passed", "failed"]
    for case in report.cases:
        assert len(f"{case.file}{case.class_name}{case.message}{case.trace}{case.output}") < 400_000


documents = st.lists(
    st.tuples(
        st.sampled_from(["<a b=\"%s\" c='x'>t</a>", "<a c='%s'/>", "<!--%s-->", "<![CDATA[%s<a b=']]>", "<a>%s</a>"]),
        st.lists(
            st.sampled_from(["\u00e9", "&amp;", "&#10;", "&#x1F600;", "\U0001d11e", "x", "yz ", ";", "/"]), max_size=60
        ),
    ),
    max_size=8,
)


@given(documents, st.integers(1, 40), st.integers(20, 50))
def test_clipping_changes_nothing_but_long_values(parts, chunk, kept):
    text = "".join(form % "".join(pieces) for form, pieces in parts)
    source = f"<r>{text}</r>".encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(encoding, "CHUNK", chunk)
        patch.setattr(long_tokens, "KEPT", kept)
        clipped = b"".join(clipped_chunks(io.BytesIO(source), lenient=False))
    before, after = (list(ElementTree.fromstring(data).iter()) for data in (source, clipped))
    assert [(one.tag, one.text, one.tail) for one in before] == [(one.tag, one.text, one.tail) for one in after]
    for one, other in zip(before, after, strict=True):
        for name, value in one.attrib.items():
            if other.attrib[name] != value:
                assert "bytes left out" in other.attrib[name] and len(value.encode()) > kept
