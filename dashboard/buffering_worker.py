"""The gunicorn worker: a thread gets a request when it has arrived as a whole, so a slow client holds none.

gunicorn's own worker with threads reads a request in the thread that answers it: as many clients as there are threads,
each with half a request, stop a server. Here the main loop of the worker collects the bytes of all connections, and
cuts those that take longer than dashboard/arriving_request.py allows. A connection costs a file descriptor; if there
are too many, the one that has been arriving longest is closed for the next.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import IO, Any

from gunicorn.http import get_parser
from gunicorn.workers.gthread import TConn, ThreadWorker

from dashboard.api.cross_site import UPLOAD_BYTES
from dashboard.arriving_request import ArrivingRequest

LONGEST_BODY = UPLOAD_BYTES + (1 << 20)
MOST_BUFFERED = 2 << 30  # bytes of all requests that are arriving
MOST_ARRIVING = 400  # connections, of gunicorn's `worker_connections`
PROBES = b"/api/v1/health/"  # paths
SEND_S = 30  # how long a client may take to read nothing of an answer
MOST_LEAVING = 200
LEAVE_S = 2.0  # for a client to close a connection that it got its last answer on
RECEIVED_AT_ONCE = 1 << 16


class Connection(TConn):
    """A connection with the request that is arriving on it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.initialized = True
        self.source = _Source()
        self.parser = self._reader = get_parser(self.cfg, self.source, self.client)
        self.arriving = ArrivingRequest(LONGEST_BODY)

    def is_readable(self) -> bool:
        """Receive what there is. Returns whether the connection is still open."""
        try:
            data = self.sock.recv(RECEIVED_AT_ONCE)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        if data:
            self.arriving.feed(data)
        return bool(data)

    def hand_over(self) -> None:
        """Let gunicorn's parser read the request that has arrived."""
        self.source.request = self.arriving.opened()

    def next_request(self) -> None:
        """Begin the next request, with what the client has sent of it already."""
        rest = self._reader.unreader.take_buffered() + self.source.take_rest()
        self.arriving = ArrivingRequest(LONGEST_BODY)
        if rest:
            self.arriving.feed(rest)

    def close(self, graceful: bool = False) -> None:
        self.arriving.close()
        self.source.take_rest()
        super().close(graceful)


class _Source:
    """What the parser reads from: the request that has arrived, and never the socket, where it could wait."""

    def __init__(self) -> None:
        self.request: IO[bytes] | None = None

    def recv(self, size: int) -> bytes:
        return b"" if self.request is None else self.request.read(size)

    def take_rest(self) -> bytes:
        """What the parser has not read; the request is closed."""
        request, self.request = self.request, None
        if request is None or request.closed:
            return b""
        with request:
            return request.read()


class BufferingWorker(ThreadWorker):
    """gunicorn's worker with threads, with requests that are collected before a thread gets them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._probes = ThreadPoolExecutor(1)
        self._arriving: dict[Connection, None] = {}  # the oldest first
        self._leaving: dict[Connection, float] = {}  # answered for the last time -> when it is closed at the latest

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection, and wait for its request."""
        try:
            client, address = listener.accept()
        except OSError:  # taken by another worker, gone, or no file descriptor is free
            self._drop_oldest(MOST_ARRIVING - 1)
            return
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", SEND_S, 0))
        self.nr_conns += 1
        self._await(Connection(self.cfg, client, address, listener.getsockname()))

    def _await(self, connection: Connection) -> None:
        """Collect the request of a connection, which may have arrived already."""
        if connection.arriving.is_whole:
            self._serve(connection)
            return
        self._drop_oldest(MOST_ARRIVING - 1)
        self._arriving[connection] = None
        self._watch(connection, self._on_arrival)

    def _on_arrival(self, connection: Connection, _: Any) -> None:
        if not connection.is_readable():
            self._drop(connection)
        elif connection.arriving.is_whole:
            self._forget(connection)
            self._serve(connection)
        elif connection.arriving.wants_continue:
            connection.arriving.wants_continue = False
            with suppress(OSError):
                connection.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif sum(other.arriving.size for other in self._arriving) > MOST_BUFFERED:
            self._drop(connection)

    def _watch(self, connection: Connection, on_readable: Callable[[Connection, Any], None]) -> None:
        connection.sock.setblocking(False)
        assert self.poller is not None
        self.poller.register(connection.sock, selectors.EVENT_READ, partial(on_readable, connection))

    def enqueue_req(self, conn: Connection) -> None:
        """Let a thread answer. Probes have one of their own: a server whose threads are all busy is ready."""
        pool = self._probes if conn.arriving.target.startswith(PROBES) else self.tpool
        assert pool is not None
        answer = pool.submit(self.handle, conn)
        answer.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def _serve(self, connection: Connection) -> None:
        connection.hand_over()
        self.enqueue_req(connection)

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        """Called when a thread has answered: wait for the next request of the connection, or close it."""
        answered = not fs.cancelled() and fs.exception() is None and fs.result() is True
        if answered and conn.arriving.is_complete and self.alive:
            conn.next_request()
            self._await(conn)
        else:
            self._leave(conn)

    def _leave(self, connection: Connection) -> None:
        """Say that nothing more is sent, and close when the client has done so, too: closed at once, a connection with
        unread bytes would be reset, and the client might lose the answer. gunicorn's own way blocks its main loop."""
        try:
            connection.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(connection)
            return
        while len(self._leaving) >= MOST_LEAVING:
            self._drop(next(iter(self._leaving)))
        self._leaving[connection] = time.monotonic() + LEAVE_S
        self._watch(connection, self._on_leave)

    def _on_leave(self, connection: Connection, _: Any) -> None:
        with suppress(BlockingIOError, InterruptedError):
            try:
                left = not connection.sock.recv(RECEIVED_AT_ONCE)
            except ConnectionError:
                left = True
            if left:
                self._drop(connection)

    def murder_pending(self) -> None:
        """Cut what takes too long; called every second. When the worker stops, also those that are silent."""
        now = time.monotonic()
        for connection in list(self._arriving):
            if connection.arriving.deadline() < now or not (self.alive or connection.arriving.size):
                self._drop(connection)
        for connection in [one for one, end in self._leaving.items() if end < now]:
            self._drop(connection)

    def _drop_oldest(self, left: int) -> None:
        while len(self._arriving) > left:
            self._drop(next(iter(self._arriving)))

    def _drop(self, connection: Connection) -> None:
        self._forget(connection)
        self.nr_conns -= 1
        connection.close()

    def _forget(self, connection: Connection) -> None:
        self._arriving.pop(connection, None)
        self._leaving.pop(connection, None)
        assert self.poller is not None
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(connection.sock)
