"""Pages fit together: nothing twice, nothing left out, whatever is committed between two of them."""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dashboard.api import cursors
from dashboard.api.problems import ProblemError

LISTS = ["/runs", "/builds", "/verdicts", "/tests?q=e", "/failures", "/releases"]


def pages(client, path: str, limits, between=lambda: None) -> list[dict]:
    """All rows of a list, page by page; `between` is called after each page."""
    rows, cursor, joint = [], "", "&" if "?" in path else "?"
    while cursor is not None:
        answer = client.get(f"/api/v1{path}{joint}limit={next(limits)}&cursor={cursor}")
        assert answer.status_code == 200, answer.text
        rows += answer.json["items"]
        cursor = answer.json["next"]
        between()
    return rows


@pytest.mark.parametrize("path", LISTS)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=st.lists(st.integers(1, 7), min_size=1, max_size=5))
def test_pages_of_any_size_make_the_whole(client, path, limits):
    joint = "&" if "?" in path else "?"
    whole = client.get(f"/api/v1{path}{joint}limit=1000").json["items"]
    paged = pages(client, path, itertools.cycle(limits))
    for row in (*whole, *paged):
        row.pop("freshness_s", None)
    assert paged == whole


def test_builds_of_one_second_are_not_lost_between_pages(world, own_client):
    start = datetime(2026, 11, 3, 4)
    starts = (start + timedelta(milliseconds=137 * index) for index in range(7))
    world.series(({"routing": {"a": "P"}}, {"started_at": at}) for at in starts)
    for path in ("/runs", "/builds"):
        ids = [row["id"] for row in pages(own_client, path, itertools.repeat(2))]
        assert len(ids) == len(set(ids)) == 7, path


def test_pages_stay_in_the_snapshot_that_they_began_in(world, own_client):
    tests = [f"t{index}" for index in range(5)]
    world.history(dict.fromkeys(tests, "PFF"))

    def commit() -> None:
        letter = "PF"[len(world.runs) % 2]
        world.run({"routing": dict.fromkeys((*tests, f"t{len(world.runs)}_is_new"), letter)})

    for path in ("/runs", "/builds", "/tests?q=t", "/verdicts"):
        whole = own_client.get(f"/api/v1{path}{'&' if '?' in path else '?'}limit=1000").json["items"]
        assert pages(own_client, path, itertools.repeat(2), commit) == whole, path


def test_a_cursor_belongs_to_its_list(client):
    cursor = client.get("/api/v1/runs?limit=1&release=7.0").json["next"]
    assert client.get(f"/api/v1/runs?limit=3&release=7.0&fields=id&cursor={cursor}").status_code == 200
    for other in ("/runs?release=8.0", "/builds?release=7.0", "/runs?"):
        answer = client.get(f"/api/v1{other}&cursor={cursor}")
        assert (answer.status_code, answer.json["parameter"]) == (400, "cursor"), other


def test_a_history_of_two_topologies_pages_within_a_build(client):
    test = client.get("/api/v1/tests?q=broken").json["items"][0]["test"]
    path = f"/tests/{test}/history"
    whole = client.get(f"/api/v1{path}?limit=1000").json["items"]
    assert pages(client, path, itertools.repeat(3)) == whole


POSITIONS = st.integers(0, 10**9) | st.lists(st.text(), max_size=2).map(lambda rest: ["00000000000000ff", *rest])


@given(st.integers(0, 2**62 - 1), st.integers(0, 2**32 - 1), POSITIONS)
def test_a_cursor_reads_back_as_it_was(snapshot, question, position):
    cursor = cursors.Cursor(snapshot, question, position)
    assert cursors.decode(cursors.encode(cursor)) == cursor


@given(st.text() | st.binary().map(lambda raw: cursors.base64.urlsafe_b64encode(raw).decode()))
def test_what_is_no_cursor_is_refused(text):
    try:
        cursor = cursors.decode(text)
    except ProblemError as problem:
        assert (problem.status, problem.parameter) == (400, "cursor")
    else:
        assert cursors.encode(cursor)
