"""`go test -json`: subtests, panics, packages that do not build, reruns, streams that end too early."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import detect, go_test
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Report


def line(action: str, test: str = "", package: str = "shop/cart", **fields: object) -> str:
    event = {"Time": "2026-01-08T16:01:44.5Z", "Action": action, "Package": package, **fields}
    return json.dumps(event | ({"Test": test} if test else {})) + "\n"


def output(text: str, test: str = "", package: str = "shop/cart") -> str:
    return line("output", test, package, Output=text)


def read(*lines: str) -> Report:
    return go_test.parse(io.BytesIO("".join(lines).encode()))


def attempts(report: Report) -> list[tuple]:
    return [(case.class_name, case.name, case.status, case.attempt, case.is_final) for case in report.cases]


def test_tests_and_subtests_with_their_texts():
    report = read(
        line("start"),
        line("run", "TestTotal"),
        output("=== RUN   TestTotal\n", "TestTotal"),
        line("run", "TestTotal/empty"),
        output("    cart_test.go:12: got 3, want 0\n", "TestTotal/empty"),
        output("    --- FAIL: TestTotal/empty (0.10s)\n", "TestTotal/empty"),
        line("fail", "TestTotal/empty", Elapsed=0.1),
        line("fail", "TestTotal", Elapsed=0.2),
        line("run", "TestSkip"),
        output("    cart_test.go:20: needs a network\n", "TestSkip"),
        line("skip", "TestSkip", Elapsed=0),
        line("run", "BenchmarkAdd"),
        line("bench", "BenchmarkAdd"),
        line("fail", Elapsed=1.5),
    )
    assert attempts(report) == [
        ("shop/cart", "TestTotal/empty", FAILED, 1, True),
        ("shop/cart", "TestTotal", FAILED, 1, True),
        ("shop/cart", "TestSkip", SKIPPED, 1, True),
        ("shop/cart", "BenchmarkAdd", PASSED, 1, True),
    ]
    empty, total, skip, _ = report.cases
    assert (empty.message, empty.trace, empty.duration_s) == (
        "got 3, want 0",
        "    cart_test.go:12: got 3, want 0",
        0.1,
    )
    assert (total.message, skip.message, empty.started_at) == (None, "needs a network", 1767888104.5)
    assert (report.suites, report.duration_s, report.warnings) == (1, 1.5, [])


def test_a_panic_fails_what_had_not_ended():
    report = read(
        line("run", "TestOne"),
        line("pass", "TestOne"),
        line("run", "TestTwo"),
        output("panic: assignment to entry in nil map\n", "TestTwo"),
        output("goroutine 7 [running]:\n", "TestTwo"),
        line("fail", Elapsed=0.1),
    )
    assert [(case.name, case.status, case.message) for case in report.cases] == [
        ("TestOne", PASSED, None),
        ("TestTwo", FAILED, "panic: assignment to entry in nil map"),
    ]


def test_a_test_whose_end_is_lost_in_its_output_passes_with_its_package():
    assert [case.status for case in read(line("run", "TestOne"), line("pass")).cases] == [PASSED]


def test_a_package_that_fails_without_a_failed_test_is_a_failure():
    build = json.dumps({"ImportPath": "shop/tax [shop/tax.test]", "Action": "build-output",
                        "Output": "tax/tax_test.go:5:2: undefined: rate\n"}) + "\n"  # fmt: skip
    report = read(
        build,
        line("fail", package="shop/tax", FailedBuild="shop/tax [shop/tax.test]"),
        line("run", "TestOne"),
        line("pass", "TestOne"),
        output("exit status 3\n"),
        line("fail"),
        line("skip", package="shop/empty"),
    )
    assert attempts(report) == [
        ("shop/tax", "TestMain", FAILED, 1, True),
        ("shop/cart", "TestOne", PASSED, 1, True),
        ("shop/cart", "TestMain", FAILED, 1, True),
    ]
    assert report.cases[0].message == "undefined: rate"
    assert read(build).cases[0].class_name == "shop/tax"


def test_a_stream_that_ends_too_early_is_not_green():
    report = read(line("run", "TestOne"), line("pass", "TestOne"), line("run", "TestTwo"), '{"Time":"2026-')
    assert [case.status for case in report.cases] == [PASSED, FAILED]
    assert report.warnings == ["1 test has no end: the report ends before it"]


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        ([line("start"), line("run", "TestOne"), line("pass", "TestOne")], "before the end of package shop/cart"),
        (
            [line("run", "TestOne"), line("pass", "TestOne"), line("pass"), '{"Time":"2026-'],
            "in the middle of an event",
        ),
    ],
)
def test_a_stream_that_is_cut_off_lacks_results(lines, warning):
    report = read(*lines)
    assert warning in report.warnings[0] and report.missing == "is cut off after 1 test"


def test_a_selection_of_the_events_of_tests_is_whole():
    assert read(line("run", "TestOne"), line("pass", "TestOne")).missing == ""


def test_a_rerun_of_what_had_failed_is_an_attempt_and_count_is_not():
    first = [line("run", "TestA"), line("fail", "TestA"), line("run", "TestB"), line("pass", "TestB"), line("fail")]
    rerun = [line("run", "TestA"), line("pass", "TestA"), line("pass")]
    assert attempts(read(*first, *rerun)) == [
        ("shop/cart", "TestA", FAILED, 1, False),
        ("shop/cart", "TestA", PASSED, 2, True),
        ("shop/cart", "TestB", PASSED, 1, True),
    ]
    whole = [line("run", "TestA"), line("pass", "TestA"), line("run", "TestB"), line("pass", "TestB"), line("pass")]
    assert [(case.attempt, case.is_final) for case in read(*first, *whole).cases] == [(1, True)] * 4
    counted = read(
        line("run", "TestA"), line("fail", "TestA"), line("run", "TestA"), line("pass", "TestA"), line("fail")
    )
    assert [(case.status, case.is_final) for case in counted.cases] == [(FAILED, True), (PASSED, True)]


def test_packages_may_interleave_and_other_lines_are_left_out():
    report = read(
        "go: downloading example.com/x v1.2.3\n",
        line("run", "TestA", "p"),
        line("run", "TestA", "q"),
        line("pass", "TestA", "q"),
        "{broken\n",
        line("fail", "TestA", "p"),
        line("pass", package="q"),
        line("fail", package="p"),
    )
    assert {(case.class_name, case.status) for case in report.cases} == {("p", FAILED), ("q", PASSED)}


def test_the_kind_is_detected_behind_other_lines():
    text = "go: downloading x\n# shop/tax\n" + line("start")
    assert detect("build.log", io.BytesIO(text.encode())) == "go_test"
    assert detect("r.json", io.BytesIO(b'{"Action":"build-output","ImportPath":"p","Output":"x"}\n')) == "go_test"
    assert detect("r.json", io.BytesIO(b'{"Action":"deploy","suites":[]}')) == "test_report"
    assert read("nothing\n").status == "error"


@given(
    st.lists(
        st.builds(
            line,
            st.sampled_from(["start", "run", "pause", "output", "pass", "fail", "skip", "bench", "build-output", "x"]),
            st.sampled_from(["", "TestA", "TestB/x"]),
            st.sampled_from(["p", "q"]),
            Output=st.text(max_size=5),
            Elapsed=st.one_of(st.none(), st.floats(), st.text(max_size=2)),
        ),
        max_size=30,
    )
)
def test_any_events_give_a_report(lines):
    report = read(*lines)
    assert report.count(PASSED) + report.count(FAILED) + report.count(SKIPPED) == report.tests
    ended = [json.loads(text) for text in lines]
    if any(event["Action"] == "fail" for event in ended):
        assert any(case.status == FAILED for case in report.cases)
