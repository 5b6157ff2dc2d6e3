"""Two runs side by side: the classes and their tests, what is chosen without an address, and what is escaped."""

from __future__ import annotations

from data import ids

MOVES = {"broke": "PF", "dead": "FF", "fixed": "FP", "steady": "PP", "came": "-F", "went": "P-"}


def test_the_newest_run_is_compared_with_the_one_before_it(world, show):
    world.history(MOVES)
    html = show("compare", "/compare")["html"]
    assert "7.0 #1" in html and "7.0 #2" in html
    for words in ("regression <b>1", "new failure <b>1", "still failing <b>1", "fixed <b>1", "disappeared <b>1"):
        assert words in html
    assert html.count('class="case"') == 1 and ">broke<" in html and "steady" not in html


def test_an_address_chooses_runs_and_class(world, show):
    world.history(MOVES)
    first, second = (ids.text(run.id) for run in world.runs)
    html = show("compare", f"/compare?base={second}&candidate={first}&class=disappeared")["html"]
    assert ">came<" in html and "regression <b>1" in html
    assert "Nothing of this class" in show("compare", f"/compare?base={first}&candidate={first}&class=fixed")["html"]


def test_the_run_page_leads_to_the_comparison(world, show):
    world.history(MOVES)
    first, second = (ids.text(run.id) for run in world.runs)
    assert f"/compare?base={first}&amp;candidate={second}" in show("run", f"/runs/{second}")["html"]
    assert "/compare?" not in show("run", f"/runs/{first}")["html"]


def test_what_cannot_be_compared_is_said(world, show):
    assert "No runs here" in show("compare", "/compare")["html"]
    world.run({"routing": {"a": "P"}})
    assert "One run to compare with is missing" in show("compare", "/compare")["html"]
    known = ids.text(world.runs[0].id)
    assert "No run has the id" in show("compare", f"/compare?base=0123456789abcdef&candidate={known}")["html"]


def test_names_are_escaped(world, show):
    world.history({"<img src=x>": "PF"}, module="<b>m", release="<u>r", environment="<i>e")
    html = show("compare", "/compare")["html"]
    assert "&lt;img" in html and not any(tag in html for tag in ("<img", "<b>m", "<u>", "<i>e"))
