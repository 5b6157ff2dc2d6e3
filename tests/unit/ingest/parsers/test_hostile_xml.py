"""XML that means harm: nothing is expanded, fetched or held."""

from __future__ import annotations

import io
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from support.paths import ROOT

from ingest.parsers import jenkins_junit_result, junit, robot, testng, trx, xml_stream
from ingest.parsers.cases import Report
from ingest.parsers.xml_stream import MAX_DEPTH

pytestmark = pytest.mark.slow


def parse(text: str | bytes) -> Report:
    return junit.parse(io.BytesIO(text.encode() if isinstance(text, str) else text))


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
BOMB = f'<!DOCTYPE t [<!ENTITY l0 "lol">{LAUGHS}]>'


ROBOT = "<robot><suite name='s'><test name='a'><status status='FAIL'>&l11;</status></test></suite></robot>"
TESTNG = "<testng-results><class name='c'><test-method name='a' status='FAIL'/></class>&l11;</testng-results>"
TRX = "<TestRun><Results><UnitTestResult testName='a' outcome='Failed'/></Results>&l11;</TestRun>"
CASE = "<case><testName>a</testName><errorDetails>&l11;</errorDetails></case>"
KEPT = f"<result><suites><suite>{CASE}</suite></suites></result>"
JUNIT = "<testsuite><testcase name='a' time='&l11;'><failure message='&l11;'>&l11;</failure></testcase></testsuite>"


@pytest.mark.parametrize(
    ("reader", "text"),
    [
        (junit.parse, JUNIT),
        (testng.parse, TESTNG),
        (robot.parse, ROBOT),
        (trx.parse, TRX),
        (jenkins_junit_result.parse, KEPT),
    ],
)
def test_no_reader_expands_entities(reader, text):
    for before in ("<?xml version='1.0'?>", "\n<?xml version='1.0'?>"):
        report = reader(io.BytesIO((before + BOMB + text).encode()))
        assert [(case.name, case.status) for case in report.cases] == [("a", "failed")]
        assert report.status == "recovered"
        assert "lol" not in repr(report.cases)
    assert "entities" in reader(io.BytesIO((BOMB + text).encode())).warnings[0]


def test_a_harmless_doctype_is_no_hindrance():
    report = parse('<!DOCTYPE testsuite SYSTEM "http://127.0.0.1:9/x.dtd"><testsuite><testcase name="a"/></testsuite>')
    assert (report.status, report.tests) == ("ok", 1)


def test_nothing_outside_is_read_or_fetched(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the-secret")
    requested: list[str] = []

    class Trap(BaseHTTPRequestHandler):
        def do_GET(self):
            requested.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<!ENTITY stolen 'the-secret'>")

        def log_message(self, *_):
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Trap)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        web = f"http://127.0.0.1:{server.server_port}/x"
        body = "<testsuite><testcase name='a'><failure>&x;&stolen;</failure></testcase></testsuite>"
        for doctype in (
            f"<!DOCTYPE t [<!ENTITY x SYSTEM '{secret.as_uri()}'>]>",
            f"<!DOCTYPE t [<!ENTITY x SYSTEM '{web}'>]>",
            f"<!DOCTYPE t [<!ENTITY % p SYSTEM '{web}'> %p;]>",
            f"<!DOCTYPE t SYSTEM '{web}'>",
            f"<!DOCTYPE t PUBLIC 'x' '{secret.as_uri()}'>",
        ):
            xinclude = f"<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='{web}'/>"
            late = f"\n\n<?xml version='1.0'?>{doctype}{body}"
            for text in (doctype + body, late, doctype + body + "<", xinclude + body):
                assert "the-secret" not in repr(parse(text))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert requested == []


def test_nesting_ends_somewhere():
    deep = MAX_DEPTH + 10
    report = parse("<testsuite><testcase name='a'/>" + "<a>" * deep + "</a>" * deep + "</testsuite>")
    assert (report.status, report.tests) == ("recovered", 1)
    assert "nests" in report.warnings[0]
    assert parse("<testsuite>" * 300 + "<testcase name='a'/>" + "</testsuite>" * 300).status == "ok"


LIMIT = 1 << 20  # of a token, here; 16 times as much in the product


@pytest.mark.parametrize("size", [LIMIT - (1 << 18), LIMIT + (1 << 19)])
def test_a_long_attribute_is_clipped(size, monkeypatch):
    monkeypatch.setattr(xml_stream, "MAX_TOKEN", LIMIT)
    report = parse(b"<testsuite><testcase name='a'/><testcase name='" + b"x" * size + b"'/></testsuite>")
    assert (report.status, report.tests) == ("ok", 2)
    assert len(report.cases[1].name) < 5000


def test_one_tag_cannot_grow_without_end(monkeypatch):
    monkeypatch.setattr(xml_stream, "MAX_TOKEN", LIMIT)
    attributes = b"".join(b" a%d='%s'" % (number, b"x" * 60_000) for number in range(30))
    report = parse(b"<testsuite><testcase name='a'/><testcase name='b'" + attributes + b"/></testsuite>")
    assert (report.status, report.tests) == ("recovered", 1)
    assert "longer than" in report.warnings[0]


def test_names_of_elements_cannot_fill_the_memory(monkeypatch):
    monkeypatch.setattr(xml_stream, "MAX_NAMES", 10_000)
    report = parse("<testsuite><testcase name='a'/>" + "".join(f"<n{n}/>" for n in range(15_000)) + "</testsuite>")
    assert (report.status, report.tests) == ("recovered", 1)


def test_a_test_with_endless_attempts_keeps_some():
    report = parse("<testsuite><testcase name='a'>" + "<flakyFailure/>" * 5000 + "</testcase></testsuite>")
    assert (report.tests, len(report.cases)) == (1, 1001)


def test_all_texts_of_a_report_together_are_bounded(monkeypatch):
    monkeypatch.setattr(junit, "MAX_TEXT", 4 << 20)
    failure = f"<testcase name='a'><failure>{'x' * 60_000}</failure></testcase>"
    report = parse(f"<testsuite>{failure * 200}</testsuite>")
    assert report.tests == 200
    assert sum(len(case.trace) for case in report.cases) < 4_500_000
    assert all(len(case.trace) > 1000 for case in report.cases)


# Streams of 72 MB that are never held, in a process that may not hold one.
STREAMS = """
    import io, resource, sys
    from ingest.parsers import junit

    pages = int(open("/proc/self/statm").read().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (48 << 20),) * 2)

    class Endless(io.RawIOBase):
        def __init__(self, head, amp, tail):
            block = b"log line & more\\n".replace(b"&", amp) * 65536
            self.parts = [(1, head), ((72 << 20) // len(block), block), (1, tail)]
            self.seek(0)

        def seek(self, offset, whence=0):
            assert offset == whence == 0
            self.waiting = (block for count, block in self.parts for _ in range(count))
            self.rest = b""

        def read(self, size):
            if not self.rest:
                self.rest = next(self.waiting, b"")
            out, self.rest = self.rest[:size], self.rest[size:]
            return out

    for head, amp, tail in {documents!r}:
        report = junit.parse(Endless(head, amp, tail))
        case = report.cases[0]
        print(report.status, report.tests, case.status, len(case.trace or ""), len(case.output or ""))
"""
HEAD = b"<testsuite><testcase name='a'><failure>f</failure><system-out>"
TAIL = b"</system-out></testcase><testcase name='b'/></testsuite>"
DOCUMENTS = {
    (HEAD, b"&amp;", TAIL): "ok",
    (HEAD.replace(b"out>", b"out><![CDATA["), b"&", TAIL.replace(b"</system", b"]]></system", 1)): "ok",
    (HEAD, b"&", TAIL): "recovered",
}


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="limits of the address space hold on Linux")
def test_long_output_never_sits_in_memory():
    code = textwrap.dedent(STREAMS).format(documents=list(DOCUMENTS))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stderr == ""
    for line, status in zip(done.stdout.splitlines(), DOCUMENTS.values(), strict=True):
        reason, tests, outcome, trace, output = line.split()
        assert (reason, tests, outcome, trace) == (status, "2", "failed", "1")
        assert 32_000 < int(output) < 34_000
