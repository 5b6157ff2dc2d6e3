"""The layout around every screen: navigation, scope selectors, theme, live state and the drawer."""

from __future__ import annotations

import base64
import hashlib
import json
from types import ModuleType
from typing import Any

import dash_bootstrap_components as dbc
from dash import dcc, html

from dashboard import dash_internals, dialogs, rendering, static_files
from dashboard.icons import SPRITE
from dashboard.page_url import SCOPE
from dashboard.pages import PAGES

# The scope's selectors, with the label of the option for all.
SCOPES = {
    "release": "All releases",
    "environment": "All environments",
    "version": "All versions",
    "module": "All modules",
}

# Set before the first paint, so that a dark theme does not flash white.
_THEME = (
    "(function(){var t;try{t=localStorage.getItem('rt-theme')}catch(e){}"
    "if(t!=='dark'&&t!=='light')t=matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light';"
    "document.documentElement.setAttribute('data-bs-theme',t)})()"
)
THEME_HASH = "'sha256-" + base64.b64encode(hashlib.sha256(_THEME.encode()).digest()).decode() + "'"
# What assets/for-scripts.js reads: the parameters that links to other screens keep, those with a selector, and a URL.
_FOR_SCRIPTS = json.dumps({"kept": SCOPE, "selectors": list(SCOPES), "plotly": dash_internals.PLOTLY_PATH})
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
<footer hidden>{{%config%}}<script id="for-scripts" type="application/json">{_FOR_SCRIPTS}</script>
<script src="{static_files.bundle_url("js")}"></script>{{%scripts%}}{{%renderer%}}</footer>
</body>
</html>"""

ALL_OPTION = "*"  # the option for all; an empty value means the placeholder
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
            html.Div(id="age", className="age", role="status"),
            html.Div(id="then", className="then", role="status"),
            html.Div(id="held", className="held", role="status"),
            html.Div(id="unloaded", className="state-page unloaded", role="status"),
            html.Main(
                [
                    html.H1("Regression Tracker is loading", className="sr waiting"),
                    html.Div(id="page", children=page.layout() if page else _skeletons()),
                ],
                id="main",
                tabIndex=-1,
            ),
            html.Aside(
                rendering.html_slot("drawer"),
                id="drawer-frame",
                className="drawer",
                **rendering.attributes(aria_label="Test details"),
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
                        **rendering.attributes(data_nav=page.PATH, data_letter=shortcuts[page.PATH]),
                    )
                    for page in PAGES
                    if page.NAME
                ],
                className="nav-items",
                **rendering.attributes(aria_label="Screens"),
            ),
            html.Div(
                [
                    html.Span(className="live-dot", **rendering.attributes(aria_hidden="true")),
                    html.Button(
                        "live", id="live-text", className="text-button", **rendering.attributes(data_opens="past")
                    ),
                ],
                id="live",
                className="live",
            ),
            _dialog_button(
                "palette", [html.Span("Search"), html.Kbd("/")], "Search everything (/ or Ctrl K)", "search-button"
            ),
            _dialog_button("share", "Share", "Share or export this screen (y)", "text-button"),
            _dialog_button("keys", "?", "Keyboard shortcuts (?)", "text-button"),
            html.Button(
                html.Span(className="theme-mark", **rendering.attributes(aria_hidden="true")),
                id="theme-switch",
                className="icon-button",
                title="Dark or light theme",
                **rendering.attributes(aria_label="Switch between dark and light theme"),
            ),
        ],
        className="top",
    )


def _dialog_button(dialog: str, words: Any, title: str, css_class: str) -> html.Button:
    return html.Button(
        words, className=css_class, title=title, **rendering.attributes(data_opens=dialog, aria_haspopup="dialog")
    )


def _scope() -> html.Div:
    """The scope selectors; on a phone, one line with the selection that opens them."""
    selectors = [
        dbc.Select(
            id={"type": "scope", "name": name},
            options=[dbc.Select.Options(label=all_label, value=ALL_OPTION)],
            value=ALL_OPTION,
            size="sm",
            class_name="scope-select",
        )
        for name, all_label in SCOPES.items()
    ]
    labels = [
        html.Label([html.Span(name.capitalize(), className="scope-label"), selector])
        for name, selector in zip(SCOPES, selectors, strict=True)
    ]
    fold = html.Button(
        [html.B("Filters", id="scope-count"), html.Span(id="scope-text")],
        id="scope-fold",
        className="scope-fold",
        **rendering.attributes(aria_expanded="false", aria_controls="scope"),
    )
    scope = html.Div(labels, id="scope", className="scope", role="group", **rendering.attributes(aria_label="Scope"))
    return html.Div([fold, scope], className="scope-bar")


def _skeletons() -> html.Div:
    return html.Div(
        [html.Div(className="skeleton") for _ in range(3)],
        className="skeletons",
        **rendering.attributes(aria_busy="true"),
    )
