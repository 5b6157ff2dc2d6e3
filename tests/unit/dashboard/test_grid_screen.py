"""The grid: the data that is painted, the head above it, and the filters of both."""

from __future__ import annotations

import pytest

from dashboard.pages import grid

HISTORY = {"a_bad": "PPFF", "b_good": "PPPP", "c_rescued": "PKP-", "d_left_out": "SSSS"}


@pytest.fixture
def painted(app, call):
    def ask(href: str):
        answer = call(app, "grid-data.data", {"url.href": f"http://host{href}", "snapshot.data": None})
        return answer.json["response"].get("grid-data", {}).get("data")

    return ask


def test_one_letter_per_run_newest_first(world, painted, screen):
    world.history(HISTORY)
    data = painted("/grid")
    assert data["tests"][0][1] == "a_bad"
    assert dict(zip((row[1] for row in data["tests"]), data["cells"], strict=True)) == {
        "a_bad": "FFPP",
        "b_good": "PPPP",
        "c_rescued": "-PKP",
        "d_left_out": "SSSS",
    }
    assert [(run[1], run[6]) for run in data["runs"]] == [(4, "#4"), (3, "#3"), (2, "#2"), (1, "#1")] and data[
        "release"
    ] == "7.0"
    assert screen("grid-head", "/grid").title == "7.0 prod 4 tests over 4 runs"


def test_kind_text_order_and_runs_filter_the_grid(world, painted):
    world.history(HISTORY)
    assert [row[1] for row in painted("/grid?kind=regression")["tests"]] == ["a_bad"]
    assert [row[1] for row in painted("/grid?q=RESCUED")["tests"]] == ["c_rescued"]
    assert [row[1] for row in painted("/grid?order=name")["tests"]] == sorted(HISTORY)
    assert len(painted("/grid?runs=2")["runs"]) == 2


def test_runs_of_one_release_are_next_to_each_other(world, painted):
    world.history({"a": "PF"}, release="7.0")
    world.history({"a": "P"}, release="8.0")
    assert {painted("/grid")["release"], painted("/grid?release=7.0")["release"]} == {"7.0", "8.0"}
    assert painted("/grid?release=7.0")["cells"] == ["FP"]


def test_without_a_release_it_names_the_one_shown_and_offers_the_others(world, screen):
    for release in ("7.0", "8.0"):
        world.history({"a": "PF"}, release=release)
    head = screen("grid-head", "/grid?q=a")
    assert "The grid shows one release" in head and head.one("link", "7.0").href == "/grid?q=a&release=7.0"
    assert "shows one release" not in screen("grid-head", "/grid?release=7.0")


def test_an_empty_grid_is_explained(world, painted, screen):
    assert painted("/grid")["tests"] == [] and "No matching tests" in screen("grid-head", "/grid")
    world.run({"routing": {"a": "P"}})
    nothing = screen("grid-head", "/grid?q=%3Cimg%3E&kind=flaky")
    assert "No matching tests" in nothing and "<img>" in nothing and "img" not in nothing.tags


def test_an_unknown_order_is_explained_and_another_page_is_unchanged(world, painted, screen):
    world.run({"routing": {"a": "P"}})
    assert painted("/grid?order=nonsense") is None
    assert "must be one of failing" in screen("grid-head", "/grid?order=nonsense")
    assert painted("/trends") is None


def test_priority_topology_and_verdict_filter_and_sort_the_grid(world, painted, screen):
    world.history(HISTORY)

    def metadata(cursor) -> None:
        cursor.execute("INSERT INTO test_metadata BY NAME SELECT 'b_good' AS base_name, 'P0' AS priority")

    world.store.transact("test", "metadata", metadata)
    assert [row[1] for row in painted("/grid?priority=P0")["tests"]] == ["b_good"]
    assert len(painted("/grid?priority=unknown")["tests"]) == 3
    assert painted("/grid?order=priority")["tests"][0][1:4] == [
        "b_good",
        "tests/routing/routing_test.py::TestIt::b_good",
        "P0 · routing",
    ]
    assert [row[1] for row in painted("/grid?order=verdict")["tests"]][:2] == ["a_bad", "c_rescued"]
    assert painted("/grid?topology=5s")["tests"] == []
    assert "No priority P7" in screen("grid-head", "/grid?priority=P7")
    priorities = screen("grid-head", "/grid?priority=P0").one("combobox", "Priority")
    assert priorities.selected.value == "P0" and priorities.one("option", "unknown").value == "unknown"


def test_tests_of_one_name_get_the_shortest_distinct_labels():
    def labels(*keys: str) -> list[str]:
        return grid.distinguishing_labels([{"key": key, "name": key.split("::", 2)[2]} for key in keys])

    assert labels("a/x.py::m.One::t", "a/x.py::m.Two::t", "a/x.py::m.One::u") == ["One", "Two", ""]
    assert labels("a/x.py::One::t[a::b]", "b/y.py::One::t[a::b]") == ["x.py", "y.py"]
    assert labels("a/x.py::One::t", "a/y.py::One::t", "a/y.py::Two::t") == ["x.py One", "y.py One", "y.py Two"]
    assert labels("a/x.py::One::t", "b/x.py::One::t") == ["a/x.py One", "b/x.py One"]


def test_an_unknown_release_is_named_and_the_others_are_offered(world, screen):
    world.run({"routing": {"a": "P"}}, release="8.0")
    head = screen("grid-head", "/grid?release=9.9")
    assert "No release 9.9" in head and head.one("link", "8.0").href == "/grid?release=8.0"


def test_of_several_environments_it_shows_the_one_that_tests_most(world, screen):
    world.series([{"routing": {"a": "P", "b": "F"}}] * 2, release="8.0")
    world.series([{"routing": {"a": "F"}}], release="8.0", environment="staging")
    head = screen("grid-head", "/grid?release=8.0")
    assert head.title == "8.0 prod 2 tests over 2 runs"
    assert head.one("link", "staging").href == "/grid?release=8.0&environment=staging"
    chosen = screen("grid-head", "/grid?environment=staging&release=8.0")
    assert chosen.title == "8.0 staging 1 test over 1 run" and "one environment" not in chosen
