"""The process `regtracker ingest`: it handles requests, follows running builds, and ends on a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests as http
from click.testing import Result
from support.fake_server import JUNIT, Answer, WebServer, eventually, job

from data.lake.store import Store
from data.queries import ingest_status
from data.settings import load
from data.tasks import requests
from data.write import raw_files as raw
from ingest.simulator import Programme, SimulatorServer

Run = Callable[..., Result]


@pytest.fixture
def ingest(tmp_path: Path, regtracker: Run) -> Iterator[Callable[[dict[str, Any]], subprocess.Popen]]:
    """Starts the ingest process with one source."""
    started: list[subprocess.Popen] = []

    def start(source: dict[str, Any]) -> subprocess.Popen:
        regtracker("--version", source=source)
        process = subprocess.Popen(
            [sys.executable, "-m", "regtracker", "ingest"], stderr=subprocess.PIPE, text=True, env=dict(os.environ)
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_ingest_carries_out_requests_and_ends_when_asked(
    web: WebServer, ingest: Callable[[dict[str, Any]], subprocess.Popen]
) -> None:
    process = ingest(job(web, 1) | {"poll_minutes": 1000})
    with closing(Store.open(load())) as store:
        eventually(lambda: store.value("SELECT count(*) FROM builds") == 1)
        job(web, 1, 2)
        poll = requests.submit(store, "poll", "ci", {}, "someone")
        eventually(lambda: requests.status(store, poll).state == "done")
        assert requests.status(store, poll).payload["ingested"] == 1
        job(web, 1, 2, 3, 4)
        web.routes["/job/x/1/artifact/r.xml"] = Answer(JUNIT.replace(b"<error/>", b""))
        del web.routes["/job/x/4/artifact/r.xml"], web.routes["/job/x/4/api/json"]
        find = requests.submit(store, "discover", "ci", {"from": "2"}, "someone")
        eventually(lambda: requests.status(store, find).state == "done")
        builds = requests.status(store, find).payload["listed"]
        assert [(row["number"], row["held"]) for row in builds] == [(4, False), (3, False), (2, True)]
        picked = requests.submit(store, "build", "ci", {"urls": [row["url"] for row in builds]}, "someone")
        eventually(lambda: requests.status(store, picked).state == "done")
        assert "1 of 3 builds could not be read" in requests.status(store, picked).error
        assert requests.status(store, picked).payload["progress"] == {"done": 3, "total": 3}
        assert store.rows("SELECT number FROM builds WHERE job = 'x' ORDER BY number") == [
            {"number": number} for number in (1, 2, 3)
        ]
        url = "http://wrong.example.com:8080/view/all/job/x/1/"
        one = requests.submit(store, "build", "ci", {"url": url}, "someone")
        nowhere = requests.submit(store, "poll", "nope", {}, "someone")
        late = requests.submit(store, "backfill", "ci", {"from": "1"}, "someone")
        file = raw.pack("r.xml", "file", JUNIT)
        metadata = {"release": "9.0", "module": "m", "number": 3}
        cut = raw.pack_zip("cut.zip", "file", b"PK\x03\x04 and no more")
        upload = requests.submit(store, "upload", "", metadata, "someone", [file, cut])
        bad = requests.submit(store, "upload", "", {"release": "9.0"}, "someone", [file])
        ended = ("done", "failed")
        for request in (one, nowhere, late, upload, bad):
            eventually(lambda request=request: requests.status(store, request).state in ended)
        assert [requests.status(store, request).state for request in (one, nowhere, late, upload, bad)] == [
            *("done", "failed", "done", "done", "failed")
        ]
        assert "no source 'nope'" in requests.status(store, nowhere).error
        assert "module is missing" in requests.status(store, bad).error
        assert "Stored, but some files could not be read: cut.zip: cut short" in requests.status(store, upload).error
        assert store.rows("SELECT failed FROM builds WHERE job = 'x' AND number = 1") == [{"failed": 0}]
        assert store.rows("SELECT source, module, total FROM builds WHERE release = '9.0'") == [
            {"source": "upload", "module": "m", "total": 3}
        ]
        assert store.value("SELECT count(*) FROM raw_files WHERE build IN (SELECT request FROM requests)") == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_a_quiet_source_is_never_stale(web: WebServer, ingest: Callable[[dict[str, Any]], subprocess.Popen]) -> None:
    """Its polls find nothing and leave no snapshot, and yet the last and the next are known."""
    process = ingest(job(web, 1) | {"poll_minutes": 0.02})
    with closing(Store.open(load())) as store:
        eventually(lambda: store.value("SELECT count(*) FROM builds") == 1)
        eventually(lambda: ingest_status.status(store)[0]["next_poll"] is not None)
        before, (first,) = store.snapshot().id, ingest_status.status(store)
        eventually(lambda: ingest_status.status(store)[0]["last_poll"] > first["next_poll"])
        (row,) = ingest_status.status(store)
        assert row["next_poll"] > row["last_poll"] and row["last_error"] is None and row["requests"] == 1
        assert store.value("SELECT count(*) FROM poll_log") == 1 and store.snapshot().id == before
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def change(store: Store, sql: str) -> None:
    store.transact("test", sql, lambda cursor: cursor.execute(sql))


def test_a_picked_build_is_one_build(
    web: WebServer, regtracker: Run, ingest: Callable[[dict[str, Any]], subprocess.Popen]
) -> None:
    """However old: polls go on wanting what they wanted, and the numbers between are no gap."""
    process = ingest(job(web, *range(1, 31)) | {"poll_minutes": 1000, "history": 5})
    with closing(Store.open(load())) as store:

        def held() -> list[int]:
            return [row["number"] for row in store.rows("SELECT number FROM builds ORDER BY number")]

        def done(kind: str, **payload: str) -> None:
            request = requests.submit(store, kind, "ci", payload, "someone")
            eventually(lambda: requests.status(store, request).state == "done")

        eventually(lambda: held() == [*range(26, 31)])
        done("build", url=f"{web.url}job/x/2/")
        done("backfill", **{"from": "4", "to": "4"})
        assert regtracker("backfill", "--source", "ci", "--from", "6", "--to", "6").exit_code == 0
        job(web, *range(1, 32))
        done("poll")
        change(store, "UPDATE jobs SET next_build = 1")  # the job is listed again
        done("poll")
        assert held() == [2, 4, 6, *range(26, 32)]
        assert ingest_status.gaps(store) == []
        change(store, "DELETE FROM builds WHERE number = 28")
        change(store, "DELETE FROM runs WHERE number = 28")
        assert [(row["first"], row["last"]) for row in ingest_status.gaps(store)] == [(28, 28)]
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def test_ingest_ends_in_the_middle_of_a_poll(
    web: WebServer, ingest: Callable[[dict[str, Any]], subprocess.Popen]
) -> None:
    source = job(web, *range(1, 60))
    for number in range(1, 60):
        web.routes[f"/job/x/{number}/artifact/r.xml"] = Answer(JUNIT, pause_s=0.2)
    web.routes["/job/x/30/artifact/r.xml"] = Answer(JUNIT, pause_s=600)
    process = ingest(source | {"poll_minutes": 1000})
    eventually(lambda: len(web.received) > 20)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0 and time.monotonic() - began < 30
    with closing(Store.open(load())) as store:
        held = store.value("SELECT count(*) FROM builds")
        assert store.value("SELECT count(*) FROM results") == 3 * held
        assert held + store.value("SELECT count(*) FROM ledger") == 59


def test_a_running_build_is_shown_as_it_goes_on_and_completed(
    ingest: Callable[[dict[str, Any]], subprocess.Popen],
) -> None:
    with SimulatorServer(Programme("tiny", live=False)) as server:
        ingest(server.sources()[1] | {"poll_minutes": 0.02})
        with closing(Store.open(load())) as store:
            eventually(lambda: store.value("SELECT count(*) FROM runs WHERE state = 'running'") == 1)
            http.post(f"{server.url}_sim/advance", json={"finish": True}, timeout=30)
            request = requests.submit(store, "poll", server.sources()[1]["name"], {}, "someone")
            eventually(lambda: requests.status(store, request).state == "done")
            truth = server.truth()["sources"]["sim-7.1"]
            eventually(lambda: store.value("SELECT sum(total) FROM builds WHERE state = 'final'") == truth["results"])
            assert store.value("SELECT count(*) FROM runs WHERE state = 'running'") == 0
