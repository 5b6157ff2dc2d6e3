"""The scheduler within this process: it reopens its store from time to time without disturbing running work."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest
from support.fake_server import WebServer, source_of

from data.settings import load
from data.tasks import requests
from ingest.scheduler import IngestScheduler

pytestmark = pytest.mark.slow


def job(web: WebServer, *numbers: int) -> None:
    """A job `x` of builds without results."""
    stamps = {number: 1_700_000_000_000 + number for number in numbers}
    builds = [{"number": number, "timestamp": stamps[number]} for number in sorted(numbers, reverse=True)]
    web.routes["/job/x/api/json"] = {"nextBuildNumber": max(numbers) + 1, "builds": builds}
    for number in numbers:
        web.routes[f"/job/x/{number}/api/json"] = {"result": "SUCCESS", "timestamp": stamps[number]}


def test_the_store_is_reopened_when_no_thread_uses_it(
    web: WebServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.scheduler.REOPEN_AFTER", 1)
    job(web, 1, 2)
    ingest = IngestScheduler(load(home=tmp_path, source=[source_of(web.url)]))
    first = ingest.store
    with ingest._store_in_use():
        assert ingest.poll_source("ci", force=True).ingested == 2
        assert ingest.store is first, "in use"
    assert ingest.store is not first
    with pytest.raises(duckdb.Error):
        first.value("SELECT 1")
    job(web, 1, 2, 3)
    assert ingest.poll_source("ci", force=True).ingested == 1
    number = requests.submit(ingest.store, "build", "ci", {"url": f"{web.url}job/x/1/"}, "someone")
    (request,) = requests.claim(ingest.store)
    ingest._handle(request)
    assert requests.status(ingest.store, number).state == "done"
    assert ingest.store.value("SELECT count(*) FROM builds") == 3
    ingest.store.close()
