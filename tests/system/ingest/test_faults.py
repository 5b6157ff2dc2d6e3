"""A Jenkins that fails while it is read: one clear line each, nothing lost, nothing doubled, the next poll goes on."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.fake_server import store_of
from support.paths import ROOT
from support.store_assertions import assert_whole, expected_builds, stored_builds

from data.lake.store import Store
from data.settings import SourceSettings
from ingest.pipeline import Pipeline
from ingest.simulator import Programme, SimulatorServer


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(Programme("tiny", live=False)) as server:
        yield server


@pytest.fixture(autouse=True)
def _faultless(server: SimulatorServer, quick: None) -> Iterator[None]:
    yield
    requests.delete(f"{server.url}_sim/faults", timeout=30)


def faults(server: SimulatorServer, *rules: dict[str, Any]) -> None:
    assert requests.post(f"{server.url}_sim/faults", json=list(rules), timeout=30).ok


def source_of(server: SimulatorServer, **values: Any) -> SourceSettings:
    return SourceSettings(**server.sources()[0] | {"timeout_s": 5} | values)


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "reset", "path": "artifact", "probability": 0.4, "keep": 0.5},
        {"kind": "truncate", "path": r"\*zip\*", "probability": 0.4},
        {"kind": "truncate", "path": r"/\d+/api/json", "probability": 0.3, "keep": 0.9},
        {"kind": "status", "status": 500, "path": r"/\d+/api/json", "times": 6},
        {"kind": "status", "status": 503, "probability": 0.3, "retry_after": 0},
        {"kind": "status", "status": 429, "probability": 0.3, "retry_after": 0},
        {"kind": "html", "path": "artifact", "probability": 0.2},
        {"kind": "status", "status": 404, "path": r"ESXI/\d+/api/json", "times": 5},
    ],
    ids=lambda rule: f"{rule['kind']}-{rule.get('status', rule.get('path'))}",
)
def test_the_store_is_whole_after_a_fault(server: SimulatorServer, tmp_path: Path, rule: dict[str, Any]) -> None:
    source = source_of(server)
    with store_of(tmp_path, source) as store:
        faults(server, rule | {"seed": 5})
        pipeline = Pipeline(store, source)
        pipeline.poll()
        assert set(stored_builds(store).items()) <= set(expected_builds(server).items()), "what is there is right"
        hits = requests.get(f"{server.url}_sim/faults", timeout=30).json()[0]["hits"]
        assert hits > 0
        faults(server)
        for _ in range(2):
            poll = pipeline.poll(eager=True)
        assert poll.error is None
        assert_whole(store, server)


def test_a_token_that_is_revoked_in_the_middle(server: SimulatorServer, tmp_path: Path) -> None:
    """The poll ends soon, with one line; nothing counts against the builds that could not be read."""
    source = source_of(server)
    with store_of(tmp_path, source) as store:
        faults(server, {"kind": "status", "status": 401, "after": 30})
        before = requests.delete(f"{server.url}_sim/requests", timeout=30)
        poll = Pipeline(store, source).poll()
        assert poll.error is not None and "401" in poll.error
        seen = requests.get(f"{server.url}_sim/requests", timeout=30).json()
        assert before.ok and seen["total"] < 60, "it does not hammer a server that refuses it"
        assert store.value("SELECT max(attempts) FROM ledger") == 0
        faults(server)
        Pipeline(store, source).poll(eager=True)
        assert_whole(store, server)


def test_a_jenkins_that_restarts(server: SimulatorServer, tmp_path: Path) -> None:
    source = source_of(server)
    with store_of(tmp_path, source) as store:
        faults(server, {"kind": "status", "status": 503})
        poll = Pipeline(store, source).poll()
        assert poll.error is not None and "503" in poll.error and "starting" in poll.error
        assert store.rows("SELECT error FROM poll_log") == [{"error": poll.error}]
        faults(server)
        assert Pipeline(store, source).poll().error is None
        assert_whole(store, server)


def test_never_more_in_flight_than_allowed(server: SimulatorServer, tmp_path: Path) -> None:
    source = source_of(server, max_in_flight=2)
    requests.delete(f"{server.url}_sim/requests", timeout=30)
    with store_of(tmp_path, source) as store:
        Pipeline(store, source).poll()
    # One more may be this test's own.
    assert requests.get(f"{server.url}_sim/requests", timeout=30).json()["max_in_flight"] <= 2


def test_a_disk_that_is_full_at_commit(
    server: SimulatorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_of(server)
    with store_of(tmp_path, source) as store:
        pipeline = Pipeline(store, source)
        pipeline.sweep()
        real = Store.transact
        failed = []

        def full(self: Store, author: str, message: str, work: Any) -> Any:
            def filled(cursor: Any) -> None:
                work(cursor)
                failed.append(message)
                raise OSError(28, "No space left on device")

            return real(self, author, message, filled)

        monkeypatch.setattr(Store, "transact", full)
        with pytest.raises(OSError, match="No space left"):
            pipeline.read_due("run")
        monkeypatch.setattr(Store, "transact", real)
        assert failed and store.value("SELECT count(*) FROM runs") == 0
        assert pipeline.poll().error is None
        assert_whole(store, server)


POLL = """
import logging, sys
logging.disable(logging.CRITICAL)
from data.settings import Settings, SourceSettings
from data.lake.store import Store
from ingest import batch, pipeline
batch.BATCH_RESULTS = 40  # many commits, so that many kills fall into one
import json
source = SourceSettings(**json.loads(sys.argv[2]))
store = Store.open(Settings(home=sys.argv[1], source=[source]))
print("open", flush=True)
pipeline.Pipeline(store, source).poll(eager=True)
print("done", flush=True)
"""


def test_killed_at_any_moment(server: SimulatorServer, tmp_path: Path) -> None:
    """kill -9 again and again in the middle of an ingest; then the store opens, and is whole."""
    chance = random.Random(20)
    source = json.dumps(server.sources()[0])
    kills = 0
    for _ in range(6):
        process = _poller(tmp_path, source)
        assert process.stdout.readline() == "open\n"
        time.sleep(chance.uniform(0.05, 1.0))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.communicate()
    assert kills > 0
    with store_of(tmp_path, source_of(server)) as store:
        assert set(stored_builds(store).items()) <= set(expected_builds(server).items())
        assert Pipeline(store, source_of(server)).poll(eager=True).error is None
        assert_whole(store, server)


def test_two_processes_on_one_source(server: SimulatorServer, tmp_path: Path) -> None:
    source = json.dumps(server.sources()[0])
    processes = [_poller(tmp_path, source) for _ in range(2)]
    for process in processes:
        output, errors = process.communicate(timeout=300)
        assert output.endswith("done\n"), errors
    with store_of(tmp_path, source_of(server)) as store:
        assert_whole(store, server)


def _poller(home: Path, source: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", POLL, str(home), source],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
