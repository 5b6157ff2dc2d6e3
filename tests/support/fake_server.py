"""A small web server with prepared answers, stores to ingest into, and a wait for a condition."""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from data.lake.store import Store
from data.settings import Settings, SourceSettings
from support.store_builder import empty_store


@dataclass
class Answer:
    """`body` is sent as it is, anything else as JSON; `cut` bytes of it are announced but never sent."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    pause_s: float = 0.0


@dataclass
class ReceivedRequest:
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class WebServer:
    """Serves `routes`: path -> an Answer, a JSON document, a list of those to be given out one by one, or a function of
    the request. Unknown paths are 404. `received` has every request."""

    def __init__(self) -> None:
        self.routes: dict[str, Any] = {}
        self.received: list[ReceivedRequest] = []
        self.in_flight = self.most_in_flight = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._failures: list[BaseException] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {key: values[0] for key, values in parse_qs(parts.query).items()}
                request = ReceivedRequest(parts.path, query, dict(self.headers))
                with outer._lock:
                    outer.received.append(request)
                    outer.in_flight += 1
                    outer.most_in_flight = max(outer.most_in_flight, outer.in_flight)
                try:
                    answer = outer.answer(request)
                    outer._closing.wait(answer.pause_s)
                finally:  # before the last byte is out: with it the client may ask again
                    with outer._lock:
                        outer.in_flight -= 1
                self.send(answer)

            def send(self, answer: Answer) -> None:
                body, kind = answer.body, "application/octet-stream"
                if not isinstance(body, bytes):
                    body, kind = json.dumps(body).encode(), "application/json;charset=utf-8"
                headers = {"X-Jenkins": "2.528", "Content-Type": kind} | answer.headers
                self.send_response(answer.status)
                for name, value in headers.items():
                    if value:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) - answer.cut])
                if answer.cut:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                """A client may hang up, as those that are tested do; `close` raises everything else."""
                error = sys.exception()
                if error is not None and not isinstance(error, ConnectionError):
                    outer._failures.append(error)

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, request: ReceivedRequest) -> Answer:
        found = self.routes.get(request.path, self.routes.get(unquote(request.path)))
        if isinstance(found, list):
            with self._lock:
                found = found.pop(0) if len(found) > 1 else found[0]
        if callable(found):
            found = found(request)
        if found is None:
            return Answer(b"<html>not found</html>", 404, {"Content-Type": "text/html"})
        return found if isinstance(found, Answer) else Answer(found)

    def close(self) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        if self._failures:
            raise self._failures[0]


JUNIT = b"""<testsuite name="s"><testcase classname="c" name="a"/><testcase classname="c" name="b"><error/></testcase>\
<testcase classname="c" name="d"><skipped/></testcase></testsuite>"""


def job(web: WebServer, *numbers: int) -> dict[str, Any]:
    """A job `x` whose builds each have one JUnit report; the source that reads it."""
    builds = [{"number": number, "timestamp": 1_700_000_000_000 + number} for number in sorted(numbers, reverse=True)]
    web.routes["/job/x/api/json"] = {"nextBuildNumber": max(numbers) + 1, "builds": builds}
    for number in numbers:
        web.routes[f"/job/x/{number}/api/json"] = {
            "building": False,
            "result": "UNSTABLE",
            "displayName": f"VER: 7.0.0.{number}",
            "timestamp": 1_700_000_000_000 + number,
            "artifacts": [{"relativePath": "r.xml"}],
        }
        web.routes[f"/job/x/{number}/artifact/r.xml"] = Answer(JUNIT)
    return {"name": "ci", "url": web.url, "layout": "job", "job": "x"}


def source_of(url: str, **values: Any) -> SourceSettings:
    return SourceSettings(**{"name": "ci", "url": url, "layout": "job", "job": "x", "release_fixed": "main"} | values)


@contextmanager
def store_of(home: Path, *sources: SourceSettings) -> Iterator[Store]:
    """A new store with these sources."""
    if not home.joinpath("catalog.sqlite").exists():
        shutil.copytree(empty_store(), home, dirs_exist_ok=True)
    store = Store.open(Settings(home=home, source=list(sources)))
    try:
        yield store
    finally:
        store.close()


def eventually(condition: Callable[[], Any], within_s: float = 120.0) -> Any:
    """Poll a condition until it is true, and return its value. The pauses grow: to ask a store or a browser takes time
    from what is waited for. The limit only ends a run that hangs, so it is long enough for a busy machine."""
    deadline, pause = time.monotonic() + within_s, 0.02
    while not (value := condition()):
        assert time.monotonic() < deadline, f"the condition was not met within {within_s} s"
        time.sleep(pause)
        pause = min(1.5 * pause, 0.25)
    return value
