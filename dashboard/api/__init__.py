"""The JSON API: everything that a screen shows is one call, cached until a commit changes it."""

from __future__ import annotations

from flask_openapi3 import APIBlueprint

from dashboard import allowed_hosts, old_ids
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
from dashboard.api.server import ApiServer
from dashboard.app_state import Services
from data.settings import Settings


def create_server(settings: Settings) -> ApiServer:
    """A server of the API alone: `app.create_app` adds the screens, `api_client` calls it without a socket."""
    server = ApiServer("dashboard")
    server.extensions["regtracker"] = Services(settings)
    register(server)
    server.add_middleware(lambda application: allowed_hosts.AllowedHosts(server, application, settings.web))
    return server


def register(server: ApiServer) -> None:
    """Add the routes under /api and /metrics. `server.extensions["regtracker"]` must hold the Services."""
    old_ids.install(server)
    problems.install(server)
    observe = metrics.install(server)
    cross_site.install(server)
    routing.install(server)
    responses.install(server, observe)
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
    """Register routes, and document all methods of a path that two modules serve; register_api keeps the last only."""
    earlier = dict(api.paths)
    api.register_api(routes)
    for path, item in earlier.items():
        if api.paths[path] is not item:
            api.paths[path] = item.model_copy(update={name: value for name, value in api.paths[path] if value})
