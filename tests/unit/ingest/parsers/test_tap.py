"""TAP and KTAP: names without remarks, subtests in comments, reasons of failures, plans."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import tap
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case, Report


def read(text: str, *path: str) -> Report:
    return tap.parse(io.BytesIO(text.encode()), *path)


def only(text: str) -> Case:
    (case,) = read(text).cases
    return case


@pytest.mark.parametrize(
    ("line", "name", "status", "message", "duration"),
    [
        ("ok 1 - a # time=3ms", "a", PASSED, None, 0.003),
        ("ok 1 - a # time=1.5s", "a", PASSED, None, 1.5),
        ("ok 1 - a # duration_ms=2.5", "a", PASSED, None, 0.0025),
        ("ok 1 - a # in 12 ms", "a", PASSED, None, 0.012),
        ("ok 1 a in 12ms", "a", PASSED, None, 0.012),
        ("ok 1 - lasts 3 minutes in a row", "lasts 3 minutes in a row", PASSED, None, None),
        ("not ok 1 - a # exit=1", "a", FAILED, None, None),
        ("not ok 1 - a # TIMEOUT 45 seconds", "a", FAILED, "TIMEOUT 45 seconds", None),
        ("not ok 1 - a # lost the link", "a", FAILED, "lost the link", None),
        ("ok 1 - a # SKIP needs root", "a", SKIPPED, "needs root", None),
        ("ok 1 - a #skip: no licence", "a", SKIPPED, "no licence", None),
        ("ok 1 # SKIP", "test 1", SKIPPED, None, None),
        ("not ok 1 - a # TODO later", "a", SKIPPED, "later", None),
        ("not ok 1 - a # XFAIL as ever", "a", SKIPPED, "as ever", None),
        ("ok 1 - a # TODO later", "a", PASSED, None, None),
        (r"ok 1 - a \# b", "a # b", PASSED, None, None),
        (r"ok 1 - a \# b # SKIP c", "a # b", SKIPPED, "c", None),
        (r"ok 1 - ends with \\ # SKIP c", "ends with \\", SKIPPED, "c", None),
        ("ok 1 - C# compiles", "C# compiles", PASSED, None, None),
        ("ok 1 - mends #12", "mends #12", PASSED, None, None),
        ("ok 12 apples", "apples", PASSED, None, None),
        ("ok - 12 apples", "12 apples", PASSED, None, None),
    ],
)
def test_what_is_behind_an_unescaped_number_sign_is_no_part_of_the_name(line, name, status, message, duration):
    case = only(line + "\n")
    assert (case.name, case.status, case.message, case.duration_s) == (name, status, message, duration)


def test_text_that_begins_like_a_test_is_none():
    assert read("1..1\nok 1 - a\nokay then\nok, done\nnot okay\n").tests == 1


KSELFTEST = """TAP version 13
1..3
# timeout set to 45
# selftests: net: outer
# TAP version 13
# 1..2
# # TAP version 13
# # 1..2
# # ok 1 deep_one
# # not ok 2 deep_two # exit=1
# not ok 1 inner # exit=1
# ok 2 other # SKIP needs root
{outer} 1 selftests: net: outer{exit}
# selftests: net: talk
# ok 1 this is only talk
ok 2 selftests: net: talk
# selftests: net: loud
# expected a route, got none
not ok 3 selftests: net: loud # exit=3
"""


def test_subtests_in_comments_count_where_they_have_a_plan():
    report = read(KSELFTEST.format(outer="not ok", exit=" # exit=1"))
    assert [(case.class_name, case.name, case.status) for case in report.cases] == [
        ("selftests: net: outer > inner", "deep_one", PASSED),
        ("selftests: net: outer > inner", "deep_two", FAILED),
        ("selftests: net: outer", "other", SKIPPED),
        ("", "selftests: net: talk", PASSED),
        ("", "selftests: net: loud", FAILED),
    ]
    assert report.cases[-1].message == "expected a route, got none"
    assert report.warnings == []


def test_subtests_in_comments_of_a_test_that_never_ended_are_kept():
    text = KSELFTEST[: KSELFTEST.index("{outer}")]
    report = read(text)
    assert [case.name for case in report.cases if case.status == FAILED] == ["deep_two"]
    assert report.warnings == ["declares 3 tests, none was read"]


def test_more_results_in_comments_than_planned_are_comments():
    assert [case.name for case in read("1..1\n# 1..1\n# ok 1 a\n# ok 2 b\nok 1 c\n").cases] == ["c"]


KUNIT = """KTAP version 1
1..1
    KTAP version 1
    # Subtest: example
    1..2
    # sums: EXPECTATION FAILED at lib/kunit/example.c:50
    Expected 1 + 1 == 3, but
        1 + 1 == 2 (0x2)
    not ok 1 sums
    ok 2 counts
# example: pass:1 fail:1 skip:0 total:2
not ok 1 example
"""


def test_kunit_with_the_clock_of_the_kernel_log():
    for text in (KUNIT, "".join(f"[   12.345678] {line}\n" for line in KUNIT.splitlines())):
        report = read(text)
        assert [(case.class_name, case.name, case.status) for case in report.cases] == [
            ("example", "sums", FAILED),
            ("example", "counts", PASSED),
        ]
        assert report.cases[0].message == "Expected 1 + 1 == 3, but"
        assert report.warnings == []


NODE = """TAP version 13
# Subtest: adds
not ok 1 - adds
  ---
  duration_ms: 12.5
  type: 'test'
  location: '/srv/ci/adds.test.js:3:1'
  failureType: 'testCodeFailure'
  error: |-
    Expected values to be strictly equal:

    1 !== 2

  code: 'ERR_ASSERTION'
  stack: |-
    TestContext.<anonymous> (file:///srv/ci/adds.test.js:4:10)
    node:internal/process/task_queues:95:5
  ...
# Subtest: says nothing
not ok 2 - says nothing
  ---
  duration_ms: 1
  severity: fail
  exitcode: 1
  type: 'test'
  stack: |-
    node:internal/process/task_queues:95:5
    at run (node:internal/main/run:1:2)
  ...
# Subtest: old
not ok 3 - old
  ---
  severity: fail
  message: 'no route'
  ...
1..3
# tests 3
# pass 0
# fail 3
"""


def test_the_reason_is_what_went_wrong_and_never_a_severity_or_a_place():
    adds, silent, old = read(NODE).cases
    assert adds.message == "Expected values to be strictly equal:\n\n1 !== 2"
    assert (adds.duration_s, silent.duration_s, old.message) == (0.0125, 0.001, "no route")
    # The message or else the trace is the pattern of a failure.
    assert (silent.message, silent.trace) == (None, None)
    assert "adds.test.js:4:10" in adds.trace
    assert "severity" not in f"{old.trace}{silent.output}" and "Subtest" not in f"{adds.trace}{silent.output}"


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ("# (in test file sum.bats, line 12)\n#   `[ 4 -eq 5 ]' failed\n", "`[ 4 -eq 5 ]' failed"),
        ("#   Failed test 'a'\n#   at t/a.t line 7.\n#     got: '1'\n#     expected: '2'\n", "got: '1', expected: '2'"),
        ("# TAP version 13\n# node:internal/x:95:5\n# at x.js:3:4\n# it is late\n", "it is late"),
        ("  ---\n    operator: equal\n    expected: 3\n    actual:   2\n    at: T (/x/y.js:3:4)\n  ...\n",
         "equal: expected 3, got 2"),
        ("  ---\n  found: 1\n  wanted: 2\n  severity: fail\n  ...\n", "expected 2, got 1"),
        ("  ---\n  message: \"it said \\\"no\\\"\"\n  ...\n", 'it said "no"'),
        ("  ---\n  stack: |\n    Error: too late\n        at x (/a/b.js:1:2)\n  ...\n", "Error: too late"),
        ("  ---\n  exitcode: 3\n  signal: SIGSEGV\n  ...\n", None),
    ],
)  # fmt: skip
def test_the_reason_in_what_each_tool_writes(details, message):
    case = only(f"not ok 1 - a\n{details}")
    assert case.message == message
    assert message is not None or case.trace is None


def test_plans_at_every_level():
    report = read("1..3\n    1..3\n    ok 1 - x\n    ok 2 - y\nok 1 - a\nok 2 - b\n")
    assert report.warnings == ["'a' declares 3 tests, 2 were read", "declares 3 tests, 2 were read"]
    assert report.differences == report.warnings
    assert read("ok 1 - a\nok 2 - b\n1..2\n").warnings == []


def test_a_report_without_a_plan_lacks_its_end():
    assert read("ok 1 - a\n").missing == "is cut off after 1 test"
    inner = read("ok 1 - a {\n    ok 1 - b\n    1..1\n}\n")
    assert inner.missing and "no plan" in inner.warnings[-1]
    assert read("ok 1 - a\n1..1\n").missing == "" == read("1..1\nok 1 - a\n").missing


def test_a_run_that_bails_out_has_failed_though_all_before_passed():
    for text in ("1..3\nok 1 - a\nBail out! disk full\n", "1..3\nok 1 - a\nbail out!\n"):
        report = read(text)
        assert [case.status for case in report.cases] == [PASSED, FAILED]
        assert report.differences == ["declares 3 tests, 1 was read"]


def test_a_line_without_an_end_is_one_line():
    assert read("ok 1 - a # " + "x" * 20_000 + " ok 2 - b\nok 2 - c\n").tests == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1..0 # SKIP no compiler\n", "no compiler"),
        ("TAP version 13\n1..0 # Skipped: WWW::Mechanize not installed\n", "WWW::Mechanize not installed"),
        ("TAP version 14\n1..0 # WWW::Mechanize not installed\n", "WWW::Mechanize not installed"),
        ("1..0 # skip\n", None),
        ("1..0\n", None),
        ("KTAP version 1\n1..0 # SKIP\n", None),
    ],
)
def test_a_tap_file_that_is_skipped_as_a_whole(text, reason):
    (case,) = (report := read(text, "t/net.tap")).cases
    assert (case.name, case.status, case.message) == ("net", SKIPPED, reason)
    assert (report.status, report.warnings, report.missing) == ("ok", [], "")


@pytest.mark.parametrize("text", ["TAP version 13\n\n1..0\n# tests 0\n# pass  0\n", "1..2 # two\n", "1..0\n1..2\n"])
def test_a_tap_file_without_tests_is_not_skipped(text):
    assert read(text).cases == []


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.text(alphabet="abc #\\-0é", min_size=1, max_size=12).map(str.strip).filter(bool),
            st.sampled_from(["", " # exit=1", " # time=3ms", " # anything # at all"]),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_names_come_back_whatever_is_said_behind_them(points):
    lines = [
        ("ok" if passed else "not ok") + f" {number} - " + re.sub(r"([#\\])", r"\\\1", name) + remark
        for number, (passed, name, remark) in enumerate(points, 1)
    ]
    report = read("\n".join([f"1..{len(points)}", *lines]) + "\n")
    assert [(case.status == PASSED, case.name) for case in report.cases] == [
        (passed, name) for passed, name, _ in points
    ]
    assert report.warnings == []
