"""What a bug feed says, laid over what is known: those that have left the feed stay, and are not active."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from data.lake.arrow_views import registered
from data.lake.store import Store

FIELDS = (
    "type",
    "url",
    "status",
    "open",
    "summary",
    "priority",
    "assignee",
    "component",
    "resolution",
    "versions",
    "labels",
    "active",
)
_FLAGS = ("open", "active")
_TIMES = ("first_seen", "updated_at")
_BUGS = pa.schema(
    [("bug", pa.string())]
    + [(name, pa.bool_() if name in _FLAGS else pa.string()) for name in FIELDS]
    + [(name, pa.timestamp("us")) for name in _TIMES]
)
_CASES = pa.schema([("bug", pa.string()), ("case_id", pa.string())])


@dataclass(frozen=True)
class BugRecord:
    """A record of a feed. `cases` are ids of the test plan; None stands for what it does not tell."""

    bug: str
    type: str
    url: str
    open: bool
    status: str | None = None
    summary: str | None = None
    priority: str | None = None
    assignee: str | None = None
    component: str | None = None
    resolution: str | None = None
    versions: str | None = None
    labels: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()

    def values(self) -> tuple[Any, ...]:
        """In the order of FIELDS."""
        told = {name: getattr(self, name) for name in FIELDS if name not in ("labels", "active")}
        told |= {"labels": json.dumps(self.labels, ensure_ascii=False), "active": True}
        return tuple(told[name] for name in FIELDS)


@dataclass(frozen=True)
class Changes:
    """How many bugs are new, otherwise than before, and gone from the feed; `links`: pairs of bug and case that the
    feed's bugs have now."""

    added: int
    changed: int
    gone: int
    links: int


@dataclass(frozen=True)
class _Plan:
    changes: Changes
    rows: list[tuple[Any, ...]]
    links: set[tuple[str, str]]
    unlinked: set[tuple[str, str]]


def put_bugs(store: Store, bugs: Sequence[BugRecord], spared: Collection[str], moment: datetime) -> Changes:
    """Make these the bugs of the newest feed, beside those of the ids in `spared`, which stay as they are; what says
    nothing new commits nothing. Of several records of one bug the last counts, with the cases of all.

    A feed that names no case at all leaves the links as they are: more likely its export broke than that nobody knows
    any more which tests its bugs are about.
    """
    plan = _plan(store.cursor(), bugs, spared, moment)
    if not (plan.rows or plan.links or plan.unlinked):
        return plan.changes

    def work(cursor: duckdb.DuckDBPyConnection) -> Changes:
        plan = _plan(cursor, bugs, spared, moment)
        _write(cursor, plan)
        return plan.changes

    return store.transact("bugs", f"bug feed: {len(bugs)} bugs", work)


def _plan(
    cursor: duckdb.DuckDBPyConnection, bugs: Sequence[BugRecord], spared: Collection[str], moment: datetime
) -> _Plan:
    known = {
        row[0]: row[1:]
        for row in cursor.execute(f"SELECT bug, {', '.join(FIELDS)}, {', '.join(_TIMES)} FROM bugs").fetchall()
    }
    linked = set(cursor.execute("SELECT bug, case_id FROM bug_cases").fetchall())
    told = {bug.bug: bug for bug in bugs}
    wanted = {(bug.bug, case) for bug in bugs for case in bug.cases}
    rows, added, changed, gone = [], 0, 0, 0
    for name, bug in told.items():
        old, new = known.get(name), bug.values()
        if old is None:
            added += 1
            rows.append((name, *new, moment, moment))
        elif old[: len(FIELDS)] != new:
            changed += 1
            rows.append((name, *new, old[-2], moment))
    active = FIELDS.index("active")
    for name, old in known.items():
        if name not in told and name not in spared and old[active]:
            gone += 1
            rows.append((name, *old[:active], False, old[-2], moment))
    held = {link for link in linked if link[0] in told}
    if not wanted:
        wanted = held
    return _Plan(Changes(added, changed, gone, len(wanted)), rows, wanted - held, held - wanted)


def _write(cursor: duckdb.DuckDBPyConnection, plan: _Plan) -> None:
    rows = pa.Table.from_pylist([dict(zip(_BUGS.names, row, strict=True)) for row in plan.rows], _BUGS)
    links, unlinked = (
        pa.Table.from_pylist([dict(zip(_CASES.names, link, strict=True)) for link in sorted(found)], _CASES)
        for found in (plan.links, plan.unlinked)
    )
    with registered(cursor, incoming_bugs=rows, incoming_links=links, outgoing_links=unlinked):
        if len(rows):
            cursor.execute("DELETE FROM bugs WHERE bug IN (SELECT bug FROM incoming_bugs)")
            cursor.execute("INSERT INTO bugs BY NAME SELECT * FROM incoming_bugs ORDER BY bug")
        if len(unlinked):
            cursor.execute("DELETE FROM bug_cases WHERE (bug, case_id) IN (SELECT (bug, case_id) FROM outgoing_links)")
        if len(links):
            cursor.execute("INSERT INTO bug_cases BY NAME SELECT * FROM incoming_links ORDER BY bug, case_id")
