"""Gather the elements of a document in C, and pass them on after each chunk: many at once cost a fraction of as many
calls. Elements that were passed on are dropped: no more than a chunk is in memory, whatever the document is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol
from xml.etree.ElementTree import Element, TreeBuilder

_MARK = ""  # the tag of an element of ours: no document has it


class EventHandler(Protocol):
    """Receives what is no element that is taken whole, event by event."""

    def start(self, tag: str, attrs: dict[str, str]) -> None: ...
    def end(self, tag: str) -> None: ...
    def data(self, text: str) -> None: ...


class ElementBatches:
    """The parser calls `start`, `end` and `data`, which are functions of C.

    An element that is complete is offered to `take`. If that returns False, and for elements of which only a part has
    come, the handler receives the events, in the order of the document; `data` only while `listening`.
    """

    def __init__(self, handler: EventHandler, take: Callable[[Element], bool]) -> None:
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
            for element in waiting[-1]:
                if not take(element):
                    handler.start(element.tag, element.attrib)
                    self._pass_on_text(element.text)
                    opened.append(element)
                    waiting.append(iter(element))
                    break
                if element.tail and self.listening:
                    handler.data(element.tail)
            else:
                waiting.pop()
                if opened:
                    element = opened.pop()
                    handler.end(element.tag)
                    self._pass_on_text(element.tail)
