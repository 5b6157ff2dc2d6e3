"""What stands at an address that no screen has."""

from dash import html


def layout() -> html.Div:
    return html.Div(
        [
            html.H1("There is no such page"),
            html.P("The address may have been mistyped, or cut when it was copied."),
            html.P(html.A("Go to the overview", href="/")),
        ],
        className="state-page",
    )
