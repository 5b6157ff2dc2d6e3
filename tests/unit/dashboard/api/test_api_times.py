"""Times that clients give: every form that is documented, and the edges of the calendar."""

from __future__ import annotations

import io
import re

import pytest

LATE, EARLY = "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"  # in UTC there are no such years


@pytest.mark.parametrize("beyond", [LATE, EARLY])
@pytest.mark.parametrize("path", ["/runs", "/snapshot", "/badges/7.0.svg", "/runs/0000000000000000", "/trends"])
def test_a_time_beyond_the_calendar_does_not_reach_the_store(client, path, beyond):
    answer = client.get(f"/api/v1{path}", query_string={"as_of": beyond})
    assert (answer.status_code, answer.json["parameter"]) == (400, "as_of")


@pytest.mark.parametrize("beyond", [LATE, EARLY])
def test_no_body_has_a_time_beyond_the_calendar(client, beyond):
    answer = client.post("/api/v1/sql", json={"sql": "SELECT 1", "as_of": beyond})
    assert (answer.status_code, answer.json["parameter"]) == (400, "as_of")
    for name in ("from", "to"):
        work = client.post("/api/v1/ingest/requests", json={"kind": "discover", "source": "ci", name: beyond})
        assert work.status_code == 400 and work.json["parameter"].startswith(name)
    form = {"release": "7.0", "module": "m", "started_at": beyond, "files": (io.BytesIO(b"<testsuite/>"), "a.xml")}
    build = client.post("/api/v1/builds", data=form)
    assert (build.status_code, build.json["parameter"]) == (400, "started_at")
    for name in ("since", "until"):
        trend = client.get("/api/v1/trends", query_string={name: beyond})
        assert (trend.status_code, trend.json["parameter"]) == (400, name)


@pytest.mark.parametrize("early", ["0001-01-01T00:00:00Z", "0001-01-01", "0001-01-01T12:00:00+12:00"])
def test_before_the_first_snapshot_there_is_none(client, early):
    answer = client.get("/api/v1/runs", query_string={"as_of": early})
    assert (answer.status_code, answer.json["parameter"]) == (404, "as_of")


@pytest.mark.parametrize(
    "late",
    ["2999-01-01", "2999-01-01T08:00", "2999-01-01T08:00:00", "2999-01-01T08:00:00.25Z", "2999-01-01T08:00:00-05:30"],
)
def test_every_documented_form_of_a_time_is_taken(client, documented, late):
    assert re.search(documented, late)
    assert client.get("/api/v1/runs", query_string={"as_of": late}).status_code == 200


def test_a_time_of_the_api_itself_may_be_sent_back(client, documented):
    newest = client.get("/api/v1/snapshot").json
    assert re.search(documented, newest["committed_at"])
    assert client.get("/api/v1/snapshot", query_string={"as_of": newest["committed_at"]}).json == newest


@pytest.mark.parametrize("path", ["/runs", "/snapshot", "/runs?limit=1&cursor={next}"])
def test_no_moment_is_no_moment(client, documented, path):
    assert not re.search(documented, "")
    address = path.format(next=client.get("/api/v1/runs?limit=1").json["next"])
    answer = client.get(f"/api/v1{address}" + ("&" if "?" in path else "?") + "as_of=")
    assert (answer.status_code, answer.json["parameter"]) == (400, "as_of")


@pytest.fixture
def documented(client) -> str:
    """The pattern of `as_of` in the OpenAPI document."""
    parameters = client.get("/api/v1/openapi.json").json["paths"]["/api/v1/runs"]["get"]["parameters"]
    (pattern,) = [parameter["schema"]["pattern"] for parameter in parameters if parameter["name"] == "as_of"]
    return pattern
