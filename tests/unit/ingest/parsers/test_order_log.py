"""Order logs."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import order_log
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Report

MAIN = """
  1  [10.20.30.11] PASSED data_plane/tests/routing/bgp/bgp_basic_test.py::TestBgpBasic::test_neighbor_up
  2  [10.20.30.11] FAILED data_plane/tests/routing/bgp/bgp_basic_test.py::TestBgpBasic::test_route_flap[5-site]
  3  [10.20.30.11] ERROR  data_plane/tests/routing/ospf/ospf_test.py::TestOspf::test_area_mismatch
  4  [10.20.30.12] SKIPPED data_plane/tests/business_policy/pbnat/pbnat_test.py::TestPbnat::test_many_to_one
"""


def parse(text: str, path: str = "hapy/logs/1767888104_rt_5s.order.txt") -> Report:
    return order_log.parse(io.BytesIO(text.encode()), path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("hapy/logs/1767888104_rt_5s.order.txt", ("rt", "5s", False)),
        ("1767888999_rt_3s_ipv6.order.txt", ("rt", "3s_ipv6", False)),
        ("re_run_rt_5s.order.txt", ("rt", "5s", True)),
        ("a\\b\\re_run_rt_3s_ipv6.order.txt", ("rt", "3s_ipv6", True)),
        ("1767888999_rt.order.txt", ("rt", "", False)),
        ("plain.order.txt", ("", "", False)),
    ],
)
def test_the_name_says_suite_and_topology(path, expected):
    assert order_log.log_name(path) == expected


def test_a_main_log():
    report = parse(MAIN)
    assert (report.status, report.tests) == ("ok", 4)
    assert [(case.class_name, case.name, case.status, case.kind) for case in report.cases] == [
        ("TestBgpBasic", "test_neighbor_up", PASSED, None),
        ("TestBgpBasic", "test_route_flap[5-site]", FAILED, "failure"),
        ("TestOspf", "test_area_mismatch", FAILED, "error"),
        ("TestPbnat", "test_many_to_one", SKIPPED, None),
    ]
    assert report.cases[0].file == "data_plane/tests/routing/bgp/bgp_basic_test.py"
    assert {case.topology for case in report.cases} == {"5s"}
    assert [case.host for case in report.cases] == ["10.20.30.11"] * 3 + ["10.20.30.12"]
    assert {(case.attempt, case.is_final) for case in report.cases} == {(1, True)}


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ("t/a_test.py::test_function", ("t/a_test.py", "", "test_function")),
        ("t/a_test.py::test_function[a::b]", ("t/a_test.py", "", "test_function[a::b]")),
        ("t/a_test.py::TestA::test_param[a::b]", ("t/a_test.py", "TestA", "test_param[a::b]")),
        ("t/a_test.py::TestA::TestInner::test_x", ("t/a_test.py", "TestA.TestInner", "test_x")),
        ("t/a_test.py::TestA::test_x[with a space]  ", ("t/a_test.py", "TestA", "test_x[with a space]")),
    ],
)
def test_a_line_names_file_class_and_test(test, expected):
    (case,) = parse(f"2026-01-08 12:00 [h1] PASSED {test}\r\n").cases
    assert (case.file, case.class_name, case.name) == expected


def test_a_repeated_line_counts_once_and_last():
    report = parse("[a] FAILED f.py::T::x\n[a] PASSED f.py::T::y\n[b] PASSED f.py::T::x\n")
    assert [(case.name, case.status, case.host) for case in report.cases] == [("x", PASSED, "b"), ("y", PASSED, "a")]
    assert report.warnings == ["1 lines repeat a test: the last one counts"]


def test_a_rerun_log_holds_second_attempts():
    assert [case.attempt for case in parse(MAIN, "re_run_rt_5s.order.txt").cases] == [2, 2, 2, 2]


def test_other_lines_are_passed_over():
    assert (
        parse(
            "=== starting ===\n[h1] PASSED 12 tests\n[h1] PASSED all[a::b]\n[h1] RUNNING f.py::x\n[h] PASSED f.py::x"
        ).tests
        == 1
    )
    report = parse("nothing here\n")
    assert (report.status, report.warnings) == ("error", ["no result line in this order log"])


def test_a_line_without_end_is_no_trap():
    assert parse("[" * 300_000 + "x" * 300_000 + "\n[h] PASSED f.py::x\n").tests == 1


part = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters="_-."), min_size=1, max_size=12)
word = st.sampled_from(["PASSED", "FAILED", "SKIPPED", "ERROR"])


@given(st.dictionaries(st.tuples(part, st.one_of(st.just(""), part), part), st.tuples(part, word), max_size=20))
def test_what_is_written_is_read(lines):
    text = "".join(f"[{host}] {status} {'::'.join(filter(None, key))}\n" for key, (host, status) in lines.items())
    report = parse(text)
    assert {(case.file, case.class_name, case.name): (case.host, case.status) for case in report.cases} == {
        key: (host, {"PASSED": PASSED, "SKIPPED": SKIPPED}.get(status, FAILED)) for key, (host, status) in lines.items()
    }


@given(st.binary(max_size=400))
def test_any_bytes_give_a_report(data):
    assert order_log.parse(io.BytesIO(data), "x.order.txt").status in ("ok", "error")
