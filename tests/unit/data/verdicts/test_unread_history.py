"""While older builds of a job still wait to be read, its tests have no verdicts yet, and every answer says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from support.store_builder import START, World

from data.model.filters import Filter
from data.model.measures import REBUILT
from data.queries import gate, matrix, releases
from data.tasks.ledger import BUILD, GONE, NEW, RETRY, RUN, RUNNING, LedgerEntry, add_entries, update_entries
from data.verdicts import failure_rates, flaky_exclusion, flaky_ranking, verdicts
from data.verdicts.unread_history import unread_histories

SEVEN = Filter(release="7.0")
ROUTING, SWITCHING, RUNS = "qa/7.0/ROUTING", "qa/7.0/SWITCHING", "qa/7.0/RUN"
SENTENCE = "History is still being read (20 builds waiting)."


@pytest.fixture(scope="module")
def first_minutes(tmp_path_factory) -> World:
    """Builds #21 to #24 of two jobs, as after the first minutes of a poll; closed."""
    world = World.at(tmp_path_factory.mktemp("first_minutes"))
    letters = {"broken": "PPFF", "flaky": "PFPP"}
    contents = [{name: sequence[night] for name, sequence in letters.items()} for night in range(4)]
    world.series(
        ({"routing": tests, "switching": {"other": tests["broken"]}}, {"number": number})
        for number, tests in enumerate(contents, 21)
    )
    world.store.close()
    return world


@pytest.fixture(params=[False, True], ids=["lake", "memory_tables"])
def world(first_minutes, tmp_path, request) -> World:
    return first_minutes.copied(tmp_path, memory_tables=request.param)


def wait_for(world: World, *entries: LedgerEntry) -> None:
    world.store.transact("test", "found", lambda cursor: add_entries(cursor, entries, START))


def older(job: str, state: str = NEW, attempts: int = 0, kind: str = BUILD) -> list[LedgerEntry]:
    return [LedgerEntry("ci", job, number, kind, state, attempts) for number in range(1, 21)]


def kinds(world: World) -> dict[str, str]:
    return {row["name"]: row["kind"] for row in verdicts.verdicts(world.store, SEVEN)}


JUDGED = {"broken": "regression", "other": "regression", "flaky": "flaky"}


def test_verdicts_wait_for_the_history_of_their_job(world):
    assert kinds(world) == JUDGED and unread_histories(world.store) == []
    wait_for(world, *older(ROUTING))
    assert kinds(world) == {"other": "regression"}
    (history,) = unread_histories(world.store)
    row = {"release": "7.0", "environment": "prod", "waiting": 20, "sentence": SENTENCE}
    assert history.row() == row
    assert unread_histories(world.store, Filter(release="8.0")) == []
    (tile,) = releases.tiles(world.store)
    assert [tile["unread_history"], tile["regressions"], tile["flaky"], tile["failed"]] == [[row], 1, 0, 2]
    assert flaky_ranking.flaky(world.store, SEVEN) == []
    assert flaky_exclusion.excluded_tests(world.store, "7.0") == {}
    assert failure_rates.regressions(world.store, Filter(release="7.0", runs=2))["tests"] == []
    assert verdicts.exclusions(world.store, SEVEN)["unread_history"] == [row]


def test_the_gate_is_unknown_and_the_matrix_is_not_green_meanwhile(world):
    wait_for(world, *older(ROUTING))
    answer = gate.gate(world.store, SEVEN)
    assert [answer["state"], answer["pending"], answer["reason"]] == ["unknown", True, SENTENCE]
    found = matrix.matrix(world.store, "7.0")
    cells = {row["module"]: row["cells"][0] for row in found["rows"]}
    assert [cells["routing"]["state"], cells["routing"]["tests"]] == ["failing", 0]
    assert (
        "not judged yet, history is still being read (20 builds waiting); 1 of 2 results"
        in cells["routing"]["sentence"]
    )
    assert [cells["switching"]["state"], cells["switching"]["regressions"]] == ["failing", 1]


def test_waiting_runs_hold_back_all_of_their_lane(world):
    wait_for(world, *older(RUNS, kind=RUN))
    assert kinds(world) == {}


def test_new_builds_take_no_verdict_away(world):
    wait_for(world, *(LedgerEntry("ci", job, number, BUILD) for job in (ROUTING, SWITCHING) for number in (25, 26)))
    assert kinds(world) == JUDGED
    world.run({"routing": {"broken": "F"}}, number=26)
    assert kinds(world)["broken"] == "regression", "#25 is older than #26, but not than what was known"
    assert gate.gate(world.store, SEVEN)["reason"] != SENTENCE


@pytest.mark.parametrize(("state", "attempts"), [(RETRY, 3), (GONE, 5), (RUNNING, 0)])
def test_builds_that_failed_or_are_stuck_hold_nothing_back(world, state, attempts):
    wait_for(world, *older(ROUTING, state, attempts))
    assert kinds(world) == JUDGED


def test_a_full_window_needs_no_older_builds(world):
    wait_for(world, *older(ROUTING))
    world.series(
        ({"routing": {"broken": "F"}}, {"number": number, "started_at": START + timedelta(days=number)})
        for number in range(25, 42)
    )
    assert kinds(world)["broken"] == "always_failing"


def test_verdicts_return_when_the_builds_are_read(world):
    wait_for(world, *older(ROUTING))
    assert "broken" not in kinds(world)
    world.store.transact("test", "read", lambda cursor: update_entries(cursor, older(ROUTING), [], START))
    assert kinds(world) == JUDGED


def test_no_verdicts_are_claimed_while_the_store_is_rebuilt(world):
    change = "UPDATE builds SET duration_s = duration_s + 1"
    world.store.transact("rebuild", f"8 builds{REBUILT}", lambda cursor: cursor.execute(change))
    assert kinds(world) == {}
    assert [history.row()["sentence"] for history in unread_histories(world.store)] == ["The store is being rebuilt."]
    assert gate.gate(world.store, SEVEN)["reason"] == "The store is being rebuilt."
    world.store.transact("rebuild", "first occurrences updated", lambda cursor: cursor.execute(change))
    assert kinds(world) == JUDGED and unread_histories(world.store) == []
