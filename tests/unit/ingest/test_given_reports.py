"""Reports after public bug threads, through `parse` and `import`, and the judgement of two builds of them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from regtracker import connect

Run = Callable[..., Result]


@pytest.fixture
def parse(cases: Path, regtracker: Run) -> Callable[[str], dict[str, Any]]:
    """`regtracker parse` of one file below reports/."""

    def parsed(path: str) -> dict[str, Any]:
        return json.loads(regtracker("parse", "--json", str(cases / "reports" / path)).stdout)

    return parsed


@pytest.mark.parametrize(
    ("path", "counts"),
    [
        ("robot_suite_teardown/output.xml", (2, 0, 2, 0)),
        ("nested_suites/r.xml", (9, 8, 1, 0)),
        ("tap_nested/nested.tap", (4, 3, 1, 0)),
        ("control_chars/TEST-ctl.xml", (2, 1, 1, 0)),
        ("unknown_kinds/nunit3.xml", (2, 1, 1, 0)),
        ("unknown_kinds/xunit2.xml", (1, 0, 1, 0)),
        ("unknown_kinds/cucumber.json", (1, 0, 1, 0)),
        ("unknown_kinds/gotest.json", (1, 0, 1, 0)),
        ("ktap_kselftest/pass.tap", (5, 4, 0, 1)),
        ("ktap_kselftest/fail.tap", (5, 1, 3, 1)),
    ],
)
def test_counts(parse, path, counts):
    answer = parse(path)
    assert tuple(answer[name] for name in ("tests", "passed", "failed", "skipped")) == counts
    assert not [line for line in answer["warnings"] if "declares" in line]


def test_a_report_that_failed_before_its_tests(parse, cases, regtracker):
    answer = parse("cypress_none/r.xml")
    assert (answer["failed"], answer["warnings"]) == (1, ["suite 'Root Suite' declares 1 failure, none was read"])
    arguments = ("import", str(cases / "reports/cypress_none"), "--release", "9", "--module", "ui", "--json")
    assert json.loads(regtracker(*arguments).stdout)["failed"] == 1


def test_a_large_attribute_does_not_end_the_report(cases, tmp_path, regtracker):
    subprocess.run([sys.executable, str(cases / "reports/big_attr/gen.py")], cwd=tmp_path, check=True)
    answer = json.loads(regtracker("parse", "--json", str(tmp_path / "r.xml")).stdout)
    assert (answer["status"], answer["tests"], answer["failed"], answer["warnings"]) == ("ok", 5, 2, [])


def test_the_time_of_googletest_is_that_of_its_root(cases, regtracker):
    arguments = ("import", str(cases / "reports/gtest_1970"), "--release", "9", "--module", "radio", "--json")
    assert json.loads(regtracker(*arguments).stdout)["started_at"].startswith("2026-11-20T19:48:23")


def test_every_known_kind_of_a_folder_is_read(cases, regtracker):
    arguments = ("import", str(cases / "reports/unknown_kinds"), "--release", "9", "--module", "pier", "--json")
    answer = json.loads(regtracker(*arguments).stdout)
    assert (answer["total"], answer["failed"], answer["warnings"]) == (6, 4, [])


def test_kselftest_has_three_new_failures(cases, regtracker):
    for number, name in enumerate(("pass", "fail"), 1):
        path = str(cases / f"reports/ktap_kselftest/{name}.tap")
        started = f"2026-11-0{number}T08:00:00Z"
        assert regtracker("import", path, "--release", "9", "--module", "net", "--build", str(number),
                          "--started-at", started).exit_code == 0  # fmt: skip
    found = {verdict["name"]: verdict["kind"] for verdict in verdicts("9")}
    assert found == dict.fromkeys(
        ["selftests: net: route_check.sh", "tun_closes", "selftests: net: slow_check.sh"], "new_failure"
    )


def verdicts(release: str) -> list[dict[str, Any]]:
    with connect() as tracker:
        return tracker.verdicts(release=release).to_dict("records")
