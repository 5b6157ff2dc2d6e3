"""The matrix: which cell is red, black, hatched or green, what is counted, and what is listed behind it."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from support.store_builder import World, cases

from data.model.filters import Filter
from data.queries import releases
from data.queries.matrix import matrix
from data.queries.matrix_tests import broken, unjudged


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


def cells(world: World, by: str = "environment", **filters) -> dict[tuple[str, str], dict]:
    found = matrix(world.store, world.release, Filter(**filters), by)
    columns = [column["value"] for column in found["columns"]]
    return {
        (row["module"], column): cell
        for row in found["rows"]
        for column, cell in zip(columns, row["cells"], strict=True)
    }


def states(world: World, by: str = "environment", **filters) -> dict[tuple[str, str], str]:
    return {key: cell["state"] for key, cell in cells(world, by, **filters).items()}


def many(letter: str, count: int = 6) -> dict[str, str]:
    return {f"t{index}": letter for index in range(count)}


def test_each_environment_shows_its_newest_finished_run(world):
    good = {"routing": {"a": "P", "b": "P"}, "nvs": {"n": "P"}, "late": {"l": "P"}}
    newest = {"routing": {"a": "F", "b": "P"}, "nvs": {}, "late": None}
    staging = ({"routing": {"a": "P", "b": "P"}}, {"environment": "staging"})
    world.series([good, good, newest, staging, ({"routing": {"b": "P"}}, {"state": "running"})])
    assert states(world) == {
        ("routing", "prod"): "failing",
        ("nvs", "prod"): "broken",
        ("late", "prod"): "missing",
        ("routing", "staging"): "ok",
        ("nvs", "staging"): "empty",
        ("late", "staging"): "empty",
    }
    red = cells(world)["routing", "prod"]
    assert (red["tests"], red["new_failures"], red["passed"], red["total"]) == (1, 1, 1, 2)
    assert red["sentence"] == "routing on prod: 1 new failure; 1 of 2 results passed in #3."
    assert "no usable results" in cells(world)["nvs", "prod"]["sentence"]
    assert list(states(world, environment="staging")) == [("routing", "staging")]


def test_what_breaks_in_a_running_run_is_shown_as_so_far(world):
    good = {"routing": {"a": "P", "b": "P"}}
    world.series([good, good, {"routing": {"a": "F", "b": "P"}}])
    run, builds, run_builds = world.prepare({"routing": {"a": "P", "b": "F"}})
    world.write([replace(run, state="running")], builds, run_builds)
    cell = cells(world)["routing", "prod"]
    assert (cell["state"], cell["tests"], cell["passed"], cell["total"]) == ("failing", 1, 1, 2)
    assert cell["sentence"] == (
        "routing on prod: 1 new failure (so far in #4, which is running); 1 of 2 results passed in #3 (excluding 1 "
        "flaky test)."
    )
    (tile,) = releases.tiles(world.store, Filter(release=world.release))
    assert (tile["latest_run"]["number"], tile["running_run"]["number"]) == (3, 4)
    assert tile["reasons"][0] == "1 new failure (so far in #4, which is running)."
    world.write([run], [], [])
    assert cells(world)["routing", "prod"]["sentence"].startswith("routing on prod: 1 new failure; 1 of 2 results")


def test_the_worst_cell_stands_for_its_row_and_a_test_counts_once(world):
    world.series(
        ({"routing": {"a": letter, "b": "P"}, "storage": {"s": "P"}}, {"environment": environment})
        for letter in "PFF"
        for environment in ("prod", "staging")
    )
    found = matrix(world.store, world.release)
    assert [(row["module"], row["state"], row["tests"]) for row in found["rows"]] == [
        ("routing", "failing", 1),
        ("storage", "ok", 0),
    ]
    assert (found["state"], found["tests"]) == ("failing", 1)
    assert [(column["value"], column["tests"], len(column["runs"])) for column in found["columns"]] == [
        ("prod", 1, 1),
        ("staging", 1, 1),
    ]


def test_a_test_is_red_on_the_topologies_where_it_failed_last(world):
    def both(three: str, five: str) -> pa.Table:
        sides = {"3s": {"a": three, "b": "P"}, "5s": {"a": five}}
        return pa.concat_tables([cases("routing", test, topology=name) for name, test in sides.items()])

    world.series({"routing": both(three, five)} for three, five in ("PP", "FP", "PF"))
    assert states(world, "topology") == {("routing", "3s"): "ok", ("routing", "5s"): "failing"}
    assert [row["name"] for row in broken(world.store, world.release, by="topology", column="5s")] == ["a"]
    assert broken(world.store, world.release, by="topology", column="3s") == []


def test_what_flakes_does_not_count_and_a_storm_says_nothing(world):
    world.history({"flaky": "PFPPFP", "steady": "PPPPPP"})
    cell = cells(world)["routing", "prod"]
    assert (cell["state"], cell["tests"], cell["flaky"]) == ("ok", 0, 1) and "excluding 1 flaky test" in cell[
        "sentence"
    ]
    world.series({"routing": many(letter), "storage": {"s": "P"}} for letter in "PPF")
    assert states(world) == {("routing", "prod"): "broken", ("storage", "prod"): "ok"}
    assert "mass failure" in cells(world)["routing", "prod"]["sentence"]
    assert states(world, include_storms=True)["routing", "prod"] == "failing"


def test_the_list_behind_a_cell_is_what_it_counts(world):
    for letter in "PFF":
        prod = {"routing": {"a": letter, "b": "P"}, "storage": {"s": letter}}
        world.series([prod, ({"routing": {"a": "P", "z": letter}}, {"environment": "staging"})])
    for (module, column), cell in cells(world).items():
        rows = broken(world.store, world.release, Filter(module=module), column=column)
        assert len({row["test"] for row in rows}) == cell["tests"]
        assert {(row["module"], row["environment"]) for row in rows} <= {(module, column)}
    assert [row["name"] for row in broken(world.store, world.release, Filter(module="storage"))] == ["s"]


def test_without_an_ended_run_there_is_none_and_another_axis_is_refused(world):
    assert matrix(world.store, world.release) is None
    world.run({"routing": {"a": "P"}}, state="running")
    assert matrix(world.store, world.release) is None
    with pytest.raises(ValueError, match="environment, topology"):
        matrix(world.store, world.release, by="host")


def test_a_first_run_with_failures_does_not_ship(world):
    world.run({"routing": {"a": "F", "b": "P"}, "policy": {"c": "P"}}, release="9.0")
    found = matrix(world.store, "9.0")
    assert (found["state"], found["tests"], found["unjudged"]) == ("failing", 0, 1)
    cell = next(row for row in found["rows"] if row["module"] == "routing")["cells"][0]
    assert (cell["state"], cell["failed"], cell["unjudged"]) == ("failing", 1, 1)
    assert cell["sentence"] == "routing on prod: 1 test failed on its only run; 1 of 2 results passed in #1."
    (row,) = unjudged(world.store, "9.0", Filter(module="routing"), column="prod")
    assert (row["name"], row["number"], row["environment"]) == ("a", 1, "prod")
    assert unjudged(world.store, "9.0", Filter(module="policy")) == []
    tile = releases.release(world.store, "9.0")
    assert tile["state"] in ("failing", "stale") and tile["latest_run"]["failed"] == 1


def test_a_test_that_failed_the_only_time_it_ran_is_told_apart_from_broken_ones(world):
    runs = [{"routing": {"a": letter, "b": "P"}} for letter in "PPFF"]
    runs[-1]["routing"]["fresh"] = "F"
    world.series(runs)
    for by in ("environment", "topology"):
        found = matrix(world.store, world.release, by=by)
        assert (found["tests"], found["unjudged"]) == (1, 1)
        assert found["rows"][0]["cells"][0]["evidence"]["sick"] == 0
        assert [row["name"] for row in unjudged(world.store, world.release, by=by)] == ["fresh"]
    world.run({"routing": {"a": "P", "b": "P"}})
    # What ran once, some runs ago, keeps nothing red.
    assert matrix(world.store, world.release)["rows"][0]["state"] == "ok"


def test_a_cell_leaves_out_failures_of_a_bad_host_and_counts_them(world):
    tests, runs = {f"t{index}": "P" for index in range(30)}, []
    for run in range(12):
        on_bad_host = {name for index, name in enumerate(tests) if (index + run) % 3 == 0}
        letters = {name: "F" if name in on_bad_host else "P" for name in tests}
        hosts = {name: "ill" if name in on_bad_host else f"h{index % 2}" for index, name in enumerate(tests)}
        runs.append({"routing": cases("routing", letters, host=hosts)})
    world.series(runs)
    cell = cells(world)["routing", "prod"]
    assert (cell["state"], cell["tests"], cell["unjudged"]) == ("ok", 0, 0)
    assert "excluding 10 tests failing on bad hosts only" in cell["sentence"]
