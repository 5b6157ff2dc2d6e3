"""Bugs on the screens: the list, one bug, the test page, the drawer, badges on rows; nothing of a feed is markup."""

from __future__ import annotations

from datetime import datetime

import pytest
from support.store_builder import World

from data.model import ids
from data.model.bug_record import BugRecord
from data.write.bugs import apply_bug_feed
from data.write.metadata import merge_metadata

A, B = (ids.text(ids.of("tests/routing/routing_test.py", "TestIt", name)) for name in ("a[1]", "b"))
EVIL = '<img src=x onerror="alert(1)">'


def feed(world: World, *bugs: BugRecord) -> None:
    apply_bug_feed(world.store, bugs, (), datetime(2026, 11, 20, 8))


def fill(world: World) -> None:
    world.history({"a[1]": "PPFF", "b": "PPPP"})
    metadata = [{"base_name": "a", "case_id": "TC-1"}, {"base_name": "b", "testrail_id": "C2"}]
    world.store.transact("test", "metadata", lambda cursor: merge_metadata(cursor, metadata))
    url = "https://tracker.example.com/browse/"
    feed(world, BugRecord("OLD-1", "OLD", url + "OLD-1", True, cases=("C2",)))
    feed(
        world,
        BugRecord("NET-1", "NET", url + "NET-1", True, "In Progress", EVIL, "High", EVIL, cases=("TC-1",)),
        BugRecord("NET-2", "NET", "javascript:alert(1)", True, EVIL, "second", cases=("TC-1", "C404"), labels=(EVIL,)),
        BugRecord("LAB-3", "LAB", url + "LAB-3", False, "Closed", "works again", cases=("C2",)),
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Only read."""
    world = World.at(tmp_path_factory.mktemp("bugs") / "home")
    fill(world)
    return world


def test_the_list_is_of_open_bugs_and_can_be_narrowed(filled, show):
    html = show("bugs", "/bugs")["html"]
    assert "2 open bugs" in html and "2 with failing tests" in html and 'href="/bugs/NET-1"' in html
    assert "LAB-3" not in html and "1 of 1 test failing" in html
    assert "LAB-3" in show("bugs", "/bugs?status=closed")["html"]
    assert "OLD-1" in show("bugs", "/bugs?status=gone")["html"]
    assert "No matching bugs" in show("bugs", "/bugs?q=nowhere")["html"]
    one = show("bugs", f"/bugs?test={B}")["html"]
    assert "LAB-3" in one and "NET-1" not in one
    run = ids.text(filled.runs[-1].id)
    assert "for failed and skipped tests of" in show("bugs", f"/bugs?run={run}&module=routing")["html"]
    assert "No run 0000" in show("bugs", "/bugs?run=" + "0" * 16)["html"]


def test_a_bug_lists_its_tests_with_their_words(filled, show):
    html = show("bug", "/bugs/NET-2")["html"]
    assert "1 of 1 test failing" in html and "regression" in html and "case C404" in html
    assert f"case={A}%407.0%2Fprod" in html
    closed = show("bug", "/bugs/LAB-3")["html"]
    assert "None of 1 test failing" in closed
    assert "no longer in the tracker" in show("bug", "/bugs/OLD-1")["html"]
    assert "No bug feed has held NET-99" in show("bug", "/bugs/NET-99")["html"]


@pytest.mark.parametrize(
    ("slot", "address"),
    [
        ("test", f"/tests/{A}"),
        ("drawer", f"/?case={A}"),
        ("run", "/runs/latest?view=broken"),
        ("run", "/runs/latest?view=failed"),
        ("run", "/runs/latest?view=modules"),
        ("matrix", "/matrix"),
        ("bugs", "/bugs"),
        ("bug", "/bugs/NET-1"),
        ("bug", "/bugs/NET-2"),
    ],
)
def test_bugs_are_shown_beside_their_tests_and_never_as_markup(filled, show, slot, address):
    assert_shows_bugs_as_text(show(slot, address)["html"])


def test_bugs_are_shown_beside_changes(world, show):
    fill(world)
    world.run({"routing": {"a[1]": "P", "b": "F"}})
    assert_shows_bugs_as_text(show("run", "/runs/latest?view=changes")["html"])


def assert_shows_bugs_as_text(html: str) -> None:
    assert "NET-1" in html or "NET-2" in html or "run=" in html or "LAB-3" in html
    assert "<img" not in html and 'href="javascript' not in html


def test_a_row_shows_the_first_bug_and_how_many_more(filled, show):
    html = show("run", "/runs/latest?view=broken")["html"]
    assert "NET-1 <small>+1</small>" in html and "OLD-1" not in html


def test_without_a_feed_it_is_said_how_to_get_one(world, show):
    world.history({"a[1]": "PPFF"})
    html = show("bugs", "/bugs")["html"]
    assert "No bug feed has been read" in html and "regtracker bugs" in html and "/docs/ingest#bugs" in html
    assert "Bugs</h2>" not in show("test", f"/tests/{A}")["html"]


def test_a_moment_before_there_were_bugs_still_shows(filled, show):
    for slot, address in (("bugs", "/bugs?as_of=1"), ("run", f"/runs/latest?as_of={filled.store.snapshot().id - 2}")):
        assert "No bug feed" in show(slot, address)["html"] or slot == "run"
