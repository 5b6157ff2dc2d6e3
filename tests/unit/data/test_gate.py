"""The gate: closed by what fails that did not, never open by accident; what disturbances broke counts on no side."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from support.store_builder import World

from data.model.filters import Filter
from data.model.run_record import RunRecord
from data.queries.gate import FAILING, gate
from data.verdicts.evidence import judging as evidence

SEVEN = Filter(release="7.0")


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


@pytest.fixture(scope="module")
def two_passes(tmp_path_factory) -> World:
    """Two runs that passed; only read."""
    world = World.at(tmp_path_factory.mktemp("two_passes"), memory_tables=True)
    world.history({"a": "PP"})
    return world


def failing(answer: dict) -> dict[str, str]:
    return {test["name"]: test["class"] for test in answer["tests"]}


def test_what_failed_before_does_not_close_it_and_what_passed_does(world, own):
    world.history({"steady": "PPP", "old": "PFF", "new": "PPF", "mended": "FFP", "born": "--F", "back": "PSF"})
    answer = gate(world.store, own)
    assert answer["state"] == "closed" and answer["new"] == 3
    assert answer["reason"] == "3 tests broke (limit 0), compared with #2."
    assert failing(answer) == {"back": "regression", "new": "regression", "born": "new_failure"}
    assert answer["counts"] == {"regression": 2, "new_failure": 1, "still_failing": 1}
    assert (answer["run"]["number"], answer["baseline"]["number"]) == (3, 2)
    sentences = {test["name"]: test["sentence"] for test in answer["tests"]}
    assert sentences["new"] == "Passed in #2, failed in #3."
    assert sentences["back"] == "Passed in #1, failed in #3.", "where it did not run, its last status counts"
    for test in answer["tests"]:
        assert evidence.judge(test["evidence"])["class"] == test["class"]
        assert evidence.sentence(test["evidence"]) == test["sentence"]


def test_so_many_may_fail_and_other_classes_may_count(world, own):
    world.history({"old": "PFF", "new": "PPF"})
    assert gate(world.store, own, max_new=1)["state"] == "passed"
    assert gate(world.store, own, kinds=FAILING, max_new=1)["state"] == "closed"
    assert gate(world.store, own, kinds=("new_failure",))["state"] == "passed"
    assert [test["name"] for test in gate(world.store, own, limit=0)["tests"]] == []


def test_an_earlier_run_is_judged_as_it_was_and_against_any_run_before_it(world, own):
    world.history({"a": "PFPF", "b": "PPFF"})
    assert failing(gate(world.store, own, run="3")) == {"b": "regression"}
    assert failing(gate(world.store, own, run="2")) == {"a": "regression"}
    assert failing(gate(world.store, own, baseline="1")) == {"a": "regression", "b": "regression"}
    world.history({"a": "FFFFFFFF", "b": "FPFPFPFP"})
    assert failing(gate(world.store, own, run="3")) == {"b": "regression"}, "what came later changes nothing"
    row = gate(world.store, own, run="3")["tests"][0]
    assert row["kinds"] == ["new_failure"], "nor do later runs make it flaky"
    by_id = gate(world.store, own, run="4")["baseline"]["id"]
    assert gate(world.store, own, run="4", baseline=by_id)["baseline"]["number"] == 3


def test_another_release_is_a_baseline_in_the_same_environment(world, own):
    world.history({"a": "PP", "b": "PF", "c": "FP"}, release="6.0")
    world.history({"a": "PF", "b": "FF", "c": "PF", "d": "FF"})
    answer = gate(world.store, own, baseline="6.0")
    assert failing(answer) == {"a": "regression", "c": "regression", "d": "new_failure"}
    assert answer["baseline"]["release"] == "6.0"
    assert [test["sentence"] for test in answer["tests"] if test["name"] == "a"] == ["Passed in 6.0 #2, failed in #4."]


@pytest.mark.parametrize(
    ("query", "reason", "pending"),
    [
        ({"flt": Filter(release="9.9")}, "Release 9.9 has no runs.", True),
        ({"flt": Filter(release="7.0", environment="lab")}, "Release 7.0 has no runs in lab.", True),
        ({"run": "77"}, "Release 7.0 has no run 77.", True),
        ({"run": "1"}, "No complete run before #1", False),
        ({"baseline": "77"}, "The baseline 77 is neither", False),
        ({"baseline": "2"}, "The baseline 2 is neither", False),
        ({"flt": Filter(release="7.0", module="nowhere")}, "has no results in this module or topology", False),
    ],
)
def test_an_unanswerable_query_is_unknown_with_its_reason(two_passes, query, reason, pending):
    answer = gate(two_passes.store, **{"flt": SEVEN, **query})
    assert answer["state"] == "unknown" and reason in answer["reason"] and answer["pending"] is pending


def test_an_incomplete_first_run_names_what_it_lacks_and_the_missing_baseline(world, own):
    world.run({"routing": {"a": "P"}, "storage": None})
    answer = gate(world.store, own)
    assert (answer["state"], answer["pending"]) == ("unknown", False)
    assert answer["reason"].startswith("Run #1 is incomplete: 1 of 2 builds has no results. No complete run before #1")


def test_a_run_that_is_not_whole_is_never_green(world, own):
    world.history({"a": "PP"})
    run, builds, listed_builds = world.prepare({"routing": {"a": "F", "b": "F"}, "storage": None}, state="running")
    world.write([run], [replace(build, state="final", result="UNSTABLE") for build in builds], listed_builds)
    going_on = gate(world.store, own)
    assert (going_on["state"], going_on["pending"]) == ("unknown", True)
    assert going_on["reason"].startswith("Run #3 ") and going_on["reason"].endswith(
        " So far: 2 tests broke (limit 0), compared with #2."
    )
    assert failing(going_on) == {"a": "regression", "b": "new_failure"}
    assert gate(world.store, own, baseline="77")["pending"] is False, "no end of the run changes that"
    world.run({"routing": {"a": "P"}, "storage": None})
    lacking = gate(world.store, own)
    assert (lacking["state"], lacking["pending"]) == ("unknown", True)
    assert lacking["reason"] == "Run #4 is incomplete: 1 of 2 builds has no results."
    world.run({"routing": {"a": "F"}, "storage": None})
    failing_too = gate(world.store, own)
    assert failing_too["state"] == "unknown" and failing(failing_too) == {"a": "regression"}
    assert failing_too["reason"] == (
        "Run #5 is incomplete: 1 of 2 builds has no results. So far: 1 test broke (limit 0), compared with #2."
    )


def test_environments_are_never_mixed(world, own):
    world.history({"a": "PP"})
    world.history({"a": "PF"}, environment="staging")
    undecided = gate(world.store, own)
    assert undecided["reason"] == f"Release {world.release} has runs in prod and staging: choose an environment."
    assert gate(world.store, Filter(release=world.release, environment="prod"))["state"] == "passed"
    assert gate(world.store, Filter(release=world.release, environment="staging"))["state"] == "closed"
    assert gate(world.store, own, run="4")["state"] == "closed", "a run that only one environment has needs no more"
    other = gate(world.store, Filter(release=world.release, environment="prod"), run=f"{world.runs[3].id:016x}")
    assert (other["state"], other["pending"]) == ("unknown", False)
    assert (
        other["reason"] == f"{world.release} staging, qa/{world.release}/RUN #4 is no run of {world.release} in prod."
    )


def nightly(world: World, number: int, content: dict[str, str]) -> RunRecord:
    """A run of another job, which numbers its own."""
    run, builds, run_builds = world.prepare({"routing": content}, number=number)
    run = replace(run, job="qa/nightly", started_at=run.started_at + timedelta(hours=1))
    builds = [replace(build, job="qa/other", started_at=run.started_at) for build in builds]
    world.write([run], builds, [replace(row, run=run.id, job="qa/other") for row in run_builds])
    return run


def test_a_number_that_several_jobs_have_is_not_guessed(world, own):
    """Else the run of whichever job is newest would answer for the others."""
    world.history({"a": "PPF"})
    nightly(world, 1, {"b": "P"})
    third = nightly(world, 3, {"b": "P"})
    answer = gate(world.store, own, run="3")
    assert (answer["state"], answer["pending"]) == ("unknown", False)
    assert answer["reason"] == (
        f"Release {world.release} has several runs 3 (qa/{world.release}/RUN: {world.runs[2].id:016x}, "
        f"qa/nightly: {third.id:016x}): give the id of one."
    )
    assert gate(world.store, own, run="2")["state"] == "passed", "only one job has this number"
    by_id = gate(world.store, own, run=format(third.id, "016x"), baseline="1")
    assert (by_id["state"], by_id["run"]["job"]) == ("passed", "qa/nightly")
    assert by_id["baseline"]["job"] == "qa/nightly", "a baseline's number is that of the run's own job"


def letters(failing: int) -> dict[str, str]:
    return {f"t{number}": "F" if number < failing else "P" for number in range(12)}


def test_a_storm_is_left_out_but_listed_and_hides_nothing_as_a_baseline(world, own):
    world.series([{"m": letters(failing), "n": {"other": "P"}} for failing in (0, 0, 12)])
    stormed = gate(world.store, own)
    assert stormed["state"] == "passed" and stormed["left_out"]["failures"] == 12
    assert "Mass failure in" in stormed["left_out"]["storms"][0]["sentence"]
    counted = gate(world.store, Filter(release=world.release, include_storms=True))
    assert counted["new"] == 12 and counted["left_out"]["storms"] == []
    world.run({"m": letters(2), "n": {"other": "P"}})
    after = gate(world.store, own)
    assert failing(after) == {"t0": "regression", "t1": "regression"}
    assert {test["sentence"] for test in after["tests"]} == {"Passed in #2, failed in #4."}


def test_noise_does_not_count_where_it_is_left_out(world, own):
    world.history({"noise": "PFPPFPPF", "real": "PPPPPPPF"})
    assert gate(world.store, own)["new"] == 2
    answer = gate(world.store, Filter(release=world.release, exclude_flaky=True))
    assert failing(answer) == {"real": "regression"} and answer["left_out"]["noisy"] == 1
