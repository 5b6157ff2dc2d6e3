"""Failure patterns that differ by letters are one; a pattern is a rule; durations that change for good."""

from __future__ import annotations

import random

import pytest
from support.store_builder import World, cases

from data.model import ids
from data.model.filters import Filter
from data.queries import failures
from data.verdicts import durations
from data.verdicts.statistics.signatures import key as signature_key
from data.verdicts.statistics.signatures import pattern as signature_pattern

SEVEN = Filter(release="7.0")
WAITING = "TimeoutError: the tunnel between {name} and its partner was not up after 30 seconds of patient waiting"


@pytest.fixture
def world(tmp_path):
    return World.at(tmp_path)


def failing(names: str, message: str, host: str = "h1", module: str = "m"):
    return {module: cases(module, dict.fromkeys(names.split(), "F"), message=message, host=host)}


def test_patterns_that_differ_by_a_few_letters_are_one_cluster_under_the_elder(world):
    world.series([failing("spoke", WAITING), failing("spike", WAITING, "h2"), failing("hub", "KeyError: no such hub")])
    first, second = failures.failures(world.store, SEVEN)
    assert len(first["members"]) == 2 and (first["count"], first["tests"], first["hosts"]) == (2, 2, ["h1", "h2"])
    assert "spoke" in first["pattern"] and len(second["members"]) == 1
    younger = next(row["signature"] for row in first["members"] if row["signature"] != first["signature"])
    detail = failures.failure(world.store, younger, SEVEN)
    assert detail["signature"] == first["signature"] and sum(day["count"] for day in detail["days"]) == 2
    assert {row["name"] for row in detail["examples"]} == {"spoke", "spike"}
    assert failures.failure(world.store, "0" * 16) is None


def test_a_pattern_is_a_rule_that_finds_its_own_failures(world):
    world.series([failing("a b", "ValueError: 100% of disk_x lost at 17"), failing("c", "KeyError: {name}")])
    rows = failures.failures(world.store, SEVEN)
    for row in rows:
        (found,) = failures.failures(world.store, SEVEN, like=row["pattern"])
        assert (found["signature"], found["count"]) == (row["signature"], row["count"])
    assert failures.failures(world.store, SEVEN, like="no such text") == []
    assert [row["count"] for row in failures.failures(world.store, SEVEN, like="of disk\\_x")] == [2]


def test_new_is_what_was_never_seen_before_a_run(world):
    world.series([failing("a", "KeyError: {name}"), failing("a", "KeyError: {name}"), failing("b", "OSError: {name}")])
    by_since = {
        since: {row["title"]: row["new"] for row in failures.failures(world.store, SEVEN, since=ids.text(run.id))}
        for since, run in enumerate(world.runs)
    }
    assert by_since[0] == {"KeyError: a": True, "OSError: b": True}
    assert by_since[2] == {"KeyError: a": False, "OSError: b": True}
    (row,) = failures.failures(world.store, SEVEN, run=ids.text(world.runs[2].id))
    assert row["title"] == "OSError: b"
    assert row["sentence"] == "1 failure of 1 test in m on h1 only; first seen 2026-11-02 (new)."


def test_one_pattern_is_new_where_the_list_says_so(world):
    world.series([failing("a", "KeyError: {name}"), failing("a", "KeyError: {name}"), failing("b", "OSError: {name}")])
    for runs, new in ((1, {"OSError: b"}), (10, {"OSError: b", "KeyError: a"})):
        flt = Filter(release="7.0", runs=runs)
        rows = failures.failures(world.store, flt)
        assert {row["title"] for row in rows if row["new"]} == new & {row["title"] for row in rows}
        for row in rows:
            one = failures.failure(world.store, row["signature"], flt)
            assert (one["new"], one["first_seen"]) == (row["new"], row["first_seen"])
    world.series([{"m": {"a": "P"}}, failing("a", "KeyError: {name}")])
    (row,) = failures.failures(world.store, Filter(release="7.0", runs=2))
    one = failures.failure(world.store, row["signature"], Filter(release="7.0", runs=2))
    assert not row["new"] and not one["new"] and one["count"] == row["count"] == 1
    assert failures.failure(world.store, row["signature"], SEVEN)["count"] == 3
    # Of what these runs did not see, nothing is new.
    gone = ids.text(signature_key(signature_pattern("OSError: b")))
    assert not failures.failure(world.store, gone, Filter(release="7.0", runs=2))["new"]


def test_a_run_older_than_the_window_is_answered_too(world):
    world.series([failing("a", "KeyError: {name}"), *({"m": {"a": "P"}} for _ in range(3))])
    narrow = Filter(release="7.0", runs=2)
    assert failures.failures(world.store, narrow) == []
    assert len(failures.failures(world.store, narrow, run=ids.text(world.runs[0].id))) == 1


def test_a_duration_that_changed_for_good_is_found_with_its_run(programme):
    (row,) = durations.changed_tests(programme, SEVEN)
    assert (row["name"], row["topology"], row["run"]["number"], row["slower"]) == ("slows", "3s", 21, True)
    assert row["factor"] == pytest.approx(3, rel=0.05)
    assert row["before_s"] == pytest.approx(1, rel=0.05)
    assert durations.changed_tests(programme, Filter(release="7.0", module="nvs")) == []


def test_a_module_slows_down_with_its_tests_and_failures_do_not_count(world):
    rng = random.Random(3)

    def run(number: int):
        seconds = {f"t{index}": (2.0 if number > 12 else 1.0) * rng.uniform(0.9, 1.1) for index in range(6)}
        seconds["fails"] = 500.0 if number == 20 else 1.0
        letters = dict.fromkeys(seconds, "P") | {"fails": "F"}
        return {"m": cases("m", letters, seconds=seconds)}

    world.series([run(number) for number in range(1, 25)])
    rows = durations.changed_tests(world.store, SEVEN)
    assert {row["name"] for row in rows} == {f"t{index}" for index in range(6)}
    assert {row["run"]["number"] for row in rows} == {13}
    assert durations.changed_tests(world.store, Filter(release="7.0", runs=5)) == []


def test_a_faster_module_is_told_as_such(world):
    seconds = [3.0 if run < 12 else 1 + 0.01 * (run % 3) for run in range(1, 23)]
    world.series([{"m": cases("m", {"a": "P", "b": "P"}, seconds=each)} for each in seconds])
    (row,) = durations.changed_modules(world.store, SEVEN)
    assert (row["module"], row["slower"], row["run"]["number"]) == ("m", False, 12)
    assert row["factor"] == pytest.approx(1 / 3, rel=0.05)
