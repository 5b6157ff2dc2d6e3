"""Bugs and their tests: by case id and base name, the release's metadata first, with what became of the tests."""

from __future__ import annotations

from datetime import datetime

import pytest
from support.store_builder import World

from data.model import ids
from data.model.bug_record import BugRecord
from data.model.filters import EVERYTHING, Filter
from data.queries import bugs
from data.queries.search import search
from data.write.bugs import apply_bug_feed
from data.write.metadata import merge_metadata

NOW = datetime(2026, 11, 20, 8)
URL = "https://tracker.example.com/browse/"


def test_id(name: str, module: str = "routing") -> str:
    return ids.text(ids.of(f"tests/{module}/{module}_test.py", "TestIt", name))


test_id.__test__ = False


def bug(name: str, *cases: str, **fields) -> BugRecord:
    return BugRecord(
        **{"bug": name, "type": name.split("-")[0], "url": URL + name, "open": True, "cases": cases} | fields
    )


@pytest.fixture(scope="module", params=[False, True], ids=["lake", "mirror"])
def world(request, tmp_path_factory) -> World:
    """A store that no test changes, as ingest opens it and as the web does."""
    world = World.at(tmp_path_factory.mktemp("bugs"), memory_tables=request.param)
    world.history({"link[3s]": "PPFF", "link[5s]": "PPPP", "route": "PPPS"})
    world.history({"disk": "FFFF"}, module="storage")
    world.history({"link[3s]": "PP", "disk": "PP"}, release="8.0")
    metadata = [
        {"base_name": "link", "case_id": "TC-1", "testrail_id": "C1"},
        {"base_name": "route", "case_id": "TC-2"},
        # each release has its test of this name in another file
        {"base_name": "disk", "case_id": "TC-3", "file": "tests/storage/storage_test.py"},
        {"base_name": "disk", "case_id": "TC-3", "file": "tests/routing/routing_test.py", "class": "TestIt"},
        {"base_name": "link", "release": "8.0", "testrail_id": "C9"},
    ]
    world.store.transact("test", "metadata", lambda cursor: merge_metadata(cursor, metadata))
    apply_bug_feed(world.store, [bug("OLD-1", "TC-3")], (), NOW)
    feed = [
        bug("NET-2", "c1", summary="link stays down", priority="High", status="Open"),
        bug("NET-10", "TC-1", "TC-2", "TC-77", priority="Critical"),
        bug("NET-3", "C9", status="Closed", open=False, labels=("lab", "<b>")),
        bug("LAB-4", "TC-3"),
    ]
    apply_bug_feed(world.store, feed, (), NOW)
    return world


def of(world: World, name: str, release: str | None = None, module: str = "routing") -> list[str]:
    test = test_id(name, module)
    found = bugs.bugs_of_tests(world.store, (test, test_id("nobody")), Filter(release=release))
    return [row["bug"] for row in found.get(test, [])]


def test_every_parameter_of_a_test_shows_its_bugs(world):
    for name in ("link[3s]", "link[5s]"):
        assert of(world, name, "7.0") == ["NET-10", "NET-2"]
    assert of(world, "route") == ["NET-10"] and of(world, "disk", module="storage") == ["LAB-4"]


def test_a_release_s_own_case_wins_over_the_global_one(world):
    assert of(world, "link[3s]", "8.0") == ["NET-10", "NET-3"]
    assert of(world, "link[3s]") == ["NET-10", "NET-2", "NET-3"]


def test_the_list_shows_what_fails_and_can_be_filtered(world):
    def names(flt=EVERYTHING, **filters):
        return [row["bug"] for row in bugs.bugs(world.store, flt, **filters)]

    assert names() == ["NET-10", "NET-2", "LAB-4", "NET-3"]
    assert names(state="open") == ["NET-10", "NET-2", "LAB-4"] and names(state="closed") == ["NET-3"]
    assert names(state="gone") == ["OLD-1"]
    assert names(Filter(module="storage")) == ["LAB-4"] and names(test=test_id("route")) == ["NET-10"]
    assert names(Filter(release="8.0")) == ["NET-10", "LAB-4", "NET-3"] and names(Filter(release="9.9")) == []
    assert names(q="DOWN high") == ["NET-2"] and names(q="<b>") == ["NET-3"]
    run = ids.text(world.runs[3].id)
    assert names(run=run) == ["NET-10", "NET-2"]  # link[3s] failed, route was skipped
    ten = bugs.bugs(world.store)[0]
    assert (ten["tests"], ten["failing"], ten["modules"]) == (3, 1, ["routing"])
    assert names(limit=1, offset=1) == ["NET-2"]
    assert bugs.state_counts(world.store) == {"open": 3, "closed": 1, "gone": 1}
    assert bugs.matched_count(world.store) == 4


def test_one_bug_tells_how_its_tests_fare_and_which_cases_nobody_has(world):
    found = bugs.bug(world.store, "NET-10")
    assert found["unmatched"] == ["TC-77"] and found["case_ids"] == ["TC-1", "TC-2", "TC-77"]
    fare = {
        row["name"]: [(lane["release"], lane["status"], lane["number"], lane["kinds"]) for lane in row["lanes"]]
        for row in found["affected"]
    }
    assert fare == {
        "link[3s]": [("8.0", "passed", 10, []), ("7.0", "failed", 4, ["regression"])],
        "link[5s]": [("7.0", "passed", 4, [])],
        "route": [("7.0", "skipped", 4, [])],
    }
    first = found["affected"][0]
    assert first["status"] == "failed" and first["case_ids"] == ["TC-1"]
    assert first["lanes"][1]["sentence"].startswith("Failed")
    (only,) = bugs.bug(world.store, "NET-10", Filter(release="8.0"))["affected"]
    assert only["name"] == "link[3s]" and len(only["lanes"]) == 1
    assert bugs.bug(world.store, "OLD-1")["state"] == "gone"


def test_a_run_s_bugs_are_counted_by_module(world):
    run, later = ids.text(world.runs[3].id), ids.text(world.runs[7].id)
    (routing,) = bugs.by_module(world.store, run)
    assert routing == {"module": "routing", "bugs": 2, "open": 2, "tests": 2, "types": {"NET": 2}}
    assert bugs.by_module(world.store, run, Filter(), ("skipped",))[0]["tests"] == 1
    assert bugs.by_module(world.store, later)[0] | {"types": {}} == {
        "module": "storage", "bugs": 1, "open": 1, "tests": 1, "types": {}
    }  # fmt: skip
    assert bugs.by_module(world.store, "0" * 16) == []


def test_the_search_finds_bugs_by_id_summary_and_address(world):
    def hits(q: str) -> list[tuple[str, bool]]:
        return [(hit["id"], hit["exact"]) for hit in search(world.store, q) if hit["kind"] == "bug"]

    assert hits("net-2") == [("NET-2", True)] and hits("stays") == [("NET-2", False)]
    assert hits("net") == [("NET-10", False), ("NET-2", False), ("NET-3", False)]
    assert hits(URL + "NET-3") == [("NET-3", True)]


def test_a_moment_before_there_were_bugs_knows_none(world):
    for snapshot in (1, world.store.snapshot().id - 1):
        then = Filter(as_of=snapshot)
        assert bugs.bugs(world.store, then, "gone") == [] or snapshot > 1
    assert bugs.state_counts(world.store, Filter(as_of=1)) == {"open": 0, "closed": 0, "gone": 0}
    assert bugs.bug(world.store, "NET-2", Filter(as_of=1)) is None
