"""The dashboard's application: screens (Dash) and JSON API (Flask) on one server.

Nothing is registered at import: Dash's module-level callbacks and page registry belong to the process, and a second
application in it would lose them.
"""

from __future__ import annotations

from dashboard import (
    api,
    callback_errors,
    dash_internals,
    rendering,
    security_headers,
    shell,
    shell_callbacks,
    static_files,
)
from data.settings import Settings


def create_app(settings: Settings) -> dash_internals.App:
    """The application, ready to serve; `app.server.extensions["regtracker"]` holds its Services.

    The store is opened by the first request that needs it, not here: workers fork after this.
    """
    server = api.create_server(settings)
    rendering.install(server)
    app = dash_internals.App(
        server,
        assets_folder=str(static_files.ASSETS),
        include_assets_files=False,  # they are bundled
        title="Regression Tracker",
        update_title="",
        index_string=shell.INDEX,
        on_error=callback_errors.report,
        suppress_callback_exceptions=False,
    )
    static_files.install(app)
    security_headers.install(app, [shell.THEME_HASH])
    shell_callbacks.register(app)
    app.finish_setup()
    return app
