"""The list of failure patterns and the page of one: with failures, without, and with hostile messages."""

from __future__ import annotations

import re

from support.screen import Element
from support.store_builder import cases

from dashboard.pages.failure import DAYS, bars
from data.model import ids


def href(element: Element, start: str) -> str:
    return next(link.href for link in element.all("link") if link.href.startswith(start))


def test_patterns_are_listed_with_counts_and_link_to_their_page(world, screen):
    world.history({"a": "PPPF", "b": "PPPF"})
    failures = screen("failures", "/failures?runs=2")
    assert "2 failures, " in failures and " new " in failures.one("row", " saw ")
    pattern = screen("failure", href(failures, "/failures/"))
    assert "newest first" in pattern and pattern.title
    assert any(re.search(r"case=[0-9a-f]{16}\.[0-9a-f]{16}\.", link.href) for link in pattern.all("link"))


def test_search_and_new_filter_the_list(world, screen):
    world.history({"old": "FFFF", "late": "PPPF"})
    assert "old saw" in screen("failures", "/failures?runs=2")
    nothing = screen("failures", "/failures?q=%3Cnothing%3E")
    assert "No matching failures" in nothing and "<nothing>" in nothing and "nothing" not in nothing.tags


def test_a_release_without_failures(world, screen):
    world.run({"routing": {"a": "P"}})
    failures = screen("failures", "/failures")
    assert "No failures" in failures and "No matching failures" in failures


def test_messages_are_escaped(world, screen):
    world.run({"<b>m": {"<img src=x>": "F"}})
    failures = screen("failures", "/failures")
    for shown in (failures, screen("failure", href(failures, "/failures/"))):
        assert "<img" in shown and "<b>m" in shown and "img" not in shown.tags


def test_an_unknown_pattern_is_explained(world, screen):
    world.run({"routing": {"a": "F"}})
    assert "No failure pattern 0123" in screen("failure", "/failures/0123456789abcdef")
    assert "is not a valid id" in screen("failure", "/failures/xyz")


def test_days_without_failures_are_gaps_and_old_days_are_left_out():
    drawn = bars(
        [{"day": "2026-01-01", "count": 9}, {"day": "2026-03-30", "count": 1}, {"day": "2026-04-02", "count": 4}]
    )
    assert len(drawn) == DAYS and drawn[-1] == {"day": "2026-04-02", "count": 4, "height": 100.0}
    assert [bar["count"] for bar in drawn[-4:]] == [1, 0, 0, 4] and drawn[-4]["height"] == 25.0
    assert bars([]) == []


def test_new_patterns_come_first_and_each_has_a_trend(world, screen):
    world.history({"old": "FFFF", "late": "PPPF"})
    late, old = screen("failures", "/failures?runs=2").all("row")
    assert " late saw " in late and "failures by run, newest last: 0, 1" in late
    assert " old saw " in old and "failures by run, newest last: 1, 1" in old


def test_a_pattern_shows_whether_it_is_new_and_pages_through_its_failures(world, screen):
    for module in ("routing", "storage"):
        world.run({module: cases(module, {f"t{number}": "F" for number in range(40)}, message="all the same")})
    signature = ids.text(world.store.value("SELECT signature FROM signatures"))
    pattern = screen("failure", f"/failures/{signature}")
    assert "1 to 50 of 80" in pattern and "new" in pattern.words and len(pattern.cases()) == 50
    modules = pattern.under("By module")
    assert modules.texts("listitem") == ["routing 40", "storage 40"] and modules.widths == [100.0, 100.0]
    rest = screen("failure", f"/failures/{signature}?offset=50")
    assert "51 to 80 of 80" in rest and len(rest.cases()) == 30
