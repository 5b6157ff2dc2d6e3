"""The simulated tracker: a feed whose bugs are about what is planted, by case ids of the simulated test plan."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
import requests

from ingest.bug_feed import parse
from ingest.simulator import Programme, SimulatorServer

STARTED = datetime(2026, 11, 20, 8, tzinfo=UTC)


@pytest.fixture(scope="module")
def server():
    with SimulatorServer(Programme("tiny", started=STARTED)) as running:
        yield running


def feed(server):
    return parse(requests.get(server.url + "bugs.json", timeout=60).content, "bugs.json", ["closed", "resolved"])


def test_its_bugs_are_about_planted_faults(server):
    found = feed(server)
    assert not found.left_out and len(found.bugs) > 3
    rows = csv.DictReader(io.StringIO(requests.get(server.url + "metadata.csv", timeout=60).text))
    names = {row[column]: row["testcase_name"] for row in rows for column in ("test_case_id", "testrail_id")}
    truth = server.truth()
    planted = {
        fault["key"].rsplit("::", 1)[1].partition("[")[0]
        for kind in ("regressions", "new_failures", "always_failing", "fixed", "flaky")
        for fault in truth[kind]
    }
    about = {names[case] for bug in found.bugs for case in bug.cases}
    assert about and about <= planted
    assert {bug.type for bug in found.bugs} == {"NET", "LAB"} and not all(bug.cases for bug in found.bugs)


def test_the_same_world_files_the_same_bugs_and_later_ones_keep_their_ids(server):
    before = {bug.bug for bug in feed(server).bugs}
    assert before == {bug.bug for bug in feed(server).bugs}
    requests.post(server.url + "_sim/advance", json={"seconds": 3 * 86_400}, timeout=60)
    assert before <= {bug.bug for bug in feed(server).bugs}
