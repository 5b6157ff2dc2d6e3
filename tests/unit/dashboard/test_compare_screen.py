"""Two runs side by side: the classes and their tests, what is chosen without an address, and what is escaped."""

from __future__ import annotations

from data.model import ids

MOVES = {"broke": "PF", "dead": "FF", "fixed": "FP", "steady": "PP", "came": "-F", "went": "P-"}


def test_the_newest_run_is_compared_with_the_one_before_it(world, show):
    world.history(MOVES)
    html = show("compare", "/compare")["html"]
    assert "7.0 #1" in html and "7.0 #2" in html
    for words in ("regression <b>1", "new failure <b>1", "still failing <b>1", "fixed <b>1", "disappeared <b>1"):
        assert words in html
    assert html.count('class="case"') == 1 and ">broke<" in html and "steady" not in html


def test_the_url_chooses_runs_and_class(world, show):
    world.history(MOVES)
    first, second = (ids.text(run.id) for run in world.runs)
    html = show("compare", f"/compare?base={second}&candidate={first}&class=disappeared")["html"]
    assert ">came<" in html and "regression <b>1" in html
    assert "No tests in this class" in show("compare", f"/compare?base={first}&candidate={first}&class=fixed")["html"]


def test_the_run_page_links_to_the_comparison(world, show):
    world.history(MOVES)
    first, second = (ids.text(run.id) for run in world.runs)
    assert f"/compare?base={first}&amp;candidate={second}" in show("run", f"/runs/{second}")["html"]
    assert "/compare?" not in show("run", f"/runs/{first}")["html"]


def test_a_missing_side_of_a_comparison_is_explained(world, show):
    assert "No runs here" in show("compare", "/compare")["html"]
    world.run({"routing": {"a": "P"}})
    assert "Nothing to compare with" in show("compare", "/compare")["html"]
    known = ids.text(world.runs[0].id)
    unknown = show("compare", f"/compare?base=0123456789abcdef&candidate={known}")["html"]
    assert "No run or release “0123456789abcdef”" in unknown and f"base=7.0&amp;candidate={known}" in unknown


def test_releases_and_numbers_can_be_typed(world, show):
    world.history({"broke": "PP", "dead": "FF"}, release="7.1")
    world.history({"broke": "PF", "dead": "FF"}, release="7.2")
    html = show("compare", "/compare?base=7.1&candidate=7.2")["html"]
    assert "7.1 <span" in html and "regression <b>1" in html and ">broke<" in html and "by the newest status" in html
    assert '<option value="7.2" selected>' in html
    by_number = show("compare", "/compare?base=3&candidate=4")["html"]
    assert "7.2 #3" in by_number and "7.2 #4" in by_number and "regression <b>1" in by_number
    assert "7.1 #2" in show("compare", "/compare?base=7.1&candidate=7.2%20%234")["html"]
    world.run({"routing": {"a": "P"}}, release="7.3", number=3)
    twice = show("compare", "/compare?base=3&candidate=4")["html"]
    assert "“3” matches 2 runs" in twice and "7.3 #3 prod" in twice and "7.2 #3 prod" in twice
    wrong = show("compare", "/compare?base=9.9&candidate=4")["html"]
    assert "No run or release “9.9”" in wrong and 'href="/compare?base=7.1&amp;candidate=4"' in wrong


def test_without_a_release_it_names_the_one_shown(world, show):
    for release in ("7.1", "7.2"):
        world.history({"a": "PF"}, release=release)
    html = show("compare", "/compare")["html"]
    assert "shows one release" in html and 'href="/compare?release=7.1"' in html
    assert "shows one release" not in show("compare", "/compare?release=7.1")["html"]


def test_names_are_escaped(world, show):
    world.history({"<img src=x>": "PF"}, module="<b>m", release="<u>r", environment="<i>e")
    html = show("compare", "/compare")["html"]
    assert "&lt;img" in html and not any(tag in html for tag in ("<img", "<b>m", "<u>", "<i>e"))
