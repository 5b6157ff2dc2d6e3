"""A rendered screen, read by role, name and text: what a person, or a screen reader, finds on it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import html

# Elements within a line of text; all others are set apart from what is around them.
_INLINE = {"a", "b", "code", "em", "i", "mark", "small", "strong", "time", "u", "wbr"}
_ROLES = {
    "alert": "*[@role='alert' or @role='status']",
    "article": "article",
    "button": "*[self::button or @role='button' or self::input[@type='submit']]",
    "checkbox": "input[@type='checkbox']",
    "columnheader": "th[@scope='col']",
    "combobox": "select",
    "group": "*[self::details or self::optgroup or @role='group']",
    "heading": "*[self::h1 or self::h2 or self::h3 or self::h4]",
    "link": "a[@href]",
    "listitem": "li",
    "log": "pre[@aria-label]",
    "mark": "mark",
    "navigation": "nav",
    "option": "option",
    "progressbar": "*[@role='progressbar']",
    "region": "*[@role='region' or self::section[@aria-label]]",
    "row": "tr[td]",
    "summary": "summary",
    "table": "table",
    "time": "time",
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
    def value(self) -> str:
        """The value of an option, the moment of a time, or how far a progressbar is."""
        node = self._node
        return node.get("value") or node.get("datetime") or node.get("aria-valuenow") or ""

    @property
    def words(self) -> list[str]:
        return self.text.split()

    @property
    def is_checked(self) -> bool:
        return self._node.get("checked") is not None

    @property
    def is_current(self) -> bool:
        return self._node.get("aria-current") is not None

    @property
    def selected(self) -> Element:
        """The option that a combobox shows."""
        options = self.all("option")
        return next((option for option in options if option._node.get("selected") is not None), options[0])

    @property
    def tooltips(self) -> list[str]:
        """What can be read on hover, in it and in everything in it."""
        return [" ".join(title.split()) for title in self._node.xpath(".//@title")]

    @property
    def widths(self) -> list[float]:
        """How long its bars are drawn, in percent."""
        found = (re.search(r"width: *([\d.]+)%", style) for style in self._node.xpath(".//@style"))
        return [float(width[1]) for width in found if width]

    @property
    def states(self) -> list[str]:
        """The states that it shows of itself and of what is in it, such as "failing"."""
        return [Element(node).text for node in self._node.xpath(".//span[contains(@class, 'state s-')]")]

    @property
    def anchors(self) -> set[str]:
        """Where a link with # can lead."""
        return set(self._node.xpath(".//@id"))

    @property
    def facts(self) -> dict[str, str]:
        """The pairs of its description lists: term -> text."""
        terms = self._node.xpath(".//dt[following-sibling::dd]")
        return {Element(term).text: Element(term.xpath("./following-sibling::dd[1]")[0]).text for term in terms}

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

    def under(self, heading: str) -> Element:
        """The section with this heading."""
        return Element(self.one("heading", heading)._node.xpath("ancestor::section[1]")[0])

    def cases(self, word: str = "") -> list[Element]:
        """The items that open a test; only those in which this whole word can be read."""
        found = [Element(node) for node in self._node.xpath(".//li[a[contains(@href, 'case=')]]")]
        return [case for case in found if not word or word in case.words]

    def texts(self, role: str) -> list[str]:
        return [element.text for element in self.all(role)]

    @property
    def name(self) -> str:
        """Its own label, that of the <label> around it, or its text."""
        node = self._node
        around = next(node.iterancestors("label"), node) if node.tag in ("input", "select") else node
        return node.get("aria-label") or node.get("label") or Element(around).text

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
        self.markup = markup  # for questions about the markup itself: escaping, and what scripts look for
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
