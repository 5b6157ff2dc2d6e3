"""The host names that the server answers to, so that no page of another site reaches it under its own name.

That attack is DNS rebinding: to the browser the page and this server are one site, so neither Origin nor Sec-Fetch-Site
tells them apart; only the name in `Host` does. An IP address cannot be made to point at another machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from flask import Flask
from werkzeug.sansio.utils import host_is_trusted

from dashboard.api.problems import problem_response
from data.settings import WebSettings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LOOPBACK = ("localhost", ".localhost")


class AllowedHosts:
    """WSGI middleware that answers 421 to other names. It wraps the response cache too."""

    def __init__(self, server: Flask, application: Callable[..., Iterable[bytes]], web: WebSettings) -> None:
        self._server, self._application = server, application
        # A server on the network has names that nothing here can know: all are allowed until some are configured.
        names = [name.lower() for name in web.hosts] or ([] if _is_loopback(web.host) else ["*"])
        # werkzeug writes *.example.com as .example.com.
        trusted = [*LOOPBACK, *(name.removeprefix("*") for name in names)]
        self._is_allowed = lru_cache(512)(lambda host: "*" in names or is_allowed(host, trusted))

    def __call__(self, environ: WSGIEnvironment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "")
        if self._is_allowed(host):
            return self._application(environ, start_response)
        with self._server.request_context(environ):
            why = f"this server is not called {_name(host)[:200]!r}; add the name to web.hosts to allow it"
            return problem_response(421, why)(environ, start_response)


def is_allowed(host: str, names: list[str]) -> bool:
    """Whether a `Host` header is empty, an address, or one of these names (`.example.com`: with all subdomains)."""
    name = _name(host)
    return not name or _is_address(name) or host_is_trusted(name, names)


def _name(host: str) -> str:
    return re.sub(r":\d*$", "", host.strip()).strip("[]").rstrip(".").lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return ip_address(host).is_loopback if _is_address(host) else host in ("", "localhost")
