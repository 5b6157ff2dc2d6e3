"""Whether the one who asked still waits: a browser that is told to stop, or is closed, hangs up and says no more.

That is how a query is cancelled: it needs no route of its own and finds the right one of several processes, also
through a proxy, which hangs up in its turn.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any


def hung_up(environ: Mapping[str, Any]) -> Callable[[], bool]:
    """A function that tells it for this request, from the server's own environment (gunicorn, Werkzeug, waitress);
    under another server it always says no."""
    if "waitress.client_disconnected" in environ:
        return environ["waitress.client_disconnected"]
    connection = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if not isinstance(connection, socket.socket) or isinstance(connection, ssl.SSLSocket):
        return lambda: False

    def ask() -> bool:
        try:
            return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    return ask
