"""Addresses with an id that has changed since: pages answer 301 to the new address, the API answers as for the new one.

An address of the past (`as_of`) keeps its ids: the snapshot has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import duckdb
from werkzeug.utils import redirect

from dashboard.api.server import ApiServer, Application
from dashboard.app_state import Services
from data.lake.connection import StoreError
from data.queries.lookups import current_id

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_ID = re.compile(r"(?<![0-9A-Za-z])[0-9a-f]{16}(?![0-9A-Za-z])")


def install(server: ApiServer) -> None:
    services: Services = server.extensions["regtracker"]
    server.add_middleware(lambda application: OldIds(application, services))


class OldIds:
    """WSGI middleware within the response cache, which keeps the answers to old addresses too."""

    def __init__(self, application: Application, services: Services) -> None:
        self._application, self._services = application, services

    def __call__(self, environ: WSGIEnvironment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") and "as_of=" not in query:
            new_path, new_query = self._renewed(path), self._renewed(query)
            if (new_path, new_query) != (path, query):
                if not path.startswith("/api/"):
                    where = "/" + quote(new_path.encode("latin-1").lstrip(b"/"))  # PATH_INFO has bytes as latin-1
                    return redirect(where + (f"?{new_query}" if new_query else ""), 301)(environ, start_response)
                environ |= {"PATH_INFO": new_path, "QUERY_STRING": new_query}
        return self._application(environ, start_response)

    def _renewed(self, text: str) -> str:
        try:
            return _ID.sub(lambda found: current_id(self._services.store, found[0]), text)
        except (StoreError, duckdb.Error):
            return text  # the application reports the error
