"""The age of the data: one answer for every screen, /health and the ingest page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient
from support.store_builder import World

from data.lake.migrations import POLL_STATUS_TABLE
from data.tasks import poll_status
from data.tasks.poll_log import PollRecord, log_poll


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


@pytest.fixture(scope="module")
def polled(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A store of one run, whose poll and heartbeat each test replaces."""
    world = World.at(tmp_path_factory.mktemp("freshness") / "home")
    world.run({"routing": {"a": "P"}})
    return world


@pytest.fixture(scope="module")
def client(polled: World, serve) -> FlaskClient:
    return serve(polled.store.settings.home).test_client()


def record(world: World, monkeypatch: pytest.MonkeyPatch, heartbeat_min: float | None, poll_min: float | None) -> None:
    """A heartbeat and a poll this many minutes ago, and no others."""
    world.store.transact("test", "no poll", lambda cursor: cursor.execute("DELETE FROM poll_log"))
    world.store.write_unversioned(lambda cursor: cursor.execute(f"DELETE FROM {POLL_STATUS_TABLE}"))
    if poll_min is not None:
        poll = PollRecord("ci", now() - timedelta(minutes=poll_min), 1.0)
        world.store.transact("test", "a poll", lambda cursor: log_poll(cursor, poll))
    if heartbeat_min is not None:
        at = now() - timedelta(minutes=heartbeat_min)
        monkeypatch.setattr(poll_status, "_now", lambda: at)
        poll_status.record_heartbeat(world.store)
        monkeypatch.undo()


@pytest.mark.parametrize(
    ("heartbeat_min", "poll_min", "state", "behind_min"),
    [
        (0, 1, "live", None),
        (0, 12, "late", 12),
        (0, None, "late", None),
        (23, 24, "stopped", 23),
        (3, 4, "stopped", 3),
        (None, None, "stopped", None),
        (None, 600, "stopped", 600),
        (None, 1, "live", None),  # `regtracker poll` by a timer
        (600, 1, "live", None),
    ],
)
def test_the_age_of_the_data(polled, client, monkeypatch, heartbeat_min, poll_min, state, behind_min):
    record(polled, monkeypatch, heartbeat_min, poll_min)
    found = client.get("/api/v1/health/freshness")
    assert found.headers["Cache-Control"] == "no-store" and found.json["state"] == state
    behind_s = found.json["behind_s"]
    assert behind_s == (None if behind_min is None else pytest.approx(60 * behind_min, abs=5))
    health = client.get("/api/v1/health").json
    assert health["freshness"]["state"] == state
    assert (health["status"] == "ok") == (state == "live")
