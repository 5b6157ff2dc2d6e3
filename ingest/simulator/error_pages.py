"""Responses of the fake Jenkins other than data: error pages, refusals, headers, and deliberately damaged bodies."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from hmac import compare_digest
from html import escape
from http import HTTPStatus
from urllib.parse import quote

from flask import Response
from werkzeug.datastructures import Authorization

from ingest.simulator.http_faults import HttpFault
from ingest.simulator.http_server import BreakConnectionError

VERSION = "2.528.2"
HTML = "text/html;charset=utf-8"
COMPRESSED_FROM = 1024


def json_response(value: object, pretty: bool) -> Response:
    layout = {"indent": 2} if pretty else {"separators": (",", ":")}
    return Response(json.dumps(value, **layout), content_type="application/json;charset=utf-8")


def not_found_page(path: str) -> Response:
    return _page(404, "Not Found", f"<h2>HTTP ERROR 404 Not Found</h2><p>URI: {escape(path)}</p>")


def server_error_page(reason: str) -> Response:
    """Jenkins' page for a servlet exception, such as a bad tree."""
    text = f"<h1>Oops!</h1><p>A problem occurred while processing the request.</p><!-- {escape(reason)} -->"
    return _page(500, "Jenkins", text)


def login_page() -> Response:
    form = '<form method="post" name="login" action="j_spring_security_check"><input name="j_username"/></form>'
    return _page(200, "Sign in - Jenkins", form)


def refusal(given: Authorization | None, user: str, token: str | None, path: str) -> Response | None:
    """None if the client may pass. Jenkins never challenges: without credentials it answers 403 at once."""
    if given is None or given.type != "basic":
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
    if not (compare_digest(given.username or "", user) and compare_digest(given.password or "", token or "")):
        response = _page(401, "Unauthorized", "<h2>HTTP ERROR 401 Unauthorized</h2>")
        response.headers["WWW-Authenticate"] = 'Basic realm="Jenkins"'
        return response
    return None


def fault_response(fault: HttpFault, path: str) -> Response:
    """The response of a fault that replaces the real one."""
    if fault.kind == "html":
        return _page(200, "Single sign-on", "<h1>Please sign in</h1>")
    if fault.kind == "login":
        response = _page(302, "Found", "")
        response.headers["Location"] = f"/login?from={quote(path, safe='')}"
        return response
    if fault.status == 403:
        page = refusal(None, "", None, path)
        assert page is not None
        response = page
    elif fault.status == 503:
        response = _page(503, "Starting Jenkins", "<h1>Please wait while Jenkins is getting ready to work ...</h1>")
    else:
        phrase = HTTPStatus(fault.status).phrase
        response = _page(fault.status, phrase, f"<h2>HTTP ERROR {fault.status} {phrase}</h2>")
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
    if is_complete and "gzip" in accepted and response.mimetype in ("application/json", "text/plain", "text/html"):
        body = response.get_data()
        if len(body) >= COMPRESSED_FROM:
            response.set_data(gzip.compress(body, 1, mtime=0))
            response.headers["Content-Encoding"] = "gzip"
            response.headers["Vary"] = "Accept-Encoding"


def _page(status: int, title: str, body: str) -> Response:
    return Response(f"<html><head><title>{title}</title></head><body>{body}</body></html>", status, content_type=HTML)
