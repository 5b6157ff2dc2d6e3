"""The client against a real server that answers well and badly."""

from __future__ import annotations

import io
import math
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from support.fake_server import Answer, ReceivedRequest, WebServer, source_of

from ingest.http import TRIES
from ingest.jenkins.client import FileKind, Jenkins
from ingest.jenkins.errors import (
    AccessDeniedError,
    AnswerTooLargeError,
    ConnectionFailedError,
    InvalidResponseError,
    JenkinsError,
    LoginRedirectError,
    NotFoundError,
    ServerBusyError,
    ServerError,
    ShutdownError,
)
from ingest.jenkins.urls import artifact_path, build_path, job_path, parse_job_url

HTML = {"Content-Type": "text/html"}


def zipped(path: str, content: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(path, content)
    return packed.getvalue()


def test_asks_for_a_tree_without_blanks_and_reads_what_javas_json_holds(web: WebServer) -> None:
    web.routes["/job/x/api/json"] = Answer(
        b'{"duration": NaN, "small": 1.0E-4}', headers={"Content-Type": "application/json"}
    )
    answer = Jenkins(source_of(web.url)).api(job_path("x"), "a,b[c]{0,5}")
    assert math.isnan(answer["duration"]) and answer["small"] == 0.0001
    assert web.received[0].query == {"tree": "a,b[c]{0,5}"}


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (Answer(b"", 401, {"WWW-Authenticate": "Basic"}), AccessDeniedError, ["401", "REGTRACKER_SOURCE_CI_TOKEN"]),
        (
            Answer(b"", 403, {"X-You-Are-Authenticated-As": "anonymous"}),
            AccessDeniedError,
            ["403", "anonymous", "Set user"],
        ),
        (
            Answer(b"", 403, {"X-You-Are-Authenticated-As": "bob", "X-Required-Permission": "hudson.model.Item.Read"}),
            AccessDeniedError,
            ["403", "bob", "hudson.model.Item.Read"],
        ),
        (Answer(b"", 404), NotFoundError, ["404"]),
        (
            Answer(b"", 302, {"Location": "https://sso.example.com/login"}),
            LoginRedirectError,
            ["302", "sso.example.com"],
        ),
        (Answer(b"<html>Sign in</html>", 200, HTML), LoginRedirectError, ["web page instead of JSON"]),
        (Answer(b"<html>Oops</html>", 500, HTML), ServerError, ["500"]),
        (Answer(b"<html>getting ready to work</html>", 503, HTML), ServerBusyError, ["503", "starting"]),
        (Answer(b"", 502), ServerBusyError, ["502"]),
        (Answer({"builds": [1, 2, 3]}, cut=4), InvalidResponseError, ["broke off"]),
        (
            Answer(b'{"builds": [1, 2', headers={"Content-Type": "application/json"}),
            InvalidResponseError,
            ["JSON", "cut short"],
        ),
        (Answer([1, 2]), InvalidResponseError, ["not an object"]),
    ],
)
def test_tells_apart_what_a_server_may_answer(
    web: WebServer, quick: None, answer: Answer, kind: type[JenkinsError], words: list[str]
) -> None:
    web.routes["/job/x/api/json"] = answer
    with pytest.raises(kind) as caught:
        Jenkins(source_of(web.url)).api(job_path("x"), "name")
    text = str(caught.value)
    assert all(word in text for word in words), text
    assert f"{web.url}job/x/api/json" in text and "\n" not in text
    assert len(web.received) == (TRIES if caught.value.retry else 1)


def test_says_that_a_proxy_answered(web: WebServer) -> None:
    web.routes["/job/x/api/json"] = Answer(b"", 403, {"X-Jenkins": ""})
    with pytest.raises(AccessDeniedError, match="no X-Jenkins header"):
        Jenkins(source_of(web.url)).api(job_path("x"), "name")


def test_an_address_where_nobody_listens(quick: None) -> None:
    with pytest.raises(ConnectionFailedError, match=r"cannot be reached .*refused"):
        Jenkins(source_of("http://127.0.0.1:9/")).api(job_path("x"), "name")


def test_no_error_shows_a_password_in_the_address(quick: None) -> None:
    with pytest.raises(ConnectionFailedError) as caught:
        Jenkins(source_of("http://me:sesame@127.0.0.1:9/")).api(job_path("x"), "name")
    assert "sesame" not in str(caught.value)


def test_an_answer_that_never_comes(web: WebServer, quick: None) -> None:
    web.routes["/job/x/api/json"] = Answer({}, pause_s=1)
    with pytest.raises(ConnectionFailedError, match=r"did not answer within 0\.05 s"):
        Jenkins(source_of(web.url, timeout_s=0.05)).api(job_path("x"), "name")


def test_tries_again_what_may_pass(web: WebServer, quick: None) -> None:
    web.routes["/job/x/api/json"] = [Answer(b"", 503), Answer({"a": 1}, cut=3), Answer({"a": 1})]
    jenkins = Jenkins(source_of(web.url))
    assert jenkins.api(job_path("x"), "a") == {"a": 1}
    assert jenkins.requests == 3


def test_waits_as_long_as_the_server_asks(web: WebServer, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    web.routes["/job/x/api/json"] = [Answer(b"", 429, {"Retry-After": "7"}), Answer({"a": 1})]
    stop = threading.Event()
    jenkins = Jenkins(source_of(web.url), stop)
    waits: list[float] = []
    monkeypatch.setattr(stop, "wait", lambda seconds: waits.append(seconds))
    assert jenkins.api(job_path("x"), "a") == {"a": 1}
    assert waits == [7.0]


def test_a_process_that_ends_asks_no_more(web: WebServer) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(ShutdownError):
        Jenkins(source_of(web.url), stop).api(job_path("x"), "name")
    assert not web.received


def test_never_more_requests_in_flight_than_allowed(web: WebServer) -> None:
    web.routes["/job/x/api/json"] = Answer({"a": 1}, pause_s=0.02)
    jenkins = Jenkins(source_of(web.url, max_in_flight=2))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: jenkins.api(job_path("x"), "a"), range(16)))
    assert web.most_in_flight == 2


def test_sends_its_token_at_once_but_not_to_another_host(web: WebServer) -> None:
    other = WebServer()
    try:
        # Another name of the same machine is another host.
        elsewhere = other.url.replace("127.0.0.1", "localhost")
        web.routes["/job/x/1/artifact/a.xml"] = Answer(b"", 302, {"Location": f"{elsewhere}bucket/a.xml?signed=1"})
        other.routes["/bucket/a.xml"] = Answer(b"<testsuite/>")
        source = source_of(web.url, user="me").model_copy(update={"token": SecretStr("sesame")})
        with Jenkins(source).download(artifact_path("x", 1, "a.xml")) as file:
            assert file.read() == b"<testsuite/>"
        assert web.received[0].headers["Authorization"].startswith("Basic ")
        assert "Authorization" not in other.received[0].headers
    finally:
        other.close()


def test_a_download_that_is_a_login_page(web: WebServer) -> None:
    web.routes["/job/x/1/artifact/a.xml"] = Answer(b"<html>Sign in</html>", headers=HTML)
    with pytest.raises(LoginRedirectError):
        Jenkins(source_of(web.url)).download(artifact_path("x", 1, "a.xml"))


@pytest.mark.parametrize(("kind", "whole"), [("zip", zipped("a.xml", "<testsuite/>")), ("json", b'{"a": 1}\n')])
def test_a_download_that_is_cut_short_is_requested_again(
    web: WebServer, quick: None, kind: FileKind, whole: bytes
) -> None:
    web.routes["/a"] = [Answer(whole[:-3]), Answer(whole)]
    with Jenkins(source_of(web.url)).download("a", kind) as file:
        assert file.read() == whole
    assert len(web.received) == 2


def test_an_answer_without_an_end_is_refused_once(web: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.jenkins.client.MAX_OBJECT_BYTES", 1 << 20)
    web.routes["/job/x/api/json"] = Answer(b" " * (2 << 20), headers={"Content-Type": "application/json"})
    with pytest.raises(AnswerTooLargeError, match="more than 1 MB"):
        Jenkins(source_of(web.url)).api(job_path("x"), "name")
    assert len(web.received) == 1


def test_paths_as_jenkins_writes_them() -> None:
    assert job_path("qa/7.0/MODULE-RUN") == "job/qa/job/7.0/job/MODULE-RUN/"
    assert job_path("webapp/feature%2Fx") == "job/webapp/job/feature%252Fx/"
    assert job_path("a b/c#d") == "job/a%20b/job/c%23d/"
    assert build_path("matrix/nodes=debian9-64", 3) == "job/matrix/nodes=debian9-64/3/"
    assert artifact_path("x", 1, "a b/c+d.xml") == "job/x/1/artifact/a%20b/c+d.xml"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://jenkins.internal:8080/job/qa/job/7.0/job/R/41/", ("qa/7.0/R", 41)),
        ("https://ci.example.com/jenkins/view/all/job/qa/job/R/", ("qa/R", None)),
        ("https://ci.example.com/job/m/nodes=debian9-64/2392/", ("m/nodes=debian9-64", 2392)),
        ("https://ci.example.com/job/webapp/job/feature%252Fx/5/console", ("webapp/feature%2Fx", 5)),
    ],
)
def test_reads_the_place_out_of_any_address(url: str, expected: tuple[str, int | None]) -> None:
    assert parse_job_url(url) == expected


def test_an_address_without_a_job() -> None:
    with pytest.raises(ValueError, match="names no Jenkins job"):
        parse_job_url("https://ci.example.com/computer/")


NAMES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/="), min_size=1, max_size=12
).filter(lambda name: name not in (".", "..", "job") and not name.isdigit())


@given(st.lists(NAMES, min_size=1, max_size=4), st.integers(1, 10**6))
def test_every_name_finds_its_way_there_and_back(names: list[str], number: int) -> None:
    assert parse_job_url("http://h/" + build_path("/".join(names), number)) == ("/".join(names), number)


@pytest.mark.parametrize("name", ["a b", "50%", "ä/ö", "feature%2Fx", "a;b?c#d", "x&y+z", "[1]{2}", "~^|"])
def test_names_reach_the_server_as_they_are(web: WebServer, name: str) -> None:
    seen: list[ReceivedRequest] = []
    full_name = name if "/" in name else f"folder/{name}"
    web.answer = lambda request: seen.append(request) or Answer({"ok": True})
    Jenkins(source_of(web.url)).api(job_path(full_name), "ok")
    assert [unquote(part) for part in seen[0].path.split("/")][2:-2:2] == full_name.split("/")
