"""The JSON API as the command line and the MCP server ask it: of the store of this machine, without a socket, or of a
server elsewhere. Either way the same routes answer, with the same rules and limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import urlsplit

import orjson
import requests
from flask import Flask

from dashboard.api import create_server
from data.settings import Settings

PREFIX = "/api/v1"
TIMEOUT_S = 120
RawResponse = tuple[int, Iterator[bytes]]


class ApiError(Exception):
    """The API refused, or cannot be reached; `status` is 0 where it cannot."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Api:
    """`server`: the API of this machine's store; or `url`: where one is served."""

    def __init__(self, server: Flask | None = None, url: str = "") -> None:
        self._server, self._url = server, url
        self._session = requests.Session()

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a route, such as `/releases`. Parameters that are None are left out. Raises ApiError."""
        return orjson.loads(b"".join(self._request("GET", path, query, None, "application/json")))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return orjson.loads(b"".join(self._request("POST", path, {}, body, "application/json")))

    def save(self, target: BinaryIO, method: str, path: str, accept: str, query: dict[str, Any], body: Any) -> None:
        """A route's answer as a file of the type `accept`, written piece by piece. Raises ApiError, OSError."""
        for piece in self._request(method, path, query, body, accept):
            target.write(piece)

    def _request(self, method: str, path: str, query: dict[str, Any], body: Any, accept: str) -> Iterator[bytes]:
        given = {name: _query_value(value) for name, value in query.items() if value is not None}
        ask = self._call_in_process if self._server is not None else self._call_http
        status, pieces = ask(method, PREFIX + path, given, body, {"Accept": accept})
        if status >= 400:
            raise ApiError(status, _problem_detail(b"".join(pieces)))
        return pieces

    def _call_in_process(
        self, method: str, path: str, query: dict[str, str], body: Any, headers: dict[str, str]
    ) -> RawResponse:
        assert self._server is not None
        answer = self._server.test_client().open(path, method=method, query_string=query, json=body, headers=headers)
        return answer.status_code, answer.iter_encoded()

    def _call_http(
        self, method: str, path: str, query: dict[str, str], body: Any, headers: dict[str, str]
    ) -> RawResponse:
        try:
            answer = self._session.request(
                method, self._url + path, params=query, json=body, headers=headers, timeout=TIMEOUT_S, stream=True
            )
            return answer.status_code, answer.iter_content(1 << 16)
        except requests.RequestException as error:
            raise ApiError(0, f"{self._url} cannot be asked: {_reason(error)}") from error


def _reason(error: requests.RequestException) -> str:
    """In words: what urllib3 says names its own objects."""
    if isinstance(error, requests.Timeout):
        return f"it did not answer within {TIMEOUT_S} s"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted, or it does not speak TLS"
    if isinstance(error, requests.ConnectionError):
        return "nothing answers there; is the address right, and does the server run?"
    return str(error)


@contextmanager
def open_api(settings: Settings | None, url: str | None) -> Iterator[Api]:
    """The API at `url`, or else of the store of the settings. Raises ValueError for what is no address."""
    if url is not None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError(f"{url!r} is no address of a server, such as http://tracker.example.com:8050")
        yield Api(url=url.rstrip("/").removesuffix(PREFIX))
        return
    assert settings is not None
    server = create_server(settings)
    server.config["PROPAGATE_EXCEPTIONS"] = True  # Ctrl-C within a query is DuckDB's RuntimeError, and no fault
    try:
        yield Api(server)
    finally:
        server.extensions["regtracker_sandbox"].close()
        server.extensions["regtracker"].close()


def _query_value(value: Any) -> str:
    return {True: "1", False: "0"}[value] if isinstance(value, bool) else str(value)


def _problem_detail(body: bytes) -> str:
    try:
        return str(orjson.loads(body)["detail"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return "this is not the API of Regression Tracker; is the address right, without a path?"
