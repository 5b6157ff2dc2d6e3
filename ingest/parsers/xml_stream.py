"""Parse untrusted XML as a stream: with expat, and again leniently with libxml2 if it is ill-formed.

Nothing but the stream is opened, no entity is expanded, and the size of a token is limited.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol, TypeVar
from xml.parsers import expat

from lxml import etree

from ingest.parsers.allowance import check_cases
from ingest.parsers.cases import Case, ReportStream
from ingest.parsers.element_batches import ElementBatches, Take
from ingest.parsers.encoding import utf8_chunks
from ingest.parsers.long_tokens import clipped_chunks

# Bytes of one tag or comment: expat holds it whole, and before 2.6 scans it again for each chunk. In a document with a
# longer one, long attributes and comments are clipped before they are parsed.
MAX_TOKEN = 16 << 20
MAX_TEXT = 64 << 20  # characters of kept text per document; beyond it each text keeps little
MAX_CASES = 2_000_000
MAX_DEPTH = 100_000
MAX_NAMES = 100_000  # different names of elements and attributes, which are held until the end


class Handler(Protocol):
    """The part of a dialect: receives events, collects cases. `elements`: how many elements it has seen."""

    cases: list[Case]
    elements: int

    def start(self, tag: str, attrs: dict[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...
    def data(self, text: str) -> None: ...
    def close(self) -> None:
        """Called once after the last event, also if the document is cut short."""


H = TypeVar("H", bound=Handler)


class Chunks(Protocol):
    """How a document is read, chunk by chunk in UTF-8: `utf8_chunks` or `clipped_chunks`."""

    def __call__(self, stream: ReportStream, *, lenient: bool) -> Iterator[bytes]: ...


class Source:
    """The parser as a handler sees it: `listen` turns text events on and off (expat is twice as fast without them)."""

    lenient = False

    def listen(self, on: bool) -> None:
        """Whether `data` is called from now on; initially it is not."""

    def gather(self, take: Take) -> None:
        """Offer complete elements to `take`, as `ElementBatches` does; a lenient parser has only events.

        Called by the handler's constructor.
        """


class RefusedXmlError(Exception):
    """The document is larger than a report may be."""


class LongTokenError(RefusedXmlError):
    """One tag or comment is too long."""


class EntityDeclaredError(Exception):
    """The document declares entities, which could fill memory or fetch files. The lenient parser ignores them."""


@lru_cache(4096)
def local(tag: str) -> str:
    """The name without its namespace, written `{uri}name` or `prefix:name`."""
    return tag.rpartition("}")[2].rpartition(":")[2]


def read_xml(stream: ReportStream, make: Callable[[Source], H]) -> tuple[H, str]:
    """Parse a stream with the handler that `make` builds. Returns the handler and the problem found, "" if none.

    An ill-formed document, or one with entities, is parsed twice; the handler that found more cases is returned.
    """
    read: Chunks = utf8_chunks
    first, problem, refused = _strict(stream, make, read)
    if isinstance(refused, LongTokenError):
        read = clipped_chunks
        first, problem, refused = _strict(stream, make, read)
    if not problem or refused:
        return first, problem
    second = _lenient(stream, make, read)
    return (first if len(first.cases) > len(second.cases) else second), problem


def read_status(problem: str, handler: Handler, *, found: bool, complete: bool) -> tuple[str, list[str], bool]:
    """(Report.status, warnings, Report.is_cut) after `read_xml`. `found`: it is of this dialect; `complete`: its root
    was closed."""
    if not problem:
        return ("ok" if found else "not_junit"), [], False
    if handler.cases or (found and complete):
        return "recovered", [f"{problem}; the readable part was kept"], not complete
    if handler.elements and not found:
        return "not_junit", [f"{problem}; and not of a known kind"], False
    return "error", [f"cannot be read: {problem}"], True


class _Expat(Source):
    def __init__(self) -> None:
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.buffer_size = 1 << 16
        self.parser.EntityDeclHandler = _refuse_entity
        self._take: Take | None = None
        self._batches: ElementBatches | None = None
        self._data: Callable[[str], None] | None = None

    def gather(self, take: Take) -> None:
        self._take = take

    def connect(self, handler: Handler) -> None:
        receiver: Handler | ElementBatches = handler
        if self._take is not None:
            receiver = self._batches = ElementBatches(handler, self._take)
            self.parser.CharacterDataHandler = receiver.data
        self._data = receiver.data
        self.parser.StartElementHandler, self.parser.EndElementHandler = receiver.start, receiver.end

    def listen(self, on: bool) -> None:
        if self._batches is not None:
            self._batches.listening = on
        else:
            self.parser.CharacterDataHandler = self._data if on else None

    def feed(self, chunk: bytes, final: bool = False) -> None:
        """Parse a chunk. What the handler raises about what comes before an error is raised in its place."""
        try:
            self.parser.Parse(chunk, final)
        finally:
            if self._batches is not None:
                self._batches.pass_on()

    def release(self) -> None:
        """Break the reference cycle of parser and handler, which would keep all cases until a garbage collection."""
        self.parser.StartElementHandler = self.parser.EndElementHandler = self.parser.CharacterDataHandler = None
        self._take = self._batches = self._data = None


def _refuse_entity(*_: object) -> None:
    raise EntityDeclaredError


def _strict(stream: ReportStream, make: Callable[[Source], H], read: Chunks) -> tuple[H, str, RefusedXmlError | None]:
    source = _Expat()
    parser = source.parser
    handler = make(source)
    source.connect(handler)
    fed, problem = 0, ""
    refused: RefusedXmlError | None = None
    try:
        for chunk in read(stream, lenient=False):
            source.feed(chunk)
            fed += len(chunk)
            _check_size(handler, fed - parser.CurrentByteIndex)
            if len(parser.intern) > MAX_NAMES:
                raise RefusedXmlError(f"has more than {MAX_NAMES} different names of elements and attributes")
        source.feed(b"", True)
    except expat.ExpatError as error:
        problem = f"ill-formed XML in line {error.lineno}: {expat.ErrorString(error.code)}"
    except UnicodeError as error:
        problem = f"not in its declared encoding: {error}"
    except EntityDeclaredError:
        problem = "declares entities, which are never expanded"
    except RefusedXmlError as error:
        problem, refused = str(error), error
    handler.close()
    source.release()
    return handler, problem, refused


_WRAPPER = "outermost"


class _Lenient(Source):
    lenient = True
    listening = False

    def listen(self, on: bool) -> None:
        self.listening = on


class _Pull:
    """The bytes for libxml2, wrapped in elements of ours. Inside them a DOCTYPE has no meaning, so nothing can be
    declared or fetched, a second root is read like the first, and a stray closing tag closes only one wrapper."""

    def __init__(self, chunks: Iterator[bytes], target: _Target) -> None:
        self.chunks = chain([f"<{_WRAPPER}>".encode() * 16], _with_numbered_references(chunks))
        self.target = target

    def read(self, _size: int = -1) -> bytes:
        chunk = next(self.chunks, b"")
        self.target.waiting += len(chunk)
        _check_size(self.target.handler, self.target.waiting)
        return chunk


_REFERENCE = re.compile(rb"&(amp|lt|gt|quot|apos);")
_NUMBERS = {b"amp": b"&#38;", b"lt": b"&#60;", b"gt": b"&#62;", b"quot": b"&#34;", b"apos": b"&#39;"}
_CDATA, _CDATA_END = b"<![CDATA[", b"]]>"
_TOKEN_START = re.compile(rb"[<&\]]")


def _with_numbered_references(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The document with `&#38;` for `&amp;` and so on, except in CDATA: after its first error libxml2 drops all
    references in text but the numbered ones."""
    data, in_cdata = b"", False
    for chunk in chain(chunks, [b""]):
        data += chunk
        # A token that may go on in the next chunk waits for it.
        held = _TOKEN_START.search(data, max(len(data) - len(_CDATA) + 1, 0)) if chunk else None
        data, waiting = (data[: held.start()], data[held.start() :]) if held else (data, b"")
        done = []
        while data:
            text, mark, data = data.partition(_CDATA_END if in_cdata else _CDATA)
            done += [text if in_cdata else _REFERENCE.sub(lambda found: _NUMBERS[found[1]], text), mark]
            in_cdata ^= bool(mark)
        data = waiting
        if done:
            yield b"".join(done)


class _Target:
    """Receives the parse events of lxml."""

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
        if self.source.listening:
            self.handler.data(text)

    def close(self) -> None:
        """Required by lxml; `_lenient` closes the handler."""


def _lenient(stream: ReportStream, make: Callable[[Source], H], read: Chunks) -> H:
    source = _Lenient()
    handler = make(source)
    target = _Target(handler, source)
    receiver: Any = target  # lxml's types also want handlers of bytes and comments, which it never calls
    pull: Any = _Pull(read(stream, lenient=True), target)  # lxml only calls `read`
    parser = etree.XMLParser(
        target=receiver,
        encoding="utf-8",
        recover=True,
        resolve_entities=True,  # none can be declared here; with False, an & in attributes would come as &#38;
        no_network=True,
        load_dtd=False,
        huge_tree=True,
    )
    with suppress(etree.LxmlError, RefusedXmlError):
        etree.parse(pull, parser)
    handler.close()
    return handler


def _check_size(handler: Handler, waiting: int) -> None:
    if waiting > MAX_TOKEN:
        raise LongTokenError(f"one tag or comment is longer than {MAX_TOKEN >> 20} MB")
    check_cases(len(handler.cases))
    if len(handler.cases) > MAX_CASES:
        raise RefusedXmlError(f"has more than {MAX_CASES} cases")
