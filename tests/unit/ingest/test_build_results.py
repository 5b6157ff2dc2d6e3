"""The files of one build laid upon each other."""

from __future__ import annotations

import io
import json
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.build_results import BuildResults, JenkinsCounts, read_build
from ingest.parsers import console_log
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Case
from ingest.parsers.zip_archive import BadArchiveError

BGP = "data_plane/tests/routing/bgp/bgp_basic_test.py"
OSPF = "data_plane/tests/routing/ospf/ospf_test.py"
PBNAT = "data_plane/tests/business_policy/pbnat/pbnat_test.py"
MAIN = f"""
  1  [10.20.30.11] PASSED {BGP}::TestBgpBasic::test_neighbor_up
  2  [10.20.30.11] FAILED {BGP}::TestBgpBasic::test_route_flap[5-site]
  3  [10.20.30.11] ERROR  {OSPF}::TestOspf::test_area_mismatch
  4  [10.20.30.12] SKIPPED {PBNAT}::TestPbnat::test_many_to_one
"""
RERUN = f"""
  1  [10.20.30.13] PASSED {BGP}::TestBgpBasic::test_route_flap[5-site]
  2  [10.20.30.13] FAILED {OSPF}::TestOspf::test_area_mismatch
"""


def xml(*cases: str, suite: str = "pytest") -> str:
    return f'<testsuites><testsuite name="{suite}">{"".join(cases)}</testsuite></testsuites>'


def junit_case(
    file: str, class_name: str, name: str, inner: str = "", time: float = 1.0, with_file: bool = True
) -> str:
    dotted = f"{file.removesuffix('.py').replace('/', '.')}.{class_name}"
    given_file = f'file="{file}" ' if with_file else ""
    return f'<testcase classname="{dotted}" name="{name}" {given_file}time="{time}">{inner}</testcase>'


FLAP = junit_case(
    BGP, "TestBgpBasic", "test_route_flap[5-site]", '<failure message="flap count 3 != 0">E</failure>', 12.5
)
AREA = junit_case(OSPF, "TestOspf", "test_area_mismatch", '<error message="fixture boom">traceback</error>')


def build(files: dict[str, str], kinds: dict[str, str] | None = None, **options) -> BuildResults:
    return read_build(
        ((path, (kinds or {}).get(path), lambda text=text: io.BytesIO(text.encode())) for path, text in files.items()),
        **options,
    )


def cases(results: BuildResults) -> list[tuple[str, str, str, int, bool]]:
    return [(case.name, case.topology, case.status, case.attempt, case.is_final) for case in results.cases]


def by_name(results: BuildResults, name: str) -> list[Case]:
    return [case for case in results.cases if case.name == name]


# --- order logs -----------------------------------------------------------------------------------------------------


def test_an_orchestrated_run_with_reruns_and_failure_texts():
    results = build(
        {
            "hapy/logs/1767888104_rt_5s.order.txt": MAIN,
            "hapy/logs/re_run_rt_5s.order.txt": RERUN,
            "hapy/reports/junit/5s/report_1.xml": xml(
                FLAP, AREA, junit_case(BGP, "TestBgpBasic", "test_neighbor_up", time=0.5)
            ),
        }
    )
    assert cases(results) == [
        ("test_neighbor_up", "5s", PASSED, 1, True),
        ("test_route_flap[5-site]", "5s", FAILED, 1, False),
        ("test_route_flap[5-site]", "5s", PASSED, 2, True),
        ("test_area_mismatch", "5s", FAILED, 1, False),
        ("test_area_mismatch", "5s", FAILED, 2, True),
        ("test_many_to_one", "5s", SKIPPED, 1, True),
    ]
    flap, again = by_name(results, "test_route_flap[5-site]")
    assert (flap.message, flap.trace, flap.duration_s, flap.kind) == ("flap count 3 != 0", "E", 12.5, "failure")
    assert (again.message, again.trace, again.duration_s, again.kind) == (None, None, None, None)
    assert (flap.host, again.host) == ("10.20.30.11", "10.20.30.13")
    first, last = by_name(results, "test_area_mismatch")
    assert (first.message, last.message, last.trace) == (None, "fixture boom", "traceback")
    assert (first.kind, last.kind) == ("error", "error")
    assert by_name(results, "test_neighbor_up")[0].duration_s == 0.5
    assert {case.file for case in by_name(results, "test_many_to_one")} == {PBNAT}
    assert (results.warnings, results.flags) == ([], set())


def test_the_text_of_each_of_two_failures_goes_to_its_own_attempt():
    area = '<{0} message="{1}">{1}</{0}>'
    results = build(
        {
            "1_rt_5s.order.txt": MAIN,
            "re_run_rt_5s.order.txt": RERUN,
            "junit/5s/report_1.xml": xml(
                junit_case(OSPF, "TestOspf", "test_area_mismatch", area.format("error", "main"))
            ),
            "junit/5s/report_2.xml": xml(
                junit_case(OSPF, "TestOspf", "test_area_mismatch", area.format("failure", "rerun")),
                junit_case(BGP, "TestBgpBasic", "test_route_flap[5-site]", time=2.0),
            ),
        }
    )
    assert [case.message for case in by_name(results, "test_area_mismatch")] == ["main", "rerun"]
    assert [case.duration_s for case in by_name(results, "test_route_flap[5-site]")] == [None, 2.0]


def test_topologies_are_kept_apart():
    results = build(
        {
            "1_rt_5s.order.txt": f"[a] FAILED {BGP}::T::x",
            "2_rt_3s_ipv6.order.txt": f"[b] FAILED {BGP}::T::x",
            "re_run_rt_3s_ipv6.order.txt": f"[b] PASSED {BGP}::T::x",
            "hapy/reports/junit/5s/r.xml": xml(junit_case(BGP, "T", "x", '<failure message="on 5s"/>')),
            "hapy/reports/junit/3s_ipv6/r.xml": xml(junit_case(BGP, "T", "x", '<failure message="on 3s"/>')),
        }
    )
    assert [(case.topology, case.status, case.message) for case in results.cases] == [
        ("5s", FAILED, "on 5s"), ("3s_ipv6", FAILED, "on 3s"), ("3s_ipv6", PASSED, None),
    ]  # fmt: skip


def test_a_test_only_in_the_rerun_is_added():
    results = build({"1_rt_5s.order.txt": "", "re_run_rt_5s.order.txt": "[a] PASSED f.py::x"})
    assert cases(results) == [("x", "5s", PASSED, 1, True)]


def test_several_main_logs_of_a_topology_all_count():
    results = build(
        {
            "1_rt_5s.order.txt": "[a] PASSED f.py::x\n[a] PASSED f.py::y",
            "2_rt_5s.order.txt": "[b] FAILED f.py::x\n[b] PASSED f.py::z",
            "re_run_rt_5s.order.txt": "[c] PASSED f.py::x",
        }
    )
    assert cases(results) == [
        ("x", "5s", PASSED, 1, True), ("y", "5s", PASSED, 1, True),
        ("x", "5s #2", FAILED, 1, False), ("x", "5s #2", PASSED, 2, True), ("z", "5s", PASSED, 1, True),
    ]  # fmt: skip
    assert results.flags == {"repeated"}


def test_several_reruns_are_several_attempts():
    results = build(
        {
            "1_rt_5s.order.txt": "[a] FAILED f.py::x",
            "re_run_rt_5s.order.txt": "[b] FAILED f.py::x",
            "sub/re_run_rt_5s.order.txt": "[c] PASSED f.py::x",
        }
    )
    assert cases(results) == [
        ("x", "5s", FAILED, 1, False),
        ("x", "5s", FAILED, 2, False),
        ("x", "5s", PASSED, 3, True),
    ]


def test_junit_cases_that_no_log_lists_are_added():
    results = build(
        {
            "1_rt_5s.order.txt": f"[a] PASSED {BGP}::T::x",
            "junit/5s/r.xml": xml(junit_case(BGP, "T", "x"), junit_case(BGP, "T", "new", "<failure/>")),
        }
    )
    assert cases(results) == [("x", "5s", PASSED, 1, True), ("new", "5s", FAILED, 1, True)]
    assert by_name(results, "new")[0].file == BGP


def test_junit_without_files_or_from_another_root_finds_its_test():
    log = {"1_rt_5s.order.txt": f"[a] FAILED {BGP}::T::x"}
    for case in (
        junit_case(BGP, "T", "x", '<failure message="m"/>', with_file=False),
        junit_case(BGP.removeprefix("data_plane/"), "T", "x", '<failure message="m"/>'),
        junit_case("repo/" + BGP, "T", "x", '<failure message="m"/>'),
    ):
        results = build(log | {"junit/5s/r.xml": xml(case)})
        assert [(one.file, one.message) for one in results.cases] == [(BGP, "m")]


def test_junit_of_no_topology_is_used_where_only_one_can_be_meant():
    case = junit_case(BGP, "T", "x", '<failure message="m"/>')
    one = build({"1_rt_5s.order.txt": f"[a] FAILED {BGP}::T::x", "junit/r.xml": xml(case)})
    assert [(case.topology, case.message) for case in one.cases] == [("5s", "m")]
    two = build({
        "1_rt_5s.order.txt": f"[a] FAILED {BGP}::T::x", "2_rt_3s.order.txt": f"[a] FAILED {BGP}::T::x",
        "junit/r.xml": xml(case),
    })  # fmt: skip
    assert [case.message for case in two.cases] == [None, None]
    assert two.flags == {"ambiguous"}


def test_the_log_decides_the_status():
    results = build(
        {
            "1_rt_5s.order.txt": f"[a] PASSED {BGP}::T::x",
            "junit/5s/r.xml": xml(junit_case(BGP, "T", "x", '<failure message="m"/>')),
        }
    )
    assert [(case.status, case.message) for case in results.cases] == [(PASSED, None)]
    assert results.flags == {"status_differs"}


def test_the_topology_rule_can_be_set():
    files = {"1_rt_5s.order.txt": f"[a] PASSED {BGP}::T::x", "out/5s.xml": xml(junit_case(BGP, "T", "x", time=3.0))}
    results = build(files, topology=re.compile(r"out/(?P<topology>\w+)\.xml$"))
    assert [(case.topology, case.duration_s) for case in results.cases] == [("5s", 3.0)]


# --- reports alone --------------------------------------------------------------------------------------------------


def test_without_logs_a_path_says_no_topology_unless_a_rule_does():
    files = {"target/junit/linux/r.xml": xml('<testcase name="a"/>')}
    assert [case.topology for case in build(files).cases] == [""]
    rule = re.compile(r"junit/(?P<topology>[^/]+)/")
    assert [case.topology for case in build(files, topology=rule).cases] == ["linux"]


def test_a_retry_within_a_suite_is_attempts():
    attempt = '<testcase name="a">{}</testcase>'
    report = xml(attempt.format('<failure message="1"/>'), attempt.format('<error message="2"/>'), attempt.format(""))
    results = build({"r.xml": report})
    assert cases(results) == [("a", "", FAILED, 1, False), ("a", "", FAILED, 2, False), ("a", "", PASSED, 3, True)]
    assert [case.message for case in results.cases] == ["1", "2", None]
    assert results.reported == JenkinsCounts(tests=3, failed=2, skipped=0)


def test_other_repetitions_are_results_of_their_own():
    results = build(
        {
            "a.xml": xml('<testcase name="a"/>', '<testcase name="a"/>', '<testcase name="a"><failure/></testcase>'),
            "b.xml": xml('<testcase name="a"/>'),
        }
    )
    assert cases(results) == [
        ("a", "#2", PASSED, 1, True),
        ("a", "#3", PASSED, 1, True),
        ("a", "", FAILED, 1, True),
        ("a", "#4", PASSED, 1, True),
    ]
    assert results.reported == JenkinsCounts(tests=4, failed=1, skipped=0)
    assert results.flags == {"repeated"}


def test_a_flaky_element_and_a_repetition_make_one_chain():
    results = build({"r.xml": xml('<testcase name="a"><failure/><rerunFailure/></testcase>', '<testcase name="a"/>')})
    assert cases(results) == [("a", "", FAILED, 1, False), ("a", "", FAILED, 2, False), ("a", "", PASSED, 3, True)]


SUITES = {"suites": [{"cases": [{"name": "j", "status": "PASSED"}]}]}
AXES = [{"child": {"url": f"http://x/job/m/nodes={axis}/"}, "result": SUITES} for axis in ("a/7", "b/3")]
REPORT = json.dumps({"totalCount": 1, "childReports": AXES})


def test_jenkins_own_report_is_used_only_where_nothing_else_is():
    both = build({"r.xml": xml('<testcase name="a"/>'), "testReport.json": REPORT})
    assert cases(both) == [("a", "", PASSED, 1, True)]
    alone = build({"r.xml": "<project/>", "testReport.json": REPORT}, number=7)
    assert cases(alone) == [("j", "nodes=a", PASSED, 1, True)]
    assert alone.reported == JenkinsCounts(tests=1)


def test_a_console_log_goes_before_jenkins_own_report_and_after_files():
    kinds, patterns = {"console": "console"}, console_log.compile_patterns([r"(?P<status>PASS|FAIL) (?P<name>\w+)"])
    files = {"console": "PASS c\nFAIL d\n  detail\n", "testReport.json": REPORT}
    results = build(files, kinds, console_patterns=patterns)
    assert cases(results) == [("c", "", PASSED, 1, True), ("d", "", FAILED, 1, True)]
    assert results.cases[1].trace == "FAIL d\n  detail"
    with_file = build(files | {"r.xml": xml('<testcase name="a"/>')}, kinds, console_patterns=patterns)
    assert cases(with_file) == [("a", "", PASSED, 1, True)]


METHOD = "<class name='C'><test-method name='a' status='PASS'/></class>"
TESTNG = f"<testng-results><suite><test>{METHOD}</test></suite></testng-results>"


def test_testng_beside_junit_is_not_counted_twice_unless_configured():
    files = {"junitreports/TEST-C.xml": xml('<testcase classname="C" name="a"/>'), "testng-results.xml": TESTNG}
    assert cases(build(files)) == [("a", "", PASSED, 1, True)]
    assert cases(build({"testng-results.xml": TESTNG})) == [("a", "", PASSED, 1, True)]
    assert len(build(files, {"testng-results.xml": "testng"}).cases) == 2


def test_what_each_file_was_is_kept():
    results = build({
        "a.xml": xml('<testcase name="a"/>'), "b.xml": "", "c.xml": "<project/>",
        "d.xml": '<testsuite><testcase name="b"/>',
        "e.xml": '<testsuite tests="9"><testcase name="c"/></testsuite>',
    })  # fmt: skip
    assert [(file.path, file.kind, file.status, file.tests) for file in results.files] == [
        ("a.xml", "junit", "ok", 1), ("b.xml", "junit", "error", 0), ("c.xml", "junit", "not_junit", 0),
        ("d.xml", "junit", "recovered", 1), ("e.xml", "junit", "ok", 1),
    ]  # fmt: skip
    assert results.flags == {"recovered", "unreadable", "declared_differs"}
    assert [warning.path for warning in results.warnings] == ["b.xml", "d.xml", "e.xml", "c.xml"]
    assert results.warnings[-1].text == "not read: XML with the root <project>, no kind of report that is known"


def test_no_files_give_no_results():
    results = build({})
    assert (results.cases, results.reported, results.files) == ([], None, [])


def test_a_damaged_archive_is_for_the_caller():
    def damaged():
        raise BadArchiveError("cut short")

    with pytest.raises(BadArchiveError):
        read_build([("a.xml", None, damaged)])


# --- properties -----------------------------------------------------------------------------------------------------

words = st.sampled_from(["PASSED", "FAILED", "ERROR", "SKIPPED"])
lines = st.lists(st.tuples(st.sampled_from("xyz"), words), max_size=6)
children = st.sampled_from(["", "<failure message='m'/>", "<error message='m'/>", "<skipped/>", "<rerunFailure/>"])
junits = st.lists(st.tuples(st.sampled_from("xyzw"), children), max_size=6)


@given(
    st.dictionaries(st.sampled_from(["1_rt_5s", "2_rt_5s", "3_rt_3s", "re_run_rt_5s", "re_run_rt_3s"]), lines),
    st.dictionaries(st.sampled_from(["junit/5s/a", "junit/5s/b", "junit/3s/a", "junit/a"]), junits),
)
def test_whatever_the_files_say_the_results_hold_together(logs, reports):
    files = {f"{name}.order.txt": "".join(f"[h] {word} t/f.py::T::{test}\n" for test, word in rows)
             for name, rows in logs.items()}  # fmt: skip
    files |= {f"{name}.xml": xml(*(junit_case("t/f.py", "T", test, inner) for test, inner in rows))
              for name, rows in reports.items()}  # fmt: skip
    results = build(files)
    keys = Counter((case.class_name, case.name, case.topology, case.attempt) for case in results.cases)
    assert set(keys.values()) <= {1}
    tests: dict[tuple[str, str, str], list[Case]] = {}
    for case in results.cases:
        tests.setdefault((case.class_name, case.name, case.topology), []).append(case)
        assert (case.kind is not None) == (case.status == FAILED)
        assert case.status == FAILED or case.trace is None
        assert case.message is None or case.status == FAILED
    for attempts in tests.values():
        assert [case.attempt for case in attempts] == list(range(1, len(attempts) + 1))
        assert [case.is_final for case in attempts] == [False] * (len(attempts) - 1) + [True]
    logged = {(test, name.rpartition("_")[2]) for name, rows in logs.items() for test, _ in rows}
    assert logged <= {(case.name, case.topology.partition(" ")[0]) for case in results.cases}
