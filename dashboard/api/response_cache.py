"""Answers that were given already, given again before Flask is entered: 30 microseconds in place of 450.

Only what `serving.remembered` marks is kept, under the request as it came and the snapshot that it was an answer of.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import duckdb
from cachetools import LRUCache

from dashboard.app_state import Services
from data.lake.connection import StoreError

CACHE_KEY = "regtracker.cacheable_response"  # in a request's environ: (snapshot, route) that its answer may be kept under
# What an answer depends on, besides the store.
_KEY_VARIABLES = ("PATH_INFO", "QUERY_STRING", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_ORIGIN")
_OMITTED_FROM_304 = ("content-type", "content-length", "content-encoding")

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class _CachedResponse:
    snapshot: int
    route: str
    headers: Headers
    etag: str
    body: bytes


class ResponseCache:
    """A WSGI application around another one. `note(route, method, status, seconds)` is told of what it answers."""

    def __init__(
        self,
        application: Callable[..., Iterable[bytes]],
        services: Services,
        megabytes: float,
        note: Callable[[str, str, int, float], None],
    ) -> None:
        self._application = application
        self._services = services
        self._note = note
        self.kept: LRUCache[Any, _CachedResponse] = LRUCache(megabytes * 2**20, lambda kept: len(kept.body) + 1_500)
        self._lock = Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET" or not environ["PATH_INFO"].startswith("/api/"):
            return self._application(environ, start_response)
        began = time.perf_counter()
        key = tuple(map(environ.get, _KEY_VARIABLES))
        with self._lock:
            kept = self.kept.get(key)
        if kept is None or kept.snapshot != self._snapshot():
            return self._ask(key, environ, start_response)
        tags = environ.get("HTTP_IF_NONE_MATCH", "")
        unchanged = kept.etag in tags or tags.strip() == "*"
        if unchanged:
            start_response("304 NOT MODIFIED", [h for h in kept.headers if h[0].lower() not in _OMITTED_FROM_304])
        else:
            start_response("200 OK", kept.headers.copy())
        self._note(kept.route, "GET", 304 if unchanged else 200, time.perf_counter() - began)
        return [] if unchanged else [kept.body]

    def _snapshot(self) -> int | None:
        try:
            return self._services.store.snapshot().id
        except (StoreError, duckdb.Error):
            return None  # the application says what is wrong

    def _ask(self, key: Any, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        said: list[tuple[str, Headers]] = []

        def listen(status: str, headers: Headers, *rest: Any) -> Any:
            said.append((status, headers))
            return start_response(status, headers, *rest)

        chunks = self._application(environ, listen)
        if CACHE_KEY not in environ or not said[-1][0].startswith("200"):
            return chunks
        body = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        headers = said[-1][1]
        etag = next(value for name, value in headers if name.lower() == "etag").removeprefix("W/")
        kept = _CachedResponse(*environ[CACHE_KEY], headers.copy(), etag, body)
        with self._lock:
            if len(body) + 1_500 <= self.kept.maxsize:
                self.kept[key] = kept
        return [body]
