"""The query language of Jenkins' remote API: `tree=a,b[c,d]{M,N}`, and `depth=` where there is no tree.

Kept as strict and as forgiving as the original: blanks are part of a name, unknown names give nothing, bad syntax is an
error, a range cuts the array that it follows, and `_class` cannot be left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from data.model.json_values import Json, JsonObject

EVERYTHING = 2**31
# Properties shown at any depth, or only at the requested depth; all others as their bean's visibility.
VISIBILITY = {"name": 999, "url": 999, "number": 999, "color": 2, "allBuilds": -2}
# What is in these properties is shown as if it were the bean's own, at the same depth.
INLINE = {"computer", "items", "monitorData"}
_TOKEN = re.compile(r"[\[\]{},]|[^\[\]{},]+")


# Everything that can be exported: JSON values, objects, and functions that make them.
Exported: TypeAlias = "JsonLike | ExportedBean | ExportedList | Callable[[], Exported]"
JsonLike: TypeAlias = "bool | int | float | str | Sequence[Exported] | Mapping[str, Exported] | None"
Properties: TypeAlias = "dict[str, Exported]"


@dataclass(slots=True)
class ExportedBean:
    """An exported object. Values may be functions of no argument, called only when the property is requested."""

    kind: str
    properties: Properties = field(default_factory=dict)
    visibility: int = 999


@dataclass(slots=True)
class ExportedList:
    """An array of objects that are made into beans only after a range has cut it."""

    handles: Sequence
    make: Callable


class ExportedMap(dict[str, "Exported"]):
    """An object whose keys are data: a selection applies to its values."""


@dataclass(slots=True)
class TreeSelection:
    children: dict[str, TreeSelection] = field(default_factory=dict)
    start: int = 0
    stop: int = EVERYTHING

    def accept(self, name: str, visibility: int) -> TreeSelection | None:
        return self.children.get(name) or self.children.get("*")


@dataclass(slots=True)
class DepthSelection:
    """What is shown without a tree: properties of at least this visibility, one more for each level down."""

    least: int = 1
    start: int = 0
    stop: int = EVERYTHING

    def accept(self, name: str, visibility: int) -> DepthSelection | None:
        if visibility < self.least:
            return None
        return DepthSelection(self.least if name in INLINE else self.least + 1)


def parse(text: str) -> TreeSelection:
    """Raises ValueError where Jenkins raises."""
    tokens = [*_TOKEN.findall(text), ""]
    position = 0

    def peek() -> str:
        return tokens[position]

    def take(wanted: str | None = None) -> str:
        nonlocal position
        token = tokens[position]
        if wanted is not None and token != wanted:
            raise ValueError(f"expected {wanted or 'the end'!r} but found {token!r}")
        position += 1
        return token

    def number() -> int:
        token = take()
        if not re.fullmatch("[0-9]+", token):
            raise ValueError(f"expected a number but found {token!r}")
        return int(token)

    def bounds() -> tuple[int, int]:
        if peek() == ",":
            take()
            return 0, number()
        first = number()
        if peek() == "}":
            return first, first + 1
        take(",")
        return first, EVERYTHING if peek() == "}" else number()

    def names(tree: TreeSelection) -> None:
        while True:
            name = take()
            if name in {"", *"[]{},"}:
                raise ValueError(f"expected a name but found {name!r}")
            child = tree.children[name] = TreeSelection()
            if peek() == "[":
                take()
                names(child)
                take("]")
            if peek() == "{":
                take()
                child.start, child.stop = bounds()
                take("}")
            if peek() != ",":
                return
            take()

    tree = TreeSelection()
    names(tree)
    take("")
    return tree


def render(value: Exported, shown: TreeSelection | DepthSelection) -> Json:
    """The value as plain dicts and lists, cut down to what is shown."""
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, ExportedBean):
        out: JsonObject = {"_class": value.kind} if value.kind else {}
        for name, inner in value.properties.items():
            below = shown.accept(name, VISIBILITY.get(name, value.visibility))
            if below is not None:
                out[name] = render(inner() if callable(inner) else inner, below)
        return out
    if isinstance(value, ExportedMap):
        return {key: render(inner, shown) for key, inner in value.items()}
    if isinstance(value, dict):
        return render(ExportedBean("", value), shown)
    if isinstance(value, ExportedList):
        return [render(value.make(handle), shown) for handle in value.handles[shown.start : shown.stop]]
    if isinstance(value, list | tuple):
        return [render(item, shown) for item in value[shown.start : shown.stop]]
    raise TypeError(f"{type(value).__name__} cannot be exported")
