"""The pages of docs/, served by the application so that they need no network."""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TypedDict

from dash import Dash, html
from markdown_it import MarkdownIt
from markdown_it.token import Token

from dashboard import rendering
from dashboard.page_url import PageUrl
from dashboard.terms import anchor
from data.lake.store import Store

PATH, NAME = "/docs/<name>", ""
FOLDER = Path(__file__).resolve().parents[2] / "docs"
_PAGE = re.compile(r"^(?:docs/|adr/|\.\./)?([a-z0-9-]+|README)\.md(#.*)?$")


def layout() -> html.Div:
    return html.Div(rendering.html_slot("docs"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "docs", PATH, "docs.html", page_data)


class DocsPage(TypedDict):
    """A page of docs/; `headings` are (anchor, text)."""

    name: str
    pages: list[str]
    title: str
    markup: str
    headings: list[tuple[str, str]]


def page_data(store: Store, url: PageUrl, name: str) -> DocsPage:
    known = documents()
    if name not in known:
        raise rendering.UnknownError(f"No documentation page {name!r}. Available: {', '.join(known)}.")
    title, markup, headings = rendered(known[name])
    menu = [page for page, path in known.items() if page == "adr" or path.parent == FOLDER]
    return {
        "name": name,
        "pages": menu,
        "title": title,
        "markup": markup,
        "headings": headings,
    }


def documents() -> dict[str, Path]:
    """Name in the address -> file, of every page of docs/ and of docs/adr/."""
    return {_name(path): path for path in (*sorted(FOLDER.glob("*.md")), *sorted((FOLDER / "adr").glob("*.md")))}


def _name(path: Path) -> str:
    """A page's name in its address; the list of decisions is `adr`."""
    return "adr" if path.stem == "README" else path.stem


@cache
def rendered(path: Path) -> tuple[str, str, list[tuple[str, str]]]:
    """(title, markup, [(anchor, second-level heading)]). HTML in the source is escaped."""
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = reader.parse(path.read_text(encoding="utf-8"))
    headings = []
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            name = anchor(inline.content)
            opening.attrSet("id", name)
            headings.append((opening.tag, name, inline.content))
        elif opening.type == "table_open":
            opening.attrSet("tabindex", "0")  # on a phone it scrolls, also by keyboard
        elif opening.type == "inline":
            _relink(opening)
    title = next((text for tag, _, text in headings if tag == "h1"), path.stem)
    markup = reader.renderer.render(tokens, reader.options, {})
    return title, markup, [(name, text) for tag, name, text in headings if tag == "h2"]


def _relink(inline: Token) -> None:
    """Point links between pages of docs/ to the served pages, link page names in code font, and keep a line that begins
    with a bold word on its own line."""
    children: list[Token] = []
    inside = False
    for child in inline.children or []:
        if child.type == "strong_open" and children and children[-1].type == "softbreak":
            children[-1] = Token("hardbreak", "br", 0)
        inside = child.type == "link_open" or (inside and child.type != "link_close")
        if child.type == "link_open" and (found := _PAGE.match(str(child.attrGet("href")))):
            child.attrSet("href", f"/docs/{_name(Path(found[1]))}{found[2] or ''}")
        named = child.type == "code_inline" and not inside and _PAGE.match(child.content)
        if named:
            opening = Token("link_open", "a", 1)
            opening.attrSet("href", f"/docs/{named[1]}")
            children += [opening, child, Token("link_close", "a", -1)]
        else:
            children.append(child)
    inline.children = children


def as_api_call(store: Store, url: PageUrl, name: str) -> None:
    """None: the documentation is not in the API."""
