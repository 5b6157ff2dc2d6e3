"""One guarded way through untrusted XML: streamed by expat, read again leniently by libxml2 where it is ill-formed.

Nothing but the stream is ever opened, no entity is expanded, and no single token grows without bound.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import BinaryIO, Protocol, TypeVar
from xml.parsers import expat

from lxml import etree

from ingest.parsers.text import Clip
from ingest.records import Case

CHUNK = 1 << 18
# Bytes of one tag or comment: expat holds it whole, and before 2.6 scans it anew for each chunk.
MAX_TOKEN = 16 << 20
MAX_TEXT = 64 << 20  # characters of all kept text of a document; past it each text keeps little
MAX_CASES = 2_000_000
MAX_DEPTH = 10_000
MAX_NAMES = 100_000  # different names of elements and attributes: each is remembered until the end


class Handler(Protocol):
    """What a dialect supplies: plain events in, cases out. `elements` tells whether there was any element at all."""

    cases: list[Case]
    elements: int

    def start(self, tag: str, attrs: dict[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...
    def data(self, text: str) -> None: ...
    def close(self) -> None:
        """Called once after the last event, also when the document broke off."""


H = TypeVar("H", bound=Handler)


class Source:
    """The reading end as a handler sees it: `listen` turns text events on and off (expat is twice as fast without)."""

    lenient = False

    def listen(self, on: bool) -> None:
        """Until called with True, `data` gets nothing."""


class Refused(Exception):
    """The document is larger than a report may be."""


class DeclaresEntities(Exception):
    """Whose expansion could fill the memory or fetch from anywhere: the lenient reader knows no declarations."""


def local(tag: str) -> str:
    """The name without its namespace, written `{uri}name` or `prefix:name`."""
    return tag.rpartition("}")[2].rpartition(":")[2]


def read_xml(stream: BinaryIO, make: Callable[[Source], H]) -> tuple[H, str]:
    """Feeds a seekable stream to the handler that `make` builds; gives it back with the problem met ("" if none).

    An ill-formed document, or one with entities, is read twice; the handler that found more cases is given back.
    """
    first, problem, refused = _strict(stream, make)
    if not problem or refused:
        return first, problem
    second = _lenient(stream, make)
    return (first if len(first.cases) > len(second.cases) else second), problem


def verdict(problem: str, handler: Handler, *, found: bool, complete: bool) -> tuple[str, list[str]]:
    """(Report.status, warnings) after `read_xml`. `found`: it is of this dialect; `complete`: its root was closed."""
    if not problem:
        return ("ok" if found else "not_junit"), []
    if handler.cases or (found and complete):
        return "recovered", [f"{problem}; what could be read is here"]
    if handler.elements and not found:
        return "not_junit", [f"{problem}; and of no known kind"]
    return "error", [f"cannot be read: {problem}"]


class ElementHandler:
    """The ground for small dialects: `opened` and `closed` per element, with the text of those that it `wants`."""

    texts: frozenset[str] = frozenset()
    text_chars = 64 << 10

    def __init__(self, source: Source) -> None:
        self.cases: list[Case] = []
        self.elements = 0
        self.path: list[str] = []
        self.complete = False
        self._source = source
        self._clips: list[tuple[int, Clip]] = []  # with the depth of their element
        self._kept = 0

    def wants(self, tag: str, attrs: dict[str, str]) -> bool:
        """Whether the text of this element is to be collected: by default that of those named in `texts`."""
        return tag in self.texts

    def opened(self, tag: str, attrs: dict[str, str]) -> None:
        """An element of this local name begins; `path` ends with it."""

    def closed(self, tag: str, text: str) -> None:
        """It ends; `path` is without it. `text` is empty where it was not wanted."""

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        tag = local(tag)
        self.elements += 1
        self.path.append(tag)
        if len(self.path) > MAX_DEPTH:
            raise Refused(f"nests more than {MAX_DEPTH} elements")
        if self.wants(tag, attrs):
            self._clips.append((len(self.path), Clip(self.text_chars)))
            self._source.listen(True)
        self.opened(tag, attrs)

    def data(self, text: str) -> None:
        if self._clips:
            self._clips[-1][1].add(text)

    def end(self, tag: str) -> None:
        tag = local(tag)
        if self.path and self.path[-1] == tag:
            self._end(tag)

    def _end(self, tag: str) -> None:
        text = ""
        if self._clips and self._clips[-1][0] == len(self.path):
            text = str(self._clips.pop()[1]).strip()
            self._kept += len(text)
            if self._kept > MAX_TEXT:
                self.text_chars = 1 << 10
            self._source.listen(bool(self._clips))
        self.path.pop()
        self.closed(tag, text)

    def close(self) -> None:
        self.complete = not self.path
        while self.path:
            self._end(self.path[-1])


class _Expat(Source):
    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.buffer_size = 1 << 16
        self.parser.EntityDeclHandler = _refuse_entity

    def listen(self, on: bool) -> None:
        self.parser.CharacterDataHandler = self.data if on else None


def _refuse_entity(*_: object) -> None:
    raise DeclaresEntities


def _strict(stream: BinaryIO, make: Callable[[Source], H]) -> tuple[H, str, bool]:
    source = _Expat()
    parser = source.parser
    handler = make(source)
    source.data = handler.data
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    fed, problem, refused = 0, "", False
    try:
        for chunk in _chunks(stream, lenient=False):
            parser.Parse(chunk, False)
            fed += len(chunk)
            _check_size(handler, fed - parser.CurrentByteIndex)
            if len(parser.intern) > MAX_NAMES:
                raise Refused(f"has more than {MAX_NAMES} different names of elements and attributes")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        problem = f"ill-formed XML in line {error.lineno}: {expat.ErrorString(error.code)}"
    except UnicodeError as error:
        problem = f"not in its declared encoding: {error}"
    except DeclaresEntities:
        problem = "declares entities, which are never expanded"
    except Refused as error:
        problem, refused = str(error), True
    handler.close()
    return handler, problem, refused


_WRAPPER = "outermost"


class _Lenient(Source):
    lenient = True
    heard = False

    def listen(self, on: bool) -> None:
        self.heard = on


class _Pull:
    """Hands libxml2 its bytes. All of them stand within an element of ours: there no DOCTYPE means anything, so nothing
    can be declared or fetched, a second root is read like the first, and a stray closing tag ends only one wrapper."""

    def __init__(self, stream: BinaryIO, target: _Target) -> None:
        self.chunks = chain([f"<{_WRAPPER}>".encode() * 16], _chunks(stream, lenient=True))
        self.target = target

    def read(self, _size: int = -1) -> bytes:
        chunk = next(self.chunks, b"")
        self.target.waiting += len(chunk)
        _check_size(self.target.handler, self.target.waiting)
        return chunk


class _Target:
    """lxml's name for a receiver of parse events."""

    def __init__(self, handler: Handler, source: _Lenient) -> None:
        self.handler, self.source = handler, source
        self.waiting = 0  # bytes read since the last event

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        self.waiting = 0
        if tag != _WRAPPER:
            self.handler.start(tag, dict(attrs))

    def end(self, tag: str) -> None:
        self.waiting = 0
        if tag != _WRAPPER:
            self.handler.end(tag)

    def data(self, text: str) -> None:
        self.waiting = 0
        if self.source.heard:
            self.handler.data(text)

    def close(self) -> None:
        """lxml asks for it; the handler is closed by who made it."""


def _lenient(stream: BinaryIO, make: Callable[[Source], H]) -> H:
    source = _Lenient()
    handler = make(source)
    target = _Target(handler, source)
    parser = etree.XMLParser(
        target=target,
        encoding="utf-8",
        recover=True,
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=True,
    )
    with suppress(etree.LxmlError, Refused):
        etree.parse(_Pull(stream, target), parser)
    handler.close()
    return handler


def _check_size(handler: Handler, waiting: int) -> None:
    if waiting > MAX_TOKEN:
        raise Refused(f"one tag or comment is longer than {MAX_TOKEN >> 20} MB")
    if len(handler.cases) > MAX_CASES:
        raise Refused(f"holds more than {MAX_CASES} cases")


_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""")
_TEXT_CODEC = re.compile(r"(utf|iso|latin|ascii|windows|cp|ibm|gb|big5|shift|euc|koi8|mac)[\w.:-]*", re.IGNORECASE)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _codec(head: bytes) -> str:
    """Python's name of the encoding: by byte order mark, shape of the first bytes or declaration; else UTF-8."""
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    if head[:2] == b"<\0" and head[3:4] == b"\0":
        return "utf-16-le"
    if head[:3:2] == b"\0\0" and head[1:2] == b"<":
        return "utf-16-be"
    declared = _DECLARED.match(head)
    name = declared[1].decode().lower() if declared else "utf-8"
    # A document that was transcoded on its way often still declares the UTF-16 that it once had.
    if (
        name in ("utf8", "ascii", "us-ascii")
        or name.startswith(("utf-16", "utf-32"))
        or not _TEXT_CODEC.fullmatch(name)
    ):
        return "utf-8"
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "utf-8"


_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Bytes that are not UTF-8 are read as Windows' Western code page, which is what they nearly always are.
_STRAY_BYTES = {
    0xDC00 + byte: bytes([byte]).decode("cp1252", errors="ignore") or "\N{REPLACEMENT CHARACTER}"
    for byte in range(0x80, 0x100)
}


def _chunks(stream: BinaryIO, *, lenient: bool) -> Iterator[bytes]:
    """The document in UTF-8; if lenient, without the characters that may not stand in XML."""
    stream.seek(0)
    codec = _codec(stream.read(256))
    stream.seek(0)
    if codec == "utf-8" and not lenient:
        while chunk := stream.read(CHUNK):
            yield chunk
        return
    errors = "strict" if not lenient else "surrogateescape" if codec.startswith("utf-8") else "replace"
    decoder = codecs.getincrementaldecoder(codec)(errors)
    final = False
    while not final:
        chunk = stream.read(CHUNK)
        final = not chunk
        text = decoder.decode(chunk, final)
        if lenient:
            text = _FORBIDDEN.sub("", text.translate(_STRAY_BYTES))
        if text:
            yield text.encode()
