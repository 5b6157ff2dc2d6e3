"""Detects clients that disconnect or stop reading.

Disconnecting cancels a query. So cancelling needs no route of its own, and it reaches the right one of several
processes, also through a proxy, which disconnects in turn.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def set_send_timeout(environ: WSGIEnvironment, seconds: int) -> None:
    """Close the connection when the client reads nothing for this long. Only under gunicorn: waitress buffers."""
    connection = environ.get("gunicorn.socket")
    if isinstance(connection, socket.socket):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", seconds, 0))


def disconnect_check(environ: WSGIEnvironment) -> Callable[[], bool]:
    """A function that returns whether the client of this request has disconnected (gunicorn, Werkzeug, waitress).

    Under another server it always returns False.
    """
    if "waitress.client_disconnected" in environ:
        return environ["waitress.client_disconnected"]
    connection = environ.get("gunicorn.socket") or environ.get("werkzeug.socket")
    if not isinstance(connection, socket.socket) or isinstance(connection, ssl.SSLSocket):
        return lambda: False

    def disconnected() -> bool:
        try:
            return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    return disconnected
