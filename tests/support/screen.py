"""A rendered screen, read by role, name and text: what a person, or a screen reader, finds on it."""

from __future__ import annotations

from collections.abc import Iterator

from lxml import html

# Elements within a line of text; all others are set apart from what is around them.
_INLINE = {"a", "b", "code", "em", "i", "mark", "small", "strong", "time", "u", "wbr"}
_ROLES = {
    "alert": "*[@role='alert' or @role='status']",
    "button": "*[self::button or @role='button' or self::input[@type='submit']]",
    "heading": "*[self::h1 or self::h2 or self::h3 or self::h4]",
    "link": "a[@href]",
    "listitem": "li",
    "option": "option",
    "row": "tr[td]",
    "table": "table",
}


class Element:
    """An element of a screen, and what is in it."""

    def __init__(self, node: html.HtmlElement) -> None:
        self._node = node

    def __repr__(self) -> str:
        return f"<{self._node.tag} {self.text!r}>"

    def __contains__(self, text: str) -> bool:
        """Whether this text can be read in it."""
        return text in self.text

    @property
    def text(self) -> str:
        """What can be read, in one line; an image reads as its name."""
        return " ".join("".join(_pieces(self._node)).split())

    @property
    def href(self) -> str:
        return self._node.get("href", "")

    @property
    def tags(self) -> set[str]:
        """The names of all elements in it."""
        return {node.tag for node in self._node.iter() if isinstance(node.tag, str)}

    def all(self, role: str, name: str = "") -> list[Element]:
        """Everything in it with this role, whose accessible name contains `name`."""
        found = [Element(node) for node in self._node.xpath(f".//{_ROLES[role]}")]
        return [element for element in found if name in element.name]

    def one(self, role: str, name: str = "") -> Element:
        """The first with this role and name. Fails with the names that there are."""
        found = self.all(role, name)
        assert found, f"no {role} {name!r}; there are {[element.name for element in self.all(role)]}"
        return found[0]

    def texts(self, role: str) -> list[str]:
        return [element.text for element in self.all(role)]

    @property
    def name(self) -> str:
        return self._node.get("aria-label") or self.text

    @property
    def rows(self) -> list[dict[str, str]]:
        """The rows of a table: column heading -> text of the cell."""
        columns = [Element(node).text for node in self._node.xpath(".//thead//th")]
        return [
            dict(zip(columns, (Element(cell).text for cell in row._node.xpath("./td|./th")), strict=False))
            for row in self.all("row")
        ]


class Screen(Element):
    """`Screen(show("run", "/runs/latest")["html"])`"""

    def __init__(self, markup: str) -> None:
        super().__init__(html.fragment_fromstring(markup, create_parent="main"))

    @property
    def title(self) -> str:
        return self.one("heading").text


def _pieces(node: html.HtmlElement) -> Iterator[str]:
    apart = "" if node.tag in _INLINE else " "
    yield apart
    if node.get("role") == "img":
        yield node.get("aria-label", "")
    yield node.text or ""
    for child in node:
        if isinstance(child.tag, str):  # a comment has a function for a tag
            yield from _pieces(child)
        yield child.tail or ""
    yield apart
