"""Pages of other sites cannot write, and cannot read unless they are named; bodies are of the right type and size."""

from __future__ import annotations

import io

import pytest
from flask.testing import FlaskClient
from support.ingest_fixtures import store_upload
from support.store_builder import World

from data.model import ids
from data.tasks import requests
from data.write.raw_files import unpack

POLL = {"kind": "poll", "source": "ci"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
        {"Sec-Fetch-Site": "same-site", "Origin": "https://other.localhost"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("path", ["/sql", "/ingest/requests", "/builds"])
def test_another_sites_page_cannot_write(client, path, headers):
    answer = client.post(f"/api/v1{path}", json=POLL | {"sql": "SELECT 1"}, headers=headers)
    assert (answer.status_code, answer.mimetype) == (403, "application/problem+json")
    assert client.get("/api/v1/ingest/requests").json["items"] == []


@pytest.fixture(scope="module")
def written(tmp_path_factory, serve) -> FlaskClient:
    """A client of a store that is written to by several tests."""
    return serve(World.at(tmp_path_factory.mktemp("written") / "home").store.settings.home).test_client()


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://localhost"}],
)
def test_our_own_pages_and_programs_can(written, headers):
    assert written.post("/api/v1/ingest/requests", json=POLL, headers=headers).status_code == 202


def test_a_named_site_may_read_and_write(world, serve):
    client = serve(world.store.settings.home, web={"cors_origins": ["https://wall.example"]}).test_client()
    friend, stranger = {"Origin": "https://wall.example"}, {"Origin": "https://evil.example"}
    read = client.get("/api/v1/runs", headers=friend)
    assert read.headers["Access-Control-Allow-Origin"] == "https://wall.example"
    assert "Origin" in read.headers["Vary"]
    assert "Access-Control-Allow-Origin" not in client.get("/api/v1/runs", headers=stranger).headers
    preflight = client.options("/api/v1/sql", headers=friend | {"Access-Control-Request-Method": "POST"})
    assert preflight.status_code == 200 and "POST" in preflight.headers["Access-Control-Allow-Methods"]
    cross = friend | {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/api/v1/ingest/requests", json=POLL, headers=cross).status_code == 202
    assert client.post("/api/v1/ingest/requests", json=POLL, headers=stranger).status_code == 403


def test_no_site_may_read_by_default(client):
    answer = client.get("/api/v1/runs", headers={"Origin": "https://evil.example"})
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_json_is_wanted_where_json_is_read(client, kind):
    answer = client.post("/api/v1/sql", data='{"sql": "SELECT 1"}', content_type=kind)
    assert (answer.status_code, answer.mimetype) == (415, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'"SELECT 1"', None),
        (b"{}", "sql"),
        (b'{"sql": 1}', "sql"),
        (b'{"sql": ""}', "sql"),
        (b'{"sql": "SELECT 1", "limit": 0}', "limit"),
        (b'{"sql": "SELECT 1", "files": "yes"}', "files"),
        (b"\xff\xfe", None),
    ],
)
def test_a_wrong_body_is_a_problem_document(client, body, parameter):
    answer = client.post("/api/v1/sql", data=body, content_type="application/json")
    assert answer.status_code == 400, answer.text
    assert answer.json.get("parameter") == parameter


def test_a_body_that_is_too_long_is_refused(client):
    answer = client.post("/api/v1/sql", data=b" " * (2 << 20), content_type="application/json")
    assert (answer.status_code, answer.mimetype) == (413, "application/problem+json")
    long = client.post("/api/v1/sql", json={"sql": "SELECT 1 --" + "x" * 100_000})
    assert (long.status_code, long.json["parameter"]) == (400, "sql")


def test_an_upload_is_kept_for_the_ingest_process(world, own_client):
    report = b'<testsuite tests="1"><testcase classname="a" name="b"/></testsuite>'
    archive = b"PK\x03\x04 not opened here"
    form = {"release": "7.0", "module": "network", "number": "12", "started_at": "2026-11-22T04:00:00+01:00"}
    files = [(io.BytesIO(report), "report.xml"), (io.BytesIO(archive), "more.zip")]
    answer = own_client.post("/api/v1/builds", data=form | {"files": files})
    assert answer.status_code == 202, answer.text
    assert answer.json["payload"] == form | {"number": 12, "started_at": "2026-11-22T03:00:00Z"}
    followed = own_client.get(answer.headers["Location"])
    assert followed.json == answer.json and followed.json["state"] == "waiting"
    request = requests.status(world.store, ids.number(answer.json["id"]))
    kept = {file.path: unpack(file) for file in requests.uploaded_files(world.store, request)}
    assert kept == {"report.xml": report, "more.zip": archive}


def test_an_upload_is_what_the_ingest_process_reads(world, own_client):
    cases = b'<testcase classname="a" name="b"/><testcase classname="a" name="c"><failure/></testcase>'
    report = b"<testsuite>" + cases + b"</testsuite>"
    form = {"release": "7.0", "module": "network", "number": "12", "version": "7.0", "parameters": '{"LAB": "3"}'}
    answer = own_client.post("/api/v1/builds", data=form | {"files": (io.BytesIO(report), "report.xml")})
    request = requests.status(world.store, ids.number(answer.json["id"]))
    store_upload(world.store, request.payload, requests.uploaded_files(world.store, request))
    (build,) = own_client.get("/api/v1/builds").json["items"]
    assert (build["release"], build["version"], build["module"], build["number"]) == ("7.0", "7.0", "network", 12)
    assert (build["total"], build["passed"], build["failed"]) == (2, 1, 1)
    assert own_client.get(f"/api/v1/builds/{build['id']}").json["parameters"] == {"LAB": "3"}


@pytest.mark.parametrize(
    ("form", "parameter"),
    [
        ({"module": "network"}, "files"),
        ({"files": "text", "release": "7.0", "module": "m"}, "files"),
        ({"release": "7.0", "module": "network", "number": "x"}, "number"),
        ({"release": "", "module": "network"}, "release"),
        ({"release": "7.0"}, "module"),
        ({"release": "7.0", "module": "m", "started_at": "today"}, "started_at"),
        ({"release": "7.0", "module": "m", "url": "javascript:alert(1)"}, "url"),
        ({"release": "7.0", "module": "m", "colour": "red"}, "colour"),
    ],
)
def test_a_wrong_upload_is_a_problem_document(client, form, parameter):
    if parameter != "files":
        form = form | {"files": (io.BytesIO(b"<testsuite/>"), "r.xml")}
    answer = client.post("/api/v1/builds", data=form, content_type="multipart/form-data")
    assert answer.status_code == 400, answer.text
    assert answer.json["parameter"].partition(".")[0] == parameter
    assert client.get("/api/v1/ingest/requests").json["items"] == []


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"kind": "poll", "source": "nowhere"}, "source"),
        ({"kind": "rebuild", "source": "ci"}, "kind"),
        ({"kind": "build", "source": "ci"}, None),
        ({"kind": "build", "source": "ci", "url": "file:///etc/passwd"}, "url"),
        ({"kind": "build", "source": "ci", "urls": []}, "urls"),
        ({"kind": "build", "source": "ci", "urls": ["https://j/job/x/1/"] * 201}, "urls"),
        ({"kind": "build", "source": "ci", "urls": ["https://j/job/x/1/", "javascript:1"]}, "urls"),
        ({"kind": "build", "source": "ci", "url": "https://j/job/x/1/", "urls": ["https://j/job/x/1/"]}, None),
        ({"kind": "discover", "source": "ci", "url": "https://j/job/x/1/"}, None),
        ({"kind": "discover", "source": "ci", "from": 1, "to": "2026-11-01"}, None),
        ({"kind": "poll", "source": "ci", "from": 1}, None),
        ({"kind": "backfill", "source": "ci", "from": "soon"}, "from"),
        ({"kind": "backfill", "source": "ci", "from": -1}, "from"),
        ({"kind": "backfill", "source": "ci", "to": False}, "to"),
        ({"kind": "backfill", "source": "ci", "from": 1, "to": "2026-11-01"}, None),
        ({"kind": "backfill", "source": "ci", "from": 150, "to": 100}, None),
        ({"kind": "poll"}, "source"),
    ],
)
def test_a_wrong_request_is_a_problem_document(client, body, parameter):
    answer = client.post("/api/v1/ingest/requests", json=body)
    assert answer.status_code == 400, answer.text
    assert (answer.json.get("parameter") or "").partition(".")[0] == (parameter or "")


@pytest.mark.parametrize(
    ("body", "payload"),
    [
        ({"kind": "poll"}, {}),
        ({"kind": "backfill", "from": 3, "to": "40"}, {"from": "3", "to": "40"}),
        ({"kind": "backfill", "from": "2026-11-01"}, {"from": "2026-11-01"}),
        ({"kind": "discover"}, {}),
        ({"kind": "discover", "from": 3, "to": 40}, {"from": "3", "to": "40"}),
        ({"kind": "build", "urls": ["https://j/job/x/1/"]}, {"urls": ["https://j/job/x/1/"]}),
        (
            {"kind": "build", "url": "https://jenkins.example.com/job/x/1/"},
            {"url": "https://jenkins.example.com/job/x/1/"},
        ),
    ],
)
def test_a_request_is_taken_and_can_be_followed(written, body, payload):
    before = written.get("/api/v1/ingest/requests?limit=1000").json["items"]
    answer = written.post("/api/v1/ingest/requests", json=body | {"source": "ci"})
    assert answer.status_code == 202, answer.text
    assert (answer.json["state"], answer.json["payload"]) == ("waiting", payload)
    assert written.get(answer.headers["Location"]).json == answer.json
    assert written.get("/api/v1/ingest/requests?limit=1000").json["items"] == [answer.json, *before]
