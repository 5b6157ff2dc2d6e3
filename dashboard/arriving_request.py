"""A request while it arrives: its bytes, whether it is complete, and the time left for the rest.

Only what says where the request ends is read here (RFC 9112, section 6); gunicorn parses and judges it when it is
whole.
"""

from __future__ import annotations

import re
import tempfile
from io import BytesIO
from time import monotonic
from typing import IO

# The times that a client has. Documented in docs/api.md.
SILENT_S = 30.0  # for the first byte, and between two parts of a body
HEAD_S = 15.0  # from the first byte to the end of the header fields
BODY_S = 60.0  # for a body, and one second more for each kilobyte that has arrived
SLOWEST = 1024  # bytes per second
LONGEST_HEAD = 128 << 10  # bytes; a longer one is parsed as it is, and refused
IN_MEMORY = 256 << 10  # bytes; a larger request waits on disk

_BODY_FIELDS = (b"\ncontent-length", b"\ntransfer-encoding", b"\nexpect")
_END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d{1,18})[ \t]*\r?$")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding:.*\bchunked[ \t]*\r?$")
_EXPECT = re.compile(rb"(?im)^expect:[^\r\n]*100-continue[^\r\n]*\r\n")


class ArrivingRequest:
    """One request of a connection. `longest_body` is the size from which a body is refused without being awaited."""

    def __init__(self, longest_body: int) -> None:
        self._longest_body = longest_body
        self._head = bytearray()
        self._body: IO[bytes] | None = None  # head and body
        self._received = 0
        self._size: int | None = None  # of head and body; None while unknown
        self._chunks: _ChunkScanner | None = None
        self._began = self._changed = monotonic()
        self.is_whole = False  # nothing more is awaited
        self.is_complete = True  # False: its rest is not awaited, as it will be refused; the connection cannot go on
        self.wants_continue = False  # the client waits for "100 Continue" before it sends the body

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self._received

    @property
    def target(self) -> bytes:
        """The path and query that the request names; empty until its first line has arrived."""
        words = self._head.partition(b"\r\n")[0].split(b" ")
        return bytes(words[1]) if len(words) == 3 else b""

    def feed(self, data: bytes) -> None:
        """Add what has arrived. What follows the request is kept with it: a client may send the next one already."""
        now = monotonic()
        if not self._received:
            self._began = now
        self._changed = now
        self._received += len(data)
        if self._body is None:
            at = max(len(self._head) - len(_END_OF_HEAD), 0)
            self._head += data
            end = self._head.find(_END_OF_HEAD, at)
            if end < 0:
                self.is_whole = len(self._head) > LONGEST_HEAD
                self.is_complete = not self.is_whole
                return
            self._read_head(end + len(_END_OF_HEAD))
        else:
            self._body.write(data)
            if self._chunks is not None:
                self._scan(self._chunks, data)
            else:
                self.is_whole = self._size is not None and self._received >= self._size

    def _read_head(self, end: int) -> None:
        lower = self._head[:end].lower()
        if not any(field in lower for field in _BODY_FIELDS):  # most requests: without a body
            self._body, self._size, self.is_whole = BytesIO(self._head), end, True
            return
        head, rest = bytes(self._head[:end]), bytes(self._head[end:])
        if expected := _EXPECT.search(head):
            head = head[: expected.start()] + head[expected.end() :]
        length = _LENGTH.search(head)
        self._body = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 (closed with the request)
        self._body.write(head + rest)
        self._received = len(head) + len(rest)
        if _CHUNKED.search(head):
            self._chunks = _ChunkScanner(self._longest_body)
            self._scan(self._chunks, rest)
        else:
            size = int(length[1]) if length else 0
            self._size = len(head) + size
            self.is_complete = size <= self._longest_body
            self.is_whole = len(rest) >= size or not self.is_complete
        self.wants_continue = bool(expected) and not self.is_whole
        self._began = monotonic()

    def _scan(self, chunks: _ChunkScanner, data: bytes) -> None:
        self.is_whole = chunks.feed(data)
        self.is_complete = not chunks.is_refused

    def deadline(self) -> float:
        """When the connection is cut, on the monotonic clock, unless more arrives."""
        if not self._received:
            return self._began + SILENT_S
        if self._body is None:
            return self._began + HEAD_S
        return min(self._changed + SILENT_S, self._began + BODY_S + self._received / SLOWEST)

    def opened(self) -> IO[bytes]:
        """The bytes of the request, to be read."""
        if self._body is None:
            self._body = BytesIO(self._head)
        self._body.seek(0)
        return self._body

    def close(self) -> None:
        if self._body is not None:
            self._body.close()


class _ChunkScanner:
    """Finds the end of a chunked body. A malformed or too long one ends at once and `is_refused`."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._skip = 0  # bytes of the current chunk, with its line end, that are still to come
        self._line = b""
        self._in_trailer = False
        self._total = 0
        self.is_refused = False

    def feed(self, data: bytes) -> bool:
        """Whether the body has ended."""
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip, at = self._skip - step, at + step
                continue
            end = data.find(b"\n", at)
            self._line += data[at : len(data) if end < 0 else end + 1]
            if end < 0:
                self.is_refused = len(self._line) > LONGEST_HEAD
                return self.is_refused
            at = end + 1
            line, self._line = self._line.strip(), b""
            if self._in_trailer:
                if not line:
                    return True
                continue
            size = _chunk_size(line)
            if size is None or self._total + size > self._longest:
                self.is_refused = True
                return True
            self._total += size
            if size:
                self._skip = size + 2
            else:
                self._in_trailer = True
        return False


def _chunk_size(line: bytes) -> int | None:
    digits = line.partition(b";")[0].strip()
    return int(digits, 16) if re.fullmatch(rb"[0-9A-Fa-f]{1,15}", digits) else None
