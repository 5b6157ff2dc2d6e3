"""What HTTP and this API promise of every route: negotiation, conditions, coding, limits and unknown parameters."""

from __future__ import annotations

import gzip
import io

import pytest
from support.store_builder import World

LISTS = ["/runs", "/releases", "/builds", "/tests", "/verdicts?release=7.0"]


def get(client, path: str, **headers):
    return client.get(f"/api/v1{path}", headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("accept", ["image/png", "application/xml, text/html;q=0.5", "application/json;q=0"])
def test_what_cannot_be_answered_as_asked_is_refused(client, path, accept):
    answer = get(client, path, Accept=accept)
    assert (answer.status_code, answer.mimetype) == (406, "application/problem+json")
    assert client.post("/api/v1/sql", json={"sql": "SELECT 1"}, headers={"Accept": accept}).status_code == 406


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/html, */*;q=0.1", "application/json", ""])
def test_what_can_be_answered_is(client, accept):
    assert get(client, "/runs", Accept=accept).mimetype == "application/json"


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        ("text/csv;charset=utf-8", "text/csv"),
        ("text/csv; header=absent, application/json;q=0.5", "text/csv"),
        ("text/*", "text/csv"),
        ("application/json;charset=utf-8", "application/json"),
        ("application/json, text/plain, */*", "application/json"),
        ("text/csv, */*", "text/csv"),
        ("text/csv;q=0, */*", "application/json"),
        ("application/json;q=0, text/*;q=0.1", "text/csv"),
        ("application/vnd.apache.parquet;version=2", "application/vnd.apache.parquet"),
    ],
)
def test_a_media_type_is_meant_whatever_its_parameters(client, accept, mimetype):
    assert get(client, "/runs", Accept=accept).mimetype == mimetype
    posted = client.post("/api/v1/sql", json={"sql": "SELECT 1"}, headers={"Accept": accept})
    assert (posted.status_code, posted.mimetype) == (200, mimetype)


def test_a_picture_is_no_json(client):
    assert get(client, "/badges/7.0.svg", Accept="image/svg+xml").status_code == 200
    assert get(client, "/badges/7.0.svg", Accept="application/json").status_code == 406
    assert get(client, "/snapshot", Accept="text/csv").status_code == 406


def test_unless_there_is_something(client):
    """Once from the route, once from what is remembered, and not of what is not there."""
    for _ in range(2):
        answer = get(client, "/runs", If_None_Match="*")
        assert (answer.status_code, answer.data) == (304, b"") and answer.headers["ETag"]
        assert get(client, "/runs").status_code == 200
    assert get(client, "/runs/0000000000000000", If_None_Match="*").status_code == 404


@pytest.mark.parametrize("path", ["/api/v1/runs", "/api/v1/runs?format=csv", "/api/docs", "/", "/app.css"])
def test_a_coding_that_is_refused_is_not_used(client, path):
    for refused in ("gzip;q=0", "gzip; q=0.000, br;q=0", "identity, gzip;q=0"):
        assert "Content-Encoding" not in client.get(path, headers={"Accept-Encoding": refused}).headers


@pytest.mark.parametrize("path", ["/builds?format=csv", "/tests?format=csv"])
def test_csv_is_compressed_as_it_streams(client, path):
    plain, packed = get(client, path), get(client, path, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip" and "Content-Length" not in packed.headers
    assert gzip.decompress(packed.data) == plain.data and len(packed.data) < len(plain.data)


def test_a_cursor_of_another_time_is_refused(client):
    first = get(client, "/builds?limit=2").json
    following = f"/builds?limit=2&cursor={first['next']}"
    assert get(client, following).status_code == 200
    assert get(client, f"{following}&as_of={first['snapshot']}").status_code == 200
    assert get(client, f"{following}&as_of=2999-01-01").status_code == 200
    refused = get(client, f"{following}&as_of={first['snapshot'] - 1}")
    assert (refused.status_code, refused.json["parameter"]) == (400, "as_of")


def test_pages_as_of_a_time_to_come_go_on_after_a_commit(world, own_client):
    world.history({"a": "PPP"})
    first = get(own_client, "/runs?limit=1&as_of=2999-01-01").json
    world.run({"routing": {"a": "P"}})
    second = get(own_client, f"/runs?limit=1&as_of=2999-01-01&cursor={first['next']}")
    assert second.status_code == 200 and second.json["snapshot"] == first["snapshot"]


def test_the_choices_are_in_their_natural_order(tmp_path, serve):
    world = World.at(tmp_path / "home")
    releases = ["9.0"] * 11 + ["10.0"]
    world.series(({"routing": {"a": "P"}}, {"release": release}) for release in releases)
    found = get(serve(world.store.settings.home).test_client(), "/choices?release=9.0").json
    assert found["releases"] == ["10.0", "9.0"]
    assert found["versions"] == [f"9.0.0.{number}" for number in range(11, 0, -1)]


@pytest.mark.parametrize("path", ["/runs/{run}/changes?", "/compare?base=7.0&candidate=8.0&", "/gate?release=7.0&"])
def test_no_page_is_longer_than_1000(client, names, path):
    assert get(client, path.format(**names) + "limit=1000").status_code == 200
    assert get(client, path.format(**names) + "limit=1001").status_code == 400


@pytest.mark.parametrize("path", ["/health", "/health/live", "/health/ready"])
def test_health_takes_no_parameter(client, path):
    assert get(client, path).status_code == 200
    assert (get(client, f"{path}?x=1").status_code, get(client, f"{path}?as_of=1").status_code) == (400, 400)


def test_fields_may_be_spaced(client):
    assert set(get(client, "/runs?fields=id,%20number").json["items"][0]) == {"id", "number"}


def test_rows_in_the_catalog_are_counted(client):
    text = client.get("/metrics").text
    (line,) = [line for line in text.splitlines() if line.startswith("regtracker_catalog_bytes ")]
    assert float(line.split()[1]) > 10_000


def test_a_csv_holds_no_formula_in_its_names(client):
    assert io.StringIO(get(client, "/runs?format=csv").text).readline().startswith('"id"')


UPLOADED = {"release": "7.0", "module": "routing"}


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: text} for name in UPLOADED for text in ("../../etc", "a\\b", "a\nb", "..", "a\x00", "x" * 201)),
        *({"number": number} for number in ("0", "-1", "null")),
        {"started_at": "2999-01-01T00:00:00Z"},
    ],
)
def test_what_no_build_can_be_is_not_taken(client, wrong):
    files = {"files": (io.BytesIO(b"<testsuite><testcase name='a'/></testsuite>"), "a.xml")}
    answer = client.post("/api/v1/builds", data=UPLOADED | wrong | files)
    assert (answer.status_code, answer.json["parameter"]) == (400, next(iter(wrong)))
    assert get(client, "/ingest/requests").json["items"] == []
