"""Incomplete runs: builds that are missing, empty or aborted, the modules that they usually test, and what is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.store_builder import World

from data.model import ids
from data.model.filters import Filter
from data.queries import builds, compare, lane_states, matrix, releases, runs, trends
from data.queries.gate import gate
from data.tasks import ledger

GOOD = {"routing": {"a": "P", "b": "P"}, "storage": {f"s{number}": "P" for number in range(8)}}


@pytest.fixture
def world(shared_world: World) -> World:
    return shared_world


def newest(world: World) -> dict:
    return runs.runs(world.store, Filter(release=world.release))[0]


def module_rows(world: World, run: str) -> dict[str, dict]:
    return {row["module"]: row for row in runs.modules(world.store, run)}


def add_aborted(world: World, modules: dict) -> None:
    """A run whose storage build was aborted after it had reported these results."""
    run, built, run_builds = world.prepare(modules)
    built = [replace(build, result="ABORTED") if build.module == "storage" else build for build in built]
    world.write([run], built, run_builds)


def test_a_run_with_a_missing_build_is_incomplete_though_all_it_has_passed(world):
    world.series([GOOD, GOOD, {**GOOD, "storage": None}])
    run = newest(world)
    assert (run["state"], run["incomplete"], run["missing"], run["aborted"]) == ("incomplete", True, 1, 0)
    rows = module_rows(world, run["id"])
    assert (rows["routing"]["state"], rows["routing"]["incomplete"]) == ("ok", False)
    assert (rows["storage"]["state"], rows["storage"]["incomplete"], rows["storage"]["delta"]) == (
        "missing",
        True,
        None,
    )
    assert rows["storage"]["expected_total"] == 8
    earlier = runs.runs(world.store, Filter(release=world.release))[1]
    assert (earlier["state"], earlier["incomplete"]) == ("ok", False)


def test_a_module_that_two_builds_test_lacks_what_the_missing_one_usually_brings(world, own):
    import pyarrow as pa
    from support.store_builder import cases

    def shared(first: int, last: int) -> pa.Table:
        return cases("firewall", {f"f{number}": "P" for number in range(first, last)})

    whole = {"one": shared(0, 3), "two": shared(3, 20)}
    world.series([whole, whole, {"one": shared(0, 3), "two": None}])
    run = newest(world)
    (row,) = runs.modules(world.store, run["id"])
    assert (row["module"], row["state"], row["incomplete"]) == ("firewall", "incomplete", True)
    assert (row["total"], row["pass_rate"], row["expected_total"], row["delta"]) == (3, 1.0, 20, None)
    assert [build["state"] for build in row["builds"]] == ["missing"]
    (line,) = trends.trend(world.store, own, group="module")["series"]
    assert [(point["total"], point["incomplete"]) for point in line["points"]] == [
        (20, False),
        (20, False),
        (3, True),
    ]
    cell = matrix.matrix(world.store, world.release)["rows"][0]["cells"][0]
    assert (cell["state"], cell["incomplete"], cell["expected_total"]) == ("incomplete", True, 20)
    assert cell["sentence"] == (
        "firewall on prod: no broken test; 3 of 3 results passed in #3, incomplete (usually about 20)."
    )


@pytest.mark.parametrize(
    ("storage", "state", "module"), [({"s0": "P"}, "incomplete", "incomplete"), ({"s0": "F"}, "failing", "failing")]
)
def test_an_aborted_build_makes_its_run_and_modules_incomplete(world, own, storage, state, module):
    world.series([GOOD, GOOD])
    add_aborted(world, {**GOOD, "storage": storage})
    run = newest(world)
    assert (run["state"], run["incomplete"], run["aborted"], run["missing"]) == (state, True, 1, 0)
    row = module_rows(world, run["id"])["storage"]
    assert (row["state"], row["incomplete"], row["expected_total"]) == (module, True, 8)
    health = {build["module"]: build["health"] for build in builds.builds(world.store, run=run["id"])}
    assert health == {"routing": "ok", "storage": state}
    assert gate(world.store, own)["reason"].startswith("Run #3 is incomplete: 1 of 2 builds was aborted.")


def test_a_build_without_results_is_never_green_unless_its_job_never_tests(world):
    world.series([{**GOOD, "deploy": {}} for _ in range(4)])
    assert [run["state"] for run in runs.runs(world.store, Filter(release=world.release))] == ["ok"] * 4, (
        "a job that deploys lacks nothing"
    )
    world.run({**GOOD, "deploy": {}, "storage": {}})
    run = newest(world)
    assert (run["state"], run["missing"]) == ("incomplete", 1)
    assert module_rows(world, run["id"])["storage"]["state"] == "broken"


def test_a_job_that_is_read_for_the_first_time_and_brings_nothing_is_missing(world):
    world.run({**GOOD, "new": {}})
    run = newest(world)
    assert (run["state"], run["missing"]) == ("incomplete", 1)
    assert module_rows(world, run["id"])["new"]["expected_total"] is None


def test_a_run_without_any_result_is_broken_and_one_that_goes_on_is_running(world):
    world.run({"routing": None, "storage": {}})
    run = newest(world)
    assert (run["state"], run["incomplete"]) == ("broken", True)
    world.run({"routing": {"a": "P"}, "storage": None}, state="running")
    assert (newest(world)["state"], newest(world)["incomplete"]) == ("running", False)


def lanes_of(world: World, **filters) -> list[dict]:
    return lane_states.lane_states(world.store, Filter(release=world.release, **filters))


def same_everywhere(world: World) -> dict:
    """The state of the only lane, after checking that tile, matrix and lane agree."""
    (lane,) = lanes_of(world)
    tile, table = releases.release(world.store, world.release), matrix.matrix(world.store, world.release)
    (column,) = table["columns"]
    for name in ("state", "incomplete", "stale", "reasons"):
        assert lane[name] == tile[name] == table[name] == column[name], name
    broken = [lane["words"][kind] for kind in ("regression", "new_failure", "always_failing")]
    assert broken == [tile["regressions"], tile["new_failures"], tile["always_failing"]]
    assert table["tests"] == column["tests"] == sum(broken)
    assert table["unjudged"] == tile["unjudged"] == lane["unjudged"]
    return lane


def test_a_lane_has_one_state_on_tile_and_matrix(world):
    world.series([GOOD, GOOD])
    lane = same_everywhere(world)
    assert (lane["state"], lane["stale"], lane["incomplete"]) == ("stale", True, False)
    world.run({"routing": {"a": "F", "b": "P"}, "storage": GOOD["storage"]})
    world.run({"routing": {"a": "F", "b": "F"}, "storage": GOOD["storage"]})
    lane = same_everywhere(world)
    assert (lane["state"], lane["stale"]) == ("failing", True), "stale and failing is failing"
    assert lane["reasons"][0] == "1 regression, 1 new failure."
    world.run({**GOOD, "storage": None})
    lane = same_everywhere(world)
    assert (lane["state"], lane["incomplete"]) == ("incomplete", True)
    assert lane["reasons"][0] == "Run #5 is incomplete: 1 of 2 builds has no results."
    world.run({"routing": None, "storage": {}})
    assert same_everywhere(world)["state"] == "broken"


def test_a_lane_that_runs_is_not_stale_and_a_test_counts_once(world):
    world.history({"both": "PFPFFF", "flaky": "PPFPPP"}, module="routing")
    world.run({"routing": {"both": "P"}}, state="running")
    lane = same_everywhere(world)
    assert (lane["state"], lane["stale"]) == ("failing", False)
    assert {kind: count for kind, count in lane["words"].items() if count} == {"regression": 1, "flaky": 1}


def test_a_tile_is_about_one_environment_and_has_the_state_of_the_others(world):
    world.series([GOOD, GOOD])
    world.series([{"routing": {"a": letter}} for letter in "PF"], environment="staging")
    world.store.state()
    tile = releases.release(world.store, world.release)
    assert (tile["environment"], tile["new_failures"], tile["latest_run"]["environment"]) == ("prod", 0, "prod")
    assert tile["total"] == 10 and {point["total"] for point in tile["spark"]} == {10}
    assert [(lane["environment"], lane["state"], lane["new_failures"]) for lane in tile["lanes"]] == [
        ("prod", "stale", 0),
        ("staging", "failing", 1),
    ]
    table = matrix.matrix(world.store, world.release)
    assert [(column["value"], column["state"]) for column in table["columns"]] == [
        ("prod", "stale"),
        ("staging", "failing"),
    ]
    assert (table["state"], table["reasons"][-1][:8]) == ("failing", "staging:")
    assert [
        column["state"] for column in matrix.overall(world.store)["columns"] if column["value"] == world.release
    ] == ["failing"]
    staging = releases.release(world.store, world.release, Filter(environment="staging"))
    assert (staging["environment"], staging["state"], staging["new_failures"]) == ("staging", "failing", 1)


def test_the_gate_takes_a_complete_baseline_and_never_an_older_run(world, own):
    world.series([GOOD, {**GOOD, "storage": None}, GOOD])
    answer = gate(world.store, own)
    assert (answer["state"], answer["baseline"]["number"]) == ("passed", 1)
    world.run({**GOOD, "storage": None})
    answer = gate(world.store, own)
    assert (answer["state"], answer["run"]["number"], answer["pending"]) == ("unknown", 4, True)
    of_routing = gate(world.store, Filter(release=world.release, module="routing"))
    assert of_routing["state"] == "passed", "the missing build never tests this module"
    assert gate(world.store, Filter(release=world.release, module="storage"))["state"] == "unknown"
    world.run({"routing": None})
    assert gate(world.store, own)["state"] == "unknown"
    world.run(GOOD, state="running")
    assert gate(world.store, own)["reason"] == "Run #6 is still running."


def test_a_build_that_is_gone_is_not_waited_for(world, own):
    world.series([GOOD, {**GOOD, "storage": None}])

    def gone(cursor) -> None:
        now = world.runs[0].started_at
        entry = ledger.LedgerEntry("ci", f"qa/{world.release}/STORAGE", 2, ledger.BUILD, ledger.GONE, 3, "404", now)
        ledger.add_entries(cursor, [entry], now)

    world.store.transact("test", "gone", gone)
    answer = gate(world.store, own)
    assert (answer["state"], answer["pending"]) == ("unknown", False)


@pytest.mark.parametrize(
    ("flag", "reason"), [("gone", "Jenkins deleted it while it ran"), ("unreadable", "it was read only while it ran")]
)
def test_a_build_that_was_read_only_while_it_ran_is_incomplete(world, own, flag, reason):
    world.run(GOOD)
    run, built, run_builds = world.prepare(GOOD, state="running")
    built = [replace(build, flags=frozenset({"partial"})) for build in built]
    world.write([run], built, run_builds)
    never_ended(world, [(ledger.BUILD, build.job) for build in built] + [(ledger.RUN, run.job)], flag)
    answer = newest(world)
    assert (answer["state"], answer["aborted"]) == ("incomplete", 2)
    assert answer["first_partial"] == f"{built[0].job} #2: {reason}"
    found = builds.builds(world.store, own)[0]
    assert (found["health"], found["missing_results"]) == ("incomplete", reason)
    assert gate(world.store, own)["reason"].endswith(f"{reason}.")


def test_a_run_that_jenkins_deleted_while_it_ran_is_incomplete(world, own):
    world.run(GOOD)
    run, _, run_builds = world.prepare(GOOD, state="running")
    _, built, _ = world.prepare(GOOD, number=2)
    world.write([run], built, run_builds)
    never_ended(world, [(ledger.RUN, run.job)], "gone")
    assert newest(world)["state"] == "incomplete"
    assert gate(world.store, own)["reason"] == "Run #2 is incomplete: Jenkins deleted it while it ran."


def never_ended(world: World, entries: list[tuple[str, str]], flag: str) -> None:
    """Number 2 of these builds or runs (kind and job) was running when it was last read."""
    found = [ledger.LedgerEntry("ci", job, 2, kind, ledger.GONE) for kind, job in entries]
    world.store.transact("test", flag, lambda cursor: ledger.finish_builds(cursor, found, flag))


def test_what_one_run_lacks_is_not_compared(world):
    world.series([{**GOOD, "storage": None}, GOOD])
    first, second = (ids.text(run.id) for run in world.runs)
    found = compare.compare(world.store, first, second)
    assert (found["counts"]["new_pass"], found["counts"]["not_compared"], found["delta"]) == (0, 8, None)
    (lack,) = found["lacks"]
    assert lack["sentence"] == "#1 lacks storage: 8 tests cannot be compared."
    assert (lack["side"], lack["run"], lack["tests"]) == ("base", first, 8)
    row = found["classes"]["not_compared"][0]
    assert row["sentence"] == "Not in #1, which lacks results of its build, passed in #2."
    swapped = compare.compare(world.store, second, first)
    assert (swapped["counts"]["disappeared"], swapped["counts"]["not_compared"]) == (0, 8)
    assert swapped["lacks"][0]["side"] == "candidate"


def test_a_test_that_left_a_complete_build_has_disappeared(world):
    fewer = {**GOOD, "storage": {"s0": "P"}}
    world.series([GOOD, fewer, {"routing": GOOD["routing"]}])
    first, second, third = (ids.text(run.id) for run in world.runs)
    assert compare.compare(world.store, first, second)["counts"]["disappeared"] == 7
    unlisted = compare.compare(world.store, first, third)["counts"]
    assert (unlisted["disappeared"], unlisted["not_compared"]) == (0, 8), "its module did not run at all"


def test_what_one_release_lacks_is_not_compared(world):
    both = {"routing": {"a": "P", "b": "P"}, "storage": {"c": "F", "d": "F"}}
    world.series([both])
    world.series([{"routing": both["routing"], "storage": None}], release="8.0")
    world.series([both], environment="staging")
    found = compare.releases(world.store, world.release, "8.0")
    assert (found["counts"]["disappeared"], found["counts"]["not_compared"]) == (0, 6)
    assert [(row["side"], row["run"], row["tests"], row["sentence"]) for row in found["lacks"]] == [
        ("candidate", None, 2, "8.0 lacks storage in prod: 2 tests cannot be compared."),
        ("candidate", None, 2, "8.0 lacks routing in staging: 2 tests cannot be compared."),
        ("candidate", None, 2, "8.0 lacks storage in staging: 2 tests cannot be compared."),
    ]
    swapped = compare.releases(world.store, "8.0", world.release)
    assert (swapped["counts"]["new_failure"], swapped["counts"]["not_compared"]) == (0, 6)
    world.series([both], release="8.0")
    again = compare.releases(world.store, world.release, "8.0")
    assert (again["counts"]["still_failing"], again["counts"]["not_compared"]) == (2, 4), "one of its runs has it"


def test_an_aborted_build_is_not_compared_beyond_what_it_reported(world):
    world.run(GOOD)
    add_aborted(world, {**GOOD, "storage": {"s0": "F"}})
    first, second = (ids.text(run.id) for run in world.runs)
    counts = compare.compare(world.store, first, second)["counts"]
    assert (counts["regression"], counts["not_compared"], counts["disappeared"]) == (1, 7, 0)


def test_a_point_of_a_trend_by_run_and_day_says_that_it_is_incomplete(world, own):
    world.series([GOOD, {**GOOD, "storage": None}])
    for by in ("run", "day"):
        (line,) = trends.trend(world.store, own, by)["series"]
        assert line["points"][-1]["incomplete"], by
    (line,) = trends.trend(world.store, Filter(release=world.release, module="routing"))["series"]
    assert [point["incomplete"] for point in line["points"]] == [False, False]
    (line,) = trends.trend(world.store, Filter(release=world.release, module="storage"))["series"]
    assert [(point["total"], point["incomplete"]) for point in line["points"]] == [(8, False), (0, True)]
