"""The links from bugs to tests by the test cases that bugs name, and the shape of a bug's row; used by
data/queries/bugs.py and the search."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import datetime
from typing import TypedDict, TypeVar

import duckdb

from data.answers.bugs import AmbiguousCase, Bug, BugState
from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model.filters import EVERYTHING, Filter, RunScope
from data.model.measures import iso
from data.model.metadata_matching import AMBIGUOUS_METADATA, AMBIGUOUSLY_NAMED_BY_BUGS
from data.model.sql_values import SqlParameters

STATES: tuple[BugState, ...] = ("open", "closed", "gone")  # gone: no longer in the feed
# The condition on `b` for each state; None: open or closed.
STATE_CONDITIONS: dict[str | None, str] = {
    None: "b.active",
    "open": "b.active AND b.open",
    "closed": "b.active AND NOT b.open",
    "gone": "NOT b.active",
}
_URGENT = "blocker critical highest urgent p0 major high p1 medium normal p2 minor low p3 trivial lowest p4"
# Open ones first, then the urgent, then the newest by their number.
ORDER = f"""b.active DESC, b.open DESC, list_position({_URGENT.split()}, lower(b.priority)) NULLS LAST,
    length(b.bug) DESC, b.bug DESC"""
R = TypeVar("R")


class BugRow(TypedDict):
    """A row of `bugs`."""

    bug: str
    type: str
    url: str
    open: bool
    active: bool
    status: str | None
    summary: str | None
    priority: str | None
    assignee: str | None
    component: str | None
    resolution: str | None
    versions: str | None
    labels: str | None
    first_seen: datetime | None
    updated_at: datetime | None


class _Link(TypedDict):
    bug: str
    test: int
    module: str


def bug_rows(store: Store, sql: str, parameters: SqlParameters, row_type: type[R]) -> list[R]:
    try:
        return store.rows(sql, parameters, row_type)
    except duckdb.CatalogException:
        return []  # a snapshot older than the table of bugs


def case_links_sql(store: Store, flt: RunScope) -> str:
    """SQL: bug, case_id as the bug names it, and test: by the metadata of the filter's release, or of any release
    without one, and by the tests that bugs name themselves."""
    metadata, named = store.derived_table("matched_metadata"), store.derived_table("named_by_bugs")
    if flt.release is None:
        cases = f"SELECT DISTINCT test, lower(unnest([case_id, testrail_id])) AS case_id FROM {metadata}"
    else:
        cases = f"""SELECT test, lower(unnest([arg_max(case_id, rank), arg_max(testrail_id, rank)])) AS case_id
            FROM {metadata} WHERE release IS NULL OR release = $metadata_release GROUP BY test"""
    return f"""SELECT c.bug, c.case_id, m.test FROM bug_cases c JOIN ({cases}) m ON lower(c.case_id) = m.case_id
        UNION SELECT bug, case_id, test FROM {named}"""


@cached_query()
def ambiguous_cases(store: Store, bug: str | None = None, flt: Filter = EVERYTHING) -> list[AmbiguousCase]:
    """The cases of a bug, or of all bugs of the newest feed, that are about no test because several tests of the name
    could be meant: [{case_id, name (without parameters), tests (how many)}], most tests first."""
    return bug_rows(
        store,
        f"""SELECT case_id, base_name AS name, max(tests) AS tests FROM (
            SELECT c.bug, c.case_id, m.base_name, m.tests FROM bug_cases c
            JOIN ({AMBIGUOUS_METADATA}) m ON lower(c.case_id) IN (lower(m.case_id), lower(m.testrail_id))
            UNION ALL SELECT bug, case_id, base_name, tests FROM ({AMBIGUOUSLY_NAMED_BY_BUGS}))
        WHERE bug IN (SELECT bug FROM bugs WHERE $bug = bug OR ($bug IS NULL AND active))
        GROUP BY ALL ORDER BY tests DESC, case_id, name""",
        {"bug": bug},
        AmbiguousCase,
    )


def case_parameters(flt: RunScope) -> SqlParameters:
    """Of `case_links_sql`."""
    return {} if flt.release is None else {"metadata_release": flt.release}


def links_of(store: Store, flt: RunScope) -> dict[str, dict[int, str]]:
    """By bug: the tests it is about, each with its module."""
    return store.cached(
        ("bug links", flt.release),
        lambda: _read_links(store, flt),
        lambda links: 100 * sum(map(len, links.values())),
        lambda: [("table", table) for table in ("bugs", "bug_cases", "tests", "matched_metadata", "named_by_bugs")],
    )


def _read_links(store: Store, flt: RunScope) -> dict[str, dict[int, str]]:
    answer: dict[str, dict[int, str]] = defaultdict(dict)
    for row in bug_rows(
        store,
        f"SELECT DISTINCT l.bug, t.test, t.module FROM ({case_links_sql(store, flt)}) l JOIN tests t USING (test)",
        case_parameters(flt),
        _Link,
    ):
        answer[row["bug"]][row["test"]] = row["module"]
    return dict(answer)


def search_bugs(store: Store, where: str, parameters: SqlParameters) -> list[Bug]:
    """The bugs `s` that match the condition of a search."""
    order = ORDER.replace("b.", "s.")
    return [
        bug_row(row)
        for row in bug_rows(
            store, f"SELECT * FROM bugs s WHERE {where} ORDER BY {order} LIMIT $each", parameters, BugRow
        )
    ]


def matches_words(row: BugRow, q: str) -> bool:
    """Whether every word of `q` occurs in the row."""
    texts = (
        row["bug"],
        row["summary"],
        row["status"],
        row["priority"],
        row["assignee"],
        row["component"],
        row["labels"],
    )
    text = " ".join(text or "" for text in texts).lower()
    return all(word in text for word in q.lower().split())


def bug_row(row: BugRow) -> Bug:
    """A row of `bugs` in the shape of the API."""
    return {
        "bug": row["bug"],
        "type": row["type"],
        "url": row["url"],
        "status": row["status"],
        "summary": row["summary"],
        "priority": row["priority"],
        "assignee": row["assignee"],
        "component": row["component"],
        "resolution": row["resolution"],
        "versions": row["versions"],
        "state": "gone" if not row["active"] else "open" if row["open"] else "closed",
        "labels": json.loads(row["labels"] or "[]"),
        "first_seen": iso(row["first_seen"]),
        "updated_at": iso(row["updated_at"]),
    }
