"""The drawer opened from a run: the failure of that run, or which one it shows instead and why."""

from __future__ import annotations

import pytest
from support.store_builder import World

from data.model import ids

HISTORY = {"broken": "PPPPFF", "mended": "PFPFFP"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Runs #1 to #4 pass, #5 and #6 fail, each with a message of its own; `mended` passes in #6."""
    world = World.at(tmp_path_factory.mktemp("drawer") / "home")
    world.history(HISTORY)
    return world


def ids_of(world: World) -> list[str]:
    return [ids.text(run.id) for run in world.runs]


def case(screen, run: str, view: str, name: str):
    page = screen("run", f"/runs/{run}?view={view}")
    (found,) = [row for row in page.cases() if name in row.text]
    return screen("drawer", found.one("link").href)


@pytest.mark.parametrize("view", ["broken", "changes&class=regression", "gate", "failed"])
def test_the_failure_is_of_the_run_whose_page_is_open(filled, screen, view):
    for number in (5, 6) if view != "changes&class=regression" and view != "gate" else (5,):
        drawer = case(screen, ids_of(filled)[number - 1], view, "broken")
        assert f"run #{number}" in drawer.texts("link"), view
        assert "in run #" not in drawer.one("heading").text and "This is its" not in drawer


def test_a_test_that_passed_there_says_which_failure_is_shown(filled, screen):
    drawer = case(screen, ids_of(filled)[5], "broken", "mended")
    assert "It passed in run #6. This is its last failure, in run #5." in drawer


def test_a_later_run_is_not_shown_for_an_earlier_one(world, screen):
    world.history(HISTORY)
    world.run({"routing": {"broken": "F", "mended": "P"}}, state="running")
    drawer = case(screen, ids_of(world)[5], "broken", "broken")
    assert "run #6" in drawer.texts("link") and "This is its" not in drawer


def test_without_a_run_the_newest_failure_is_shown(filled, screen):
    test = ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "broken"))
    assert "run #6" in screen("drawer", f"/?case={test}").texts("link")
