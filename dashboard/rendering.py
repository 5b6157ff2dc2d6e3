"""Screens as HTML text: templates render the data, and assets/morph.js applies the markup to the page.

Dash components suit charts and selectors, but a table of them is quadratic in the browser, and every callback mounts it
again (measured: 2,000 components take 2.7 s and lose hover and focus). HTML text in a Store, applied to the existing
nodes, costs milliseconds, keeps scroll position, focus and open rows, and Jinja escapes all names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict

import duckdb
from dash import ClientsideFunction, Dash, Input, Output, State, dcc, html, no_update
from flask import Flask, render_template

from dashboard import formats, result_texts, run_names, sparklines, terms
from dashboard.app_state import services, store
from dashboard.callback_errors import log
from dashboard.page_url import PageUrl, match
from data import redaction
from data.answers.runs import Choices
from data.lake.connection import StoreError
from data.lake.store import SnapshotNotFoundError, Store
from data.model.filters import EVERYTHING, Filter, FilterError
from data.queries import releases
from data.queries.lookups import unknown_name
from data.verdicts.evidence import gate
from data.verdicts.unread_history import unread_histories


class UnknownError(Exception):
    """The URL names something that the store does not have; the message says what, and a possible reason."""


class EmptyScopeError(Exception):
    """What the URL names has no data in the URL's scope; `href` links to it without the scope, `others` (name, link) to
    it in other scopes."""

    def __init__(self, text: str, href: str, others: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(text)
        self.href, self.others = href, others


# Screens with verdicts: they say so while the history is still being read.
JUDGING = {f"{name}.html" for name in ("overview", "run", "matrix", "test", "grid", "compare", "build")}

# Screens whose whole content depends on the scope: they name a release, environment or module that nothing has.
SCOPED = JUDGING | {f"{name}.html" for name in ("trends", "failures", "failure", "bugs", "bug")}

MAX_OTHERS = 12  # names offered in place of an unknown one


class Markup(TypedDict):
    """The markup of a slot with its URL and snapshot, so that the browser can drop a response that arrives too late."""

    html: str
    at: str
    snapshot: int | None


PageData = Callable[..., Mapping[str, object]]  # (store, url, **segments) -> the template's variables


def install(server: Flask) -> None:
    """Register the filters and functions of the templates."""
    server.jinja_env.trim_blocks = server.jinja_env.lstrip_blocks = True
    server.jinja_env.filters.update(formats.FILTERS)
    server.jinja_env.globals.update(
        {
            **sparklines.FUNCTIONS,
            **terms.FUNCTIONS,
            **run_names.FUNCTIONS,
            **result_texts.FUNCTIONS,
            "gate_headlines": gate.HEADLINES,
        }
    )


def html_slot(name: str, **properties: Any) -> list[Any]:
    """An element for markup, filled by the callback that `register` makes for the same name."""
    return [dcc.Store(id=f"{name}-html"), html.Div(id=name, className="slot", **properties)]


def attributes(**values: str) -> dict[str, Any]:
    """The aria-* and data-* attributes of a Dash component: `aria_label` becomes `aria-label`."""
    return {name.replace("_", "-"): value for name, value in values.items()}


def register(app: Dash, name: str, pattern: str | None, template: str, page_data: PageData) -> None:
    """Render `template` into slot `name` whenever the URL matches `pattern` (None: always).

    Its variables are `page_data(store, url, **segments)`. It runs when the URL or the store changes."""

    @app.callback(Output(f"{name}-html", "data"), Input("url", "href"), Input("snapshot", "data"))
    def show(href: str, _snapshot: int | None) -> Any:
        url = PageUrl.of(href)
        segments = match(pattern, url.path) if pattern else {}
        return no_update if segments is None else render_screen(template, url, page_data, segments)

    app.clientside_callback(
        ClientsideFunction("rt", "apply"), Input(f"{name}-html", "data"), State(f"{name}-html", "id")
    )


def render_screen(template: str, url: PageUrl, page_data: PageData, segments: dict[str, str]) -> Markup:
    at = url.here()
    try:
        with store().read(url.filter.as_of) as opened:
            markup = _markup(template, opened, url, page_data, segments)
            return {"html": markup, "at": at, "snapshot": opened.snapshot().id}
    except (UnknownError, SnapshotNotFoundError) as error:
        markup = render_template("error_state.html", url=url, kind="unknown", text=str(error))
    except EmptyScopeError as error:
        markup = render_template(
            "error_state.html", url=url, kind="nothing", text=str(error), href=error.href, others=error.others
        )
    except (FilterError, ValueError) as error:
        markup = render_template(
            "error_state.html", url=url, kind="wrong", text=str(error), field=getattr(error, "field", None)
        )
    except (StoreError, duckdb.Error) as error:
        log.error("the store is unavailable", exc_info=error)
        markup = render_template("error_state.html", url=url, kind="store", text=redaction.redact(str(error)))
    return {"html": markup, "at": at, "snapshot": None}


def _markup(template: str, opened: Store, url: PageUrl, page_data: PageData, segments: dict[str, str]) -> str:
    choices = releases.choices(opened, EVERYTHING)
    if template in SCOPED and choices["releases"]:
        _check_names(opened, url, choices)
    context = {"bare": not choices["releases"], **page_data(opened, url, **segments)}
    markup = render_markup(template, url, context)
    if template in JUDGING:
        scope = Filter(url.filter.release, environment=url.filter.environment)
        histories = [history.row() for history in unread_histories(opened, scope)]
        markup = render_template("unread_history.html", histories=histories) + markup if histories else markup
    return markup


def render_markup(template: str, url: PageUrl, context: Mapping[str, object]) -> str:
    return render_template(template, url=url, measures=services().settings.measures, **context)


def pass_rate_definition(store: Store) -> str:
    """How the pass rate is defined by the settings."""
    skipped = store.settings.measures.skipped_in_pass_rate
    return "passed / all results, including skipped" if skipped else "passed / (passed + failed), without skipped"


def _check_names(opened: Store, url: PageUrl, choices: Choices) -> None:
    """Raise EmptyScopeError for a release, environment or module that nothing has: "no failures" would mislead."""
    if unknown := unknown_name(opened, url.filter):
        what, name = unknown
        others = [(other, url.here(**{what: other})) for other in releases.offered_names(choices, what)[:MAX_OTHERS]]
        raise EmptyScopeError(f"No {what} {name}.", url.here(**{what: None}), others)
