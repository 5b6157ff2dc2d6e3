"""A client of the JSON API for the command line and the MCP server: in this process, or over HTTP.

Either way the same routes answer, with the same rules and limits. A client over HTTP imports nothing of the server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

import orjson
import requests

if TYPE_CHECKING:
    from flask import Flask

    from data.model.json_values import Json, JsonObject
    from data.settings import Settings

PREFIX = "/api/v1"
TIMEOUT_S = 120
RawResponse = tuple[int, Iterator[bytes]]
Query = Mapping[str, str | int | float | bool | None]


class ApiError(Exception):
    """An error answer of the API; `status` is 0 where the server cannot be reached."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Api:
    """Calls `server` in this process, or the server at `url`."""

    def __init__(self, server: Flask | None = None, url: str = "") -> None:
        self._server, self._url = server, url
        self._session = requests.Session()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a route, such as `/releases`; parameters that are None are not sent. Raises ApiError."""
        return orjson.loads(b"".join(self._request("GET", path, query, None, "application/json")))

    def post(self, path: str, body: JsonObject) -> Any:
        return orjson.loads(b"".join(self._request("POST", path, {}, body, "application/json")))

    def save(self, target: BinaryIO, method: str, path: str, accept: str, query: Query, body: Json) -> None:
        """Write a route's answer of type `accept` to `target`, in pieces. Raises ApiError, OSError."""
        for piece in self._request(method, path, query, body, accept):
            target.write(piece)

    def _request(self, method: str, path: str, query: Query, body: Json, accept: str) -> Iterator[bytes]:
        given = {name: _query_value(value) for name, value in query.items() if value is not None}
        call = self._call_in_process if self._server is not None else self._call_http
        status, pieces = call(method, PREFIX + path, given, body, {"Accept": accept})
        if status >= 400:
            raise ApiError(status, _problem_detail(b"".join(pieces)))
        return pieces

    def _call_in_process(
        self, method: str, path: str, query: dict[str, str], body: Json, headers: dict[str, str]
    ) -> RawResponse:
        assert self._server is not None
        answer = self._server.test_client().open(path, method=method, query_string=query, json=body, headers=headers)
        return answer.status_code, answer.iter_encoded()

    def _call_http(
        self, method: str, path: str, query: dict[str, str], body: Json, headers: dict[str, str]
    ) -> RawResponse:
        try:
            answer = self._session.request(
                method, self._url + path, params=query, json=body, headers=headers, timeout=TIMEOUT_S, stream=True
            )
            return answer.status_code, answer.iter_content(1 << 16)
        except requests.RequestException as error:
            raise ApiError(0, f"cannot reach {self._url}: {_reason(error)}") from error


def _reason(error: requests.RequestException) -> str:
    """A readable message; urllib3's own names internal objects."""
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT_S} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "the certificate is not trusted, or the server does not use TLS"
    if isinstance(error, requests.ConnectionError):
        return "no server answers there; check the URL and that the server runs"
    return str(error)


def api_at(url: str) -> Api:
    """The API of the server at `url`. Raises ValueError for a wrong URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError(f"{url!r} is not a valid server URL, such as http://tracker.example.com:8050")
    return Api(url=url.rstrip("/").removesuffix(PREFIX))


@contextmanager
def api_in_process(settings: Settings) -> Iterator[Api]:
    """The API in this process, on the store of the settings. Raises ApiError if the store cannot be used."""
    from dashboard.api import create_server
    from data.lake.connection import StoreError

    server = create_server(settings)
    server.config["PROPAGATE_EXCEPTIONS"] = True  # Ctrl-C within a query is a RuntimeError of DuckDB, not a 500
    try:
        _ = server.extensions["regtracker"].store  # a command says why it cannot be opened
        yield Api(server)
    except StoreError as error:
        raise ApiError(0, str(error)) from error
    finally:
        server.extensions["regtracker_sandbox"].close()
        server.extensions["regtracker"].close()


def _query_value(value: str | int | float | bool) -> str:
    return {True: "1", False: "0"}[value] if isinstance(value, bool) else str(value)


def _problem_detail(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "the answer does not come from Regression Tracker; give the server's URL without a path"
