"""Tests that fail more often than they did, the flaky table, and what `exclude_flaky` takes out."""

from __future__ import annotations

import random

import pytest
from support.store_builder import World, cases

from data.model import ids
from data.model.filters import Filter
from data.queries import runs, trends
from data.verdicts import failure_rates, flaky_exclusion, flaky_ranking

SEVEN = Filter(release="7.0")


@pytest.fixture
def world(tmp_path):
    return World.at(tmp_path)


def claims(world: World, base: str | None = None, flt: Filter = SEVEN) -> dict[str, str]:
    return {row["name"]: row["claim"] for row in failure_rates.regressions(world.store, flt, base)["tests"]}


def test_a_test_that_fails_more_often_is_found_though_it_passes_in_between(programme):
    found = failure_rates.regressions(programme, SEVEN)
    rows = {row["name"]: row for row in found["tests"]}
    assert rows["worse"]["claim"] == "confirmed" and "breaks" in rows
    assert not {"flaps", "rescued", "steady_1", "hopeless"} & set(rows)
    assert not any(name.startswith(("moves_", "stored_")) for name in rows)
    assert (found["sample_runs"], found["base_runs"]) == (10, 52)
    assert found["confirmed"] + found["suspected"] + found["required"] == len(rows)
    assert failure_rates.regressions(programme, SEVEN, limit=1, offset=1)["tests"] == [found["tests"][1]]


def test_two_failures_are_never_a_regression_and_three_are_suspected(world):
    world.history({"two": "P" * 25 + "FPPFP", "three": "P" * 25 + "FPFPF"})
    assert claims(world) in ({"three": "suspected"}, {"three": "confirmed"})


def test_many_steady_tests_make_no_false_claim(world):
    rng = random.Random(11)
    rates = {f"t{number:03}": rng.uniform(0, 0.1) for number in range(150)}
    world.history({name: "".join(rng.choices("FP", (rate, 1 - rate), k=40)) for name, rate in rates.items()})
    found = failure_rates.regressions(world.store, SEVEN)
    assert found["confirmed"] == 0
    assert found["suspected"] <= 4


def test_an_open_regression_stays_open_with_less_evidence(world):
    # Half of the newest runs fail, then fewer: at the last look three of ten, which alone would not be confirmed.
    world.history({"fades": "P" * 30 + "FFFFFPPPPPPP", "fresh": "P" * 39 + "FFF"})
    rows = {row["name"]: row for row in failure_rates.regressions(world.store, SEVEN)["tests"]}
    assert rows["fades"]["opened"] and not rows["fresh"]["opened"]
    assert rows["fades"]["evidence"]["cut_open"] >= (rows["fades"]["evidence"]["cut"] or 0)


def test_another_release_is_the_base_and_an_older_one_where_it_did_better(world):
    for release, letters in (("5.0", "P" * 12), ("6.0", "PPPFPPPPFPPF"), ("7.0", "PPFPFFPFFP")):
        world.history({"t": letters, "same": "P" * len(letters)}, release=release)
    (row,) = failure_rates.regressions(world.store, SEVEN, "6.0")["tests"]
    assert (row["base"]["release"], row["base"]["failed"], row["base"]["of"]) == ("5.0", 0, 12)
    assert (row["sample"]["failed"], row["sample"]["of"]) == (5, 10)
    assert "in 5.0" in row["sentence"]
    assert failure_rates.regressions(world.store, SEVEN, "4.0") is None
    assert failure_rates.regressions(world.store, Filter(release="9.0")) is None


def test_a_test_without_a_base_is_held_against_a_required_rate(world):
    world.history({"old": "P" * 8}, release="6.0")
    world.history({"old": "P" * 8, "new": "PFPFPFPP"})
    assert claims(world, "6.0") == {"new": "required"}


def test_the_flaky_table_ranks_by_what_is_certain_and_tells_the_cost(programme):
    rows = flaky_ranking.flaky(programme, SEVEN)
    assert [row["name"] for row in rows] == ["flaps", "rescued", "worse"]
    by_name = {row["name"]: row for row in rows}
    assert by_name["rescued"]["rescued"] == 8 and by_name["rescued"]["time_lost_s"] == pytest.approx(8 * 2 * 1.5)
    assert by_name["flaps"]["disturbed_runs"] == 10 and by_name["flaps"]["time_lost_s"] == pytest.approx(10 * 1.5)
    assert by_name["flaps"]["last_disturbed"]["number"] == 37
    assert all(row["score_interval_95"][0] <= row["score"] <= row["score_interval_95"][1] for row in rows)
    assert flaky_ranking.flaky(programme, SEVEN, limit=1, offset=1) == [rows[1]]


def test_a_test_recovers_after_a_week_without_a_flake(world):
    world.history({"long_ago": "PF" + "P" * 18, "lately": "P" * 17 + "FPP"})
    rows = flaky_ranking.flaky(world.store, SEVEN)
    assert [(row["name"], row["recovered"]) for row in rows] == [("lately", False), ("long_ago", True)]
    assert rows[1]["clean_results"] == 18 and rows[1]["clean_days"] == 9
    assert "Recovered" in rows[1]["sentence"]


def test_a_breakage_that_was_mended_is_not_flaky(world):
    world.history({"broke": "PPPFFFFPPP", "newly": "PPPPPPPPPF"})
    assert flaky_ranking.flaky(world.store, SEVEN) == []


def test_flaky_tests_are_taken_out_of_every_count_alike(world):
    letters = {"flaps": "PFPFPF", "broke_too": "PFPFFF", "good": "PPPPPP", "bad": "FFFFFF", "skips": "SSSSSS"}
    world.history(letters)
    assert list(flaky_exclusion.excluded_tests(world.store, "7.0")) == ["prod"]
    assert len(flaky_exclusion.excluded_tests(world.store, "7.0")["prod"]) == 1
    without = Filter(release="7.0", exclude_flaky=True)
    plain, taken = (runs.runs(world.store, flt) for flt in (SEVEN, without))
    for before, after in zip(plain, taken, strict=True):
        failed = before["number"] % 2 == 0
        assert after["left_out"] == 1 and after["total"] == before["total"] - 1
        assert (after["failed"], after["passed"]) == (before["failed"] - failed, before["passed"] - (not failed))
        assert after["pass_rate"] == after["passed"] / after["total"] and after["state"] == before["state"]
        assert runs.run(world.store, before["id"], without)["failed"] == after["failed"]
        (module,) = runs.modules(world.store, before["id"], without)
        assert (module["total"], module["left_out"]) == (after["total"], 1)
        assert sum(row["total"] for row in runs.priorities(world.store, before["id"], without)) == after["total"]
    points = {point["run"]: point for point in trends.trend(world.store, without)["series"][0]["points"]}
    days = trends.trend(world.store, without, by="day", group="module")["series"][0]["points"]
    for row in taken:
        assert {name: points[row["id"]][name] for name in ("total", "passed", "failed")} == {
            name: row[name] for name in ("total", "passed", "failed")
        }
    assert sum(day["failed"] for day in days) == sum(row["failed"] for row in taken)


def test_what_is_noise_in_one_environment_counts_in_another(world):
    world.history({"t": "PFPFP"}, environment="staging")
    world.history({"t": "PPPPP"}, environment="prod")
    without = Filter(release="7.0", exclude_flaky=True)
    totals = {(row["environment"], row["total"]) for row in runs.runs(world.store, without)}
    assert totals == {("staging", 0), ("prod", 1)}


def test_counts_are_taken_out_of_the_part_that_is_asked_about(world):
    both = [{"m": cases("m", {"t": letter}, "3s"), "n": cases("n", {"u": "P"}, "3s")} for letter in "PFPFP"]
    world.series(both)
    flt = Filter(release="7.0", module="n", exclude_flaky=True)
    assert {row["total"] for row in runs.runs(world.store, flt)} == {1}
    assert {row["left_out"] for row in runs.runs(world.store, flt)} == {0}
    newest = runs.runs(world.store, SEVEN)[0]["id"]
    assert newest == ids.text(world.runs[-1].id)
