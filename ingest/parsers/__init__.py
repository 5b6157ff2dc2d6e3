"""Parsers of reports: one module per format, and `parse_file`, which detects the format.

Every parser takes a seekable binary stream, never raises whatever the content is, and limits the text that it keeps.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ingest.parsers import (
    cucumber,
    go_test,
    jenkins_junit_result,
    jenkins_test_report,
    junit,
    nunit,
    order_log,
    robot,
    tap,
    testng,
    trx,
    unread,
    xunit,
)
from ingest.parsers.agent_paths import compile_roots
from ingest.parsers.cases import Report, ReportStream
from ingest.parsers.identity import normalize_report

HEAD_BYTES = 16 << 10

_XML_KINDS = {
    "testng-results": "testng",
    "robot": "robot",
    "TestRun": "trx",
    "result": "junit_result",
    "test-run": "nunit",
    "assemblies": "xunit",
    "assembly": "xunit",
}
_ROOT = re.compile(
    r"(?:<\?.*?\?>|<!--.*?-->|<![^>]*>|[^<]|<(?![A-Za-z_?!]))*+<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)", re.DOTALL
)
_PACKED = {b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip"}
_TESTNG_JSON = re.compile(r'"(?:package|fail-config)"\s*:')


def parse_file(
    path: str,
    stream: ReportStream,
    *,
    kind: str | None = None,
    number: int | None = None,
    roots: Sequence[str] = (),
) -> tuple[str, Report]:
    """(kind, report), with the names of its cases normalized (see `identity`). Without `kind` it is detected by name
    and content.

    Kinds: junit, testng, robot, trx, nunit, xunit, junit_result, test_report, testng_json, cucumber, go_test, order,
    tap. Unknown content is parsed as JUnit, which reports what is wrong; but text without any tag is `not_junit` unless
    its kind was given. The report of a file that is of no kind says what it looks like. `number` is the number of the
    build, for a matrix report; `roots` are folders of agents.
    """
    kind, report = _parse(path, stream, kind, number)
    normalize_report(report, compile_roots(tuple(roots)), prints_times=kind == "tap")
    return kind, report


def _parse(path: str, stream: ReportStream, kind: str | None, number: int | None) -> tuple[str, Report]:
    stream.seek(0)
    head = stream.read(4)
    if packed := packing(head):
        return kind or "junit", Report("error", warnings=[f"a {packed} archive, which is not unpacked"])
    detected = kind is None
    kind = kind or detect(path, stream)
    stream.seek(0)
    if kind == "order":
        return kind, order_log.parse(stream, path)
    if kind == "tap":
        report = tap.parse(stream, path)
    elif kind == "test_report":
        report = jenkins_test_report.parse(stream, number=number)
    else:
        report = _PARSERS[kind](stream)
    if detected and kind == "junit" and report.status == "error" and _is_plain_text(stream):
        report = Report("not_junit")
    if report.status == "not_junit" or (detected and report.status == "error"):
        text = _head(stream)
        root = _ROOT.match(text)
        is_report, name = unread.describe(text, root[1] if root and text.startswith("<") else "")
        if is_report or report.status == "not_junit":
            problems = report.warnings if report.status == "not_junit" else []
            report = Report("not_junit", warnings=[*problems, f"not read: {name}"], unread=is_report)
    return kind, report


def packing(head: bytes) -> str | None:
    """The archive format of a file by its first bytes; None if it is not an archive."""
    return next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)


def _is_plain_text(stream: ReportStream) -> bool:
    """Whether a file begins as text, and not as damaged XML: it has words, no tag, and no NUL (a file that was never
    written is full of NULs)."""
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    return bool(head.strip()) and b"<" not in head and b"\0" not in head


_PARSERS = {
    "junit": junit.parse,
    "testng": testng.parse,
    "testng_json": testng.parse_json,
    "robot": robot.parse,
    "trx": trx.parse,
    "nunit": nunit.parse,
    "xunit": xunit.parse,
    "cucumber": cucumber.parse,
    "go_test": go_test.parse,
    "junit_result": jenkins_junit_result.parse,
}


def detect(path: str, stream: ReportStream) -> str:
    """The kind of a file by its name if that is sufficient, else by its first bytes."""
    name = path.lower()
    if name.endswith(order_log.SUFFIX):
        return "order"
    if name.endswith(".tap"):
        return "tap"
    head = _head(stream)
    if head.startswith("<"):
        root = _ROOT.match(head)
        return _XML_KINDS.get(root[1], "junit") if root else "junit"
    if go_test.looks_like(head):
        return "go_test"
    if head.startswith("{"):
        return "testng_json" if _TESTNG_JSON.search(head) else "test_report"
    if cucumber.looks_like(head):
        return "cucumber"
    if tap.looks_like(head):
        return "tap"
    if order_log.looks_like(head):
        return "order"
    return "junit"


def _head(stream: ReportStream) -> str:
    """The first characters of a file, without what may precede them."""
    stream.seek(0)
    raw = stream.read(HEAD_BYTES)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")):
        raw = raw.replace(b"\0", b"")
    return raw.decode("utf-8", "replace").lstrip("\ufeff\ufffd \t\r\n")
