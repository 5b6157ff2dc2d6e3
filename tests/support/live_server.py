"""An application behind a real socket: what browsers, and clients that hang up, are tested with."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler, make_server


class QuietHandler(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        """Print nothing: the output belongs to the test that runs at the moment. The application logs its errors."""


@contextmanager
def served(application: Any, port: int = 0) -> Iterator[str]:
    """Serves a WSGI application on a port (0: any that is free); gives its address. It ends with its last answer."""
    server = make_server("127.0.0.1", port, application, threaded=True, request_handler=QuietHandler)
    assert isinstance(server, ThreadedWSGIServer)
    server.daemon_threads = False  # so that it waits for them
    # The argument: seconds between two checks whether to stop.
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
