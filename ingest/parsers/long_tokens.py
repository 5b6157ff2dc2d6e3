"""Clip what an XML parser would hold whole: long attribute values and comments, before they reach it.

A failure message of some hundred megabytes in an attribute must not cost the rest of the report.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.parsers.cases import ReportStream
from ingest.parsers.encoding import utf8_chunks

KEPT = 64 << 10  # bytes of the head and of the tail; more than any text that is kept

_TAG_PART = re.compile(rb"[\"'>]")
# How each kind of markup begins, its end, and whether its content is clipped. Text is never held by the parser.
_MARKUP = (
    (b"<!--", b"-->", True),
    (b"<![CDATA[", b"]]>", False),
    (b"<?", b"?>", True),
    (b"<!", b">", False),
)
_LONGEST_START = max(len(start) for start, _, _ in _MARKUP)
_LONGEST_REFERENCE = 12  # bytes, such as &#x10FFFF;


def clipped_chunks(stream: ReportStream, *, lenient: bool) -> Iterator[bytes]:
    """As `utf8_chunks`, with the middle of each long attribute value, comment and instruction left out."""
    clipper = _Clipper()
    for chunk in utf8_chunks(stream, lenient=lenient):
        if out := clipper.feed(chunk):
            yield out
    if out := clipper.close():
        yield out


class _Clipper:
    """Follows the markup just far enough to know where attribute values and comments begin and end."""

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._rest = b""  # a start or an end of which the next chunk has the remainder
        self._in_tag = False
        self._end = b""  # of the open value, comment or section
        self._clips = False
        self._head = bytearray()
        self._tail = bytearray()
        self._left = 0  # bytes behind the head

    def feed(self, chunk: bytes, final: bool = False) -> bytes:
        data, at = self._rest + chunk, 0
        self._rest = b""
        while at < len(data):
            if self._end:
                at = self._inside(data, at, final)
            elif self._in_tag:
                at = self._tag(data, at)
            else:
                at = self._text(data, at, final)
        out, self._out = b"".join(self._out), []
        return out

    def close(self) -> bytes:
        out = self.feed(b"", final=True)
        self._finish()
        return out + b"".join(self._out)

    def _text(self, data: bytes, at: int, final: bool) -> int:
        found = data.find(b"<", at)
        if found < 0:
            self._out.append(data[at:])
            return len(data)
        self._out.append(data[at:found])
        if len(data) - found < _LONGEST_START and not final:
            self._rest = data[found:]
            return len(data)
        for start, end, clips in _MARKUP:
            if data.startswith(start, found):
                self._out.append(start)
                self._begin(end, clips)
                return found + len(start)
        self._in_tag = True
        self._out.append(b"<")
        return found + 1

    def _tag(self, data: bytes, at: int) -> int:
        found = _TAG_PART.search(data, at)
        if found is None:
            self._out.append(data[at:])
            return len(data)
        self._out.append(data[at : found.end()])
        if found[0] == b">":
            self._in_tag = False
        else:
            self._begin(found[0], clips=True)
        return found.end()

    def _begin(self, end: bytes, clips: bool) -> None:
        self._end, self._clips = end, clips

    def _inside(self, data: bytes, at: int, final: bool) -> int:
        end = data.find(self._end, at)
        if end >= 0:
            self._add(data[at:end])
            self._finish()
            self._out.append(self._end)
            at = end + len(self._end)
            self._end = b""
            return at
        cut = len(data) if final else max(len(data) - len(self._end) + 1, at)
        self._add(data[at:cut])
        self._rest = data[cut:]
        return len(data)

    def _add(self, part: bytes) -> None:
        if not self._clips:
            self._out.append(part)
            return
        if not self._left:
            self._head += part
            if len(self._head) <= KEPT:
                return
            # A character or reference that the cut would divide goes to the tail.
            safe = _safe_end(bytes(self._head[:KEPT]))
            part = bytes(self._head[safe:])
            del self._head[safe:]
        self._tail += part
        self._left += len(part)
        if len(self._tail) > 4 * KEPT:
            del self._tail[:-KEPT]

    def _finish(self) -> None:
        self._out.append(bytes(self._head))
        tail = bytes(self._tail)
        if self._left > 2 * KEPT:
            tail = tail[-KEPT:]
            tail = tail[_safe_start(tail) :]
            self._out.append(b" ...[%d bytes left out]... " % (self._left - len(tail)))
        self._out.append(tail)
        self._head.clear()
        self._tail.clear()
        self._left = 0


def _safe_end(head: bytes) -> int:
    """The longest prefix that ends with neither half a character nor half a reference."""
    end = len(head)
    for back in range(1, min(4, end) + 1):
        if head[-back] & 0xC0 != 0x80:
            end -= back if head[-back] >= 0x80 else 0
            break
    ampersand = head.rfind(b"&", max(end - _LONGEST_REFERENCE, 0), end)
    return ampersand if ampersand >= 0 and b";" not in head[ampersand:end] else end


def _safe_start(tail: bytes) -> int:
    start = 0
    while start < min(len(tail), 4) and tail[start] & 0xC0 == 0x80:
        start += 1
    semicolon = tail.find(b";", start, start + _LONGEST_REFERENCE)
    return semicolon + 1 if semicolon >= 0 and b"&" not in tail[start:semicolon] else start
