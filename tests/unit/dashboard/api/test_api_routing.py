"""Paths, methods, OPTIONS, and unknown parameters."""

from __future__ import annotations

import io

import pytest

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/sql", "OPTIONS, POST"),
        ("/sql/saved/0000000000000000", "DELETE, OPTIONS"),
        ("/builds", "GET, HEAD, OPTIONS, POST"),
        ("/runs", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
def test_a_route_tells_its_methods(client, path, allowed):
    answer = client.options(f"/api/v1{path}")
    assert (answer.status_code, answer.headers["Allow"], answer.data) == (200, allowed, b"")
    for method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "REPORT"} - set(allowed.split(", ")):
        answer = client.open(f"/api/v1{path}", method=method)
        assert (answer.status_code, answer.mimetype, answer.headers["Allow"]) == (405, PROBLEM, allowed), method


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "REPORT"])
@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v1/nope", "/api/v1/runs/", "/api//v1/runs", "/api/docs/x"])
def test_a_path_that_is_none_is_so_for_every_method(client, method, path):
    answer = client.open(path, method=method)
    assert (answer.status_code, answer.mimetype) == (404, PROBLEM)


def test_a_page_that_only_begins_like_the_api_is_none_of_its(client):
    assert client.get("/apiary").mimetype == "text/html"


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("/runs?release=7.0&release=7.1", "release"),
        ("/runs?limit=1&limit=2", "limit"),
        ("/runs?as_of=10&as_of=20", "as_of"),
        ("/runs?fields=id&fields=number", "fields"),
        ("/runs?release=7.0&release=7.0", "release"),
        ("/gate?release=7.0&kind=regression&kind=flaky", "kind"),
        ("/badges/7.0.svg?as_of=1&as_of=1", "as_of"),
        ("/openapi.json?x=1&x=1", "x"),
    ],
)
def test_a_parameter_is_given_once(client, query, parameter):
    answer = client.get(f"/api/v1{query}")
    assert (answer.status_code, answer.mimetype, answer.json["parameter"]) == (400, PROBLEM, parameter)


@pytest.mark.parametrize("path", ["/sql", "/sql/saved", "/ingest/requests"])
def test_parameters_in_the_address_of_a_post_are_not_ignored(client, path):
    answer = client.post(f"/api/v1{path}?limit=1", json={"sql": "SELECT 1"})
    assert (answer.status_code, answer.json["parameter"]) == (400, "limit")
    empty = client.post("/api/v1/sql", json={"sql": "SELECT 1", "as_of": ""})
    assert (empty.status_code, empty.json["parameter"]) == (400, "as_of")


def test_a_field_of_a_form_is_given_once_and_files_several_times(own_client):
    def hand_in(**form):
        files = [(io.BytesIO(b"<testsuite/>"), name) for name in ("a.xml", "b.xml")]
        return own_client.post("/api/v1/builds", data={"release": "7.0", "module": "m", "files": files} | form)

    answer = hand_in(release=["7.0", "7.1"])
    assert (answer.status_code, answer.json["parameter"]) == (400, "release")
    assert own_client.get("/api/v1/ingest/requests").json["items"] == []
    assert hand_in().status_code == 202
