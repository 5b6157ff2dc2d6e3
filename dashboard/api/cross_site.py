"""Which pages of other sites may use the API and the callbacks of screens: none, unless the configuration names them.

A browser says where a request comes from (Sec-Fetch-Site, Origin), so writing needs no token against cross-site
requests; programs that are no browser send neither. After Datasette's csrf.py, which cites why this suffices.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Flask, Response, request

from dashboard.api.problems import problem_response
from dashboard.app_state import services

JSON_BYTES = 1 << 20
UPLOAD_BYTES = 256 << 20


def install(server: Flask) -> None:
    server.before_request(_check_request)
    server.after_request(_add_cors_headers)


def _check_request() -> Response | None:
    """Writing: from this site or from no browser, in a type that the route takes, and not too long."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return None
    if _is_cross_site():  # the screens' callbacks write too
        return problem_response(403, "a page of another site may not do this; web.cors_origins names those that may")
    if not request.path.startswith("/api/") or request.method == "DELETE":
        return None
    wanted = "multipart/form-data" if request.path == "/api/v1/builds" else "application/json"
    if request.routing_exception is None and request.mimetype != wanted:
        return problem_response(415, f"send {wanted}, not {request.mimetype or 'nothing'}")
    request.max_content_length = UPLOAD_BYTES if wanted.startswith("multipart") else JSON_BYTES
    return None


def _is_cross_site() -> bool:
    origin = request.headers.get("Origin")
    if origin in _allowed_origins():
        return False
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in ("same-origin", "none")
    return origin is not None and urlsplit(origin).netloc != request.host


def _add_cors_headers(response: Response) -> Response:
    friends = _allowed_origins()
    if not friends or not request.path.startswith("/api/"):
        return response
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin in friends or "*" in friends:
        response.headers["Access-Control-Allow-Origin"] = "*" if "*" in friends else str(origin)
        response.headers["Access-Control-Expose-Headers"] = "ETag, Location, Regtracker-Truncated"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST, DELETE"
            response.headers["Access-Control-Allow-Headers"] = "Content-Type, If-None-Match"
            response.headers["Access-Control-Max-Age"] = "600"
    return response


def _allowed_origins() -> list[str]:
    return services().settings.web.cors_origins
