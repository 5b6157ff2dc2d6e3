"""The page for an unknown path."""

from dash import html


def layout() -> html.Div:
    return html.Div(
        [
            html.H1("Page not found"),
            html.P("Check the address: it may have been mistyped or cut off."),
            html.P(html.A("Go to the overview", href="/")),
        ],
        className="state-page",
    )
