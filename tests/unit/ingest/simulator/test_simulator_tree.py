"""The tree= language: what Jenkins accepts, drops silently and refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.simulator.tree_query import (
    EVERYTHING,
    DepthSelection,
    ExportedBean,
    ExportedList,
    TreeSelection,
    parse,
    render,
)

NAMES = st.text(st.characters(blacklist_characters="[]{},", blacklist_categories=["Cs"]), min_size=1, max_size=5)
BOUNDS = st.tuples(st.integers(0, 300), st.integers(0, 300) | st.just(EVERYTHING))


def build(number: int) -> ExportedBean:
    return ExportedBean(
        "Run", {"number": number, "result": "SUCCESS", "url": f"u/{number}", "actions": [ExportedBean("")]}, 1
    )


JOB = ExportedBean(
    "Job",
    {"name": "j", "builds": ExportedList(range(9, 0, -1), build), "lastBuild": lambda: build(9), "color": "blue"},
    1,
)


def shown(tree: str) -> object:
    return render(JOB, parse(tree))


@pytest.mark.parametrize(
    ("tree", "numbers"),
    [
        ("builds[number]", [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        ("builds[number]{0,2}", [9, 8]),
        ("builds[number]{2,4}", [7, 6]),
        ("builds[number]{7,}", [2, 1]),
        ("builds[number]{,3}", [9, 8, 7]),
        ("builds[number]{4}", [5]),
        ("builds[number]{90,99}", []),
        ("*[number]{0,1}", [9]),
    ],
)
def test_ranges_cut_arrays(tree, numbers):
    assert [item["number"] for item in shown(tree)["builds"]] == numbers


def test_class_is_always_there_and_names_are_needed_at_every_level():
    assert shown("builds{0,1}") == {"_class": "Job", "builds": [{"_class": "Run"}]}
    assert shown("lastBuild[actions]") == {"_class": "Job", "lastBuild": {"_class": "Run", "actions": [{}]}}


def test_blanks_belong_to_names_and_unknown_names_give_nothing():
    assert shown("name, color,nonsense[x]") == {"_class": "Job", "name": "j"}


def test_star_shows_every_property_of_its_level():
    assert set(shown("*")) == {"_class", "name", "builds", "lastBuild", "color"}
    assert shown("lastBuild[*]")["lastBuild"]["url"] == "u/9"


@pytest.mark.parametrize(
    "tree",
    [
        "",
        ",",
        "a,",
        "a[",
        "a[]",
        "a[b",
        "a]",
        "a{",
        "a{}",
        "a{1,2",
        "a{x}",
        "a{-1,2}",
        "a{1;2}",
        "a[b]c",
        "{1}",
        "a{1}{2}",
    ],
)
def test_bad_syntax_is_an_error(tree):
    with pytest.raises(ValueError, match="expected"):
        parse(tree)


@given(st.text("ab[]{},01 *", max_size=12))
def test_any_text_is_a_tree_or_a_value_error(text):
    try:
        tree = parse(text)
    except ValueError:
        return
    assert tree.children


def written(tree: TreeSelection) -> str:
    parts = []
    for name, child in tree.children.items():
        inside = f"[{written(child)}]" if child.children else ""
        bounds = ""
        if (child.start, child.stop) != (0, EVERYTHING):
            bounds = f"{{{child.start},{'' if child.stop == EVERYTHING else child.stop}}}"
        parts.append(name + inside + bounds)
    return ",".join(parts)


TREES = st.recursive(
    st.builds(lambda bounds: TreeSelection({}, *bounds), BOUNDS),
    lambda inner: st.builds(
        lambda kids, b: TreeSelection(kids, *b), st.dictionaries(NAMES, inner, min_size=1, max_size=4), BOUNDS
    ),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, TREES, min_size=1, max_size=4))
def test_what_is_written_is_what_is_parsed(children):
    assert parse(written(TreeSelection(children))) == TreeSelection(children)


def test_depth_shows_names_at_any_level_and_the_rest_one_level_at_a_time():
    shallow, deep = render(JOB, DepthSelection(1)), render(JOB, DepthSelection(0))
    assert shallow["builds"][0] == {"_class": "Run", "number": 9, "url": "u/9"}
    assert deep["builds"][0]["result"] == "SUCCESS"


def test_values_that_are_not_asked_for_are_not_made():
    def expensive():
        raise AssertionError("computed without a request")

    assert render(ExportedBean("Job", {"name": "j", "builds": expensive}, 1), parse("name")) == {
        "_class": "Job",
        "name": "j",
    }
