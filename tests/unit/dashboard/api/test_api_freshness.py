"""The age of the data: one answer for every screen, /health and the ingest page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from support.store_builder import World

from data.tasks import poll_status
from data.tasks.poll_log import PollRecord, log_poll


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def record(world: World, monkeypatch: pytest.MonkeyPatch, heartbeat_min: float | None, poll_min: float | None) -> None:
    """A heartbeat and a poll this many minutes ago."""
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
def test_the_age_of_the_data(world, own_client, monkeypatch, heartbeat_min, poll_min, state, behind_min):
    world.run({"routing": {"a": "P"}})
    record(world, monkeypatch, heartbeat_min, poll_min)
    found = own_client.get("/api/v1/health/freshness")
    assert found.headers["Cache-Control"] == "no-store" and found.json["state"] == state
    behind_s = found.json["behind_s"]
    assert behind_s == (None if behind_min is None else pytest.approx(60 * behind_min, abs=5))
    health = own_client.get("/api/v1/health").json
    assert health["freshness"]["state"] == state
    assert (health["status"] == "ok") == (state == "live")
