"""Report bytes to cases: one module per format, and `parse_file` that tells the formats apart.

Every parser takes a seekable binary stream, never raises for what it holds, and holds no more text than its limits say.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from ingest.parsers import jenkins_junit_result, jenkins_test_report, junit, order_log, robot, tap, testng, trx
from ingest.parsers.cases import Report

HEAD_BYTES = 16 << 10

_XML_KINDS = {"testng-results": "testng", "robot": "robot", "TestRun": "trx", "result": "junit_result"}
_ROOT = re.compile(
    r"(?:<\?.*?\?>|<!--.*?-->|<![^>]*>|[^<]|<(?![A-Za-z_?!]))*+<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)", re.DOTALL
)
_PACKED = {b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip"}
_TESTNG_JSON = re.compile(r'"(?:package|fail-config)"\s*:')


def parse_file(
    path: str, stream: BinaryIO, *, kind: str | None = None, number: int | None = None
) -> tuple[str, Report]:
    """(kind, report): the kind as given, or as name and content show it.

    Kinds: junit, testng, robot, trx, junit_result, test_report, testng_json, order, tap. What is none of them is given
    to the JUnit parser, which says what is wrong with it; text without a single tag is no broken report, but none,
    unless its kind was given. `number` is the build's own, for a matrix report.
    """
    stream.seek(0)
    head = stream.read(4)
    if packed := packing(head):
        return kind or "junit", Report("error", warnings=[f"a {packed} archive: what is in it is not read"])
    given, kind = kind, kind or detect(path, stream)
    stream.seek(0)
    if kind == "order":
        return kind, order_log.parse(stream, path)
    if kind == "test_report":
        return kind, jenkins_test_report.parse(stream, number=number)
    report = _PARSERS[kind](stream)
    if given is None and kind == "junit" and report.status == "error" and _is_plain_text(stream):
        return kind, Report("not_junit", warnings=["text of no known kind"])
    return kind, report


def packing(head: bytes) -> str | None:
    """What a file is packed as, by its first bytes; None where it is not packed."""
    return next((name for magic, name in _PACKED.items() if head.startswith(magic)), None)


def _is_plain_text(stream: BinaryIO) -> bool:
    """Whether a file begins as text that no XML was cut off from: it has a word, no tag, and no NUL, of which a file is
    full that was never written."""
    stream.seek(0)
    head = stream.read(HEAD_BYTES)
    return bool(head.strip()) and b"<" not in head and b"\0" not in head


_PARSERS = {
    "junit": junit.parse,
    "testng": testng.parse,
    "testng_json": testng.parse_json,
    "robot": robot.parse,
    "trx": trx.parse,
    "junit_result": jenkins_junit_result.parse,
    "tap": tap.parse,
}


def detect(path: str, stream: BinaryIO) -> str:
    """The kind of a file by its name where that is enough, else by its first bytes."""
    name = path.lower()
    if name.endswith(order_log.SUFFIX):
        return "order"
    if name.endswith(".tap"):
        return "tap"
    stream.seek(0)
    raw = stream.read(HEAD_BYTES)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")):
        raw = raw.replace(b"\0", b"")
    head = raw.decode("utf-8", "replace").lstrip("\ufeff\ufffd \t\r\n")
    if head.startswith("<"):
        root = _ROOT.match(head)
        return _XML_KINDS.get(root[1], "junit") if root else "junit"
    if head.startswith("{"):
        return "testng_json" if _TESTNG_JSON.search(head) else "test_report"
    if tap.looks_like(head):
        return "tap"
    if order_log.looks_like(head):
        return "order"
    return "junit"
