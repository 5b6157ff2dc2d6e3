"""Screens as HTML text: templates make markup of an answer, and assets/morph.js lays it over what is shown.

Dash components are right for charts and selectors, but a table of them is quadratic in the browser and every callback
mounts it anew (measured: 2,000 components 2.7 s, hover and focus lost). Text in a Store, laid over the standing nodes,
costs milliseconds, keeps scroll, focus and open rows, and Jinja escapes whatever a test is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import duckdb
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from flask import Flask, render_template

from dashboard import formats, sparklines, terms
from dashboard.app_state import services, store
from dashboard.callback_errors import log
from dashboard.page_url import PageUrl, match
from data.lake.connection import StoreError
from data.lake.store import SnapshotNotFoundError, Store
from data.model.filters import EVERYTHING, FilterError
from data.queries import releases
from data.verdicts.evidence import gate


class UnknownError(Exception):
    """The URL names something that the store does not hold; the text says what, and what may have happened."""


class EmptyScopeError(Exception):
    """What the URL names is there, and has nothing in the URL's scope; `href` leads to all of it."""

    def __init__(self, text: str, href: str) -> None:
        super().__init__(text)
        self.href = href


View = Callable[..., dict[str, Any]]


def install(server: Flask) -> None:
    """Give the templates their filters."""
    server.jinja_env.trim_blocks = server.jinja_env.lstrip_blocks = True
    server.jinja_env.filters.update(formats.FILTERS)
    server.jinja_env.globals.update(sparklines.FUNCTIONS | terms.FUNCTIONS, gate_headlines=gate.HEADLINES)


def html_slot(name: str, **attributes: Any) -> list[Any]:
    """A url for markup: filled by the callback that `register` makes for the same name."""
    return [dcc.Store(id=f"{name}-html"), html.Div(id=name, className="slot", **attributes)]


def register(app: Dash, name: str, pattern: str | None, template: str, view: View) -> None:
    """Keep slot `name` showing `view(store, url, **segments)` whenever the URL fits `pattern` (None: always).

    The view answers the template's variables. It runs when the URL changes and when the store does.
    """

    @app.callback(Output(f"{name}-html", "data"), Input("url", "href"), Input("snapshot", "data"))
    def show(href: str, _snapshot: int | None) -> Any:
        url = PageUrl.of(href)
        segments = match(pattern, url.path) if pattern else {}
        return no_update if segments is None else render_screen(template, url, view, segments)

    app.clientside_callback(
        ClientsideFunction("rt", "apply"), Input(f"{name}-html", "data"), State(f"{name}-html", "id")
    )


def render_screen(template: str, url: PageUrl, view: View, segments: dict[str, str]) -> dict[str, Any]:
    """The markup with the question and the snapshot it answers, so that the browser can drop what comes too late."""
    at = url.here()
    try:
        asked = store(url.filter.as_of)  # every question of the view is asked of that moment
        snapshot = asked.snapshot().id
        shown = {"bare": not releases.choices(asked, EVERYTHING)["releases"]} | view(asked, url, **segments)
        return {"html": render_markup(template, url, shown), "at": at, "snapshot": snapshot}
    except (UnknownError, SnapshotNotFoundError) as error:
        markup = render_template("error_state.html", url=url, kind="unknown", text=str(error))
    except EmptyScopeError as error:
        markup = render_template("error_state.html", url=url, kind="nothing", text=str(error), href=error.href)
    except (FilterError, ValueError) as error:
        markup = render_template(
            "error_state.html", url=url, kind="wrong", text=str(error), field=getattr(error, "field", None)
        )
    except (StoreError, duckdb.Error) as error:
        log.error("the store does not answer", exc_info=error)
        markup = render_template("error_state.html", url=url, kind="store", text=str(error))
    return {"html": markup, "at": at, "snapshot": None}


def render_markup(template: str, url: PageUrl, context: dict[str, Any]) -> str:
    return render_template(template, url=url, measures=services().settings.measures, **context)


def window_label(store: Store) -> str:
    """How the pass rate is defined here, in words."""
    skipped = store.settings.measures.skipped_in_pass_rate
    return "passed / all results, skipped ones included" if skipped else "passed / (passed + failed), skipped left out"
