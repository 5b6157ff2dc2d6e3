"""TAP: subtests in braces, tests of tape, which are comments, names behind a directive,
and reasons that are not where other tools write them."""

from __future__ import annotations

import io

import pytest

from ingest.parsers import tap


def read(text: str) -> list[tuple[str, str, str]]:
    return [(case.class_name, case.name, case.status) for case in tap.parse(io.BytesIO(text.encode())).cases]


BEHIND_THE_NAME = """TAP version 13
1..2
not ok 1 - outer # time=30ms {
    1..2
    ok 1 - inner # time=10ms {
        1..1
        ok 1 - leaf
    }
    not ok 2 - other
}
ok 2 - last
"""
IN_A_LINE_OF_THEIR_OWN = """TAP version 13
not ok 1 - outer
  ---
  at: x.js:1
  ...
{
    ok 1 - inner
    {
        ok 1 - leaf
        1..1
    }
    not ok 2 - other
    1..2
}
ok 2 - last
1..2
"""


@pytest.mark.parametrize("text", [BEHIND_THE_NAME, IN_A_LINE_OF_THEIR_OWN])
def test_subtests_in_braces_follow_their_test_point(text: str) -> None:
    assert read(text) == [("outer > inner", "leaf", "passed"), ("outer", "other", "failed"), ("", "last", "passed")]
    assert tap.parse(io.BytesIO(text.encode())).warnings == []


def test_a_block_that_is_cut_off_is_kept() -> None:
    assert read("1..1\nnot ok 1 - outer {\n    1..2\n    ok 1 - a\n    not ok 2 - b\n") == [
        ("outer", "a", "passed"),
        ("outer", "b", "failed"),
    ]


def test_a_name_may_end_with_a_brace() -> None:
    assert [case[2] for case in read("1..3\nok 1 - parses {\nnot ok 2 - parses }\nok 3 - parses {\n")] == [
        "passed",
        "failed",
        "passed",
    ]


TAPE = """TAP version 13
# adds
ok 1 should be strictly equal
not ok 2 should be strictly equal
  ---
    operator: equal
  ...
# subtracts
ok 3 should be strictly equal

1..3
# tests 3
# pass  2
# fail  1
"""


def test_the_class_of_an_assertion_of_tape_is_its_test() -> None:
    name = "should be strictly equal"
    assert read(TAPE) == [("adds", name, "passed"), ("adds", name, "failed"), ("subtracts", name, "passed")]


@pytest.mark.parametrize(
    "text",
    [
        TAPE.replace("ok 1 ", "ok 1 - "),
        TAPE.replace("# tests 3\n", ""),
        TAPE.replace("# adds\n", ""),
        TAPE.replace("# adds\n", "1..3\n# adds\n"),
    ],
)
def test_remarks_of_other_tools_are_no_classes(text: str) -> None:
    assert {case[0] for case in read(text)} == {""}


def test_a_skipped_test_without_a_name_is_named_by_its_directive() -> None:
    assert [
        case[1:] for case in read("ok 1 # SKIP api > logs in\nnot ok 2 # TODO api > logs out\nok 3 # skip\n1..3\n")
    ] == [
        ("api > logs in", "skipped"),
        ("api > logs out", "skipped"),
        ("test 3", "skipped"),
    ]


def reason(block: str) -> str | None:
    (case,) = tap.parse(io.BytesIO(f"not ok 1 adds\n  ---\n{block}  ...\n1..1\n".encode())).cases
    return case.message


def test_the_reason_may_be_nested() -> None:
    block = """    error:
        name: "AssertionError"
        message: "expected \\"1\\" to be 2"
    actual: "1"
"""
    assert reason(block) == 'expected "1" to be 2'
    assert reason("    error: |-\n      lost: the link\n      at: x\n") == "lost: the link\nat: x"


@pytest.mark.parametrize("block", ["message: failed", "stack: |-\n      Error: adds\n          at x.js:1"])
def test_what_was_expected_is_better_than_the_outcome_or_the_name(block: str) -> None:
    assert reason(f"    {block}\n    operator: equal\n    expected: 2\n    actual: 1\n") == "equal: expected 2, got 1"
    assert reason(f"    {block}\n") in ("failed", "Error: adds")
