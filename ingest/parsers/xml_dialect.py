"""Base class of the small XML dialect parsers."""

from __future__ import annotations

from ingest.parsers.cases import Case
from ingest.parsers.text import Clip
from ingest.parsers.xml_stream import MAX_DEPTH, MAX_TEXT, RefusedXmlError, Source, local


class ElementHandler:
    """Calls `opened` and `closed` for each element, with the text of the elements that the dialect `wants`."""

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
        """Whether to collect the text of this element: by default if it is named in `texts`."""
        return tag in self.texts

    def opened(self, tag: str, attrs: dict[str, str]) -> None:
        """An element with this local name begins; it is the last one in `path`."""

    def closed(self, tag: str, text: str) -> None:
        """An element ends; `path` no longer has it. `text` is empty if it was not wanted."""

    def start(self, tag: str, attrs: dict[str, str]) -> None:
        tag = local(tag)
        self.elements += 1
        self.path.append(tag)
        if len(self.path) > MAX_DEPTH:
            raise RefusedXmlError(f"nests more than {MAX_DEPTH} elements")
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
