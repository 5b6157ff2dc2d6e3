"""Bugs on the screens: the list, one bug, the test page, the drawer, badges on rows; nothing of a feed is markup."""

from __future__ import annotations

from datetime import datetime

import pytest
from support.screen import Screen
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
    world.history({"twice": "P"}, module="storage")
    world.history({"a[1]": "PPFF", "b": "PPPP", "twice": "PPPP"})
    metadata = [{"base_name": "a", "case_id": "TC-1"}, {"base_name": "b", "testrail_id": "C2"}]
    metadata.append({"base_name": "twice", "case_id": "TC-2"})
    world.store.transact("test", "metadata", lambda cursor: merge_metadata(cursor, metadata))
    url = "https://tracker.example.com/browse/"
    feed(world, BugRecord("OLD-1", "OLD", url + "OLD-1", True, cases=("C2",)))
    feed(
        world,
        BugRecord("NET-1", "NET", url + "NET-1", True, "In Progress", EVIL, "High", EVIL, cases=("TC-1",)),
        BugRecord("NET-2", "NET", "javascript:alert(1)", True, EVIL, "second", cases=("TC-1", "C404"), labels=(EVIL,)),
        BugRecord("LAB-3", "LAB", url + "LAB-3", False, "Closed", "works again", cases=("C2",)),
        BugRecord("LAB-4", "LAB", url + "LAB-4", False, "Closed", "which one?", cases=("TC-2",)),
    )


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Only read."""
    world = World.at(tmp_path_factory.mktemp("bugs") / "home")
    fill(world)
    return world


def test_the_list_shows_open_bugs_and_can_be_filtered(filled, screen):
    bugs = screen("bugs", "/bugs")
    assert bugs.title == "2 open bugs, 2 with failing tests"
    assert bugs.one("link", "NET-1").href == "/bugs/NET-1" and "1 of 1 test failing" in bugs.one("link", "NET-1")
    assert not bugs.all("link", "LAB-3")
    assert screen("bugs", "/bugs?status=closed").all("link", "LAB-3")
    assert screen("bugs", "/bugs?status=gone").all("link", "OLD-1")
    assert "No matching bugs" in screen("bugs", "/bugs?q=nowhere")
    of_one_test = screen("bugs", f"/bugs?test={B}")
    assert of_one_test.all("link", "LAB-3") and not of_one_test.all("link", "NET-1")
    run = ids.text(filled.runs[-1].id)
    assert "for failed and skipped tests of" in screen("bugs", f"/bugs?run={run}&module=routing")
    assert "No run 0000" in screen("bugs", "/bugs?run=" + "0" * 16)


def test_a_bug_lists_its_tests_with_their_verdicts(filled, screen):
    bug = screen("bug", "/bugs/NET-2")
    assert "1 of 1 test failing" in bug and "C404" in bug
    test = bug.one("link", "a[1]")
    assert "regression" in test and test.href.endswith(f"case={A}%407.0%2Fprod")
    assert "0 of 1 test failing" in screen("bug", "/bugs/LAB-3")
    assert "No longer in the tracker" in screen("bug", "/bugs/OLD-1")
    ambiguous = screen("bug", "/bugs/LAB-4")
    assert "Several tests could be meant." in ambiguous and "No known test" not in ambiguous
    assert "TC-2: twice matches 2 tests: give file and class in the metadata or the feed." in ambiguous
    assert "No bug NET-99" in screen("bug", "/bugs/NET-99")


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
def test_bugs_are_shown_next_to_their_tests_and_escaped(filled, screen, slot, address):
    assert_shows_bugs_as_text(screen(slot, address))


def test_bugs_are_shown_next_to_changes(world, screen):
    fill(world)
    world.run({"routing": {"a[1]": "P", "b": "F"}})
    assert_shows_bugs_as_text(screen("run", "/runs/latest?view=changes"))


def assert_shows_bugs_as_text(shown: Screen) -> None:
    """A bug, or a link to the bugs of the run; nothing of the feed is an element or a script."""
    links = [link.href for link in shown.all("link")]
    assert any(bug in shown for bug in ("NET-1", "NET-2", "LAB-3")) or any("run=" in href for href in links)
    assert "img" not in shown.tags and not any(href.startswith("javascript") for href in links)


def test_a_row_shows_the_first_bug_and_how_many_more(filled, screen):
    broken = screen("run", "/runs/latest?view=broken")
    assert "NET-1 +1" in broken and "OLD-1" not in broken


def test_without_a_feed_the_screen_explains_how_to_set_one_up(world, screen):
    world.history({"a[1]": "PPFF"})
    bugs = screen("bugs", "/bugs")
    assert "No bug feed has been read" in bugs and "regtracker bugs" in bugs
    assert any(link.href.endswith("/docs/ingest#bugs") for link in bugs.all("link"))
    assert not screen("test", f"/tests/{A}").all("heading", "Bugs")


def test_a_time_before_the_first_bug_feed_still_shows(filled, screen):
    assert "No bug feed" in screen("bugs", "/bugs?as_of=1")
    assert screen("run", f"/runs/latest?as_of={filled.store.snapshot().id - 2}").title
