"""Protection against cross-site requests: only pages of this site and of `web.cors_origins` may use the API.

Browsers send the origin of a request (Sec-Fetch-Site, Origin), so writing needs no token; other programs send neither.
After Datasette's csrf.py, which cites why this suffices.
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
    """Refuse cross-site writes, wrong types and, by max_content_length, long bodies."""
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return None
    if _is_cross_site():  # the screens' callbacks too
        return problem_response(403, "cross-site requests are refused; web.cors_origins can allow the site")
    if not request.path.startswith("/api/") or request.method == "DELETE":
        return None
    wanted = "multipart/form-data" if request.path == "/api/v1/builds" else "application/json"
    if request.routing_exception is None and request.mimetype != wanted:
        return problem_response(415, f"the body must be {wanted}, not {request.mimetype or 'nothing'}")
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
    origins = _allowed_origins()
    if not origins or not request.path.startswith("/api/"):
        return response
    response.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin in origins or "*" in origins:
        response.headers["Access-Control-Allow-Origin"] = "*" if "*" in origins else str(origin)
        response.headers["Access-Control-Expose-Headers"] = "ETag, Location, Regtracker-Truncated"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = "GET, HEAD, POST, DELETE"
            response.headers["Access-Control-Allow-Headers"] = "Content-Type, If-None-Match"
            response.headers["Access-Control-Max-Age"] = "600"
    return response


def _allowed_origins() -> list[str]:
    return services().settings.web.cors_origins
