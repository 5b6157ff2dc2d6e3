"""The frame of every screen: navigation, scope, theme, live updates, the drawer, and the router."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import asdict
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import dash_bootstrap_components as dbc
from dash import ALL, ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from dash.exceptions import PreventUpdate
from flask import has_request_context, request

from dashboard import dialogs, rendering, static_files
from dashboard.app_state import store
from dashboard.icons import SPRITE
from dashboard.page_url import PageUrl, match
from dashboard.pages import PAGES, drawer, not_found
from data.lake.connection import StoreError
from data.lake.store import Store
from data.model.filters import Filter, FilterError
from data.queries import builds, releases, runs

# Set before the first paint, so that a dark theme does not flash white.
_THEME = (
    "(function(){var t;try{t=localStorage.getItem('rt-theme')}catch(e){}"
    "if(t!=='dark'&&t!=='light')t=matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light';"
    "document.documentElement.setAttribute('data-bs-theme',t)})()"
)
THEME_HASH = "'sha256-" + base64.b64encode(hashlib.sha256(_THEME.encode()).digest()).decode() + "'"
INDEX = f"""<!doctype html>
<html lang="en">
<head>
{{%metas%}}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{%title%}}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<script>{_THEME}</script>
<link rel="stylesheet" href="{static_files.bundle_url("css")}">
{{%css%}}
</head>
<body>
{SPRITE}
{{%app_entry%}}
{dialogs.markup(PAGES)}
<footer hidden>{{%config%}}<script src="{static_files.bundle_url("js")}"></script>{{%scripts%}}{{%renderer%}}</footer>
</body>
</html>"""

SCOPES = {
    "release": "All releases",
    "environment": "All environments",
    "version": "All versions",
    "module": "All modules",
}
EVERY = "*"  # the option for all; an empty value means the placeholder
POLL_MS = 2_000


def layout(snapshot: int | None = None, page: ModuleType | None = None) -> html.Div:
    """The whole layout, with the page if it is known; otherwise the router adds it."""
    return html.Div(
        [
            dcc.Location(id="url", refresh="callback-nav"),
            dcc.Store(id="snapshot", data=snapshot),
            dcc.Store(id="page-name", data=page and page.__name__),
            dcc.Store(id="scope-shown"),
            dcc.Store(id="share-request"),
            dcc.Store(id="share-call"),
            dcc.Interval(id="beat", interval=POLL_MS),
            html.A("Skip to content", href="#main", className="skip"),
            html.Header([_top(), _scope()], className="shell"),
            html.Div(id="offline", className="offline", role="status"),
            html.Div(id="then", className="then", role="status"),
            html.Div(id="held", className="held", role="status"),
            html.Div(id="unloaded", className="state-page unloaded", role="status"),
            html.Main(
                [
                    html.H1("Regression Tracker is loading", className="sr waiting"),
                    html.Div(id="page", children=page.layout() if page else _waiting()),
                ],
                id="main",
                tabIndex=-1,
            ),
            html.Aside(
                rendering.html_slot("drawer"), id="drawer-frame", className="drawer", **{"aria-label": "Test details"}
            ),
            dbc.Toast(
                id="toast",
                header="Something went wrong",
                icon="danger",
                is_open=False,
                dismissable=True,
                duration=20_000,
                className="toast-place",
            ),
        ]
    )


def register(app: Dash) -> None:
    """Set the layout and register the callbacks of the shell and of every page."""
    for page in PAGES:
        page.register(app)
    drawer.register(app)
    app.validation_layout = html.Div([layout(), *(page.layout() for page in (*PAGES, not_found))])
    app.layout = lambda: layout(*_requested())
    _register_router(app)
    _register_scope(app)
    _register_share(app)
    for name, signature in {
        "poll": [Output("snapshot", "data"), Input("beat", "n_intervals"), State("snapshot", "data")],
        "navigation": [Input("url", "href"), Input("page", "children")],
        "scoped": [Input("scope-shown", "data")],
        "past": [Input("url", "href")],
        "shared": [Input("share-call", "data")],
    }.items():
        app.clientside_callback(ClientsideFunction("rt", name), *signature)


def _top() -> html.Div:
    shortcuts = dialogs.letters(PAGES)
    return html.Div(
        [
            html.A(
                [html.Img(src="/assets/icon.svg", alt="", width=22, height=22), html.Span("Regression Tracker")],
                href="/",
                className="brand",
            ),
            html.Nav(
                [
                    html.A(
                        page.NAME,
                        href=page.PATH,
                        className="nav-item",
                        title=f"g {shortcuts[page.PATH]}",
                        **{"data-nav": page.PATH, "data-letter": shortcuts[page.PATH]},
                    )
                    for page in PAGES
                    if page.NAME
                ],
                className="nav-items",
                **{"aria-label": "Screens"},
            ),
            html.Div(
                [
                    html.Span(className="live-dot", **{"aria-hidden": "true"}),
                    html.Button("live", id="live-text", className="text-button", **{"data-opens": "past"}),
                ],
                id="live",
                className="live",
            ),
            _opener(
                "palette", [html.Span("Search"), html.Kbd("/")], "Search everything (/ or Ctrl K)", "search-button"
            ),
            _opener("share", "Share", "Share or export this screen (y)", "text-button"),
            _opener("keys", "?", "Keyboard shortcuts (?)", "text-button"),
            html.Button(
                html.Span(className="theme-mark", **{"aria-hidden": "true"}),
                id="theme-switch",
                className="icon-button",
                title="Dark or light theme",
                **{"aria-label": "Switch between dark and light theme"},
            ),
        ],
        className="top",
    )


def _opener(dialog: str, words: Any, title: str, look: str) -> html.Button:
    return html.Button(words, className=look, title=title, **{"data-opens": dialog, "aria-haspopup": "dialog"})


def _scope() -> html.Div:
    """The scope selectors; on a phone, one line with the selection that opens them."""
    selectors = [
        dbc.Select(
            id={"type": "scope", "name": name},
            options=[{"label": every, "value": EVERY}],
            value=EVERY,
            size="sm",
            class_name="scope-select",
        )
        for name, every in SCOPES.items()
    ]
    labels = [
        html.Label([html.Span(name.capitalize(), className="scope-label"), selector])
        for name, selector in zip(SCOPES, selectors, strict=True)
    ]
    fold = html.Button(
        [html.B("Filters", id="scope-count"), html.Span(id="scope-text")],
        id="scope-fold",
        className="scope-fold",
        **{"aria-expanded": "false", "aria-controls": "scope"},
    )
    scope = html.Div(labels, id="scope", className="scope", role="group", **{"aria-label": "Scope"})
    return html.Div([fold, scope], className="scope-bar")


def _waiting() -> html.Div:
    return html.Div([html.Div(className="skeleton") for _ in range(3)], className="skeletons", **{"aria-busy": "true"})


def _requested() -> tuple[int | None, ModuleType | None]:
    """The newest snapshot and the page of the browser's address, so that opening a page takes one request less. Nothing
    is opened while Dash sets itself up, outside a request."""
    if not has_request_context() or not request.path.endswith("_dash-layout"):
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
                    found = page.as_api_call(store(url.filter.as_of), url, **segments)
                except (ValueError, StoreError, rendering.UnknownError):  # the page shows the error
                    found = None
                return asdict(found) | {"asked": request_id} if found else {"asked": request_id}
        return {"asked": request_id}


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
            return scope(PageUrl.of(href))
        except (FilterError, StoreError) as error:
            raise PreventUpdate from error  # the page shows the error

    app.clientside_callback(
        ClientsideFunction("rt", "scope"),
        Input({"type": "scope", "name": ALL}, "value"),
        State("scope-shown", "data"),
    )


def _build(opened: Store, url: PageUrl) -> dict[str, Any] | None:
    segments = match("/builds/<build>", url.path)
    try:
        return builds.build(opened, segments["build"]) if segments else None
    except ValueError:  # the page shows the error
        return None


def scope(url: PageUrl) -> tuple[list[Any], list[str], list[str]]:
    """(options, values, values) of the selectors, from the URL's filter or from the run or build shown."""
    chosen, opened = url.filter, store(url.filter.as_of)
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
    for name, every in SCOPES.items():
        value = getattr(chosen, name) or EVERY
        items = offered[name + "s"]
        extra = [value] if value not in (EVERY, *items) else []
        named = [{"label": item, "value": item} for item in (*extra, *items)]
        options.append([{"label": every, "value": EVERY}, *named])
        values.append(value)
    return options, values, values
