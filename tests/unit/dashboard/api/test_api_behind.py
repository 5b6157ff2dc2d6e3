"""While ingest is behind, a run that has ended in Jenkins gets no verdict: what is not read is not "broken"."""

from __future__ import annotations

from datetime import datetime

import pytest

from data.tasks import ledger

NOW = datetime(2026, 11, 20, 8)


@pytest.fixture
def behind(world, own_client):
    """A release with all builds of its newest run listed and none read. Returns two functions: one sets the state of
    its two builds in the ledger, one gets the state that each part of the API shows."""
    world.run({"routing": {"a": "P"}})
    run = world.run({"routing": None, "storage": None})
    waiting = world.store.rows("SELECT source, job, number FROM run_builds WHERE run = ?", [run.id])

    def waits(state: str, attempts: int = 0) -> None:
        def work(cursor) -> None:
            cursor.execute("DELETE FROM ledger")
            entries = [ledger.LedgerEntry(**row, kind=ledger.BUILD, state=state, attempts=attempts) for row in waiting]
            ledger.add_entries(cursor, entries, NOW)

        world.store.transact("test", "ledger", work)

    def get(path: str):
        return own_client.get(f"/api/v1{path}")

    def states() -> dict[str, str]:
        tile = get("/releases/7.0").json
        gate = get("/gate?release=7.0").json
        number = get("/runs?release=7.0").json["items"][0]
        return {
            "tile": tile["state"],
            "shown": (tile["latest_run"] or {}).get("number"),
            "run": get(f"/runs/{number['id']}").json["state"],
            "listed": number["state"],
            "found": get("/search?q=%232").json["items"][0]["state"],
            "badge": "broken" if "broken" in get("/badges/7.0.svg").text else "fine",
            "matrix": get("/releases/7.0/matrix").json["state"],
            "gate": (gate["state"], gate["pending"]),
        }

    return waits, states


@pytest.mark.parametrize(("state", "attempts"), [("new", 0), ("running", 1), ("retry", 0)])
def test_a_run_whose_builds_wait_is_running(behind, state, attempts):
    waits, states = behind
    waits(state, attempts)
    found = states()
    assert (found["run"], found["listed"], found["found"]) == ("running",) * 3
    assert (found["shown"], found["badge"], found["matrix"], found["gate"]) == (1, "fine", "ok", ("unknown", True))
    assert found["tile"] != "broken"


@pytest.mark.parametrize(("state", "attempts"), [("gone", 5), ("retry", 1)])
def test_a_run_whose_builds_are_given_up_is_broken(behind, state, attempts):
    waits, states = behind
    waits("new")
    assert states()["run"] == "running"
    waits(state, attempts)
    found = states()
    assert (found["run"], found["listed"], found["found"], found["tile"]) == ("broken",) * 4
    assert found["badge"] == "broken"


def test_a_run_that_is_read_in_part_is_running_and_says_how_much_waits(world, own_client):
    run = world.run({"routing": {"a": "P"}, "storage": None})
    rows = world.store.rows("SELECT source, job, number FROM run_builds WHERE run = ? AND build IS NULL", [run.id])
    entries = [ledger.LedgerEntry(**row, kind=ledger.BUILD) for row in rows]
    world.store.transact("test", "ledger", lambda cursor: ledger.add_entries(cursor, entries, NOW))
    found = own_client.get("/api/v1/runs").json["items"][0]
    assert (found["state"], found["total"], found["missing"], found["waiting"]) == ("running", 1, 1, 1)
    assert "1 of 2 builds not read yet" in own_client.get("/api/v1/gate?release=7.0").json["reason"]
