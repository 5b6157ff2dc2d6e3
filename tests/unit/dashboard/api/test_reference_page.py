"""docs/reference.md: made from the types of the answers and the comments of the tables."""

from __future__ import annotations

import api_reference


def test_the_page_is_as_the_code() -> None:
    page = api_reference.page()
    assert api_reference.PAGE.read_text(encoding="utf-8") == page, "run `python tools/api_reference.py`"
    assert "| `run` | id or null | null for releases |" in page, "what a comparison of releases lacks has no run"
