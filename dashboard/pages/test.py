"""One test: what became of it in every run, on each topology and environment, and the reasons for which it failed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from dash import Dash, html

from dashboard import render
from dashboard.api import parameters
from dashboard.calls import Call, call
from dashboard.pages.run import PAGE_SIZE, offset_of
from dashboard.place import Place
from data.queries import tests, verdicts
from data.stats.words import WORDS
from data.store import Store

PATH, NAME = "/tests/<test>", ""
HISTORY = 300
STRIP = 60
VERDICTS = 4  # lines of the head; the worst first


def layout() -> html.Div:
    return html.Div(render.sink("test"), className="page")


def register(app: Dash) -> None:
    render.register(app, "test", PATH, "test.html", view)


def view(store: Store, place: Place, test: str) -> dict[str, Any]:
    this = tests.test(store, test)
    if this is None:
        raise render.UnknownError(f"No test has the id {test}. The address may come from another store.")
    history = tests.history(store, test, replace(place.filter, module=None), HISTORY)
    offset = offset_of(place)
    lane = replace(place.filter, module=this["module"], topology=None)
    judged = verdicts.verdicts(store, lane, WORDS, 5_000)
    return {
        "test": this,
        "history": history,
        "rows": history[offset : offset + PAGE_SIZE],
        "offset": offset,
        "more": len(history) > offset + PAGE_SIZE,
        "lanes": lanes(history),
        "reasons": reasons(history),
        "verdicts": [verdict for verdict in judged if verdict["test"] == test][:VERDICTS],
        "counts": {word: sum(row["status"] == word for row in history) for word in ("passed", "failed", "skipped")},
    }


def lanes(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A strip for each release, environment and topology: the newest results, oldest first; `height` is the duration in
    percent of the strip's longest."""
    found: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for row in history:
        key = (row["release"], row["environment"], row["topology"])
        if len(found[key]) < STRIP:
            found[key].append(row)
    answer = []
    for (release, environment, topology), rows in sorted(found.items(), reverse=True):
        longest = max((row["duration_s"] or 0 for row in rows), default=0)
        bars = [row | {"height": _height(row["duration_s"], longest)} for row in reversed(rows)]
        answer.append(
            {
                "release": release,
                "environment": environment,
                "topology": topology,
                "bars": bars,
                "longest": longest,
                "failed": sum(row["status"] == "failed" for row in rows),
            }
        )
    return answer


def _height(seconds: float | None, longest: float) -> int:
    """Percent of the strip's height, never so low that it cannot be hit."""
    return max(round(100 * (seconds or 0) / longest), 12) if longest else 60


def reasons(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The failure patterns of a history, the most frequent first, each with its newest example."""
    found: dict[str | None, list[dict[str, Any]]] = defaultdict(list)
    for row in history:
        if row["status"] == "failed":
            found[row["signature"]].append(row)
    answer = [
        {"signature": signature, "count": len(rows), "newest": rows[0], "oldest": rows[-1], "rows": rows}
        for signature, rows in found.items()
    ]
    return sorted(answer, key=lambda reason: -reason["count"])


def asks(store: Store, place: Place, test: str) -> Call:
    return call(("tests", test, "history"), parameters.HistoryQuery, place)
