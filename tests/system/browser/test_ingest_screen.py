"""The Ingest screen with a real ingest process: requested in the browser, done, shown there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from urllib.request import urlopen

import pytest
from dash import Dash
from support.browser import texts
from support.fake_server import eventually
from support.store_builder import World

from dashboard.app import create_app
from data.settings import SourceSettings, load
from data.tasks import ledger
from data.write import raw_files
from ingest.clock import utc_now
from ingest.scheduler import IngestScheduler
from ingest.simulator import Programme, SimulatorServer


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(Programme("tiny", live=False)) as server:
        yield server


@pytest.fixture
def app(world: World, server: SimulatorServer) -> Iterator[Dash]:
    """With an ingest process that does only what is requested."""
    source = SourceSettings(**server.sources()[0])
    settings = load(home=world.store.settings.home, source=[source])
    ingest = IngestScheduler(settings)
    ingest.scheduler.add_job(ingest.start_requests, "interval", seconds=0.2)
    ingest.scheduler.start()
    yield create_app(settings)
    ingest.stop.set()
    ingest.scheduler.shutdown()
    ingest.store.close()


def test_builds_are_found_picked_and_read_and_a_failed_one_is_tried_again(
    world: World, visit, dash_duo, server
) -> None:
    def text(selector: str) -> str:
        return "\n".join(texts(dash_duo, selector))

    def click(selector: str) -> None:
        """In one script: a live update may replace the element between finding and clicking it."""
        script = "const found = document.querySelector(arguments[0]); found?.click(); return found !== null"
        eventually(lambda: dash_duo.driver.execute_script(script, selector))

    def checked() -> int:
        return dash_duo.driver.execute_script("return document.querySelectorAll('[name=urls]:checked').length")

    def stored() -> int:
        rows = text(".found tbody")
        return rows.count("stored") - rows.count("not stored")

    final_runs = "SELECT count(*) FROM runs WHERE state = 'final'"
    visit("/ingest")
    dash_duo.wait_for_text_to_equal(".page-head h1", "1 source, not polled yet", timeout=60)
    click("form.ask input[value=discover] ~ button")
    eventually(lambda: "request=" in dash_duo.driver.current_url and dash_duo.find_elements("[name=urls]"))
    runs = len(dash_duo.find_elements("[name=urls]"))
    assert checked() == runs and text("[data-picked]") == f"Fetch {runs} builds"
    click("[data-pick=none]")
    assert not dash_duo.find_element("[data-picked]").is_enabled()
    pick = "const boxes = document.querySelectorAll('[name=urls]'); for (const n of arguments) boxes[n].click()"
    dash_duo.driver.execute_script(pick, 0, 1)
    assert text("[data-picked]") == "Fetch 2 builds"
    click("[data-picked]")
    eventually(lambda: world.store.value(final_runs) == 2)
    eventually(lambda: text("[data-key=ask]").count("done") == 2 and stored() == 2)
    assert checked() == 0, "what was unchecked stays so, and what was read is not requested twice"
    dash_duo.driver.execute_script(pick, 2)

    click("[data-key=source-sim-7\\.0] button.act")
    eventually(lambda: text("[data-key=ask]").count("done") == 3)
    builds = world.store.value("SELECT count(*) FROM builds")
    assert builds == server.truth()["sources"]["sim-7.0"]["builds"]
    eventually(lambda: f"{builds}" in text("[data-key=source-sim-7\\.0]"))
    eventually(lambda: stored() == runs)
    assert checked() == 1, "a box that was touched is left alone by live updates"

    (row,) = world.store.rows("SELECT build, job, number, started_at FROM builds ORDER BY started_at DESC LIMIT 1")
    (path,) = [file for file, *_ in islice(raw_files.members(world.store, row["build"], row["started_at"]), 1)]
    failed = ledger.LedgerEntry("sim-7.0", row["job"], row["number"], ledger.BUILD, ledger.GONE, 5, "404 from Jenkins")

    def write(cursor) -> None:
        cursor.execute("DELETE FROM ledger WHERE job = ? AND number = ?", [row["job"], row["number"]])
        ledger.add_entries(cursor, [failed], utc_now())
        cursor.execute("INSERT INTO warnings VALUES (?, ?, 'cut short')", [row["build"], path])

    world.store.transact("test", "a build that was given up, and a remark", write)
    again = f"button[aria-label='Try {row['job']} #{row['number']} again']"
    dash_duo.wait_for_element(again, timeout=60)
    link = dash_duo.wait_for_element("[data-key='Problems in reports'] a[download]", timeout=60).get_attribute("href")
    with urlopen(link) as answer:
        assert answer.read() == raw_files.read(world.store, row["build"], row["started_at"], path)
    click(again)
    eventually(lambda: not texts(dash_duo, again))
    eventually(lambda: text("[data-key=ask]").count("done") == 4)
    left = ledger.find_entry(world.store, failed)
    assert left is None or left.error is None, "it was read again"
    folder, _, job = row["job"].rpartition("/")
    field = dash_duo.find_element("input[name=url]")
    field.send_keys(f"{server.url}job/{folder.replace('/', '/job/')}/job/{job}/{row['number']}/\n")
    eventually(lambda: text("[data-key=ask]").count("done") == 5)
    assert world.store.value("SELECT count(*) FROM builds") == builds, "read again, not added"
