"""Storms and bad hosts: recognised, left out of verdicts, always listed, never confused with anything else."""

from __future__ import annotations

import pyarrow as pa
import pytest
from support.store_builder import World, cases

from data.model.filters import Filter
from data.verdicts import verdicts
from data.verdicts.disturbances import lists

SEVEN = Filter(release="7.0")
ALL = Filter(release="7.0", include_storms=True)


@pytest.fixture
def world(tmp_path):
    return World.at(tmp_path)


def kinds(world: World, flt: Filter = SEVEN) -> dict[str, list[str]]:
    return {row["name"]: row["kinds"] for row in verdicts.verdicts(world.store, flt)}


def letters(failing: int, of: int = 12) -> dict[str, str]:
    return {"t" + chr(97 + number): "F" if number < failing else "P" for number in range(of)}


def test_a_column_that_broke_as_a_whole_is_left_out_but_listed(world):
    world.series([{"m": letters(failing)} for failing in (0, 0, 11, 0, 0)])
    assert kinds(world) == {}
    assert set(kinds(world, ALL)) == set(letters(11, 11))
    (storm,) = lists.storm_list(world.store, SEVEN)
    assert (storm["number"], storm["kind"], storm["failed"], storm["total"]) == (3, "column", 11, 12)
    assert storm["job"] == "qa/7.0/M" and storm["module"] is None
    left_out = verdicts.exclusions(world.store, SEVEN)
    assert left_out["failures"] == 11 and left_out["storms"] == [storm] and left_out["hosts"] == []
    assert verdicts.exclusions(world.store, ALL) == {"failures": 0, "storms": [], "hosts": [], "unread_history": []}


def test_a_verdict_says_which_of_its_failures_were_left_out(world):
    world.series([{"m": letters(failing)} for failing in (0, 12, 0, 1, 1)])
    (row,) = verdicts.verdicts(world.store, SEVEN)
    assert row["kinds"] == ["regression"] and row["strip"] == "PPFF"
    assert [(run["number"], run["why"]) for run in row["evidence"]["excluded"]] == [(2, "storm")]
    assert row["sentence"].endswith("Failure not counted: #2 (mass failure).")


def test_what_is_broken_for_longer_than_storms_last_is_news(world):
    world.series([{"m": letters(failing)} for failing in (0, 0, 12, 12, 12)])
    assert kinds(world) == {name: ["regression"] for name in letters(12)}
    assert lists.storm_list(world.store, SEVEN) == []


def test_one_message_over_many_tests_is_a_storm_and_many_messages_are_not(world):
    def run(failing: int, message: str) -> dict[str, pa.Table]:
        return {"m": cases("m", letters(failing, 24), message=message)}

    world.series([run(0, ""), run(0, ""), run(10, "no route to host 10.0.0.9"), run(0, "")])
    assert [storm["kind"] for storm in lists.storm_list(world.store, SEVEN)] == ["message"]
    assert kinds(world) == {}
    world.series([run(10, "{name} differs"), run(0, "")])
    assert len(lists.storm_list(world.store, SEVEN)) == 1 and len(kinds(world)) == 10


def test_tests_of_another_module_in_a_broken_build_are_left_out_with_it(world):
    def build(failing: bool) -> dict[str, pa.Table]:
        letter = "F" if failing else "P"
        tables = [cases("m", {f"a{number}": letter for number in range(9)}), cases("guest", {"g": letter})]
        return {"m": pa.concat_tables(tables)}

    world.series([build(run == 2) for run in range(5)])
    assert kinds(world) == {}
    assert [storm["module"] for storm in lists.storm_list(world.store, SEVEN)] == [None]


def test_part_of_a_build_can_be_a_storm(world):
    def build(failing: bool) -> dict[str, pa.Table]:
        ours = {f"a{number}": "P" for number in range(30)}
        theirs = {f"g{number}": "F" if failing else "P" for number in range(6)}
        return {"m": pa.concat_tables([cases("m", ours), cases("guest", theirs)])}

    world.series([build(run == 2) for run in range(5)])
    assert kinds(world) == {}
    assert [storm["module"] for storm in lists.storm_list(world.store, SEVEN)] == ["guest"]
    assert lists.storm_list(world.store, Filter(release="7.0", module="elsewhere")) == []


def test_a_part_of_a_lane_is_judged_like_the_whole(programme):
    whole = {row["name"]: row for row in verdicts.verdicts(programme, SEVEN)}
    for module in ("routing", "ha", "nvs"):
        part = {row["name"]: row for row in verdicts.verdicts(programme, Filter(release="7.0", module=module))}
        assert part == {name: row for name, row in whole.items() if row["module"] == module}


def test_a_sick_host_is_found_and_its_failures_left_out(programme):
    first, *others = lists.host_list(programme, SEVEN)
    assert first["host"] == "10.0.0.3" and first["sick"] and first["ratio"] > 2
    assert not any(host["sick"] for host in others)
    rows = {row["name"]: row for row in verdicts.verdicts(programme, SEVEN)}
    assert not any(name.startswith("moves_") for name in rows)
    left_out = verdicts.exclusions(programme, SEVEN)
    assert [host["host"] for host in left_out["hosts"]] == ["10.0.0.3"] and left_out["hosts"][0]["failures"] > 20
    noisy = [row["name"] for row in verdicts.verdicts(programme, ALL) if row["name"].startswith("moves_")]
    assert len(noisy) > 10


def test_what_broke_on_one_host_in_one_run_alone_is_no_matter_of_the_host(world):
    hosts = [f"h{number}" for number in range(4)]
    of = {f"t{number:02}": number for number in range(40)}

    def run(age: int) -> dict[str, pa.Table]:
        at = {name: hosts[(number + age) % 4] for name, number in of.items()}
        # In the newest run everything on h1 fails: as if the tests there had just been broken.
        statuses = {name: "F" if age == 0 and host == "h1" else "P" for name, host in at.items()}
        return {"m": cases("m", statuses, host=at, message="{name} is not the same as ever")}

    world.series([run(age) for age in range(11, -1, -1)])
    assert not any(host["sick"] for host in lists.host_list(world.store, SEVEN))
    assert set(map(tuple, kinds(world).values())) == {("new_failure",)} and len(kinds(world)) == 10


def test_a_test_that_only_the_sick_host_runs_keeps_its_failures(world):
    hosts = [f"h{number}" for number in range(4)]
    of = {f"t{number:02}": number for number in range(40)}

    def run(age: int) -> dict[str, pa.Table]:
        at = {name: hosts[(number + age) % 4] for name, number in of.items()} | {"fixed": "h1"}
        statuses = {
            name: "F" if host == "h1" and (of.get(name, 0) + age) % 3 == 0 else "P" for name, host in at.items()
        }
        statuses["fixed"] = "F" if age < 4 else "P"
        return {"m": cases("m", statuses, host=at, message="{name} fails in its own way")}

    world.series([run(age) for age in range(11, -1, -1)])
    assert [host["host"] for host in lists.host_list(world.store, SEVEN) if host["sick"]] == ["h1"]
    assert kinds(world) == {"fixed": ["regression"]}
