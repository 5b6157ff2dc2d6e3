"""The Ingest screen with a real ingest process' work behind it: asked for in the browser, carried out, seen there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from builders import World
from dash import Dash
from webserver import eventually

from dashboard.app import create_app
from data.settings import SourceSettings, load
from ingest.schedule import Ingest
from ingest.simulator import Programme, SimulatorServer


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(Programme("tiny", live=False)) as server:
        yield server


@pytest.fixture
def app(world: World, server: SimulatorServer) -> Iterator[Dash]:
    """With an ingest process that does only what it is asked for."""
    source = SourceSettings(**server.sources()[0])
    settings = load(home=world.store.settings.home, source=[source])
    ingest = Ingest(settings)
    ingest.scheduler.add_job(ingest.look_for_requests, "interval", seconds=0.2)
    ingest.scheduler.start()
    yield create_app(settings)
    ingest.stop.set()
    ingest.scheduler.shutdown()
    ingest.store.close()


def test_a_poll_and_one_build_are_asked_for_and_carried_out(world: World, visit, dash_duo, server) -> None:
    def text(selector: str) -> str:
        return dash_duo.find_element(selector).text

    visit("/ingest")
    dash_duo.wait_for_text_to_equal(".page-head h1", "1 source, not polled yet", timeout=20)
    dash_duo.find_element("[data-key=source-sim-7\\.0] button.act").click()
    eventually(lambda: "poll" in text("[data-key=ask]") and "done" in text("[data-key=ask]"))
    held = world.store.value("SELECT count(*) FROM builds")
    assert held == server.truth()["sources"]["sim-7.0"]["builds"]
    eventually(lambda: f"{held}" in text("[data-key=source-sim-7\\.0]"))
    (row,) = world.store.rows("SELECT job, number FROM builds ORDER BY started_at DESC LIMIT 1")
    folder, _, job = row["job"].rpartition("/")
    field = dash_duo.find_element("input[name=url]")
    field.send_keys(f"{server.url}job/{folder.replace('/', '/job/')}/job/{job}/{row['number']}/\n")
    eventually(lambda: text("[data-key=ask]").count("done") == 2)
    assert world.store.value("SELECT count(*) FROM builds") == held, "read again, not added"
