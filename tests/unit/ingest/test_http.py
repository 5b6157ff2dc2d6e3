"""The HTTP client below Jenkins and the bug feed; what Jenkins answers is in test_jenkins_client.py."""

from __future__ import annotations

import gzip

import pytest
from support.fake_server import Answer, WebServer

from ingest.http import TRIES, CutBodyError, HttpClient, HttpError, TooLargeError, UnreachableError

LIMIT = 1 << 20


def body(client: HttpClient, url: str) -> bytes:
    for attempt in client.attempts():
        with attempt, client.get(url, max_bytes=LIMIT) as answer:
            return answer.body()
    raise AssertionError("no attempt")


def test_a_body_that_unpacks_to_more_than_its_reader_takes(web: WebServer) -> None:
    web.routes["/bomb"] = Answer(gzip.compress(bytes(64 << 20)), headers={"Content-Encoding": "gzip"})
    with pytest.raises(TooLargeError):
        body(HttpClient(web.url, timeout_s=10), web.url + "bomb")
    assert len(web.received) == 1


def test_a_whole_body_of_the_largest_size(web: WebServer) -> None:
    web.routes["/a"] = Answer(gzip.compress(bytes(LIMIT)), headers={"Content-Encoding": "gzip"})
    assert body(HttpClient(web.url, timeout_s=10), web.url + "a") == bytes(LIMIT)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(b"12345", cut=2), CutBodyError),
        (Answer(b"not gzip", headers={"Content-Encoding": "gzip"}), CutBodyError),
        (Answer(b"", pause_s=9), UnreachableError),
        (Answer(b"", 302, {"Location": "/a"}), UnreachableError),
    ],
)
def test_what_may_pass_is_tried_again(web: WebServer, quick: None, answer: Answer, error: type[HttpError]) -> None:
    web.routes["/a"] = answer
    client = HttpClient(web.url, timeout_s=0.1 if answer.pause_s else 10)
    with pytest.raises(error):
        for attempt in client.attempts():
            with attempt, client.get(web.url + "a", redirects=True, max_bytes=LIMIT) as found:
                found.body()
    assert client.requests == TRIES


def test_a_body_that_trickles_ends_at_the_deadline(
    web: WebServer, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.http.DEADLINE_READS", 0)
    web.routes["/a"] = Answer(b"slow")
    with pytest.raises(UnreachableError, match="too slow"):
        body(HttpClient(web.url, timeout_s=10), web.url + "a")
    assert len(web.received) == 1  # the deadline covers all tries


def test_proxies_and_certificates_of_the_environment(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", web.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    web.routes["/bugs.json"] = Answer(b"by the proxy")
    client = HttpClient("http://tracker.example.com/", timeout_s=10)
    assert body(client, "http://tracker.example.com/bugs.json") == b"by the proxy"
