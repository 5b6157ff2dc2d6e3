"""A page of another site cannot reach the server by a name of its own (DNS rebinding); proxies and containers can."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

EVIL = {"Host": "evil.example", "Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"}
NAMES = st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z]{2,8}){1,3}\.?(:[0-9]{1,5})?", fullmatch=True)


def asks(client, host: str) -> int:
    return client.get("/api/v1/snapshot", headers={"Host": host}).status_code


def test_a_foreign_name_neither_reads_nor_writes_where_only_this_machine_is_listened_to(client):
    assert asks(client, "localhost") == 200  # remembered now
    for answer in (
        client.get("/api/v1/snapshot", headers=EVIL),
        client.get("/", headers=EVIL),
        client.post("/api/v1/sql", json={"sql": "SELECT 1"}, headers=EVIL),
        client.post("/_dash-update-component", json={}, headers=EVIL),
    ):
        assert (answer.status_code, answer.mimetype) == (421, "application/problem+json")
        assert "web.hosts" in answer.json["detail"]


@given(NAMES)
def test_no_name_but_our_own_is_answered(server, name):
    expected = 200 if name.rstrip("0123456789").rstrip(":").rstrip(".").endswith(".localhost") else 421
    assert asks(server.test_client(), name) == expected


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8050", "app.localhost", "127.0.0.1:9", "[::1]:8050", "10.1.2.3", "localhost.", ""]
)
def test_loopback_names_and_addresses_are_answered(client, host):
    assert asks(client, host) == 200


@pytest.mark.parametrize(
    ("web", "host", "status"),
    [
        ({"host": "0.0.0.0"}, "tracker.example.com", 200),
        ({"host": "::"}, "tracker:8050", 200),
        ({"host": "0.0.0.0", "hosts": ["tracker.example.com"]}, "tracker.example.com:8050", 200),
        ({"host": "0.0.0.0", "hosts": ["tracker.example.com"]}, "evil.example", 421),
        ({"host": "0.0.0.0", "hosts": ["tracker.example.com"]}, "localhost:8050", 200),
        ({"hosts": ["Tracker.example.com"]}, "tracker.EXAMPLE.com", 200),
        ({"hosts": ["*.example.com"]}, "a.example.com", 200),
        ({"hosts": ["*.example.com"]}, "example.com.evil.example", 421),
        ({"hosts": ["*"]}, "evil.example", 200),
        ({"host": "localhost"}, "evil.example", 421),
    ],
)
def test_the_configuration_says_which_names_are_ours(tmp_path, serve, web, host, status):
    client = serve(tmp_path, web=web).test_client()  # it needs no store to be alive
    assert client.get("/api/v1/health/live", headers={"Host": host}).status_code == status
