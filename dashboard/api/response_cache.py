"""Answers of earlier requests, sent again before Flask is entered: 30 microseconds instead of 450.

Only what `responses.cached_route` marks is kept: by request variables, valid while what it depends on is the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb
from cachetools import LRUCache

from dashboard.api.server import Application
from dashboard.app_state import Services
from data.cache.dependencies import Dependency
from data.cache.snapshot_state import ContentVersion, SnapshotState
from data.lake.connection import StoreError

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

CACHE_KEY = "regtracker.cacheable"  # in a request's environ: the CacheKey under which its answer may be kept
# What an answer depends on, besides the store.
_KEY_VARIABLES = ("PATH_INFO", "QUERY_STRING", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_ORIGIN")
_OMITTED_FROM_304 = ("content-type", "content-length", "content-encoding")
_ENTRY_BYTES = 1_500  # headers and key of an entry, about

Headers = list[tuple[str, str]]
# route, method, status, seconds
ObserveRequest = Callable[[str, str, int, float], None]


class CacheKey(NamedTuple):
    """A route, and what its answer depends on, with the versions of it. `second`: of an answer that follows the clock,
    when it was computed."""

    route: str
    dependencies: tuple[Dependency, ...]
    versions: tuple[ContentVersion, ...]
    second: int | None

    def is_valid(self, state: SnapshotState) -> bool:
        """Whether the answer is that of this state, and the snapshot that it names has not expired."""
        if self.second is not None and self.second != int(time.time()):
            return False
        named = max((version.changed_at for version in self.versions), default=state.oldest)
        return state.versions(self.dependencies) == self.versions and named >= state.oldest


@dataclass(frozen=True)
class _CachedResponse:
    key: CacheKey
    headers: Headers
    etag: str
    body: bytes


class ResponseCache:
    """WSGI middleware; reports every answer that it gives itself to `observe`."""

    def __init__(self, application: Application, services: Services, megabytes: float, observe: ObserveRequest) -> None:
        self._application = application
        self._services = services
        self._observe = observe
        self.entries: LRUCache[Any, _CachedResponse] = LRUCache(
            megabytes * 2**20, lambda entry: len(entry.body) + _ENTRY_BYTES
        )
        self._lock = Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET" or not environ["PATH_INFO"].startswith("/api/"):
            return self._application(environ, start_response)
        began = time.perf_counter()
        key = tuple(map(environ.get, _KEY_VARIABLES))
        with self._lock:
            cached = self.entries.get(key)
        if cached is None or not self._is_valid(cached.key):
            return self._call_application(key, environ, start_response)
        tags = environ.get("HTTP_IF_NONE_MATCH", "")
        unchanged = cached.etag in tags or tags.strip() == "*"
        if unchanged:
            start_response("304 NOT MODIFIED", [h for h in cached.headers if h[0].lower() not in _OMITTED_FROM_304])
        else:
            start_response("200 OK", cached.headers.copy())
        self._observe(cached.key.route, "GET", 304 if unchanged else 200, time.perf_counter() - began)
        return [] if unchanged else [cached.body]

    def _is_valid(self, key: CacheKey) -> bool:
        try:
            return key.is_valid(self._services.store.state())
        except (StoreError, duckdb.Error):
            return False  # the application reports the error

    def _call_application(
        self, key: Any, environ: WSGIEnvironment, start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        started: list[tuple[str, Headers]] = []

        def capture(status: str, headers: Headers, *rest: Any) -> Any:
            started.append((status, headers))
            return start_response(status, headers, *rest)

        chunks = self._application(environ, capture)
        if CACHE_KEY not in environ or not started[-1][0].startswith("200"):
            return chunks
        body = b"".join(chunks)
        if hasattr(chunks, "close"):
            chunks.close()
        headers = started[-1][1]
        etag = next(value for name, value in headers if name.lower() == "etag").removeprefix("W/")
        with self._lock:
            if len(body) + _ENTRY_BYTES <= self.entries.maxsize:
                self.entries[key] = _CachedResponse(environ[CACHE_KEY], headers.copy(), etag, body)
        return [body]
