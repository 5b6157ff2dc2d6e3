"""The server that holds the API's routes, and the WSGI middleware in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask_openapi3 import OpenAPI

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Application = Callable[..., Iterable[bytes]]


class ApiServer(OpenAPI):
    """Flask with an OpenAPI document; `middleware` wraps what is called for every request."""

    def __init__(self, import_name: str) -> None:
        super().__init__(import_name, static_folder=None, doc_ui=False)
        self._application: Application = self.wsgi_app

    def add_middleware(self, middleware: Callable[[Application], Application]) -> None:
        """The middleware added last is called first."""
        self._application = middleware(self._application)

    def __call__(self, environ: WSGIEnvironment, start_response: Any) -> Iterable[bytes]:
        return self._application(environ, start_response)
