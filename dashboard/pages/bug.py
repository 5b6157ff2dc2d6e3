"""One bug of the tracker: its fields there, and the state of its tests by module."""

from __future__ import annotations

from itertools import groupby
from typing import Literal, TypedDict
from urllib.parse import unquote

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.page_url import PageUrl
from data.answers.base import VerdictKind
from data.answers.bugs import AffectedLane, AffectedTest, BugDetail
from data.lake.store import Store
from data.queries import bugs
from data.verdicts.rules import KINDS

PATH, NAME = "/bugs/<bug>", ""
_Fact = Literal["status", "priority", "assignee", "component", "resolution", "versions"]
_FACTS: tuple[_Fact, ...] = ("status", "priority", "assignee", "component", "resolution", "versions")


def layout() -> html.Div:
    return html.Div(rendering.html_slot("bug"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "bug", PATH, "bug.html", page_data)


class BugPage(TypedDict):
    """A bug, its fields in the tracker, and its tests by module."""

    bug: BugDetail
    facts: list[tuple[str, str | None]]
    empty_reason: str
    modules: list[tuple[str, list[JudgedTest]]]


def page_data(store: Store, url: PageUrl, bug: str) -> BugPage:
    this = bugs.bug(store, unquote(bug), url.filter)
    if this is None:
        raise rendering.UnknownError(f"No bug {unquote(bug)}. Check the id.")
    by_module = sorted(this["affected"], key=lambda row: row["module"])
    modules = [
        (module, [_with_worst_lane(row) for row in this["affected"] if row["module"] == module])
        for module, _ in groupby(by_module, key=lambda row: row["module"])
    ]
    return {
        "bug": this,
        "facts": [(name, this[name]) for name in _FACTS if this[name]],
        "empty_reason": _empty_reason(this),
        "modules": sorted(modules, key=lambda item: -sum(row["status"] == "failed" for row in item[1])),
    }


def _empty_reason(bug: BugDetail) -> str:
    """Why no test is listed."""
    if not bug["case_ids"]:
        return "This bug has no test case ids."
    if len(bug["unmatched"]) + len({row["case_id"] for row in bug["ambiguous"]}) < len(bug["case_ids"]):
        return "None of its tests ran recently in this scope."
    if bug["ambiguous"]:
        return "Several tests could be meant."
    return f"No known test for its case ids: {', '.join(bug['case_ids'][:20])}."


class JudgedTest(AffectedTest):
    """A test with its worst lane and the worst verdict kind there."""

    lane: AffectedLane | None
    kind: VerdictKind | None


def _with_worst_lane(test: AffectedTest) -> JudgedTest:
    def badness(lane: AffectedLane) -> tuple[int, int]:
        ranks = [KINDS.index(kind) for kind in lane["kinds"]]
        return bugs.STATUSES.index(lane["status"]), min(ranks, default=len(KINDS))

    lane = min(test["lanes"], key=badness, default=None)
    kind = min(lane["kinds"], key=KINDS.index, default=None) if lane else None
    return {**test, "lane": lane, "kind": kind}


def as_api_call(store: Store, url: PageUrl, bug: str) -> ApiCall:
    return api_call(("bugs", unquote(bug)), parameters.BugQuery, url)
