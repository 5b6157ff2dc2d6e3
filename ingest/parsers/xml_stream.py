"""One guarded way through untrusted XML: streamed by expat, read again leniently by libxml2 where it is ill-formed.

Nothing but the stream is ever opened, no entity is expanded, and no single token grows without bound.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from typing import BinaryIO, Protocol, TypeVar
from xml.parsers import expat

from lxml import etree

from ingest.parsers.cases import Case
from ingest.parsers.encoding import utf8_chunks

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


class RefusedXmlError(Exception):
    """The document is larger than a report may be."""


class DeclaresEntities(Exception):
    """Whose expansion could fill the memory or fetch from anywhere: the lenient reader knows no declarations."""


@lru_cache(4096)
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


class _Expat(Source):
    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.buffer_size = 1 << 16
        self.parser.EntityDeclHandler = _refuse_entity

    def listen(self, on: bool) -> None:
        self.parser.CharacterDataHandler = self.data if on else None

    def let_go(self) -> None:
        """Ends the cycle of parser and handler: with it the cases of every file would wait for Python's collector."""
        self.parser.StartElementHandler = self.parser.EndElementHandler = self.parser.CharacterDataHandler = None
        del self.data


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
        for chunk in utf8_chunks(stream, lenient=False):
            parser.Parse(chunk, False)
            fed += len(chunk)
            _check_size(handler, fed - parser.CurrentByteIndex)
            if len(parser.intern) > MAX_NAMES:
                raise RefusedXmlError(f"has more than {MAX_NAMES} different names of elements and attributes")
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        problem = f"ill-formed XML in line {error.lineno}: {expat.ErrorString(error.code)}"
    except UnicodeError as error:
        problem = f"not in its declared encoding: {error}"
    except DeclaresEntities:
        problem = "declares entities, which are never expanded"
    except RefusedXmlError as error:
        problem, refused = str(error), True
    handler.close()
    source.let_go()
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
        self.chunks = chain([f"<{_WRAPPER}>".encode() * 16], utf8_chunks(stream, lenient=True))
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
    with suppress(etree.LxmlError, RefusedXmlError):
        etree.parse(_Pull(stream, target), parser)
    handler.close()
    return handler


def _check_size(handler: Handler, waiting: int) -> None:
    if waiting > MAX_TOKEN:
        raise RefusedXmlError(f"one tag or comment is longer than {MAX_TOKEN >> 20} MB")
    if len(handler.cases) > MAX_CASES:
        raise RefusedXmlError(f"holds more than {MAX_CASES} cases")
