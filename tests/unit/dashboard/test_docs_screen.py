"""The documentation inside the application: every word that the screens link has its heading, and pages link pages."""

from __future__ import annotations

import re

import pytest

from dashboard.pages.docs import documents, rendered
from dashboard.terms import TERMS, anchor, definition, term_link
from data.verdicts.rules import KINDS


def test_every_term_links_to_its_heading(show):
    html = show("docs", "/docs/verdicts")["html"]
    for word in TERMS:
        page, _, fragment = term_link(word).partition("#")
        assert page == "/docs/verdicts" and f'id="{fragment}"' in html, word
        assert definition(word).endswith(".")
    assert set(KINDS) <= set(TERMS)


@pytest.mark.parametrize("page", documents())
def test_every_page_is_served_and_its_links_are_local(show, page):
    html = show("docs", f"/docs/{page}")["html"]
    assert "<h1" in html and ".md" not in "".join(re.findall(r'href="([^"]+)"', html))
    ids = set(re.findall(r' id="([^"]+)"', html))
    for target in re.findall(r'href="#([^"]+)"', html):
        assert target in ids, target
    for name, fragment in re.findall(r'href="/docs/([\w-]+)(?:#([^"]+))?"', html):
        assert name in documents(), name
        assert not fragment or f'id="{fragment}"' in rendered(documents()[name])[1]


def test_markup_in_a_page_is_escaped_and_unknown_pages_are_explained(tmp_path, show):
    page = tmp_path / "hostile.md"
    page.write_text("# A <script>\n\n<img src=x onerror=alert(1)> [x](javascript:alert(1))\n", encoding="utf-8")
    markup = rendered(page)[1]
    assert "<img" not in markup and "<script" not in markup and 'href="javascript' not in markup
    assert "No documentation page" in show("docs", "/docs/nothing")["html"]
    assert anchor("First bad run") == "first-bad-run"


def test_the_terms_on_a_screen_have_their_definition(world, show):
    world.history({"a": "PPFF"})
    html = show("matrix", "/matrix")["html"]
    assert definition("regression") in html and 'href="/docs/verdicts#regression"' in html
