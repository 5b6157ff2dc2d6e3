"""Under which names the server answers: a page of another site must not reach it by a name of its own (DNS rebinding).

To the browser such a page and this server are one site, so neither Origin nor Sec-Fetch-Site tells them apart; only the
name in `Host` does. An address is no name that somebody else can point here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from flask import Flask

from dashboard.api.problems import problem_response
from data.settings import WebSettings

LOOPBACK = ("localhost", "*.localhost")


class AllowedHosts:
    """A WSGI application around a server's: in front of the answers that are remembered, too."""

    def __init__(self, server: Flask, application: Callable[..., Iterable[bytes]], web: WebSettings) -> None:
        self._server, self._application = server, application
        # Whoever listens to the network has a name that nothing here knows: any will do, until some are configured.
        names = [name.lower() for name in web.hosts] or ([] if _is_loopback(web.host) else ["*"])
        self._knows = lru_cache(512)(lambda host: is_allowed(host, [*LOOPBACK, *names]))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST", "")
        if self._knows(host):
            return self._application(environ, start_response)
        with self._server.request_context(environ):
            why = f"this server does not go by the name {_name(host)[:200]!r}; web.hosts lists the names that it has"
            return problem_response(421, why)(environ, start_response)


def is_allowed(host: str, names: Iterable[str]) -> bool:
    """Whether a `Host` header is empty, an address, or one of these names (`*` as in a file's)."""
    name = _name(host)
    return not name or _is_address(name) or any(fnmatchcase(name, known) for known in names)


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
