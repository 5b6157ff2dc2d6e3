"""The callbacks of the shell: the router, the scope selectors, and the API call of the current screen."""

from __future__ import annotations

from dataclasses import asdict
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from dash import ALL, ClientsideFunction, Dash, Input, Output, State, html, no_update
from dash.exceptions import PreventUpdate
from flask import has_request_context, request

from dashboard import rendering, shell
from dashboard.app_state import store
from dashboard.dash_internals import asks_for_layout
from dashboard.page_url import PageUrl, match
from dashboard.pages import PAGES, drawer, not_found
from data.answers.builds import BuildDetail
from data.lake.store import Store, StoreError
from data.model.filters import Filter, FilterError
from data.queries import builds, releases, runs


def register(app: Dash) -> None:
    """Set the layout and register the callbacks of the shell and of every page."""
    for page in PAGES:
        page.register(app)
    drawer.register(app)
    app.layout = _layout
    _register_router(app)
    _register_scope(app)
    _register_share(app)
    signatures: dict[str, list[Output | Input | State]] = {
        "poll": [Output("snapshot", "data"), Input("beat", "n_intervals"), State("snapshot", "data")],
        "navigation": [Input("url", "href"), Input("page", "children")],
        "scoped": [Input("scope-shown", "data")],
        "past": [Input("url", "href")],
        "shared": [Input("share-call", "data")],
    }
    for name, signature in signatures.items():
        app.clientside_callback(ClientsideFunction("rt", name), *signature)


def _layout() -> html.Div:
    """Outside a request, Dash validates the callbacks against this layout: it contains every page."""
    if has_request_context():
        return shell.layout(*_requested())
    return html.Div([shell.layout(), *(page.layout() for page in (*PAGES, not_found))])


def _requested() -> tuple[int | None, ModuleType | None]:
    """The newest snapshot and the page of the browser's address, so that opening a page takes one request less."""
    if not asks_for_layout(request.path):
        return None, None
    page = _page(urlsplit(request.referrer).path) if request.referrer else None
    try:
        return store().snapshot().id, page
    except StoreError:
        return None, page  # the page shows the error


def _page(path: str) -> ModuleType:
    return next((page for page in PAGES if match(page.PATH, path) is not None), not_found)


def _register_router(app: Dash) -> None:
    @app.callback(
        Output("page", "children"), Output("page-name", "data"), Input("url", "pathname"), State("page-name", "data")
    )
    def route(path: str, shown: str | None) -> Any:
        page = _page(path)
        name = page.__name__
        return (no_update, no_update) if name == shown else (page.layout(), name)


def _register_share(app: Dash) -> None:
    @app.callback(
        Output("share-call", "data"), Input("share-request", "data"), State("url", "href"), prevent_initial_call=True
    )
    def share(request_id: int | None, href: str) -> Any:
        """The API call of the current screen: {path, files}, or neither if it has none."""
        url = PageUrl.of(href)
        for page in PAGES:
            segments = match(page.PATH, url.path)
            if segments is not None:
                try:
                    with store().read(url.filter.as_of) as opened:
                        found = page.as_api_call(opened, url, **segments)
                except (ValueError, StoreError, rendering.UnknownError):  # the page shows the error
                    found = None
                return asdict(found) | {"request": request_id} if found else {"request": request_id}
        return {"request": request_id}


def _register_scope(app: Dash) -> None:
    @app.callback(
        Output({"type": "scope", "name": ALL}, "options"),
        Output({"type": "scope", "name": ALL}, "value"),
        Output("scope-shown", "data"),
        Input("url", "href"),
        Input("snapshot", "data"),
    )
    def update_scope(href: str, _snapshot: int | None) -> Any:
        try:
            url = PageUrl.of(href)
            with store().read(url.filter.as_of) as opened:
                return scope(opened, url)
        except (FilterError, StoreError) as error:
            raise PreventUpdate from error  # the page shows the error

    app.clientside_callback(
        ClientsideFunction("rt", "scope"),
        Input({"type": "scope", "name": ALL}, "value"),
        State("scope-shown", "data"),
    )


def _build(opened: Store, url: PageUrl) -> BuildDetail | None:
    segments = match("/builds/<build>", url.path)
    try:
        return builds.build(opened, segments["build"]) if segments else None
    except ValueError:  # the page shows the error
        return None


def scope(opened: Store, url: PageUrl) -> tuple[list[Any], list[str], list[str]]:
    """(options, values, values) of the selectors, from the URL's filter or from the run or build shown."""
    chosen = url.filter
    segments = match("/runs/<run>", url.path)
    run = None
    if segments and segments["run"] != "latest":
        try:
            run = runs.run(opened, segments["run"])
        except ValueError:
            run = None
    here = run or _build(opened, url)
    if here:
        chosen = Filter(here["release"], here["version"], here["environment"], chosen.module)
    offered = releases.choices(opened, Filter(chosen.release, chosen.version, chosen.environment))
    options, values = [], []
    for name, all_label in shell.SCOPES.items():
        value = getattr(chosen, name) or shell.ALL_OPTION
        items = releases.offered_names(offered, name)
        extra = [value] if value not in (shell.ALL_OPTION, *items) else []
        named = [{"label": item, "value": item} for item in (*extra, *items)]
        options.append([{"label": all_label, "value": shell.ALL_OPTION}, *named])
        values.append(value)
    return options, values, values
