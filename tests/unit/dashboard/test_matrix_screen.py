"""The matrix screen: its verdict in the title, its cells and their tests, and cells without data."""

from __future__ import annotations

import pytest
from support.screen import Element, Screen
from support.store_builder import World


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> World:
    """For tests that only read."""
    world = World.at(tmp_path_factory.mktemp("matrix") / "home")
    fill(world)
    return world


def fill(world: World) -> None:
    storage, runs = {"storage": {"s": "P"}}, []
    for letter in "PFF":
        runs += [{"routing": {"a": letter, "b": "P"}} | storage, (storage, {"environment": "staging"})]
    world.series(runs)


def cells(matrix: Screen, state: str) -> list[Element]:
    return [link for link in matrix.one("table", "Module").all("link") if link.name.startswith(state)]


def test_it_shows_whether_the_release_may_ship_and_lists_the_obstacles(world, screen):
    fill(world)
    matrix = screen("matrix", "/matrix")
    assert "is not ready" in matrix.title and "1 broken test in 1 of 2 modules" in matrix.title
    assert [row["Module"] for row in matrix.one("table").rows] == ["routing 1", "storage"]
    (failing,) = cells(matrix, "failing")
    assert failing.name == "failing, 1 broken. routing on prod: 1 regression; 1 of 2 results passed in #5."
    assert len(cells(matrix, "empty")) == 1
    assert matrix.all("heading", "What blocks the release") and len(matrix.cases()) == 1
    world.run({"routing": {"a": "P", "b": "P"}, "storage": {"s": "P"}})
    assert "7.0 has no recent run" in screen("matrix", "/matrix").title, "nothing is broken, but the runs are old"


def test_a_cell_lists_its_own_tests(filled, screen):
    chosen = screen("matrix", "/matrix?row=routing&column=prod")
    assert chosen.cases("a")
    (current,) = [link for link in chosen.one("table").all("link") if link.is_current]
    assert "routing on prod" in current.name
    assert "No broken test" in screen("matrix", "/matrix?row=storage&column=prod")
    assert "No broken test" in screen("matrix", "/matrix?row=nothing&column=nowhere")


def test_the_url_chooses_the_columns_and_the_unnamed_topology_can_be_chosen(filled, screen):
    matrix = screen("matrix", "/matrix?by=topology")
    module, unnamed = matrix.all("columnheader")
    assert module.text == "Module" and "column=none" in unnamed.one("link", "none").href
    assert len(matrix.cases()) == 1 == len(screen("matrix", "/matrix?by=topology&column=none").cases())
    assert "must be one of environment, topology" in screen("matrix", "/matrix?by=host")


def test_all_releases_are_side_by_side(world, screen):
    fill(world)
    world.history({"c": "PPP"}, release="8.0", module="later")
    matrix = screen("matrix", "/matrix")
    newer, older = matrix.one("region", "Releases").texts("listitem")
    assert newer.startswith("8.0 has no recent run") and older.startswith("7.0 is not ready")
    assert matrix.title.startswith("1 of 2 releases is not ready")
    (failing,) = cells(matrix, "failing")
    assert failing.href == "/matrix?release=7.0&row=routing" and "routing on prod: 1 regression" in failing
    assert screen("matrix", failing.href).cases("a")
    assert "is not ready" in screen("matrix", "/matrix?environment=prod").title


def test_an_empty_matrix_is_explained(world, screen):
    assert "No finished runs" in screen("matrix", "/matrix")


def test_the_markup_of_hostile_names_is_escaped(world, screen):
    world.history({"<img src=x>": "PF"}, module="<b>m", release="<u>r", environment="<i>e")
    matrix = screen("matrix", "/matrix")
    assert all(name in matrix for name in ("<img src=x>", "<b>m", "<u>r", "<i>e"))
    assert not any(tag in matrix.markup for tag in ("<img", "<b>m", "<u>", "<i>e"))


def test_a_test_that_failed_its_only_run_is_unjudged_and_not_broken(world, screen):
    fill(world)
    world.run({"routing": {"a": "F", "b": "P"}, "storage": {"s": "P", "fresh": "F"}})
    matrix = screen("matrix", "/matrix?release=7.0")
    assert "1 broken test in 1 of 2 modules, 1 test failed on its only run in 1" in matrix.title
    assert [row["Module"] for row in matrix.one("table").rows] == ["routing 1", "storage not enough data 1"]
    assert [cell.words[:3] for cell in cells(matrix, "failing")] == [["1", "routing", "on"], ["1", "storage", "on"]]
    chosen = screen("matrix", "/matrix?release=7.0&row=storage&column=prod")
    assert chosen.all("heading", "Not enough data") and "its only run" in chosen.cases("fresh")[0]
    world.history({"c": "PP"}, release="8.0", module="later")
    older = screen("matrix", "/matrix").one("region", "Releases").one("listitem", "7.0 is not ready")
    assert "1 broken test in 1 module, 1 test failed on its only run in 1 module" in older
