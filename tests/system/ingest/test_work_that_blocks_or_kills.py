"""Requests never hold up polls, and work that ends its process again and again is given up in words."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from click.testing import Result
from support.fake_server import JUNIT, Answer, WebServer, eventually, job

from dashboard.app import create_app
from data.lake.migrations import UPLOADS_TABLE
from data.lake.store import Store
from data.settings import load
from data.tasks import requests
from data.write import raw_files as raw
from ingest.simulator import Programme, SimulatorServer

Run = Callable[..., Result]
DEADLY = """
import os, signal, sys
from ingest import build_results
real = build_results.parse_file
def parse_file(path, stream, **options):
    head = stream.read(1000)
    stream.seek(0)
    if b"deadly" in head:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, stream, **options)
build_results.parse_file = parse_file
from regtracker import main
main(sys.argv[1:])
"""


@pytest.fixture
def ingest(regtracker: Run) -> Iterator[Callable[[dict[str, Any]], subprocess.Popen]]:
    """Starts an ingest process, which a report with the word deadly kills, as the system would for its memory."""
    started: list[subprocess.Popen] = []

    def start(source: dict[str, Any]) -> subprocess.Popen:
        regtracker("--version", source=source)
        process = subprocess.Popen(
            [sys.executable, "-c", DEADLY, "ingest"], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_twenty_backfills_at_once(ingest: Callable[[dict[str, Any]], subprocess.Popen]) -> None:
    """All are done, and the source is polled meanwhile."""
    with SimulatorServer(Programme("tiny", live=False)) as server:
        source = server.sources()[0] | {"history": 2, "poll_minutes": 0.02}
        process = ingest(source)
        client = create_app(load()).server.test_client()
        with closing(Store.open(load())) as store:
            eventually(lambda: store.value("SELECT count(*) FROM runs") == 2)
            newest = store.value("SELECT max(number) FROM runs")
            answers = [
                client.post(
                    "/api/v1/ingest/requests",
                    json={"kind": "backfill", "source": source["name"], "from": newest - at % 4, "to": newest - at % 4},
                )
                for at in range(20)
            ]
            assert [answer.status_code for answer in answers] == [202] * 20
            polls = "SELECT max(started_at) FROM __ducklake_metadata_lake.regtracker_polls WHERE source = ?"
            before = store.value(polls, [source["name"]])
            eventually(lambda: store.value(polls, [source["name"]]) > before)
            for answer in answers:
                eventually(lambda url=answer.headers["Location"]: client.get(url).json["state"] == "done")
            assert store.value("SELECT count(*) FROM runs") >= 4
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_a_source_that_does_not_answer_holds_up_no_upload(
    web: WebServer, ingest: Callable[[dict[str, Any]], subprocess.Popen]
) -> None:
    """Requests of it wait for each other; an upload and the heartbeat do not wait for them."""
    source = job(web, 1) | {"poll_minutes": 1000, "timeout_s": 600}
    process = ingest(source)
    with closing(Store.open(load())) as store:
        eventually(lambda: store.value("SELECT count(*) FROM builds") == 1)
        web.routes["/job/x/api/json"] = Answer(b"{}", pause_s=600)
        for _ in range(10):
            requests.submit(store, "backfill", "ci", {"from": "1"}, "someone")
        file = raw.pack("r.xml", "file", JUNIT)
        upload = requests.submit(store, "upload", "", {"release": "9.0", "module": "m"}, "someone", [file])
        eventually(lambda: requests.status(store, upload).state == "done")
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        states = store.rows("SELECT state, tries FROM requests WHERE kind = 'backfill'")
        assert states == [{"state": "waiting", "tries": 0}] * 10, "the next process takes them at once"


def test_a_build_that_kills_the_process(
    web: WebServer, ingest: Callable[[dict[str, Any]], subprocess.Popen], regtracker: Run
) -> None:
    """It is read alone after the first time, so the others are stored; then it is given up, and can be answers for."""
    source = job(web, 1, 2, 3, 4) | {"poll_minutes": 1000}
    web.routes["/job/x/2/artifact/r.xml"] = Answer(b"<!-- deadly -->" + JUNIT)
    regtracker("--version", source=source)
    poll = [sys.executable, "-c", DEADLY, "poll", "--json"]
    for _ in range(5):
        assert subprocess.run(poll, capture_output=True).returncode == -signal.SIGKILL
    done = subprocess.run(poll, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    client = create_app(load()).server.test_client()
    (row,) = client.get("/api/v1/ingest/ledger").json["items"]
    assert (row["number"], row["state"], row["crashes"], row["next_try"]) == (2, "failed", 5, None)
    assert "ended while it read this build (5 of 5 times). It is given up" in row["error"]
    with closing(Store.open(load())) as store:
        assert [row["number"] for row in store.rows("SELECT number FROM builds ORDER BY 1")] == [1, 3, 4]
        web.routes["/job/x/2/artifact/r.xml"] = Answer(JUNIT)
        url = f"{web.url}job/x/2/"
        process = ingest(source)
        request = requests.submit(store, "build", "ci", {"url": url}, "someone")
        eventually(lambda: requests.status(store, request).state == "done")
        assert store.value("SELECT count(*) FROM builds") == 4 and store.value("SELECT count(*) FROM ledger") == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_an_upload_that_kills_the_process(web: WebServer, ingest: Callable[[dict[str, Any]], subprocess.Popen]) -> None:
    source = job(web, 1) | {"poll_minutes": 1000}
    lost = f"UPDATE {UPLOADS_TABLE} SET updated_at = '2026-01-01T00:00:00'"
    with closing(Store.open(load())) as store:
        deadly, harmless = (raw.pack("r.xml", "file", text + JUNIT) for text in (b"<!-- deadly -->", b""))
        killer = requests.submit(store, "upload", "", {"release": "9.0", "module": "m"}, "someone", [deadly])
        other = requests.submit(store, "upload", "", {"release": "9.0", "module": "n"}, "someone", [harmless])
        for _ in range(requests.MAX_TRIES):
            process = ingest(source)
            assert process.wait(120) == -signal.SIGKILL
            store.write_unversioned(lambda cursor: cursor.execute(lost))
        process = ingest(source)
        eventually(lambda: requests.status(store, killer).state == "failed")
        assert "Given up: the ingest process ended 3 times" in requests.status(store, killer).error
        eventually(lambda: requests.status(store, other).state == "done")
        assert store.value("SELECT count(*) FROM raw_files WHERE build = ?", [killer]) == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
