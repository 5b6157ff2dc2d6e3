"""Two runs side by side: the classes and their tests, what is chosen without an address, and what is escaped."""

from __future__ import annotations

import pytest
from support.store_builder import World

from data.model import ids

MOVES = {"broke": "PF", "dead": "FF", "fixed": "FP", "steady": "PP", "came": "-F", "went": "P-"}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two runs with every kind of move, for tests that only read."""
    world = World.at(tmp_path_factory.mktemp("compare") / "home")
    world.history(MOVES)
    return world


def test_the_newest_run_is_compared_with_the_one_before_it(filled, screen):
    compare = screen("compare", "/compare")
    assert compare.title == "7.0 #1 to 7.0 #2"
    links = compare.texts("link")
    for text in (
        "passed → failed 1",
        "not run → failed 1",
        "failed → failed 1",
        "failed → passed 1",
        "no longer run 1",
    ):
        assert text in links
    (case,) = compare.cases()
    assert "broke" in case.words and "steady" not in compare


def test_what_is_known_as_noise_is_folded_and_tagged(world, screen):
    world.history({"flaps": "PFPPF", "broke": "PPPPF"})
    compare = screen("compare", "/compare")
    assert "passed → failed 2" in compare.texts("link")
    folded = compare.all("group")[-1]
    assert folded.cases("flaps") and folded.one("summary").text.startswith("1 test known as noise")
    assert not folded.cases("broke") and "regression" not in compare.text.lower().replace("regression 1", "")


def test_a_run_that_lacks_a_build_is_compared_without_it(world, screen):
    whole = {"routing": {"a": "P"}, "firewall": {f"f{number}": "P" for number in range(3)}}
    world.series([whole, {**whole, "firewall": None}])
    compare = screen("compare", "/compare?class=not_compared")
    assert "#2 lacks firewall: 3 tests cannot be compared." in compare and len(compare.cases()) == 3
    assert "incomplete" in compare.one("row", "now") and "100.00" not in compare.one("row", "now")


def test_the_url_chooses_runs_and_class(filled, screen):
    first, second = (ids.text(run.id) for run in filled.runs)
    compare = screen("compare", f"/compare?base={second}&candidate={first}&class=disappeared")
    assert compare.cases("came") and "passed → failed 1" in compare.texts("link")
    assert "No tests in this class" in screen("compare", f"/compare?base={first}&candidate={first}&class=fixed")


def test_the_run_page_links_to_the_comparison(filled, screen):
    first, second = (ids.text(run.id) for run in filled.runs)
    link = screen("run", f"/runs/{second}").one("link", "Compare")
    assert link.href.startswith("/compare?") and f"base={first}&candidate={second}" in link.href
    assert not any("/compare?" in link.href for link in screen("run", f"/runs/{first}").all("link"))


def test_a_missing_side_of_a_comparison_is_explained(world, screen):
    assert "No runs here" in screen("compare", "/compare")
    world.run({"routing": {"a": "P"}})
    assert "Nothing to compare with" in screen("compare", "/compare")
    known = ids.text(world.runs[0].id)
    unknown = screen("compare", f"/compare?base=0123456789abcdef&candidate={known}")
    assert "No run or release “0123456789abcdef”" in unknown
    assert f"base=7.0&candidate={known}" in unknown.one("link", "7.0").href


def test_releases_and_numbers_can_be_typed(world, screen):
    world.history({"broke": "PP", "dead": "FF"}, release="7.1")
    world.history({"broke": "PF", "dead": "FF"}, release="7.2")
    releases = screen("compare", "/compare?base=7.1&candidate=7.2")
    assert releases.title == "7.1 to 7.2 releases, by the newest status of each test"
    assert "passed → failed 1" in releases.texts("link") and releases.cases("broke")
    chosen = [releases.one("combobox", side).selected.value for side in ("before", "now")]
    assert chosen == ["7.1", "7.2"]
    by_number = screen("compare", "/compare?base=3&candidate=4")
    assert by_number.title == "7.2 #3 to 7.2 #4" and "passed → failed 1" in by_number.texts("link")
    assert screen("compare", "/compare?base=7.1&candidate=7.2%20%234").title == "7.1 #2 to 7.2 #4"
    world.run({"routing": {"a": "P"}}, release="7.3", number=3)
    twice = screen("compare", "/compare?base=3&candidate=4")
    assert "“3” matches 2 runs" in twice and {"7.3 #3 prod", "7.2 #3 prod"} <= set(twice.texts("link"))
    wrong = screen("compare", "/compare?base=9.9&candidate=4")
    assert "No run or release “9.9”" in wrong
    assert wrong.one("link", "7.1").href == "/compare?base=7.1&candidate=4"


def test_without_a_release_it_names_the_one_shown(world, screen):
    for release in ("7.1", "7.2"):
        world.history({"a": "PF"}, release=release)
    compare = screen("compare", "/compare")
    assert "shows one release" in compare and compare.one("link", "7.1").href == "/compare?release=7.1"
    assert "shows one release" not in screen("compare", "/compare?release=7.1")


def test_the_markup_of_hostile_names_is_escaped(world, screen):
    world.history({"<img src=x>": "PF"}, module="<b>m", release="<u>r", environment="<i>e")
    compare = screen("compare", "/compare")
    assert all(name in compare for name in ("<img src=x>", "<b>m", "<u>r", "<i>e"))
    assert not any(tag in compare.markup for tag in ("<img", "<b>m", "<u>", "<i>e"))
