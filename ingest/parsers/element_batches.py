"""Gather the elements of a document in C, and pass them on after each chunk: many at once cost a fraction of as many
calls. Elements that were passed on are dropped: no more than a chunk is in memory, whatever the document is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol
from xml.etree.ElementTree import Element, TreeBuilder

_MARK = ""  # the tag of an element of ours: no document has it

Take = Callable[[Iterator[Element]], Element | None]


class EventHandler(Protocol):
    """Receives what is no element that is taken whole, event by event."""

    def start(self, tag: str, attrs: dict[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...
    def data(self, text: str) -> None: ...


class ElementBatches:
    """The parser calls `start`, `end` and `data`, which are functions of C.

    Elements that are complete are offered to `take`, some that follow each other at a time. It returns the first that
    it leaves, None at the end. For these, and for elements of which only a part has come, the handler receives the
    events, in the order of the document; `data` only while `listening`. The text behind what is taken goes nowhere.
    """

    def __init__(self, handler: EventHandler, take: Take) -> None:
        self.listening = False
        self._handler, self._take = handler, take
        builder = TreeBuilder()
        self.start, self.end, self.data = builder.start, builder.end, builder.data
        # The open elements, each with one child: the next of them, or a mark in the last. The first is around the root.
        self._open = [self.start(_MARK, {})]
        self._mark()

    def pass_on(self) -> None:
        """Pass on what has come since the last call."""
        mark, handler = self._mark(), self._handler
        path = [self._open[0]]
        while (inner := path[-1][-1]) is not mark:
            path.append(inner)
        kept = sum(1 for one, other in zip(self._open, path, strict=False) if one is other)
        for element in reversed(self._open[kept:]):
            self._pass_on_text(element[0].tail)
            self._pass_on_all(element[1:])
            handler.end(element.tag)
        innermost = path[kept - 1]
        self._pass_on_text(innermost[0].tail)
        self._pass_on_all(innermost[1:-1])
        del innermost[:-1]
        for element in path[kept:]:
            handler.start(element.tag, element.attrib)
            self._pass_on_text(element.text)
            self._pass_on_all(element[:-1])
            del element[:-1]
        self._open = path

    def _mark(self) -> Element:
        """An element that ends the innermost open one for now; the text that follows becomes its tail."""
        self.start(_MARK, {})
        return self.end(_MARK)

    def _pass_on_text(self, text: str | None) -> None:
        if text and self.listening:
            self._handler.data(text)

    def _pass_on_all(self, elements: Iterable[Element]) -> None:
        """Pass on complete elements, each with the text behind it. Not recursive: they may be nested deeply."""
        take, handler = self._take, self._handler
        opened: list[Element] = []
        waiting: list[Iterator[Element]] = [iter(elements)]
        while waiting:
            element = take(waiting[-1])
            if element is not None:
                handler.start(element.tag, element.attrib)
                self._pass_on_text(element.text)
                opened.append(element)
                waiting.append(iter(element))
                continue
            waiting.pop()
            if opened:
                element = opened.pop()
                handler.end(element.tag)
                self._pass_on_text(element.tail)
