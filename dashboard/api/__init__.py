"""The JSON API: a screen's answer is one call, cached by snapshot; `register` puts it on the dashboard's server."""

from __future__ import annotations

from flask_openapi3 import APIBlueprint, OpenAPI

from dashboard import allowed_hosts
from dashboard.api import (
    badges,
    bugs,
    builds,
    cross_site,
    gate,
    health,
    ingest,
    metrics,
    openapi_page,
    problems,
    releases,
    responses,
    routing,
    runs,
    search,
    sql,
    statistics,
    tests,
    trends,
    verdicts,
)
from dashboard.app_state import Services
from data.settings import Settings


def create_server(settings: Settings) -> OpenAPI:
    """A server of the API alone: `app.create_app` adds the screens, `client.local` asks it without a socket."""
    server = OpenAPI("dashboard", static_folder=None, doc_ui=False)
    server.extensions["regtracker"] = Services(settings)
    register(server)
    server.wsgi_app = allowed_hosts.AllowedHosts(server, server.wsgi_app, settings.web)
    return server


def register(server: OpenAPI) -> None:
    """Add the routes under /api and /metrics. `server.extensions["regtracker"]` must hold the Services."""
    problems.install(server)
    note = metrics.install(server)
    cross_site.install(server)
    routing.install(server)
    responses.install(server, note)
    sql.install(server)
    openapi_page.install(server)
    api = APIBlueprint("api", __name__, url_prefix="/api/v1")
    problems.register_handlers(api)
    modules = (
        health,
        releases,
        runs,
        builds,
        tests,
        bugs,
        verdicts,
        gate,
        statistics,
        trends,
        search,
        ingest,
        sql,
        badges,
        openapi_page,
    )
    for module in modules:
        _add(api, module.routes)
    server.register_api(api)
    server.register_blueprint(openapi_page.pages)


def _add(api: APIBlueprint, routes: APIBlueprint) -> None:
    """Of a path that two modules serve, register_api alone would document the methods of the later one only."""
    earlier = dict(api.paths)
    api.register_api(routes)
    for path, item in earlier.items():
        if api.paths[path] is not item:
            api.paths[path] = item.model_copy(update={name: value for name, value in api.paths[path] if value})
