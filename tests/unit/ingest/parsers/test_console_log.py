"""Results out of a console log."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.parsers import console_log
from ingest.parsers.cases import FAILED, PASSED, SKIPPED, Report

NOTE = "\x1b[8mha:////4AAAAAB+LCAAAAAAAAP9b85aBtbiIQTGjNKU4P08=\x1b[0m"
GO = r"^\s*--- (?P<status>PASS|FAIL|SKIP): (?P<name>\S+) \((?P<duration>[\d.]+)s\)"


def parse(text: str, *patterns: str) -> Report:
    return console_log.parse(io.BytesIO(text.encode()), console_log.compile_patterns(patterns))


def test_notes_and_colours_are_not_seen():
    assert console_log.plain(
        f"{NOTE}Started by user\x1b[31;1m red\x1b[0m \x1b]8;;https://x\x07link\x1b]8;;\x07\r\n"
    ) == ("Started by user red link")


def test_a_log_of_go_tests():
    report = parse(
        f"{NOTE}Started by timer\n=== RUN TestUp\n--- PASS: TestUp (0.01s)\n=== RUN TestFlap\n"
        "\x1b[31m--- FAIL: TestFlap (12.50s)\x1b[0m\n    flap_test.go:40: flap count 3 != 0\n    flap_test.go:41: end\n"
        "--- SKIP: TestNat (0.00s)\nFAIL\n",
        GO,
    )
    up, flap, nat = report.cases
    assert [(case.name, case.status, case.duration_s) for case in report.cases] == [
        ("TestUp", PASSED, 0.01), ("TestFlap", FAILED, 12.5), ("TestNat", SKIPPED, 0.0),
    ]  # fmt: skip
    assert flap.message == "--- FAIL: TestFlap (12.50s)"
    assert flap.trace == (
        "--- FAIL: TestFlap (12.50s)\n    flap_test.go:40: flap count 3 != 0\n    flap_test.go:41: end"
    )
    assert (up.trace, nat.trace, flap.kind) == (None, None, "failure")


def test_every_group_and_the_first_pattern_that_matches():
    report = parse(
        "2026-01-08 T/a.c:Suite.case ... ERROR: no route (3,5 s)\nRESULT other ok\n",
        r"(?P<file>T\S+):(?P<class>\w+)\.(?P<name>\w+) \.+ (?P<status>\w+)(: (?P<message>.*?))? \((?P<duration>[\d,]+)",
        r"^RESULT (?P<name>\w+) (?P<status>.*)$",
    )
    case, other = report.cases
    assert (case.file, case.class_name, case.name, case.kind) == ("T/a.c", "Suite", "case", "error")
    assert (case.message, case.duration_s) == ("no route", 3.5)
    assert (other.name, other.status) == ("other", PASSED)


def test_a_status_that_is_not_known_is_said():
    report = parse("x MAYBE\ny MAYBE\nz passed\n", r"^(?P<name>\w) (?P<status>\w+)$")
    assert (report.tests, report.warnings) == (1, ["2 lines with an unknown status: 'MAYBE'"])


@pytest.mark.parametrize("pattern", ["(", "(?P<name>x)", "(?P<status>x)", "x"])
def test_patterns_are_checked_before_they_are_used(pattern):
    with pytest.raises(ValueError, match="console pattern"):
        console_log.compile_patterns([pattern])


@given(st.binary(max_size=300))
def test_any_bytes_give_a_report(data):
    report = console_log.parse(io.BytesIO(data), console_log.compile_patterns([r"(?P<name>\w+).*?(?P<status>\w+)"]))
    assert report.status == "ok"
