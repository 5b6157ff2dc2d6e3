"""Answers for screens and the API, from a store whose content is known case by case."""

from __future__ import annotations

from collections import Counter
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.store_builder import World, cases

from data.model import ids
from data.model.filters import EVERYTHING, Filter
from data.queries import builds, compare, failures, grid, releases, results, runs, tests, trends

pytestmark = pytest.mark.usual_plans
SEVEN = Filter(release="7.0")


@pytest.fixture
def world(tmp_path):
    return World.at(tmp_path)


def test_a_run_counts_final_results_and_says_what_is_missing(world):
    first = world.run({"routing": {"a": "P", "b": "F"}, "nvs": {"c": "P"}})
    second = world.run({"routing": {"a": "FP", "b": "E", "d": "S"}, "nvs": None, "ipv6": {}})
    row = runs.run(world.store, ids.text(second.id))
    assert (row["total"], row["passed"], row["failed"], row["errors"], row["skipped"]) == (3, 1, 1, 1, 1)
    assert row["pass_rate"] == 1 / 3
    assert (row["builds"], row["missing"], row["state"]) == (3, 2, "failing")
    assert row["previous"] == ids.text(first.id) and row["next"] is None
    assert runs.run(world.store, ids.text(first.id))["next"] == ids.text(second.id)
    modules = {module["module"]: module for module in runs.modules(world.store, ids.text(second.id))}
    assert {name: module["state"] for name, module in modules.items()} == {
        "routing": "failing",
        "nvs": "missing",
        "ipv6": "broken",
    }
    assert modules["routing"]["delta"] == {
        "total": 1,
        "passed": 0,
        "failed": 0,
        "skipped": 1,
        "pass_rate": 1 / 3 - 1 / 2,
    }
    assert modules["nvs"]["delta"] is None, "what is missing has not become fewer"
    assert modules["ipv6"]["delta"] is None and modules["ipv6"]["pass_rate"] is None


def test_a_run_without_results_is_broken_not_zero_percent(world):
    run = world.run({"routing": {}})
    row = runs.run(world.store, ids.text(run.id))
    assert row["state"] == "broken" and row["pass_rate"] is None
    (tile,) = releases.tiles(world.store)
    assert tile["state"] == "broken" and tile["pass_rate"] is None


def test_the_newest_run_that_has_ended_may_have_many_running_ones_after_it(world):
    content = {"routing": {"a": "P"}}
    world.series([content, *[(content, {"state": "running"})] * 25])
    ended = world.runs[0]
    assert releases.run_of_release(world.store, Filter(release="7.0")) == ids.text(ended.id)
    assert releases.run_of_release(world.store, Filter(release="8.0")) is None
    found = runs.run(world.store, ids.text(ended.id))
    assert found["previous"] is None and found["next"] is not None


def test_a_running_run_is_seen_beside_the_last_final_one(world):
    done = world.run({"routing": {"a": "P", "b": "P"}})
    going = world.run({"routing": {"a": "P"}, "nvs": None}, state="running")
    (tile,) = releases.tiles(world.store)
    assert tile["latest_run"]["id"] == ids.text(done.id)
    assert tile["running_run"]["id"] == ids.text(going.id)
    assert tile["running_run"]["builds_running"] == 1 and tile["pass_rate"] == 1.0


def test_skipped_tests_may_be_left_out_of_the_pass_rate(tmp_path):
    world = World.at(tmp_path)
    run = world.run({"routing": {"a": "P", "b": "S"}})
    assert runs.run(world.store, ids.text(run.id))["pass_rate"] == 0.5
    measures = world.store.settings.measures.model_copy(update={"skipped_in_pass_rate": False})
    other = World.at(tmp_path)
    other.store.settings = other.store.settings.model_copy(update={"measures": measures})
    assert runs.run(other.store, ids.text(run.id))["pass_rate"] == 1.0


def test_priorities_come_from_the_overlay_and_a_release_wins_over_the_global_row(world):
    def overlay(cursor):
        cursor.execute(
            "INSERT INTO test_metadata BY NAME SELECT * FROM (VALUES ('a', NULL, 'P2'), ('a', '7.0', 'P0'), "
            "('b', NULL, 'P1'), ('b', '8.0', 'P0')) t(base_name, release, priority)"
        )

    world.store.transact("test", "priorities", overlay)
    run = world.run({"routing": {"a[x]": "P", "a[y]": "F", "b": "P", "c": "S"}})
    rows = runs.priorities(world.store, ids.text(run.id))
    assert [(row["priority"], row["total"], row["passed"]) for row in rows] == [
        ("P0", 2, 1),
        ("P1", 1, 1),
        ("unknown", 1, 0),
    ]
    assert results.run_results(world.store, ids.text(run.id), status="failed")[0]["name"] == "a[y]"


def test_every_attempt_is_kept_and_only_failed_ones_carry_text(world):
    run = world.run({"routing": {"a": "FP", "b": "FF"}})
    (build,) = builds.builds(world.store, SEVEN)
    by_name = {row["name"]: row for row in results.build_results(world.store, build["id"])}
    assert by_name["a"]["status"] == "passed" and by_name["a"]["rerun"] and by_name["a"]["message"] is None
    assert by_name["b"]["attempt"] == 2 and "b saw" in by_name["b"]["message"]
    attempts = tests.attempts(world.store, build["id"], by_name["a"]["test"])
    assert [(row["attempt"], row["status"], row["trace"]) for row in attempts] == [
        (1, "failed", "Traceback of a, attempt 1"),
        (2, "passed", None),
    ]
    assert builds.build(world.store, build["id"])["runs"] == [{"id": ids.text(run.id), "number": run.number}]
    assert builds.facets(world.store, build["id"])["status"] == [
        {"value": "failed", "total": 1, "passed": 0, "failed": 1, "skipped": 0},
        {"value": "passed", "total": 1, "passed": 1, "failed": 0, "skipped": 0},
    ]


def test_a_test_has_its_history_newest_first_and_is_found_by_any_words_of_its_key(world):
    world.history({"test_flap[5-site]": "PFP", "test_up": "PPP"})
    (found,) = tests.find(world.store, "FLAP rout")
    assert found["name"] == "test_flap[5-site]"
    rows = tests.history(world.store, found["test"], EVERYTHING)
    assert [row["status"] for row in rows] == ["passed", "failed", "passed"]
    assert [row["run_number"] for row in rows] == [3, 2, 1]
    assert tests.test(world.store, found["test"])["releases"] == ["7.0"]
    assert [row["name"] for row in tests.find(world.store, "")] == ["test_up", "test_flap[5-site]"]
    assert tests.find(world.store, "%") == [] and tests.find(world.store, "test_fl_p") == []


def test_failures_share_a_pattern_and_say_whether_it_is_new(world):
    world.history({"a": "FPP", "b": "PPF"})
    found = {row["pattern"]: row for row in failures.failures(world.store, Filter(release="7.0", runs=2))}
    (row,) = found.values()
    assert row["tests"] == 1 and row["new"] is True and row["example"].startswith("AssertionError: b saw")
    detail = failures.failure(world.store, row["signature"])
    assert detail["examples"][0]["name"] == "b"


def test_two_runs_fall_into_classes(world):
    base = world.run({"m": {"r": "P", "s": "F", "x": "F", "gone": "P", "n": "S", "p": "S", "steady": "P"}})
    candidate = world.run(
        {
            "m": {
                "r": "F",
                "s": "F",
                "x": "P",
                "n": "F",
                "p": "P",
                "new_bad": "F",
                "late": "S",
                "fresh": "P",
                "steady": "P",
            }
        }
    )
    answer = compare.compare(world.store, ids.text(base.id), ids.text(candidate.id))
    assert {name: [row["name"] for row in rows] for name, rows in answer["classes"].items()} == {
        "regression": ["r"],
        "still_failing": ["s"],
        "fixed": ["x"],
        "new_failure": ["n", "new_bad"],
        "new_pass": ["fresh", "p"],
        "appeared": ["late"],
        "disappeared": ["gone"],
        "not_compared": [],
    }
    assert answer["counts"] == {name: len(rows) for name, rows in answer["classes"].items()}
    assert answer["delta"]["total"] == 2


def test_an_earlier_snapshot_answers_as_it_did_then(world):
    first = world.run({"m": {"t": "P"}})
    then = world.store.snapshot().id
    world.run({"m": {"t": "F"}})
    assert len(runs.runs(world.store, SEVEN)) == 2
    assert [row["id"] for row in runs.runs(world.store, Filter(release="7.0", as_of=then))] == [ids.text(first.id)]


def test_a_commit_of_another_process_is_seen_at_once(tmp_path):
    world = World.at(tmp_path, memory_tables=True)
    assert runs.runs(world.store, SEVEN) == []
    other = World.at(tmp_path)
    other.run({"m": {"t": "P"}})
    assert len(runs.runs(world.store, SEVEN)) == 1
    other.run({"m": {"t": "P"}})
    assert len(runs.runs(world.store, SEVEN)) == 2


numbers = count()
letters = st.sampled_from(["P", "F", "S", "FP", "FF", "E"])
programme = st.lists(
    st.dictionaries(
        st.sampled_from(["routing", "nvs"]),
        st.dictionaries(st.sampled_from([f"t{n}" for n in range(6)]), letters, max_size=6),
        min_size=1,
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory):
    """Each example has a release of its own."""
    store = World.at(tmp_path_factory.mktemp("shared"), memory_tables=True).store
    yield store
    store.close()


@settings(max_examples=6)
@given(programme)
def test_every_screen_counts_the_same(shared_store, programme):
    world, release = World(shared_store), f"9.{next(numbers)}"
    world.series(
        ({name: cases(name, tests) for name, tests in modules.items()} for modules in programme), release=release
    )
    own = Filter(release=release)
    final = {"P": "passed", "F": "failed", "E": "failed", "S": "skipped"}
    rows = runs.runs(world.store, own)
    series = trends.trend(world.store, own)["series"]
    points = {point["run"]: point for line in series for point in line["points"]}
    sheet = grid.grid(world.store, own, order="name")
    for run, modules, row in zip(world.runs, programme, reversed(rows), strict=True):
        expected = Counter(final[attempts[-1]] for tests in modules.values() for attempts in tests.values())
        counts = {"total": expected.total(), **{name: expected[name] for name in ("passed", "failed", "skipped")}}
        assert {name: row[name] for name in counts} == counts
        assert {name: points[row["id"]][name] for name in counts} == counts
        by_module = runs.modules(world.store, row["id"])
        assert {name: sum(module[name] for module in by_module) for name in counts} == counts
        assert len(results.run_results(world.store, row["id"])) == expected.total()
        column = [run_["id"] for run_ in sheet["runs"]].index(ids.text(run.id))
        shown = Counter(line[column] for line in sheet["cells"])
        cells = Counter(
            "K" if attempts == "FP" else "F" if attempts[-1] in "FE" else attempts[-1]
            for tests in modules.values()
            for attempts in tests.values()
        )
        assert {letter: shown[letter] for letter in "PFSK"} == {letter: cells[letter] for letter in "PFSK"}
