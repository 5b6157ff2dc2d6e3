"""One question finds everything that has a name: by words, by id, and by an address in Jenkins."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.store_builder import World

from data.model import ids
from data.model.filters import Filter
from data.queries.search import EACH, KINDS, search


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    """A store that no test changes."""
    world = World.at(tmp_path_factory.mktemp("found"), memory_tables=True)
    world.run({"routing": {"test_links": "P", "test_links_down": "F"}, "storage": {"test_disk[a::b]": "P"}})
    world.run({"routing": {}}, release="8.0", environment="staging")
    world.run({"routing": {"test_links": "P"}}, release="8.0", state="running")

    def name(cursor) -> None:
        cursor.execute("INSERT INTO test_metadata BY NAME SELECT 'test_links' AS base_name, 'C1204' AS case_id")

    world.store.transact("test", "metadata", name)
    return world


def found(world: World, q: str, kind: str | None = None) -> list[tuple[str, str]]:
    return [(hit["kind"], hit["title"]) for hit in search(world.store, q) if kind in (None, hit["kind"])]


def test_every_kind_is_found_by_part_of_its_name(world):
    assert found(world, "8.0", "release") == [("release", "8.0")]
    assert found(world, "ROUT", "module") == [("module", "routing")]
    assert found(world, "staging", "run") == [("run", "8.0 #2")]
    assert found(world, "storage", "build") == [("build", "storage #1")]
    assert found(world, "links", "test") == [("test", "test_links"), ("test", "test_links_down")]
    assert found(world, "saw of 4", "failure") == [("failure", "AssertionError: test_links_down saw % of %")]


def test_every_word_must_be_found_and_a_number_is_a_number(world):
    assert found(world, "8.0 #3", "run") == [("run", "8.0 #3")]
    assert found(world, "7.0 routing", "build") == [("build", "routing #1")]
    assert found(world, "routing_test.py::TestIt::test_links_d") == [("test", "test_links_down")]
    assert found(world, "7.0 nowhere") == [] and found(world, "   ") == []
    assert found(world, "c1204") == [("test", "test_links")]


def test_states_are_those_of_the_screens(world):
    states = {hit["title"]: hit["state"] for hit in search(world.store, "qa/") if hit["kind"] == "run"}
    assert states == {"7.0 #1": "failing", "8.0 #2": "broken", "8.0 #3": "running"}
    assert {hit["state"] for hit in search(world.store, "storage") if hit["kind"] == "build"} == {"ok"}


def test_an_id_is_found_exactly(world):
    test = ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "test_links"))
    for kind, id in (("test", test), ("run", ids.text(world.runs[0].id))):
        (hit,) = search(world.store, id.upper())
        assert (hit["kind"], hit["id"], hit["exact"]) == (kind, id, True)
    assert search(world.store, "0123456789abcdef") == []


@pytest.mark.parametrize(
    ("address", "title"),
    [
        ("https://jenkins.example.com/job/qa/1/", "7.0 #1"),
        ("https://jenkins.example.com/job/qa/1/testReport/?x=1", "7.0 #1"),
        ("https://jenkins.example.com/job/storage/1", "storage #1"),
        ("http://moved.example.org/ci/job/qa/job/7.0/job/ROUTING/1/console#end", "routing #1"),
        ("https://jenkins.example.com/job/storage/12/", None),
        ("https://jenkins.example.com/", None),
        ("https://jenkins.example.com/job/qa/job/", None),
    ],
)
def test_an_address_in_jenkins_finds_its_build_or_run(world, address, title):
    hits = search(world.store, address)
    assert [hit["title"] for hit in hits] == ([title] if title else [])
    assert all(hit["exact"] for hit in hits)


def test_the_past_is_searched_as_it_was(world):
    (then,) = world.store.cursor().execute("SELECT min(snapshot_id) + 1 FROM lake.snapshots()").fetchone()
    assert search(world.store, "7.0", Filter(as_of=then)) == [] != search(world.store, "7.0")


@settings(max_examples=60, deadline=None)
@given(q=st.text(max_size=40) | st.from_regex(r"https?://[a-z/%?#0-9 \[\]]{0,30}", fullmatch=True))
def test_any_text_has_an_answer(world, q):
    hits = search(world.store, q)
    for kind in KINDS:
        assert sum(hit["kind"] == kind for hit in hits) <= EACH
