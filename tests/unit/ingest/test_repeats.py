"""Which repeated results are attempts of one test and which are twins, and the tests of modules: in reports written for
these tests, through `read_build`."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.build_results import BuildResults, read_build
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, DeclaredCounts
from ingest.report_folders import module_of
from ingest.report_inputs import ReportInput

INNER = {"F": "<failure message='m'/>", "E": "<error message='m'/>", "S": "<skipped/>", "P": ""}


def suite(letters: Sequence[tuple[str, str]], attributes: str = "", of_case: str = 'classname="shop.Cart"') -> str:
    """A suite with a case for each (name, letter of the outcome)."""
    cases = "".join(f'<testcase {of_case} name="{name}">{INNER[letter]}</testcase>' for name, letter in letters)
    return f'<testsuite name="shop.Cart" {attributes}>{cases}</testsuite>'


def build(files: dict[str, str], **options) -> BuildResults:
    inputs = (ReportInput(path, None, lambda text=text: io.BytesIO(text.encode())) for path, text in files.items())
    return read_build(inputs, **options)


def outcomes(results: BuildResults) -> dict[str, list[str]]:
    """By file::name, a word for each result: the letters of its attempts."""
    words: dict[str, list[str]] = {}
    word = ""
    for case in results.cases:
        word += {PASSED: "P", FAILED: "F", SKIPPED: "S"}[case.status]
        if case.is_final:
            words.setdefault(f"{case.file}::{case.name}" if case.file else case.name, []).append(word)
            word = ""
    return {name: sorted(found) for name, found in words.items()}


AB = [("a", "F"), ("b", "P"), ("a", "P")]


@pytest.mark.parametrize(
    ("attributes", "a"),
    [
        ("", ["F", "P"]),  # nothing says what it is
        ('tests="3" failures="1"', ["F", "P"]),  # every case counts
        ('tests="2" failures="0"', ["FP"]),  # only tests count
        ('tests="3" failures="0"', ["FP"]),
        ('tests="2"', ["FP"]),
        ('tests="2" failures="1"', ["F", "P"]),  # contradictory
        ('tests="7" failures="5"', ["F", "P"]),  # neither
        ('tests="2" failures="0" errors="0"', ["FP"]),
    ],
)
def test_declared_totals_that_fit_one_reading_decide(attributes, a):
    assert outcomes(build({"r.xml": suite(AB, attributes)})) == {"a": a, "b": ["P"]}


def test_the_totals_of_the_whole_report_decide_where_a_suite_has_none():
    inner = suite(AB)
    assert outcomes(build({"r.xml": f'<testsuites tests="2" failures="0">{inner}</testsuites>'}))["a"] == ["FP"]
    assert outcomes(build({"r.xml": f'<testsuites tests="3" failures="1">{inner}</testsuites>'}))["a"] == ["F", "P"]


def test_jenkins_count_decides_where_no_report_does():
    assert outcomes(build({"r.xml": suite(AB)}, jenkins=DeclaredCounts(2, 0)))["a"] == ["FP"]
    assert outcomes(build({"r.xml": suite(AB)}, jenkins=DeclaredCounts(3, 1)))["a"] == ["F", "P"]


def test_a_repeat_after_a_pass_shows_that_names_are_no_identities():
    names = [("[1] 0", "F"), ("[2] 9", "P"), ("[1] 0", "P"), ("[2] 9", "P")]
    found = outcomes(build({"r.xml": suite(names, 'tests="2" failures="0"')}))
    assert found == {"[1] 0": ["F", "P"], "[2] 9": ["P", "P"]}


@pytest.mark.parametrize(
    ("of_case", "expected"),
    [
        ('file="cart_test.rb" line="12"', ["FP"]),
        ('file="cart_test.rb"', ["F", "P"]),
    ],
)
def test_a_place_in_the_source_is_one_test(of_case, expected):
    assert list(outcomes(build({"r.xml": suite([("a", "F"), ("a", "P")], "", of_case)})).values()) == [expected]


def test_two_places_of_one_name_are_two_tests():
    case = '<testcase classname="Cart" file="cart_test.rb" line="{}" name="a">{}</testcase>'
    report = f"<testsuite name='pytest'>{case.format(3, INNER['F'])}{case.format(9, '')}</testsuite>"
    assert outcomes(build({"r.xml": report})) == {"cart_test.rb::a": ["F", "P"]}


def test_pytest_repeats_a_name_only_for_a_rerun_or_a_failed_tear_down():
    report = suite([("a", "F"), ("a", "E"), ("a", "P"), ("b", "P"), ("b", "E")]).replace("shop.Cart", "pytest", 1)
    assert outcomes(build({"r.xml": report})) == {"a": ["FFP"], "b": ["F", "P"]}


def test_a_rerun_of_go_repeats_only_what_failed():
    properties = '<properties><property name="go.version" value="go1.24"/></properties>'
    rerun = suite([("TestA", "F"), ("TestB", "P"), ("TestA", "P")])
    assert outcomes(build({"r.xml": rerun.replace("><", f">{properties}<", 1)}))["TestA"] == ["FP"]
    count = suite([("TestA", "F"), ("TestB", "P"), ("TestA", "P"), ("TestB", "P")])
    assert outcomes(build({"r.xml": count.replace("><", f">{properties}<", 1)}))["TestA"] == ["F", "P"]
    every = suite([("TestA", "F"), ("TestA", "P")])
    assert outcomes(build({"r.xml": every.replace("><", f">{properties}<", 1)}))["TestA"] == ["F", "P"]


def test_flags_of_the_report_are_attempts():
    rerun = '<testcase name="a"><failure/><rerunFailure/></testcase>'
    flaky = '<testcase name="b"><flakyFailure/></testcase>'
    flags = f'<testsuite name="s">{rerun}{flaky}</testsuite>'
    assert outcomes(build({"r.xml": flags})) == {"a": ["FF"], "b": ["FP"]}


def test_lines_of_other_formats_that_repeat_a_name_all_count():
    tap = "TAP version 13\n1..2\nnot ok 1 - a\nok 2 - a\n"
    assert outcomes(build({"r.tap": tap})) == {"a": ["F", "P"]}
    cases = [{"className": "c", "name": "a", "status": status} for status in ("FAILED", "PASSED")]
    report = {"suites": [{"name": "s", "cases": cases}]}
    assert outcomes(build({"r.json": json.dumps(report)})) == {"a": ["F", "P"]}


# --- files of reruns ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "paths",
    [
        ("r.xml", "rerun.xml"),
        ("junit.xml", "junit-rerun.xml"),
        ("out/r.xml", "out/retry/r.xml"),
        ("out/attempt-1/r.xml", "out/attempt-2/r.xml"),
        ("r.xml", "r_attempt2.xml"),
        ("TestResults/r.xml", "TestResults/Retries/k7/1/r.xml"),
        ("x/test_attempts/attempt_1.xml", "x/test.xml"),
    ],
)
def test_the_file_of_a_rerun_has_the_next_attempts(paths):
    first, second = suite([("a", "F"), ("b", "P")]), suite([("a", "P")])
    assert outcomes(build(dict(zip(paths, (first, second), strict=True)))) == {"a": ["FP"], "b": ["P"]}


def test_several_reruns_follow_each_other():
    files = {"r.xml": [("a", "F"), ("b", "F")], "rerun2.xml": [("b", "P")], "rerun1.xml": [("a", "P"), ("b", "F")]}
    assert outcomes(build({path: suite(cases) for path, cases in files.items()})) == {"a": ["FP"], "b": ["FFP"]}


def test_a_rerun_that_fails_at_last_is_not_rescued():
    found = build({"attempt_1/r.xml": suite([("a", "P")]), "attempt_2/r.xml": suite([("a", "F")])})
    assert outcomes(found) == {"a": ["PF"]}


def test_two_files_are_no_rerun_unless_one_says_so():
    files = {"conformance.xml": suite([("a", "P")]), "upgrade.xml": suite([("a", "F")])}
    assert outcomes(build(files)) == {"a": ["F", "P"]}


def test_a_suite_about_retries_is_no_rerun():
    files = {"junit_login.xml": suite([("boots", "F")]), "junit_retry.xml": suite([("boots", "P"), ("tries", "P")])}
    assert outcomes(build(files))["boots"] == ["F", "P"]


def test_a_file_that_holds_a_copy_adds_nothing():
    case = '<testcase classname="c" name="a" timestamp="2026-03-01T08:00:0{}Z" time="1.5">{}</testcase>'
    first, last = case.format(1, INNER["F"]), case.format(9, "")
    files = {"r.xml": f"<testsuite>{last}</testsuite>", "Retries/k7/1/r.xml": f"<testsuite>{first}</testsuite>",
             "Retries/k7/2/r.xml": f"<testsuite>{last}</testsuite>"}  # fmt: skip
    assert outcomes(build(files)) == {"a": ["FP"]}


# --- modules --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "module"),
    [
        ("core/target/surefire-reports/TEST-a.xml", "core"),
        ("services/core/build/test-results/test/TEST-a.xml", "services/core"),
        ("core/build/reports/tests/a.xml", "core"),
        ("core/target/failsafe-reports/a.xml", "core"),
        ("Core.Tests/TestResults/a.trx", "Core.Tests"),
        ("packages/ui/test-results/junit.xml", "packages/ui"),
        ("/var/lib/jenkins/workspace/nightly@2/core/target/surefire-reports/a.xml", "core"),
        ("target/surefire-reports/TEST-a.xml", ""),
        ("TestResults/Retries/k7/1/a.trx", ""),
        ("reports/junit/5s/a.xml", ""),
        ("a.xml", ""),
    ],
)
def test_the_module_of_a_report(path, module):
    assert module_of(path) == module


def test_tests_of_one_name_in_two_modules_are_two_tests():
    files = {f"{module}/target/surefire-reports/TEST-shop.Cart.xml": suite([("a", letter)])
             for module, letter in (("core", "P"), ("ui", "F"))}  # fmt: skip
    assert outcomes(build(files)) == {"core::a": ["P"], "ui::a": ["F"]}
    alone = {path: text for path, text in files.items() if path.startswith("ui/")}
    assert outcomes(build(alone)) == {"ui::a": ["F"]}


def test_the_modules_of_a_maven_job_are_told_by_their_url():
    def child(module: str, status: str) -> dict[str, object]:
        suites = [{"name": "s", "cases": [{"className": "shop.Cart", "name": "a", "status": status}]}]
        return {"child": {"number": 7, "url": f"http://ci/job/shop/org.shop${module}/7/"}, "result": {"suites": suites}}

    report = {"childReports": [child("core", "PASSED"), child("ui", "FAILED")]}
    assert outcomes(build({"r.json": json.dumps(report)})) == {"core::a": ["P"], "ui::a": ["F"]}


# --- properties -----------------------------------------------------------------------------------------------------

results = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("FPES")), min_size=1, max_size=7)


@given(results, st.sampled_from(["", 'tests="{n}" failures="{f}"', 'tests="{u}"']), st.permutations(range(7)))
def test_no_result_is_lost_and_the_order_of_twins_does_not_matter(cases, attributes, order):
    counts = {"n": len(cases), "f": sum(letter in "FE" for _, letter in cases), "u": len({name for name, _ in cases})}
    found = build({"r.xml": suite(cases, attributes.format(**counts))})
    assert len(found.cases) == len(cases)
    assert sum(case.status == FAILED for case in found.cases) == counts["f"]
    if attributes != 'tests="{u}"':
        failed = {name for name, letter in cases if letter in "FE"}
        assert failed == {name for name, words in outcomes(found).items() if any(word.endswith("F") for word in words)}
        shuffled = [cases[index] for index in order if index < len(cases)]
        again = build({"r.xml": suite(shuffled, attributes.format(**counts))})
        keys = {(case.name, case.topology, case.status) for case in found.cases}
        assert keys == {(case.name, case.topology, case.status) for case in again.cases}
