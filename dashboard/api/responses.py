"""How an answer is sent: its snapshot, its format, its ETag, 304 if nothing has changed, and compression.

An answer depends on what its queries read (data/cache/dependencies.py). Its ETag names the newest snapshot that changed
any of that, and a checksum of the versions of all of it and of the request, so that it matches only the answer it was
made for. The checksum also covers the settings and the version, which change answers without a commit.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from importlib.metadata import version
from typing import Any, Literal, ParamSpec

import orjson
import pyarrow as pa
from flask import Response, current_app, g, request
from werkzeug.datastructures import Accept, MIMEAccept
from werkzeug.http import parse_accept_header

from dashboard.api import cursors
from dashboard.api.problems import ProblemError, not_found
from dashboard.api.response_cache import CACHE_KEY, CacheKey, ObserveRequest, ResponseCache
from dashboard.api.server import ApiServer, Application
from dashboard.app_state import Services, snapshot_of, store
from dashboard.media_types import FORMATS
from data.cache.dependencies import WHOLE_STORE, Dependency, recorded
from data.lake.store import Store
from data.model import filters
from data.queries.lookups import names_like, unknown_name

P = ParamSpec("P")
# The fastest first, with Arrow's name and level: zstd makes 40 KB as small as Brotli's default level, in a tenth of
# its 0.5-1 ms; at these levels the others take 0.2 ms for a tenth more bytes.
ENCODINGS: dict[str, tuple[Literal["zstd", "brotli", "gzip"], int]] = {
    "zstd": ("zstd", 1),
    "br": ("brotli", 3),
    "gzip": ("gzip", 1),
}
MIN_COMPRESSED_BYTES = 500  # bytes; below, a header costs what compression saves
VERSION = version("regtracker")


@dataclass
class RequestContext:
    """Snapshot, format and cache key of the current request; `pinned`: the snapshot is not simply the newest."""

    snapshot: int
    pinned: bool
    format: str
    path: str
    query: tuple[tuple[str, str], ...]
    checksum: int  # of the request
    dependencies: set[Dependency]  # of the answer, so far

    @property
    def changed_at(self) -> int:
        """The newest snapshot that changed what the answer depends on, or the oldest that is still there."""
        if self.pinned:
            return self.snapshot
        state = store().state()
        return max((version.changed_at for version in state.versions(self.dependencies)), default=state.oldest)

    @property
    def etag(self) -> str:
        contents = () if self.pinned else sorted(store().state().versions(self.dependencies))
        return f"{self.changed_at}-{zlib.crc32(repr(contents).encode(), self.checksum):08x}"

    def pin(self, flt: filters.Filter) -> filters.Filter:
        """The filter, reading this request's snapshot."""
        return replace(flt, as_of=self.snapshot if self.pinned else None)

    def at(self, flt: filters.Filter) -> filters.Filter:
        """`pin` with the names checked. Raises ProblemError 404 for one that this snapshot lacks: a misspelt name would
        answer "nothing failed"."""
        flt = self.pin(flt)
        if unknown := unknown_name(store(), flt):
            what, name = unknown
            raise not_found(what, name, what if what in request.args else None, names_like(store(), what, name, flt))
        return flt


def install(server: ApiServer, observe: ObserveRequest) -> None:
    """Repeat earlier answers without entering a route; `observe` records the requests that Flask does not see."""
    services: Services = server.extensions["regtracker"]
    settings = services.settings

    def response_cache(application: Application) -> Application:
        cache = ResponseCache(application, services, settings.web.cache_mb / 4, observe)
        server.extensions["regtracker_response_cache"] = cache
        return cache

    server.add_middleware(response_cache)
    server.extensions["regtracker_etag_salt"] = zlib.crc32(f"{VERSION} {settings.measures.model_dump_json()}".encode())


def request_context() -> RequestContext:
    return g.request_context


def cached_route(clock_s: int = 0, outside: bool = False) -> Callable[[Callable[P, Any]], Callable[P, Response]]:
    """A GET route whose answer depends only on the store: cached, with ETag and 304.

    The route reads one snapshot. `clock_s`: the answer also depends on the clock (ages). It is kept within one
    second, and its ETag is valid for at most that many seconds. `outside`: it also depends on what is not in the lake,
    such as the status of polls, and is computed at every request. The route returns plain data for JSON,
    (bytes, mimetype), or a Response.
    """

    def decorate(route: Callable[P, Any]) -> Callable[P, Response]:
        @wraps(route)
        def serve(*args: P.args, **kwargs: P.kwargs) -> Response:
            second = int(time.time())
            with store().read() as view, recorded() as dependencies:
                context = g.request_context = _new_context(view, clock_s, dependencies)
                answer = route(*args, **kwargs)
                etag, state = context.etag, view.state()
            if request.if_none_match.contains_weak(etag) or request.if_none_match.star_tag:
                return _with_cache_headers(Response(status=304), etag)
            if isinstance(answer, Response):
                return _with_cache_headers(answer, etag)
            if isinstance(answer, tuple):
                content, mimetype = answer
            else:
                content, mimetype = orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE), FORMATS["json"]
            check_acceptable(mimetype)
            if not outside:
                needed = (WHOLE_STORE,) if context.pinned else tuple(dependencies)
                request.environ[CACHE_KEY] = CacheKey(
                    str(request.url_rule), needed, state.versions(needed), second if clock_s else None
                )
            return _compressed(content, mimetype, etag)

        return serve

    return decorate


def content_response(content: bytes, mimetype: str) -> Response:
    """The answer of a GET route that does not read the store: its ETag is a checksum."""
    check_acceptable(mimetype)
    etag = f"{zlib.crc32(content):08x}"
    if request.if_none_match.contains_weak(etag):
        return _with_cache_headers(Response(status=304), etag)
    return _compressed(content, mimetype, etag)


def _new_context(store: Store, clock_s: int, dependencies: set[Dependency]) -> RequestContext:
    newest = store.state().snapshot
    arguments = request.args
    snapshot = newest
    if arguments.get("cursor"):
        snapshot = cursors.decode(arguments["cursor"]).snapshot
        if "as_of" in arguments:
            _check_same_snapshot(arguments["as_of"], snapshot, store)
    elif "as_of" in arguments:
        snapshot = snapshot_of(arguments["as_of"])
    chosen = requested_format(arguments.get("format"), request.headers.get("Accept", ""))
    excluded = {"as_of", "format"} if chosen else {"as_of"}
    query = tuple(sorted(pair for pair in arguments.items(multi=True) if pair[0] not in excluded))
    form = chosen or "json"
    clock = int(time.time()) // clock_s if clock_s else 0
    salt = current_app.extensions["regtracker_etag_salt"]
    checksum = zlib.crc32(repr((request.path, query, form, clock)).encode("utf-8", "surrogatepass"), salt)
    return RequestContext(snapshot, snapshot != newest, form, request.path, query, checksum, dependencies)


def _check_same_snapshot(as_of: str, snapshot: int, store: Store) -> None:
    """Raises ProblemError 400 if `as_of` contradicts the snapshot of the cursor."""
    other = snapshot_of(as_of)
    # A time after the newest commit meant an earlier snapshot when the first page was read.
    if other != snapshot and (as_of.isdecimal() or other != store.snapshot().id):
        raise ProblemError(400, f"as_of means snapshot {other}, but this cursor reads snapshot {snapshot}", "as_of")


def check_acceptable(mimetype: str) -> None:
    """Raises ProblemError 406 if the request does not accept this type."""
    accept = request.headers.get("Accept", "")
    if accept and "format" not in request.args and not _media_types(accept).quality(mimetype):
        raise ProblemError(406, f"the answer is {mimetype}, which Accept does not allow")


def requested_format(name: str | None, accept: str) -> str | None:
    """The format from the `format` parameter, else from Accept; None if the parameter is wrong."""
    if name is not None:
        return name if name in FORMATS else None
    return _accepted_format(accept)


@lru_cache(512)
def _accepted_format(header: str) -> str:
    best = _media_types(header).best_match(FORMATS.values())
    return next((name for name, mimetype in FORMATS.items() if mimetype == best), "json")


def _media_types(header: str) -> MIMEAccept:
    """The accepted types without their parameters: there is one CSV here, and one JSON."""
    accept = parse_accept_header(header, MIMEAccept)
    return MIMEAccept((kind.partition(";")[0].rstrip(), quality) for kind, quality in accept)


@lru_cache(512)
def _content_coding(header: str) -> str:
    """The content coding to use; "" for none."""
    accept = parse_accept_header(header, Accept)
    best = max(ENCODINGS, key=accept.quality)
    return best if accept.quality(best) > 0 else ""


def _compressed(content: bytes, mimetype: str, etag: str) -> Response:
    coding = _content_coding(request.headers.get("Accept-Encoding", "")) if len(content) >= MIN_COMPRESSED_BYTES else ""
    if coding:
        name, level = ENCODINGS[coding]
        content = pa.Codec(name, level).compress(content, asbytes=True)
    response = Response(content, mimetype=mimetype)
    if coding:
        response.headers["Content-Encoding"] = coding
    return _with_cache_headers(response, etag)


def _with_cache_headers(response: Response, etag: str) -> Response:
    response.headers["ETag"] = f'W/"{etag}"'
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Accept, Accept-Encoding"
    return response
