"""How an answer leaves: which snapshot it is of, in which format, remembered as bytes, 304 where nothing has changed.

The ETag names the snapshot, and the exact question by a checksum, so that a tag is only ever matched by the answer it
was given for; the checksum also covers the settings and the version, which change answers without a commit.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from importlib.metadata import version
from typing import Any, ParamSpec

import orjson
import pyarrow as pa
from flask import Flask, Response, current_app, g, request
from werkzeug.datastructures import Accept, MIMEAccept
from werkzeug.http import parse_accept_header

from dashboard.api import cursors
from dashboard.api.problems import ProblemError
from dashboard.api.response_cache import CACHE_KEY, ResponseCache
from dashboard.app_state import Services, services, snapshot_of
from data.lake.store import Store
from data.model import filters
from data.settings import Settings

P = ParamSpec("P")
FORMATS = {
    "json": "application/json",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
# The quickest first, with Arrow's name and level: zstd makes 40 KB as small as Brotli's default level, in a tenth of
# its 0.5-1 ms; at these levels the others take 0.2 ms for a tenth more bytes.
ENCODINGS = {"zstd": ("zstd", 1), "br": ("brotli", 3), "gzip": ("gzip", 1)}
MIN_COMPRESSED_BYTES = 500  # bytes; below, a header costs what compression saves
VERSION = version("regtracker")


@dataclass
class RequestContext:
    """What this request asks: of which snapshot, in which format; `pinned` where that is not simply the newest."""

    snapshot: int
    pinned: bool
    format: str
    path: str
    query: tuple[tuple[str, str], ...]
    etag: str

    def at(self, flt: filters.Filter) -> filters.Filter:
        """The filter, sent to this request's snapshot."""
        return replace(flt, as_of=self.snapshot if self.pinned else None)


def install(server: Flask, note: Callable[[str, str, int, float], None]) -> None:
    """Answer what was answered before without entering a route; `note` is told of what Flask does not see."""
    services: Services = server.extensions["regtracker"]
    settings = services.settings
    server.wsgi_app = server.extensions["regtracker_response_cache"] = ResponseCache(
        server.wsgi_app, services, settings.web.cache_mb / 4, note
    )
    salt = _salt(settings)

    @server.before_request
    def unchanged() -> Response | None:
        view = current_app.view_functions.get(request.endpoint or "")
        if not hasattr(view, "clock_s") or request.method not in ("GET", "HEAD"):
            return None
        asked = g.asked = _new_context(services.store, view.clock_s, salt)
        tags = request.if_none_match
        if not tags.star_tag and tags.contains_weak(asked.etag):
            return _with_cache_headers(Response(status=304), asked.etag)
        return None


def store() -> Store:
    return services().store


def request_context() -> RequestContext:
    return g.asked


def cached_route(clock_s: int = 0) -> Callable[[Callable[P, Any]], Callable[P, Response]]:
    """A GET route whose answer follows from the store's snapshot alone: remembered, with ETag and 304.

    `clock_s`: the answer also follows the clock (ages); its ETag then holds for so many seconds at most, and it is
    computed at every request. The route returns plain data for JSON, or a Response.
    """

    def decorate(route: Callable[P, Any]) -> Callable[P, Response]:
        @wraps(route)
        def serve(*args: P.args, **kwargs: P.kwargs) -> Response:
            asked = g.asked
            newest = store().snapshot().id if asked.pinned else asked.snapshot
            answer = route(*args, **kwargs)
            if not asked.pinned and store().snapshot().id != asked.snapshot:
                # A commit came in between, and the answer may hold some of it: ask for what was promised.
                asked.pinned = True
                answer = route(*args, **kwargs)
            if request.if_none_match.star_tag:  # "unless there is something", and there is
                return _with_cache_headers(Response(status=304), asked.etag)
            if isinstance(answer, Response):
                return _with_cache_headers(answer, asked.etag)
            content, mimetype = answer if isinstance(answer, tuple) else (_json(answer), FORMATS["json"])
            check_acceptable(mimetype)
            if not clock_s:
                request.environ[CACHE_KEY] = (newest, request.url_rule.rule)
            return _compressed(content, mimetype, asked.etag)

        serve.clock_s = clock_s
        return serve

    return decorate


def content_response(content: bytes, mimetype: str) -> Response:
    """The answer of a GET route that is no question to the store: its ETag is a checksum."""
    check_acceptable(mimetype)
    etag = f"{zlib.crc32(content):08x}"
    if request.if_none_match.contains_weak(etag):
        return _with_cache_headers(Response(status=304), etag)
    return _compressed(content, mimetype, etag)


def _new_context(store: Store, clock_s: int, salt: int) -> RequestContext:
    newest = store.snapshot()
    arguments = request.args
    snapshot = newest.id
    if arguments.get("cursor"):
        snapshot = cursors.decode(arguments["cursor"]).snapshot
        if "as_of" in arguments:
            _check_cursor_snapshot(arguments["as_of"], snapshot, store)
    elif "as_of" in arguments:
        snapshot = snapshot_of(arguments["as_of"])
    wanted = requested_format(arguments.get("format"), request.headers.get("Accept", ""))
    left_out = {"as_of", "format"} if wanted else {"as_of"}
    query = tuple(sorted(pair for pair in arguments.items(multi=True) if pair[0] not in left_out))
    form = wanted or "json"
    clock = int(time.time()) // clock_s if clock_s else 0
    checksum = zlib.crc32(repr((request.path, query, form, clock)).encode("utf-8", "surrogatepass"), salt)
    return RequestContext(snapshot, snapshot != newest.id, form, request.path, query, f"{snapshot}-{checksum:08x}")


def _check_cursor_snapshot(as_of: str, snapshot: int, store: Store) -> None:
    """Raise Problem 400 where a cursor of this snapshot cannot come from a page that was asked for as of that."""
    meant = snapshot_of(as_of)
    # What is the newest as of now, or of a time to come, was another when the first page was asked for.
    if meant != snapshot and (as_of.isdecimal() or meant != store.snapshot().id):
        raise ProblemError(400, f"this cursor pages through snapshot {snapshot}, and as_of means {meant}", "as_of")


def check_acceptable(mimetype: str) -> None:
    """Raise Problem 406 where the request takes no answer of this type."""
    accept = request.headers.get("Accept", "")
    if accept and "format" not in request.args and not _media_types(accept).quality(mimetype):
        raise ProblemError(406, f"this is {mimetype}, which Accept leaves out")


def requested_format(name: str | None, accept: str) -> str | None:
    """The format of an answer: the `format` parameter, else what is accepted; None where the parameter is wrong."""
    if name is not None:
        return name if name in FORMATS else None
    return _accepted_format(accept)


@lru_cache(512)
def _accepted_format(header: str) -> str:
    best = _media_types(header).best_match(FORMATS.values())
    return next((name for name, mimetype in FORMATS.items() if mimetype == best), "json")


def _media_types(header: str) -> MIMEAccept:
    """What is accepted, whatever parameters it has: there is one CSV here, and one JSON."""
    accept = parse_accept_header(header, MIMEAccept)
    return MIMEAccept((kind.partition(";")[0].rstrip(), quality) for kind, quality in accept)


def _coding() -> str:
    return _content_coding(request.headers.get("Accept-Encoding", ""))


@lru_cache(512)
def _content_coding(header: str) -> str:
    """The content coding to use, "" for none."""
    accept = parse_accept_header(header, Accept)
    best = max(ENCODINGS, key=accept.quality)
    return best if accept.quality(best) > 0 else ""


def _compressed(content: bytes, mimetype: str, etag: str) -> Response:
    coding = _coding() if len(content) >= MIN_COMPRESSED_BYTES else ""
    if coding:
        content = pa.Codec(*ENCODINGS[coding]).compress(content, asbytes=True)
    response = Response(content, mimetype=mimetype)
    if coding:
        response.headers["Content-Encoding"] = coding
    return _with_cache_headers(response, etag)


def _json(answer: Any) -> bytes:
    return orjson.dumps(answer, option=orjson.OPT_APPEND_NEWLINE)


def _with_cache_headers(response: Response, etag: str) -> Response:
    response.headers["ETag"] = f'W/"{etag}"'
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Accept, Accept-Encoding"
    return response


def _salt(settings: Settings) -> int:
    return zlib.crc32(f"{VERSION} {settings.measures.model_dump_json()}".encode())
