"""Responses of the fake Jenkins other than data: error pages, refusals, headers, and deliberately damaged bodies."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from html import escape
from http import HTTPStatus
from urllib.parse import quote

from flask import Response

from ingest.simulator.http_faults import HttpFault
from ingest.simulator.http_server import BreakConnectionError

VERSION = "2.528.2"
HTML = "text/html;charset=utf-8"
COMPRESSED_FROM = 1024
COMPRESSED_KINDS = ("application/json", "text/x-python", "text/plain", "text/html")


def not_found_page(path: str) -> Response:
    return _page(404, "Not Found", f"<h2>HTTP ERROR 404 Not Found</h2><p>URI: {escape(path)}</p>")


def server_error_page(reason: str) -> Response:
    """Jenkins' page for a servlet exception, such as a bad tree."""
    text = f"<h1>Oops!</h1><p>A problem occurred while processing the request.</p><!-- {escape(reason)} -->"
    return _page(500, "Jenkins", text)


def login_page() -> Response:
    form = '<form method="post" name="login" action="j_spring_security_check"><input name="j_username"/></form>'
    return _page(200, "Sign in - Jenkins", form)


def index_page(title: str) -> Response:
    """The page of a thing for people, of which programs read only the headers."""
    return _page(200, f"{escape(title)} - Jenkins", f"<h1>{escape(title)}</h1>")


def redirect_page(location: str) -> Response:
    response = _page(302, "Found", "")
    response.headers["Location"] = location
    return response


def forbidden_page(visitor: str, permission: tuple[str, str]) -> Response:
    """What someone who has logged in gets without the permission."""
    title, name = permission
    response = _page(
        403, "Access Denied", f"<h1>Access Denied</h1><p>{escape(visitor)} is missing the {title} permission"
    )
    response.headers["X-You-Are-Authenticated-As"] = visitor
    response.headers["X-Required-Permission"] = name
    return response


def no_crumb_page() -> Response:
    return _page(403, "No valid crumb", "<h2>HTTP ERROR 403 No valid crumb was included in the request</h2>")


def post_required_page() -> Response:
    response = _page(405, "Error", "<h1>POST is required</h1>")
    response.headers["Allow"] = "POST"
    return response


def http_error_page(status: int) -> Response:
    phrase = HTTPStatus(status).phrase
    return _page(status, phrase, f"<h2>HTTP ERROR {status} {phrase}</h2>")


def refusal_page(path: str) -> Response:
    """What an anonymous visitor gets. Jenkins never challenges: without credentials it answers 403 at once."""
    target = f"/login?from={quote(path, safe='')}"
    body = (
        f"<html><head><meta http-equiv='refresh' content='1;url={target}'/></head>"
        "<body style='background-color:white; color:white;'>Authentication required</body></html>"
    )
    headers = {
        "X-You-Are-Authenticated-As": "anonymous",
        "X-Required-Permission": "hudson.model.Hudson.Read",
        "X-Permission-Implied-By": "hudson.security.Permission.GenericRead",
    }
    return Response(body, 403, headers, content_type=HTML)


def unauthorized_page() -> Response:
    """What wrong credentials get, even where anonymous visitors may read."""
    response = http_error_page(401)
    response.headers["WWW-Authenticate"] = 'Basic realm="Jenkins"'
    return response


def fault_response(fault: HttpFault, path: str) -> Response:
    """The response of a fault that replaces the real one."""
    if fault.kind == "html":
        return _page(200, "Single sign-on", "<h1>Please sign in</h1>")
    if fault.kind == "login":
        return redirect_page(f"/login?from={quote(path, safe='')}")
    if fault.status == 403:
        response = refusal_page(path)
    elif fault.status == 503:
        response = _page(503, "Starting Jenkins", "<h1>Please wait while Jenkins is getting ready to work ...</h1>")
    else:
        response = http_error_page(fault.status)
    if fault.status == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="Jenkins"'
    if fault.retry_after is not None:
        response.headers["Retry-After"] = str(fault.retry_after)
    return response


def damaged_response(response: Response, fault: HttpFault) -> Response:
    """The real response cut short: cleanly (truncate), or by a reset of the connection (reset)."""
    body = response.get_data()
    kept = body[: int(len(body) * fault.keep)]
    headers = {name: value for name, value in response.headers if name != "Content-Length"}
    if fault.kind == "truncate":
        return Response(kept, response.status_code, headers)
    headers["Content-Length"] = str(len(body))
    return Response(_cut_off(kept), response.status_code, headers)


def _cut_off(kept: bytes) -> Iterator[bytes]:
    yield kept
    raise BreakConnectionError


def finish_response(response: Response, accepted: str, user: str | None) -> None:
    """Add the headers that every response of Jenkins has; compress if the client accepts it."""
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Jenkins"] = VERSION
    response.headers["X-Jenkins-Session"] = "5f1d2c3b"
    if response.status_code == 200 and user:
        response.headers.setdefault("X-You-Are-Authenticated-As", user)
    is_complete = response.is_sequence and response.status_code == 200
    if is_complete and "gzip" in accepted and response.mimetype in COMPRESSED_KINDS:
        body = response.get_data()
        if len(body) >= COMPRESSED_FROM:
            response.set_data(gzip.compress(body, 1, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Vary"] = "Accept-Encoding"


def _page(status: int, title: str, body: str) -> Response:
    return Response(f"<html><head><title>{title}</title></head><body>{body}</body></html>", status, content_type=HTML)
