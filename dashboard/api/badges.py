"""A release's health as an SVG badge for a README or a dashboard; drawn here, without another site."""

from __future__ import annotations

from html import escape
from typing import Any, Literal

from dashboard.api import parameters
from dashboard.api.openapi import NOT_MODIFIED, blueprint, problem_responses
from dashboard.api.problems import not_found
from dashboard.api.releases import ETAG_LIFETIME_S
from dashboard.api.responses import cached_route, request_context
from dashboard.app_state import store
from dashboard.formats import percent
from data.answers.runs import Tile
from data.number_text import counted
from data.queries import releases

routes = blueprint("badges", "A release's health as a badge.")
# Text is white: every color has a contrast of at least 4.5 to it.
_COLORS = {
    "ok": "#1a7f37",
    "failing": "#b42318",
    "broken": "#1f1f1f",
    "incomplete": "#4a5568",
    "stale": "#6b6b6b",
    "running": "#0b5cad",
    "empty": "#6b6b6b",
}
_COUNTED: dict[Literal["regressions", "new_failures"], str] = {
    "regressions": "regression",
    "new_failures": "new failure",
}
_SVG = {"image/svg+xml": {"schema": {"type": "string"}, "example": "<svg ...>...</svg>"}}


@routes.get(
    "/badges/<path:release>.svg",
    summary="A release's health as a badge",
    responses={
        200: {"description": "OK", "content": _SVG},
        304: NOT_MODIFIED,
        **problem_responses(400, 404, 406, 503),
    },
)
@cached_route(clock_s=ETAG_LIFETIME_S)
def get_badge(path: parameters.ReleasePath, query: parameters.ReleaseQuery) -> Any:
    """State, pass rate, and the number of regressions and new failures, of the tile of `/releases/{release}`."""
    tile = releases.release(store(), path.release, request_context().at(query.filter(release=path.release)))
    if tile is None:
        raise not_found("release", path.release)
    name = path.release
    if len(tile["environments"]) > 1:
        name += f" {tile['environment']}"
    return _draw(name, _status_text(tile), _COLORS[tile["state"]]).encode(), "image/svg+xml"


def _status_text(tile: Tile) -> str:
    rate = tile["pass_rate"]
    text: str = tile["state"]
    # All of an incomplete run's results may have passed: that is not 100 %.
    if rate is not None and not (tile["incomplete"] and rate == 1):
        text = f"{percent(rate)} % {text}"
    found = [counted(tile[name], noun) for name, noun in _COUNTED.items() if tile[name]]
    return ", ".join([text, *found])


def _draw(left: str, right: str, color: str) -> str:
    widths = _text_width(left), _text_width(right)
    total, name = sum(widths), escape(f"{left}: {right}")
    texts = "".join(
        f'<text x="{x}" y="14" textLength="{width - 12}">{escape(text)}</text>'
        for x, width, text in ((6, widths[0], left), (widths[0] + 6, widths[1], right))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="20" role="img" aria-label="{name}">'
        f"<title>{name}</title>"
        f'<rect width="{total}" height="20" rx="3" fill="#3d3d3d"/>'
        f'<path d="M{widths[0]} 0h{widths[1] - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3h-{widths[1] - 3}z" fill="{color}"/>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">{texts}</g></svg>\n'
    )


def _text_width(text: str) -> int:
    """Approximate width in pixels at 11 px Verdana; textLength makes it exact."""
    return 12 + round(sum(3.9 if letter in "il.,:;' !|" else 9.5 if letter in "mwMW%" else 6.9 for letter in text))
