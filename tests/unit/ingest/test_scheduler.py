"""The scheduler within this process: it reopens its store without disturbing running work, and reads uploads."""

from __future__ import annotations

import io
from pathlib import Path

import duckdb
import pytest
from support.fake_server import JUNIT, WebServer, source_of

from dashboard.app import create_app
from data.lake.store import Store
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
    monkeypatch.setattr("ingest.shared_store.REOPEN_AFTER", 1)
    job(web, 1, 2)
    ingest = IngestScheduler(load(home=tmp_path, source=[source_of(web.url)]))
    first = ingest.store
    with ingest.shared.use():
        assert ingest.poller.poll("ci", force=True).ingested == 2
        assert ingest.store is first, "in use"
    assert ingest.store is not first
    with pytest.raises(duckdb.Error):
        first.value("SELECT 1")
    job(web, 1, 2, 3)
    assert ingest.poller.poll("ci", force=True).ingested == 1
    number = requests.submit(ingest.store, "build", "ci", {"url": f"{web.url}job/x/1/"}, "someone")
    (request,) = requests.claim(ingest.store)
    ingest._handle(request)
    assert requests.status(ingest.store, number).state == "done"
    assert ingest.store.value("SELECT count(*) FROM builds") == 3
    ingest.store.close()


def upload(client, module: str, content: bytes = JUNIT) -> str:
    """Upload a report; the path under which its request is followed."""
    form = {"release": "9.0", "module": module, "files": (io.BytesIO(content), "r.xml")}
    answer = client.post("/api/v1/builds", data=form)
    assert answer.status_code == 202, answer.text
    return answer.headers["Location"]


def messages(store: Store, since: int) -> list[str]:
    found = store.rows(
        "SELECT commit_message FROM lake.snapshots() WHERE snapshot_id > ? ORDER BY snapshot_id", [since]
    )
    return [row["commit_message"] for row in found]


def test_an_upload_makes_one_snapshot(tmp_path: Path) -> None:
    settings = load(home=tmp_path)
    ingest = IngestScheduler(settings)
    store, client = ingest.store, create_app(settings).server.test_client()
    before = store.snapshot().id
    good, bad = upload(client, "m"), upload(client, "n", b"no report")
    states = [client.get(path).json["state"] for path in (good, bad)]
    assert states == ["waiting", "waiting"]
    assert {row["state"] for row in client.get("/api/v1/ingest/requests").json["items"]} == {"waiting"}
    claimed = requests.claim(store)
    assert client.get(good).json["state"] == "working"
    requests.renew_leases(store, [request.request for request in claimed])
    assert store.snapshot().id == before, "nothing is committed before it is read"
    for request in claimed:
        ingest._handle(request)
    assert messages(store, before) == ["upload: 9.0/m #1, 3 results", "request upload of upload: failed"]
    (found, refused) = (client.get(path).json for path in (good, bad))
    assert (found["state"], refused["state"]) == ("done", "failed")
    assert client.get(f"/api/v1/builds/{found['payload']['builds'][0]}").json["total"] == 3
    assert len(client.get("/api/v1/ingest/requests").json["items"]) == 2
    assert client.get(good, query_string={"as_of": before}).status_code == 404
    assert requests.claim(store) == []
    store.close()


def test_an_upload_whose_process_ended_after_the_commit_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(home=tmp_path)
    ingest = IngestScheduler(settings)
    store = ingest.store
    followed = upload(create_app(settings).server.test_client(), "m")
    (request,) = requests.claim(store)
    with monkeypatch.context() as ended:
        ended.setattr("data.tasks.waiting_uploads.delete_files", lambda *_: None)
        ingest._handle(request)
    after = store.snapshot().id
    assert requests.uploaded_files(store, request), "left behind"
    monkeypatch.setattr("data.tasks.requests.LOST_AFTER", -requests.LOST_AFTER)  # its lease has expired
    assert requests.claim(store) == []
    assert requests.uploaded_files(store, request) == []
    assert (store.snapshot().id, requests.status(store, request.request).state) == (after, "done")
    assert followed.endswith(f"{request.request:016x}")
    store.close()


def test_an_upload_that_waits_is_found_without_a_snapshot(tmp_path: Path) -> None:
    settings = load(home=tmp_path)
    ingest = IngestScheduler(settings)
    started: list[int] = []
    ingest.scheduler.add_job = lambda *_, args, **__: started.append(args[0].request)
    ingest.start_requests()
    ingest.start_requests()
    assert started == []
    upload(create_app(settings).server.test_client(), "m")
    ingest.start_requests()
    assert len(started) == 1
    ingest.start_requests()
    assert len(started) == 1
    ingest.store.close()
