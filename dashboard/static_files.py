"""Static files: served from our own origin, compressed once per process, cached by the browser.

A cold load waits for the number of files as much as for their size. So our scripts are one file, our style sheets
another, and scripts of Dash for old browsers and unused components are left out.
"""

from __future__ import annotations

import re
import zlib
from functools import cache
from pathlib import Path

import flask_bootstrap
from dash import Dash
from flask import Response, request, send_file
from flask_compress import Compress

from dashboard import script_modules
from dashboard.dash_internals import COMPONENT_PATH, PLOTLY_PATH

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "assets"
# `make install` fetches this bundle if npm is installed: the part of Plotly that our charts use, a quarter of its size.
PLOTLY = ASSETS / "vendor" / "plotly-basic.min.js"
BOOTSTRAP = Path(flask_bootstrap.__file__).parent / "static" / "bootstrap5" / "css" / "bootstrap.min.css"
_TYPES = {"js": "application/javascript", "css": "text/css"}

_STATIC = ("/assets/", COMPONENT_PATH, "/app.")
_YEAR = "public, max-age=31536000, immutable"
_DAY = "public, max-age=86400"


@cache
def bundle(kind: str) -> bytes:
    """All our files of a kind: js, the modules that main.js imports; css, by name after Bootstrap's."""
    if kind == "js":
        return script_modules.join(ASSETS / "main.js").encode()
    return b"\n".join(file.read_bytes() for file in (BOOTSTRAP, *sorted(ASSETS.glob("*.css"))))


def bundle_url(kind: str) -> str:
    """The URL of a bundle; it changes with the content."""
    return f"/app.{kind}?m={zlib.crc32(bundle(kind)):08x}"


def install(app: Dash) -> None:
    server = app.server
    server.config.update(
        COMPRESS_ALGORITHM=["br", "gzip"],
        COMPRESS_ALGORITHM_STREAMING=["zstd", "br", "gzip"],
        COMPRESS_BR_LEVEL=5,
        COMPRESS_CACHE_KEY=lambda request: request.full_path if request.path.startswith(_STATIC) else "",
        COMPRESS_CACHE_BACKEND=_StaticCache,
    )
    Compress(server).compress_mimetypes_set.add("text/csv")

    @server.before_request
    def without_refused_codings() -> None:  # which flask-compress would choose where nothing else is named
        codings = request.headers.get("Accept-Encoding", "").split(",")
        allowed = [coding for coding in codings if not re.search(r";\s*q=0(\.0*)?\s*$", coding)]
        request.environ["HTTP_ACCEPT_ENCODING"] = ",".join(allowed)

    @server.get("/app.css")
    @server.get("/app.js")
    def bundled() -> Response:
        kind = request.path.rpartition(".")[2]
        response = Response(bundle(kind), mimetype=_TYPES[kind])
        response.add_etag()
        response.make_conditional(request)
        return response

    if PLOTLY.is_file():
        # in place of all of Plotly, which Dash serves there
        @server.get(PLOTLY_PATH)
        def plotly() -> Response:
            return send_file(PLOTLY, mimetype=_TYPES["js"], conditional=True)

    @server.after_request
    def keep(response: Response) -> Response:
        if request.path.startswith(_STATIC) and response.status_code in (200, 304):
            response.headers["Cache-Control"] = _YEAR if request.args.get("m") or ".v" in request.path else _DAY
            if response.status_code == 200:  # a body in one piece can be compressed once and cached
                response.direct_passthrough = False
                response.set_data(response.get_data())
        return response


class _StaticCache:
    """Compressed bodies of static paths; other answers are compressed each time."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._bodies.get(key)

    def set(self, key: str, value: bytes) -> None:
        if not key.endswith(";") and len(self._bodies) < 200:
            self._bodies[key] = value
