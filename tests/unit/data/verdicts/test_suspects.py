"""Where a failure rate changed, and who did it: over a longer history than a window's."""

from __future__ import annotations

import pytest
from support.store_builder import World

from data.model import ids
from data.model.build_record import CommitRecord
from data.model.filters import Filter
from data.verdicts import suspects, verdicts

SEVEN = Filter(release="7.0")


@pytest.fixture
def world(tmp_path):
    return World.at(tmp_path)


def test_the_first_bad_run_lies_in_its_range_and_both_ends_name_their_builds(world):
    world.history({"t": "P" * 30 + "F" * 6})
    (row,) = verdicts.verdicts(world.store, SEVEN)
    found = row["range_99"]
    assert found["after"] < 31 <= found["until"] and found["most_likely"] == 31
    assert (found["runs_before"], found["runs"], found["rate_before"], found["rate_after"]) == (30, 36, 0, 1)
    assert found["threshold"] == world.store.settings.measures.change_point_l
    assert row["first_bad"]["build"]["number"] == 31 and row["last_good"]["build"]["number"] == 30
    assert row["first_bad"]["build"]["job"] == "qa/7.0/ROUTING"
    (without,) = verdicts.verdicts(world.store, SEVEN, ranges=False)
    assert without["range_99"] is None and "change_point" not in without["evidence"]


def test_a_history_too_short_to_be_certain_has_no_range(world):
    world.history({"t": "PPPFF"})
    (row,) = verdicts.verdicts(world.store, SEVEN)
    assert row["kind"] == "regression" and row["range_99"] is None


def test_the_threshold_is_a_setting(world):
    world.history({"t": "P" * 12 + "FF"})
    assert verdicts.verdicts(world.store, SEVEN)[0]["range_99"] is None
    measures = world.store.settings.measures.model_copy(update={"change_point_l": 0.2})
    other = World.at(world.store.settings.home)
    other.store.settings = other.store.settings.model_copy(update={"measures": measures})
    assert verdicts.verdicts(other.store, SEVEN)[0]["range_99"]["threshold"] == 0.2


def test_only_the_tests_asked_about_are_answered(world):
    world.history({"a": "PPF", "b": "PPF"})
    rows = verdicts.verdicts(world.store, SEVEN)
    assert verdicts.verdicts(world.store, SEVEN, tests=(rows[1]["test"],)) == [rows[1]]


def test_the_commit_between_good_and_bad_is_suspected(world):
    world.history({"t": "PPPPPPPPFFF"})
    (row,) = verdicts.verdicts(world.store, SEVEN)
    (found,) = suspects.suspects(world.store, row["test"], SEVEN)
    first = found["suspects"][0]
    assert first["revision"] == "c009" and first["build"]["number"] == 9
    assert found["after"] < 9 <= found["until"]
    assert sum(suspect["probability"] for suspect in found["suspects"]) + found["none"] == pytest.approx(1)
    assert "c009" in found["sentence"]


def test_a_commit_that_names_the_subject_comes_first_among_equals(world):
    world.history({"t": "PPPP"})
    run, builds, run_builds = world.prepare({"routing": {"t": "F"}})
    builds[0].commits[:] = [
        CommitRecord("aaa", "ann", "Tidy the licence texts"),
        CommitRecord("bbb", "bob", "routing: keep the table on reload"),
    ]
    world.write([run], builds, run_builds)
    (row,) = verdicts.verdicts(world.store, SEVEN)
    (found,) = suspects.suspects(world.store, row["test"], SEVEN)
    assert [suspect["revision"] for suspect in found["suspects"]] == ["bbb", "aaa"]


def test_a_commit_that_came_in_with_another_environment_is_not_lost(world):
    world.history({"t": "PPPPPP"})
    world.run({"routing": {"t": "P"}}, environment="staging")
    world.history({"t": "FFF"})
    (row,) = verdicts.verdicts(world.store, Filter(release="7.0", environment="prod"))
    (found,) = suspects.suspects(world.store, row["test"], SEVEN)
    assert {"c007", "c008"} <= {suspect["revision"] for suspect in found["suspects"]}


def test_what_never_passed_has_no_suspects(world):
    world.history({"t": "FFF", "p": "PPP"})
    (row,) = verdicts.verdicts(world.store, SEVEN)
    assert suspects.suspects(world.store, row["test"], SEVEN) == []
    assert suspects.suspects(world.store, ids.text(1), SEVEN) == []
