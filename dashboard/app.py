"""The dashboard's application: screens (Dash) and JSON API (Flask) on one server.

Nothing is registered at import: Dash's module-level callbacks and page registry belong to the process, and a second
application in it would lose them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dash import Dash

from dashboard import api, callback_errors, rendering, security_headers, shell, shell_callbacks, static_files
from data.settings import Settings


def create_app(settings: Settings) -> Dash:
    """The application, ready to serve; `app.server.extensions["regtracker"]` holds its Services.

    The store is opened by the first request that needs it, not here: workers fork after this.
    """
    import_module("pandas")  # Plotly imports it at its first figure, and fails if two threads do so
    server = api.create_server(settings)
    dash_server: Any = server  # Dash takes any Flask application; its stubs know only a factory
    rendering.install(server)
    app = static_files.App(
        "dashboard",
        server=dash_server,
        assets_folder=str(static_files.ASSETS),
        include_assets_files=False,  # they are bundled
        title="Regression Tracker",
        update_title="",
        index_string=shell.INDEX,
        on_error=callback_errors.report,
        use_async=False,  # otherwise on wherever asgiref is installed, at half the throughput
        suppress_callback_exceptions=False,
    )
    static_files.install(app)
    security_headers.install(app, [shell.THEME_HASH])
    shell_callbacks.register(app)
    # Dash sets itself up in its first request, and a second one at the same moment fails.
    server.test_client().get("/_dash-dependencies")
    return app
