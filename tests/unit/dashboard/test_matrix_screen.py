"""The matrix screen: its verdict in the title, its cells and their tests, and what it says where nothing is known."""

from __future__ import annotations

import re


def fill(world) -> None:
    storage, runs = {"storage": {"s": "P"}}, []
    for letter in "PFF":
        runs += [{"routing": {"a": letter, "b": "P"}} | storage, (storage, {"environment": "staging"})]
    world.series(runs)


def test_it_shows_whether_the_release_may_ship_and_lists_the_obstacles(world, show):
    fill(world)
    html = show("matrix", "/matrix")["html"]
    assert "is not ready" in html and "1 broken test in 1 of 2 modules" in html
    assert re.findall(r'data-key="row-(\w+)"', html) == ["routing", "storage"]
    assert html.count('<td class="m-failing">') == 1 and html.count('<td class="m-empty">') == 1
    assert "What blocks the release" in html and html.count('class="case"') == 1
    assert "routing on prod: 1 regression; 1 of 2 results passed in #5." in html
    world.run({"routing": {"a": "P", "b": "P"}, "storage": {"s": "P"}})
    assert "may ship" in show("matrix", "/matrix")["html"]


def test_a_cell_lists_its_own_tests(world, show):
    fill(world)
    chosen = show("matrix", "/matrix?row=routing&column=prod")["html"]
    assert ">a<" in chosen and 'aria-current="true"' in chosen
    assert "No broken test" in show("matrix", "/matrix?row=storage&column=prod")["html"]
    assert "No broken test" in show("matrix", "/matrix?row=nothing&column=nowhere")["html"]


def test_the_url_chooses_the_columns_and_the_unnamed_topology_can_be_chosen(world, show):
    fill(world)
    html = show("matrix", "/matrix?by=topology")["html"]
    assert "column=none" in html and html.count('scope="col"') == 2
    assert (
        html.count('class="case"')
        == 1
        == show("matrix", "/matrix?by=topology&column=none")["html"].count('class="case"')
    )
    assert "must be one of environment, topology" in show("matrix", "/matrix?by=host")["html"]


def test_all_releases_are_side_by_side(world, show):
    fill(world)
    world.history({"c": "PPP"}, release="8.0", module="later")
    html = show("matrix", "/matrix")["html"]
    assert re.findall(r'data-key="ship-([\d.]+)"', html) == ["8.0", "7.0"]
    assert "</span> of 2 releases is not ready" in html and "7.0 is not ready" in html and "8.0 may ship" in html
    assert html.count('<td class="m-failing">') == 1 and 'href="/matrix?release=7.0&amp;row=routing"' in html
    assert "routing on prod: 1 regression" in html
    assert ">a<" in show("matrix", "/matrix?release=7.0&row=routing")["html"]
    assert "is not ready" in show("matrix", "/matrix?environment=prod")["html"]


def test_an_empty_matrix_is_explained_and_names_are_escaped(world, show):
    assert "No finished runs" in show("matrix", "/matrix")["html"]
    world.history({"<img src=x>": "PF"}, module="<b>m", release="<u>r", environment="<i>e")
    html = show("matrix", "/matrix")["html"]
    assert "&lt;img" in html and not any(tag in html for tag in ("<img", "<b>m", "<u>", "<i>e"))


def test_a_test_that_failed_its_only_run_is_unjudged_and_not_broken(world, show):
    fill(world)
    world.run({"routing": {"a": "F", "b": "P"}, "storage": {"s": "P", "fresh": "F"}})
    html = show("matrix", "/matrix?release=7.0")["html"]
    assert "1 broken test in 1 of 2 modules, 1 test failed on its only run in 1" in html
    assert "<b>0</b>" not in html and html.count('<td class="m-failing">') == 2
    chosen = show("matrix", "/matrix?release=7.0&row=storage&column=prod")["html"]
    assert "Not enough data" in chosen and ">fresh<" in chosen and "its only run" in chosen
    world.history({"c": "PP"}, release="8.0", module="later")
    assert "1 broken test in 1 module, 1 test failed on its only run in 1 module" in show("matrix", "/matrix")["html"]
