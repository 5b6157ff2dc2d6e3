"""Requests: claimed once, their progress reported, their files deleted at the end; and the raw files themselves."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from support.store_builder import World

from data.lake.store import Store
from data.model.build_record import BuildRecord
from data.tasks import requests
from data.tasks.requests import DONE, WORKING
from data.write import raw_files as raw
from data.write.builds import upsert_builds

NOW = datetime(2026, 11, 1, 4)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = World.at(tmp_path).store
    yield store
    store.close()


def test_a_request_is_taken_once_and_reported_on(store: Store) -> None:
    first = requests.submit(store, "backfill", "ci", {"from": "1"}, "me")
    second = requests.submit(store, "poll", "ci", {}, "you")
    assert [request.request for request in requests.recent(store)] == [second, first]
    taken = requests.claim(store)
    assert [(request.request, request.kind, request.author, request.state) for request in taken] == [
        (first, "backfill", "me", WORKING),
        (second, "poll", "you", WORKING),
    ]
    before = store.snapshot().id
    assert requests.claim(store) == [] and store.snapshot().id == before
    requests.report_progress(store, taken[0], WORKING, progress={"done": 1, "total": 2})
    requests.report_progress(store, taken[0], DONE, "1 build failed", progress={"done": 2, "total": 2})
    status = requests.status(store, first)
    assert (status.state, status.error) == (DONE, "1 build failed")
    assert status.payload == {"from": "1", "progress": {"done": 2, "total": 2}}
    assert requests.status(store, 1) is None


def test_a_request_that_its_process_died_over_is_taken_again(store: Store) -> None:
    request = requests.submit(store, "poll", "ci", {}, "me")
    requests.claim(store)
    old = "UPDATE requests SET updated_at = updated_at - INTERVAL 1 HOUR"
    store.transact("test", "an hour later", lambda cursor: cursor.execute(old))
    assert [one.request for one in requests.claim(store)] == [request]


def test_a_request_that_its_process_keeps_is_not_taken_again(store: Store) -> None:
    request, ended = (requests.submit(store, "poll", "ci", {}, "me") for _ in range(2))
    _, other = requests.claim(store)
    requests.report_progress(store, other, DONE)
    old = "UPDATE requests SET updated_at = updated_at - INTERVAL 1 HOUR"
    store.transact("test", "an hour later", lambda cursor: cursor.execute(old))
    requests.renew_leases(store, [request, ended])
    assert requests.claim(store) == []
    assert requests.status(store, other.request).state == DONE


def test_uploaded_files_wait_in_the_store(store: Store) -> None:
    file = raw.pack("r.xml", "file", b"<testsuite/>" * 100)
    requests.submit(store, "upload", "", {"release": "7.0", "module": "m"}, "me", [file])
    (request,) = requests.claim(store)
    assert requests.uploaded_files(store, request) == [file]
    assert raw.unpack(requests.uploaded_files(store, request)[0]) == b"<testsuite/>" * 100
    requests.report_progress(store, request, DONE)
    assert requests.uploaded_files(store, request) == []


def test_raw_files_are_found_also_where_they_stand_in_a_zip(store: Store) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("junit/5s/a.xml", "<testsuite/>")
    files = [raw.pack("log.txt", "order", b"line\n" * 1000), raw.pack_zip("**/*.xml", "junit", buffer.getvalue())]
    build = BuildRecord("ci", "a", 1, NOW, "7.0", "m", raw=files)
    store.transact("test", "test", lambda cursor: upsert_builds(cursor, [build], NOW))
    assert sorted(raw.members(store, build.id, NOW)) == [("junit/5s/a.xml", "junit", 12), ("log.txt", "order", 5000)]
    assert raw.read(store, build.id, NOW, "junit/5s/a.xml") == b"<testsuite/>"
    assert raw.read(store, build.id, NOW, "log.txt", limit=4) == b"line"
    assert raw.read(store, build.id, NOW, "nowhere") is None
    assert raw.files_of_many(store, [(build.id, NOW), (5, NOW)]) == {
        build.id: sorted(files, key=lambda file: file.path),
        5: [],
    }
    assert store.value("SELECT octet_length(content) < 100 FROM raw_files WHERE path = 'log.txt'")
