"""Metadata and bugs are about the tests of their file, class and name; a bare name counts where one test has it."""

from __future__ import annotations

from datetime import datetime

import pytest
from support.store_builder import World

from data.model import ids
from data.model.bug_record import BugRecord
from data.model.filters import Filter
from data.queries import bugs, grid, tests
from data.queries.search import search
from data.verdicts import priorities
from data.write.bugs import apply_bug_feed
from data.write.metadata import merge_metadata
from ingest.bug_feed import FeedError, parse
from ingest.metadata_csv import import_metadata

NOW = datetime(2026, 11, 20, 8)
FILES = {module: f"tests/{module}/{module}_test.py" for module in ("routing", "storage", "vpn")}


def test_id(name: str, module: str) -> str:
    return ids.text(ids.of(FILES[module], "TestIt", name))


test_id.__test__ = False


@pytest.fixture(scope="module", params=[False, True], ids=["lake", "mirror"])
def stored(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    """`flap` is in three modules, in one of them with parameters; `alone` in one."""
    world = World.at(tmp_path_factory.mktemp("metadata"), memory_tables=request.param)
    world.history({"flap[3s]": "PF", "flap[5s]": "PP", "alone": "PF"})
    world.history({"flap": "PF"}, module="storage")
    world.history({"flap": "PF"}, module="vpn", release="8.0")
    return world


@pytest.fixture
def world(stored: World) -> World:
    """Without any metadata."""
    stored.store.transact("test", "no metadata", lambda cursor: cursor.execute("DELETE FROM test_metadata"))
    stored.store.state()
    return stored


def csv(world: World, text: str, release: str | None = None) -> dict:
    file = world.store.settings.home / "metadata.csv"
    file.write_text(text)
    return import_metadata(world.store, file, release)


def priority(world: World, name: str, module: str, release: str | None = "7.0") -> str | None:
    world.store.state()
    number = ids.number(test_id(name, module))
    found = priorities.priorities_of_tests(world.store, [number], release).get(number)
    with_it = found is not None and number in priorities.tests_of_priority(world.store, release, found)
    assert with_it == (found is not None)
    return found


def feed(world: World, *cases: str) -> dict:
    """The one bug of a feed, which names these cases."""
    record = BugRecord(bug="NET-1", type="NET", url="https://t.example.com/NET-1", open=True, cases=cases)
    apply_bug_feed(world.store, [record], (), NOW)
    found = bugs.bug(world.store, "NET-1")
    assert found is not None
    return found


def about(found: dict) -> set[str]:
    return {row["test"] for row in found["affected"]}


def test_a_bare_name_counts_where_one_test_has_it(world: World) -> None:
    answer = csv(world, "testcase_name,priority,test_case_id\nflap,P0,C1\nalone,P1,C2\n")
    assert answer["warnings"] == ["flap matches 4 tests: give file and class"]
    assert priority(world, "alone", "routing") == "P1"
    for name, module in (("flap[3s]", "routing"), ("flap", "storage"), ("flap", "vpn")):
        assert priority(world, name, module) is None
        test = tests.test(world.store, test_id(name, module))
        assert test is not None and test["metadata"] == []
    assert [row["name"] for row in tests.find(world.store, "C2")] == ["alone"] and not tests.find(world.store, "C1")
    assert search(world.store, "C1") == [] and [hit["title"] for hit in search(world.store, "c2")] == ["alone"]
    found = feed(world, "c1", "C2", "C3")
    assert about(found) == {test_id("alone", "routing")}
    assert found["unmatched"] == ["C3"]
    assert found["ambiguous"] == [{"case_id": "c1", "name": "flap", "tests": 4}]


@pytest.mark.parametrize(
    "text",
    [
        f"testcase_name,file,class,priority,case_id\nflap,{FILES['storage']},TestIt,P0,C1\n",
        f"testcase_name,priority,case_id\n{FILES['storage']}::TestIt::flap[any],P0,C1\n",
        f"testcase_name,priority,case_id\n{FILES['storage']}::flap,P0,C1\n",
        f"name,file,priority,case_id\nflap,{FILES['storage']},P0,C1\n",
    ],
    ids=["columns", "key", "file and name", "column of files"],
)
def test_file_and_class_say_which_test_is_meant(world: World, text: str) -> None:
    assert csv(world, text)["warnings"] == []
    assert priority(world, "flap", "storage") == "P0" and priority(world, "flap", "storage", "8.0") == "P0"
    assert priority(world, "flap", "vpn") is None and priority(world, "flap[3s]", "routing") is None
    assert about(feed(world, "C1")) == {test_id("flap", "storage")}


def test_a_row_that_counts_is_not_called_ambiguous(world: World) -> None:
    assert csv(world, "testcase_name,priority\nflap,P0\n")["warnings"]
    assert csv(world, f"testcase_name,priority\n{FILES['storage']}::flap,P1\n")["warnings"] == []
    assert priority(world, "flap", "storage") == "P1"


def test_a_row_that_counts_nowhere_is_named(world: World) -> None:
    names = "".join(f"TestIt::lost{number},P1\n" for number in range(7))
    assert csv(world, f"testcase_name,priority\nalone,P1\n{names}")["warnings"] == [
        f"no test so far: {', '.join(f'TestIt::lost{number}' for number in range(5))} and 2 more"
    ]
    answer = csv(world, "testcase_name,priority,environment,release\nalone,P1,prod,7.0\n", "9.9")
    assert answer["warnings"] == [
        "column release is not read: give --release",
        "column environment is not read: metadata count in all environments",
        "no results of release '9.9' yet: the rows count once there are",
    ]


def test_every_parameter_of_a_test_has_its_metadata(world: World) -> None:
    csv(world, f"testcase_name,priority\n{FILES['routing']}::TestIt::flap,P2\n")
    assert priority(world, "flap[3s]", "routing") == priority(world, "flap[5s]", "routing") == "P2"


def test_a_class_that_several_files_have_is_ambiguous(world: World) -> None:
    assert csv(world, "testcase_name,priority\nTestIt::flap,P0\nTestIt::alone,P3\n")["warnings"] == [
        "TestIt::flap matches 4 tests: give file and class"
    ]
    assert priority(world, "flap", "vpn") is None and priority(world, "alone", "routing") == "P3"


def test_the_release_comes_first_then_what_is_more_exact(world: World) -> None:
    csv(world, f"testcase_name,file,class,priority\nalone,,,P3\nalone,{FILES['routing']},TestIt,P2\n")
    assert priority(world, "alone", "routing") == "P2"
    csv(world, "testcase_name,priority\nalone,P1\n", "7.0")
    assert priority(world, "alone", "routing") == "P1" and priority(world, "alone", "routing", "8.0") == "P2"
    test = tests.test(world.store, test_id("alone", "routing"))
    assert test is not None
    assert [(row["release"], row["priority"]) for row in test["metadata"]] == [(None, "P2"), ("7.0", "P1")]


def test_rows_of_before_count_until_a_second_test_has_the_name(world: World) -> None:
    world.history({"moved": "P"})
    rows = [{"base_name": "moved", "priority": "P0"}]
    world.store.transact("test", "metadata", lambda cursor: merge_metadata(cursor, rows))
    assert priority(world, "moved", "routing") == "P0"
    assert grid.priorities(world.store, "7.0") == ["P0", "unknown"]
    world.history({"moved": "P"}, module="vpn")
    assert priority(world, "moved", "routing") is priority(world, "moved", "vpn") is None


def test_the_same_rows_again_change_nothing(world: World) -> None:
    text = f"testcase_name,file,class,priority\nflap,{FILES['vpn']},TestIt,P0\nflap,{FILES['vpn']},,P1\nflap,,,P2\n"
    assert (csv(world, text)["added"], csv(world, text)["added"], csv(world, text)["changed"]) == (3, 0, 0)


def test_bugs_name_tests_themselves(world: World) -> None:
    expected: dict[str, set[tuple[str, str]]] = {
        f"{FILES['storage']}::TestIt::flap": {("flap", "storage")},
        f"{FILES['routing']}::TestIt::flap[3s]": {("flap[3s]", "routing"), ("flap[5s]", "routing")},
        f"{FILES['vpn']}::flap": {("flap", "vpn")},
        "TestIt::alone": {("alone", "routing")},
        "::alone": {("alone", "routing")},
        f"{FILES['storage']}::::flap": set(),
        "elsewhere.py::TestIt::flap": set(),
        "TestIt::flap": set(),
        "::flap": set(),
    }
    found = feed(world, *expected)
    assert about(found) == {test_id(*test) for named in expected.values() for test in named}
    for row in found["affected"]:
        assert set(row["case_ids"]) == {
            case for case, named in expected.items() if row["test"] in {test_id(*test) for test in named}
        }
        assert bugs.bugs_of_tests(world.store, (row["test"],), Filter(release="7.0"))
    assert found["unmatched"] == sorted(["elsewhere.py::TestIt::flap", f"{FILES['storage']}::::flap"])
    assert found["ambiguous"] == [{"case_id": case, "name": "flap", "tests": 4} for case in ("::flap", "TestIt::flap")]


def test_how_a_feed_names_tests() -> None:
    def cases(tests: str) -> list[str]:
        text = f'[{{"defect_id": "A-1", "URL": "https://t.example.com/A-1", "case_id": "C1", "tests": {tests}}}]'
        feed = parse(text.encode(), "feed", ())
        return list(feed.bugs[0].cases) if feed.bugs else feed.left_out

    assert cases('["a/b_test.py::TestA::test_x", "test_y"]') == ["C1", "a/b_test.py::TestA::test_x", "::test_y"]
    assert cases('[{"file": "a.py", "class": "A", "name": "x"}, {"class": "A", "name": "y"}]') == [
        "C1",
        "a.py::A::x",
        "A::y",
    ]
    assert cases('[{"file": "a.py", "class": "", "name": "x"}, {"name": "y"}]') == ["C1", "a.py::x", "::y"]
    assert cases("null") == ["C1"]
    assert cases('[{"file": "a.py"}]') == ["feed: list[0]: one of tests has no name"]
    assert cases('"test_x"') == ["feed: list[0]: tests is not a list"]
    with pytest.raises(FeedError):
        parse(b"<html>", "feed", ())
