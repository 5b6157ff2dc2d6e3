"""Whether the one who asked still waits: a browser that is told to stop, or is closed, hangs up and says no more; one
that reads nothing does not even that, and is given up.

To hang up cancels a query: that needs no route of its own and finds the right one of several processes, also
through a proxy, which hangs up in its turn.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable, Mapping
from typing import Any


def set_send_timeout(environ: Mapping[str, Any], seconds: int) -> None:
    """End this connection when its reader takes nothing for so long. Only under gunicorn: waitress has buffers."""
    connection = environ.get("gunicorn.socket")
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", seconds, 0))


def disconnect_check(environ: Mapping[str, Any]) -> Callable[[], bool]:
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
