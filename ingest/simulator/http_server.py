"""A small threaded HTTP/1.1 server for the fake Jenkins: keeps connections alive as Jetty does, and can break them.

Werkzeug's development server closes every connection and waits after each answer; tests and demos make thousands.
"""

from __future__ import annotations

import io
import socket
import struct
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import ThreadingHTTPServer
from typing import Any
from wsgiref.types import WSGIApplication

from werkzeug.serving import WSGIRequestHandler
from werkzeug.test import run_wsgi_app


class BreakConnectionError(Exception):
    """Raised by a response's body: reset the connection here."""


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = 60

    def run_wsgi(self) -> None:
        environ = self.make_environ()
        environ["wsgi.input"] = io.BytesIO(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
        body, status, headers = run_wsgi_app(self.server.app, environ)
        self.send_response(int(status.split()[0]), HTTPStatus(int(status.split()[0])).phrase)
        for name, value in headers:
            self.send_header(name, value)
        chunked = not ("Content-Length" in headers or status.startswith("304") or self.command == "HEAD")
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for part in body:
                if part and self.command != "HEAD":
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            self.wfile.write(b"0\r\n\r\n" if chunked else b"")
            self.wfile.flush()
        except BreakConnectionError:
            self._reset()
        finally:
            if hasattr(body, "close"):
                body.close()

    def _reset(self) -> None:
        """Send what is written so far, then reset the connection."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def version_string(self) -> str:
        return "Jetty(12.0.22)"

    def log(self, type: str, message: str, *args: object) -> None:
        """Requests are counted, not logged."""


class JenkinsHttpServer(ThreadingHTTPServer):
    """Werkzeug's handler reads `multithread`, `multiprocess` and `ssl_context` of its server."""

    multithread, multiprocess, ssl_context = True, False, None
    request_queue_size = 128
    daemon_threads = True

    def __init__(self, app: WSGIApplication, host: str, port: int) -> None:
        super().__init__((host, port), _Handler)
        self.app = app
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        return self.server_address[1]

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: Any) -> None:
        assert isinstance(request, socket.socket)  # the pairs of the base class are for datagrams
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        assert isinstance(request, socket.socket)
        with self._lock:
            self._open.discard(request)
        linger = struct.unpack("ii", request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8))
        if linger[0]:
            self.close_request(request)  # after a shutdown the connection would end cleanly
        else:
            super().shutdown_request(request)

    def close_connections(self) -> None:
        """Close the connections that clients keep alive, so that no thread outlives the server."""
        with self._lock:
            for request in self._open:
                with suppress(OSError):  # the client has closed it already
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay silent: clients may disconnect at any time."""
