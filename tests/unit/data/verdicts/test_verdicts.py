"""The rules of docs/verdicts.md, through the store: the whole truth table, topologies, lanes, reruns, evidence."""

from __future__ import annotations

import re

import pytest
from support.paths import ROOT
from support.store_builder import World, cases

from data.model import ids
from data.model.filters import Filter
from data.queries.lane_states import lane_states
from data.verdicts import verdicts
from data.verdicts.rules import KINDS, classify

TRUTH = {
    "PF": {"new_failure"},
    "PPPPF": {"new_failure"},
    "FPF": {"new_failure"},
    "PPPFF": {"regression"},
    "PFFFF": {"regression"},
    "PSFFF": {"regression"},
    "FF": {"always_failing"},
    "FFFFF": {"always_failing"},
    "FP": {"fixed"},
    "FFP": {"fixed"},
    "FFFFP": {"fixed"},
    "PFFFP": {"fixed"},
    "PFPPP": {"flaky"},
    "PPFPP": {"flaky"},
    "PFPFF": {"flaky"},
    "PFPFFF": {"flaky", "regression"},
    "FPFPF": {"flaky", "new_failure"},
    "PFP": {"flaky", "fixed"},
    "F": set(),
    "P": set(),
    "S": set(),
    "PPPPP": set(),
    "FPPPP": set(),
}


@pytest.fixture
def world(tmp_path):
    return World.at(tmp_path)


def kinds(world: World, **filters) -> dict[str, set[str]]:
    return {row["name"]: set(row["kinds"]) for row in verdicts.verdicts(world.store, Filter(release="7.0", **filters))}


def test_the_truth_table(world):
    longest = max(map(len, TRUTH))
    world.history({f"t_{sequence}": sequence.rjust(longest, "-") for sequence in TRUTH})
    found = kinds(world)
    assert {name.removeprefix("t_"): words for name, words in found.items()} == {
        sequence: words for sequence, words in TRUTH.items() if words
    }
    (lane,) = lane_states(world.store, Filter(release="7.0"))
    worst = [next(kind for kind in KINDS if kind in carried) for carried in TRUTH.values() if carried]
    assert lane["words"] == {kind: worst.count(kind) for kind in KINDS}


def test_a_status_before_the_window_is_its_context(world):
    world.history({"long": "P" + "F" * 10, "longer": "PF" + "F" * 9, "old_pass": "PFFFFFFFFFF"})
    assert kinds(world) == {name: {"regression", "always_failing"} for name in ("long", "longer", "old_pass")}
    world.history({"long": "F", "longer": "P", "old_pass": "F"})
    assert kinds(world) == {"long": {"always_failing"}, "longer": {"fixed"}, "old_pass": {"always_failing"}}


def test_a_test_that_fails_on_one_topology_failed(world):
    def both(three: str, five: str):
        import pyarrow as pa

        return pa.concat_tables([cases("m", {"t": three}, "3s"), cases("m", {"t": five}, "5s")])

    world.series({"m": both(three, five)} for three, five in ("PP", "PP", "PF", "FP"))
    # Each topology alone would be a new failure, or fixed; the test as a whole failed twice after passing twice.
    assert kinds(world) == {"t": {"regression"}}
    assert kinds(world, topology="5s") == {"t": {"fixed", "flaky"}}


def test_rescued_by_a_rerun_is_flaky(world):
    world.history({"rescued": "PPKPP", "steady": "PPPPP"})
    assert kinds(world) == {"rescued": {"flaky"}}


def test_disagreement_on_one_commit_is_flaky(world):
    world.series(
        ({"m": {"t": letter, "other": "F" if revision == "aaa" else "P"}}, {"revision": revision})
        for letter, revision in (("P", "aaa"), ("F", "bbb"), ("P", "bbb"), ("P", "ccc"))
    )
    found = {row["name"]: row for row in verdicts.verdicts(world.store, Filter(release="7.0"))}
    assert set(found) == {"t"}
    assert found["t"]["evidence"]["disagreed"] == [1, 2]


def test_environments_do_not_flip_each_other(world):
    world.series(
        ({"m": {"t": letter}}, {"environment": environment})
        for letter, environment in (("P", "prod"), ("F", "staging")) * 3
    )
    assert [(row["environment"], row["kinds"]) for row in verdicts.verdicts(world.store, Filter(release="7.0"))] == [
        ("staging", ["always_failing"])
    ]


def test_every_verdict_can_be_computed_again_from_its_evidence(world):
    world.history({f"t_{sequence}": sequence.rjust(6, "-") for sequence in TRUTH} | {"k": "PPKPPF"})
    rows = verdicts.verdicts(world.store, Filter(release="7.0"))
    assert len(rows) == sum(bool(words) for words in TRUTH.values()) + 1
    for row in rows:
        evidence = row["evidence"]
        flags = tuple(index in evidence["disagreed"] for index in range(len(evidence["statuses"])))
        assert classify(evidence["statuses"], disagreed=flags, window=evidence["window"]) == set(row["kinds"]), row
        assert evidence["failed"] == evidence["statuses"][-evidence["of"] :].count("F")
        assert len(evidence["runs"]) == len(evidence["statuses"])
        low, high = evidence["interval_95"]
        assert low <= evidence["rate"] <= high
        if row["first_bad"]:
            assert evidence["statuses"][evidence["runs"].index(row["first_bad"]["run"])] == "F"
            assert f"#{row['first_bad']['number']}" in row["sentence"] or row["kind"] in ("always_failing", "flaky")


def test_the_newest_run_first_bad_and_last_good_are_named(world):
    world.history({"t": "PPPFF"})
    (row,) = verdicts.verdicts(world.store, Filter(release="7.0"))
    assert row["last_good"]["number"] == 3 and row["first_bad"]["number"] == 4
    assert row["since_run"] == row["first_bad"]["run"]
    assert row["sentence"] == "Failed in the last 2 runs, since #4; passed in #3."


def test_a_test_that_runs_no_more_says_so_and_one_whose_module_is_still_to_come_does_not(world):
    world.history({"broken": "PPFF--", "steady": "PPPPPP"})
    world.run({"routing": None}, state="running")
    (row,) = verdicts.verdicts(world.store, Filter(release="7.0"))
    assert row["sentence"] == "Failed in the last 2 runs, since #3; passed in #2. Has not run since #4."
    world.run({"routing": {"broken": "F", "steady": "P"}})
    (row,) = verdicts.verdicts(world.store, Filter(release="7.0"))
    assert row["sentence"] == "Failed in the last 3 runs, since #3; passed in #2."


def test_the_document_says_what_the_words_do():
    text = (ROOT / "docs" / "verdicts.md").read_text()
    rows = re.findall(r"^\| `([PFKS]+)` \| ?([a-z, ]*?) ?\|$", text, re.MULTILINE)
    assert len(rows) > 10
    for strip, names in rows:
        assert classify(strip) == {word.replace(" ", "_") for word in names.split(", ") if word}, strip
    for word in (
        "New failure",
        "Regression",
        "Always failing",
        "Flaky",
        "Fixed",
        "Mass failure",
        "Bad host",
        "Suspects",
    ):
        assert f"\n## {word}\n" in text


def test_a_build_that_is_read_again_is_judged_again_and_an_earlier_snapshot_is_not(world):
    world.history({"t": "PPPF"})
    then = world.store.snapshot().id
    assert kinds(world) == {"t": {"new_failure"}}
    run, builds, run_builds = world.prepare({"routing": {"t": "P"}}, number=4)
    world.write([run], builds, run_builds)
    assert kinds(world) == {}
    assert kinds(world, as_of=then) == {"t": {"new_failure"}}
    world.history({"t": "PP"}, release="8.0")
    assert kinds(world) == {} and kinds(world, as_of=then) == {"t": {"new_failure"}}


def test_rebuilding_judges_again_what_was_remembered(world):
    world.history({"t": "PPPF"})
    assert kinds(world) == {"t": {"new_failure"}}
    # As a rebuild may: other results, under the same builds that were read at the same time.
    change = "UPDATE results SET status = 'passed', kind = NULL WHERE status = 'failed'"
    world.store.transact("rebuild", "rules changed", lambda cursor: cursor.execute(change))
    assert kinds(world) == {}


def test_an_earlier_run_is_judged_by_what_came_up_to_it(world):
    world.history({"mended": "PPFFPP", "late": "PPPPPF", "old": "PPFFFF"})
    third, fourth = (ids.text(world.runs[index].id) for index in (2, 3))
    assert kinds(world, at_run=third) == {"mended": {"new_failure"}, "old": {"new_failure"}}
    assert kinds(world, at_run=fourth) == {"mended": {"regression"}, "old": {"regression"}}
    assert kinds(world)["late"] == {"new_failure"}
    (row, _) = verdicts.verdicts(world.store, Filter(release="7.0", at_run=fourth))
    assert row["sentence"] == "Failed in the last 2 runs, since #3; passed in #2."
