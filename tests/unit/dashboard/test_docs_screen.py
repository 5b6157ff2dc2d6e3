"""The documentation inside the application: every term on a screen has its heading, and links between pages work."""

from __future__ import annotations

from functools import cache

import pytest
from support.screen import Screen
from support.store_builder import World

from dashboard.pages.docs import documents, rendered
from dashboard.terms import TERMS, anchor, definition, term_link
from data.verdicts.rules import KINDS


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A store for pages that need none."""
    return World.at(tmp_path_factory.mktemp("docs") / "home")


@cache
def anchors_of(page: str) -> set[str]:
    return Screen(rendered(documents()[page])[1]).anchors


def test_every_term_links_to_its_heading(filled, screen):
    anchors = screen("docs", "/docs/verdicts").anchors
    for word in TERMS:
        page, _, fragment = term_link(word).partition("#")
        assert page == "/docs/verdicts" and fragment in anchors, word
        assert definition(word).endswith(".")
    assert set(KINDS) <= set(TERMS)


@pytest.mark.parametrize("page", documents())
def test_every_page_is_served_and_its_links_are_local(filled, screen, page):
    docs = screen("docs", f"/docs/{page}")
    links = [link.href for link in docs.all("link")]
    assert "h1" in docs.tags and docs.title and not any(".md" in href for href in links)
    for href in links:
        path, _, fragment = href.partition("#")
        name = path.removeprefix("/docs/")
        if not path:
            assert fragment in docs.anchors, href
        elif name != path:
            assert name in documents(), href
            assert not fragment or fragment in anchors_of(name), href


def test_the_markup_of_a_hostile_page_is_escaped(tmp_path):
    page = tmp_path / "hostile.md"
    page.write_text("# A <script>\n\n<img src=x onerror=alert(1)> [x](javascript:alert(1))\n", encoding="utf-8")
    markup = rendered(page)[1]
    assert "<img" not in markup and "<script" not in markup and 'href="javascript' not in markup
    shown = Screen(markup)
    assert "A <script>" in shown and "<img src=x" in shown and not {"img", "script"} & shown.tags


def test_an_unknown_page_is_explained(filled, screen):
    assert "No documentation page" in screen("docs", "/docs/nothing")
    assert anchor("First bad run") == "first-bad-run"


def test_the_terms_on_a_screen_have_their_definition(world, screen):
    world.history({"a": "PPFF"})
    matrix = screen("matrix", "/matrix")
    assert definition("regression") in matrix.tooltips
    assert "/docs/verdicts#regression" in [link.href for link in matrix.all("link", "regression")]
