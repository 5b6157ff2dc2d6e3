"""Clients that send half a request, trickle, or never read: they hold no thread, and are cut in a documented time."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from support.fake_server import eventually
from support.processes import free_port, wait_until_listening
from support.store_builder import World

from dashboard import arriving_request
from dashboard.arriving_request import ArrivingRequest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs a Unix; elsewhere waitress serves")
BOUNDARY = "7f3a"
UPLOAD = (
    f"POST /api/v1/builds HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
)
FORM = {"release": "9.0", "module": "m"}
HALVES = {
    "nothing": b"",
    "half a line": b"GET /api/v1/rele",
    "fields without an end": b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Pad: ",
    "a body that stops": f"{UPLOAD}Content-Length: 100000\r\n\r\n--{BOUNDARY}".encode(),
    "a chunk that stops": f"{UPLOAD}Transfer-Encoding: chunked\r\n\r\n400\r\n--{BOUNDARY}".encode(),
    "a chunked body without an end": f"{UPLOAD}Transfer-Encoding: chunked\r\n\r\n2\r\n--\r\n".encode(),
}


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The production server with one process of two threads."""
    home = tmp_path_factory.mktemp("slow") / "home"
    world = World.at(home)
    world.run({"routing": {"a": "P"}})
    world.store.close()
    port = free_port()
    command = [sys.executable, "-m", "regtracker", "web", "--port", str(port), "--workers", "1", "--threads", "2"]
    server = subprocess.Popen(command, env=os.environ | {"REGTRACKER_HOME": str(home)})
    try:
        wait_until_listening(port, server)
        eventually(lambda: requests.get(f"http://127.0.0.1:{port}/api/v1/health/ready", timeout=60).ok)
        yield port
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def connected(port: int, sent: bytes = b"") -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", port))
    opened.sendall(sent)
    opened.settimeout(60)
    return opened


def assert_ready(port: int) -> None:
    for _ in range(5):
        began = time.monotonic()
        assert requests.get(f"http://127.0.0.1:{port}/api/v1/health/ready", timeout=30).ok
        assert time.monotonic() - began < 10


def test_two_hundred_halves_of_requests_hold_up_nobody(port: int) -> None:
    with ExitStack() as held:
        sockets = [held.enter_context(connected(port, half)) for half in [*HALVES.values()] * 34]
        assert len(sockets) > 200
        assert_ready(port)
        more = [held.enter_context(connected(port, half)) for half in [*HALVES.values()] * 40]
        assert_ready(port)
        assert sockets[0].recv(1) == b"", "closed for a newer one"
        assert more[-1].getpeername()


def test_clients_that_neither_close_nor_read_hold_up_nobody(port: int) -> None:
    last = b"GET /api/v1/health/live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    with ExitStack() as held:
        for _ in range(60):
            held.enter_context(connected(port, last))
        began = time.monotonic()
        assert requests.get(f"http://127.0.0.1:{port}/api/v1/health/ready", timeout=60).ok
        assert time.monotonic() - began < 20, "gunicorn waits 2 s for each"


def test_a_client_that_stops_is_cut(port: int) -> None:
    """In the time for the header fields."""
    with connected(port, HALVES["half a line"]) as half:
        began = time.monotonic()
        assert half.recv(1) == b""
        assert time.monotonic() - began < 2 * arriving_request.HEAD_S + 5


def feed(request: ArrivingRequest, data: bytes, piece: int) -> None:
    for at in range(0, len(data), piece):
        assert not request.is_whole
        request.feed(data[at : at + piece])


@pytest.mark.parametrize("piece", [1, 3, 1000])
@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b""),
        (b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n", b"a\r\n\r\n"),
        (b"POST / HTTP/1.1\r\nX: Content-Length: 9\r\ncontent-length:2\r\n\r\n", b"ab"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", b"5;x=y\r\n0\r\n\r\n\r\n0\r\n\r\n"),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"a\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n"),
    ],
)
def test_a_request_is_whole_with_its_last_byte(head: bytes, body: bytes, piece: int) -> None:
    request = ArrivingRequest(1000)
    feed(request, head + body, piece)
    assert request.is_whole and request.is_complete
    assert request.opened().read() == head + body
    request.close()


def test_what_will_be_refused_is_not_awaited() -> None:
    for sent in (
        b"POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * arriving_request.LONGEST_HEAD,
    ):
        request = ArrivingRequest(1000)
        request.feed(sent)
        assert request.is_whole and not request.is_complete
        request.close()


@pytest.mark.parametrize(("rate", "cut_after_s"), [(2048, None), (1, 61)])
def test_a_slow_body_has_the_time_of_a_slow_link(
    rate: int, cut_after_s: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two kilobytes a second for ten minutes are fine; a byte a second is cut after a minute."""
    seconds = 0
    monkeypatch.setattr("dashboard.arriving_request.monotonic", lambda: float(seconds))
    request = ArrivingRequest(1 << 30)
    request.feed(b"POST / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n")
    for seconds in range(1, 600):
        if request.deadline() < seconds:
            break
        request.feed(b"x" * rate)
    assert seconds == (cut_after_s or 599)
    request.close()


def answered(client: socket.socket, end: bytes, before: bytes = b"") -> bytes:
    """What the client has received, once `end` occurs in it once more than in `before`."""
    received = before
    while received.count(end) == before.count(end):
        chunk = client.recv(65536)
        assert chunk, received
        received += chunk
    return received


def test_requests_in_every_form_are_answered(port: int, tmp_path: Path) -> None:
    """One after another on one connection, two at once, chunked, large, and with a client that asks before it sends."""
    get = b"GET /api/v1/snapshot HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connected(port, get + get[:30]) as pipelined:
        first = answered(pipelined, b"committed_at")
        pipelined.sendall(get[30:])
        assert answered(pipelined, b"committed_at", first).count(b"HTTP/1.1 200") == 2
    session = requests.Session()
    url = f"http://127.0.0.1:{port}/api/v1"
    body = (
        "".join(
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in FORM.items()
        )
        + f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="r.xml"\r\n\r\n<testsuite/>\r\n'
        f"--{BOUNDARY}--\r\n"
    ).encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    for _ in range(2):
        chunked = session.post(f"{url}/builds", data=iter([body[:50], body[50:]]), headers=kind, timeout=60)
        assert chunked.status_code == 202
    large = session.post(f"{url}/builds", data=FORM, files={"files": ("r.xml", os.urandom(40 << 20))}, timeout=120)
    assert large.status_code == 202
    with connected(port, f"{UPLOAD}Content-Length: {len(body)}\r\nExpect: 100-continue\r\n\r\n".encode()) as patient:
        assert patient.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        patient.sendall(body)
        assert patient.recv(65536).startswith(b"HTTP/1.1 202")


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest("POST", "/api/v1/builds")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    connection.putheader("Content-Length", str(1 << 30))
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 413
    answer.read()
    connection.close()
