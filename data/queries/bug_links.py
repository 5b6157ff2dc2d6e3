"""The links from bugs to tests by the test cases that bugs name, and the shape of a bug's row; used by
data/queries/bugs.py and the search."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import duckdb

from data.lake.store import Store
from data.model.filters import Filter
from data.model.measures import iso

STATES = ("open", "closed", "gone")  # gone: no longer in the feed
# The condition on `b` for each state; None: open or closed.
STATE_CONDITIONS = {
    None: "b.active",
    "open": "b.active AND b.open",
    "closed": "b.active AND NOT b.open",
    "gone": "NOT b.active",
}
_URGENT = "blocker critical highest urgent p0 major high p1 medium normal p2 minor low p3 trivial lowest p4"
# Open ones first, then the urgent, then the newest by their number.
ORDER = f"""b.active DESC, b.open DESC, list_position({_URGENT.split()}, lower(b.priority)) NULLS LAST,
    length(b.bug) DESC, b.bug DESC"""
_COLUMNS = ("bug", "type", "url", "status", "summary", "priority", "assignee", "component", "resolution", "versions")
_SEARCHED = ("bug", "summary", "status", "priority", "assignee", "component", "labels")


def bug_rows(store: Store, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    try:
        return store.rows(sql, dict(parameters or {}))
    except duckdb.CatalogException:
        return []  # a snapshot older than the table of bugs


def case_sql(flt: Filter) -> str:
    """SQL: base_name and case_id (in small letters) of the tests, by the metadata of the filter's release, or of any
    release without one."""
    if flt.release is None:
        return "SELECT DISTINCT base_name, lower(unnest([case_id, testrail_id])) AS case_id FROM test_metadata"
    return """SELECT base_name, lower(unnest([arg_max(case_id, release IS NOT NULL),
            arg_max(testrail_id, release IS NOT NULL)])) AS case_id
        FROM test_metadata WHERE release IS NULL OR release = $metadata_release GROUP BY base_name"""


def case_parameters(flt: Filter) -> dict[str, Any]:
    """Of the SQL of `cases`."""
    return {} if flt.release is None else {"metadata_release": flt.release}


def links_of(store: Store, flt: Filter) -> dict[str, dict[int, str]]:
    """By bug: the tests it is about, each with its module."""
    key = ("bug links", flt.release, store.refresh().id)
    return store.intermediate.get(
        key, lambda: _read_links(store, flt), lambda links: 100 * sum(map(len, links.values()))
    )


def _read_links(store: Store, flt: Filter) -> dict[str, dict[int, str]]:
    answer: dict[str, dict[int, str]] = defaultdict(dict)
    for row in bug_rows(
        store,
        f"""SELECT DISTINCT c.bug, t.test, t.module FROM bug_cases c
        JOIN ({case_sql(flt)}) m ON lower(c.case_id) = m.case_id JOIN tests t USING (base_name)""",
        case_parameters(flt),
    ):
        answer[row["bug"]][row["test"]] = row["module"]
    return dict(answer)


def search_bugs(store: Store, where: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The bugs `s` that match the condition of a search."""
    order = ORDER.replace("b.", "s.")
    return [
        bug_row(row)
        for row in bug_rows(store, f"SELECT * FROM bugs s WHERE {where} ORDER BY {order} LIMIT $each", parameters)
    ]


def matches_words(row: Mapping[str, Any], q: str) -> bool:
    """Whether every word of `q` occurs in the row."""
    text = " ".join(row[name] or "" for name in _SEARCHED).lower()
    return all(word in text for word in q.lower().split())


def bug_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of `bugs` in the shape of the API."""
    return {name: row[name] for name in _COLUMNS} | {
        "state": "gone" if not row["active"] else "open" if row["open"] else "closed",
        "labels": json.loads(row["labels"] or "[]"),
        "first_seen": iso(row["first_seen"]),
        "updated_at": iso(row["updated_at"]),
    }
