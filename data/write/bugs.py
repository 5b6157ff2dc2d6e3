"""Writes the bugs of a feed over the stored ones. Bugs that left the feed are kept, marked as not active."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from data.lake.cursors import registered
from data.lake.store import Store
from data.model.bug_record import BUG_FIELDS, BugRecord

_BOOLEANS = ("open", "active")
_TIMES = ("first_seen", "updated_at")
_BUGS = pa.schema(
    [pa.field("bug", pa.string())]
    + [pa.field(name, pa.bool_() if name in _BOOLEANS else pa.string()) for name in BUG_FIELDS]
    + [pa.field(name, pa.timestamp("us")) for name in _TIMES]
)
_CASES = pa.schema([pa.field("bug", pa.string()), pa.field("case_id", pa.string())])


@dataclass(frozen=True)
class BugChanges:
    """How many bugs are new, changed and gone from the feed. `links`: pairs of bug and case after the update."""

    added: int
    changed: int
    gone: int
    links: int


@dataclass(frozen=True)
class _Plan:
    changes: BugChanges
    rows: list[tuple[Any, ...]]
    links: set[tuple[str, str]]
    unlinked: set[tuple[str, str]]


def apply_bug_feed(store: Store, bugs: Sequence[BugRecord], spared: Collection[str], moment: datetime) -> BugChanges:
    """Make these the bugs of the newest feed; the bugs with an id in `spared` stay as they are. Commits nothing if
    nothing changed. Of several records of one bug the last counts, with the cases of all.

    A feed that names no case at all leaves the links as they are: a broken export is more likely than a feed whose
    bugs concern no test.
    """
    plan = _plan(store.cursor(), bugs, spared, moment)
    if not (plan.rows or plan.links or plan.unlinked):
        return plan.changes

    def work(cursor: duckdb.DuckDBPyConnection) -> BugChanges:
        plan = _plan(cursor, bugs, spared, moment)
        _write(cursor, plan)
        return plan.changes

    return store.transact("bugs", f"bug feed: {len(bugs)} bugs", work)


def _plan(
    cursor: duckdb.DuckDBPyConnection, bugs: Sequence[BugRecord], spared: Collection[str], moment: datetime
) -> _Plan:
    stored = {
        row[0]: row[1:]
        for row in cursor.execute(f"SELECT bug, {', '.join(BUG_FIELDS)}, {', '.join(_TIMES)} FROM bugs").fetchall()
    }
    linked = set(cursor.execute("SELECT bug, case_id FROM bug_cases").fetchall())
    incoming = {bug.bug: bug for bug in bugs}
    wanted = {(bug.bug, case) for bug in bugs for case in bug.cases}
    rows, added, changed, gone = [], 0, 0, 0
    for name, bug in incoming.items():
        old, new = stored.get(name), bug.values()
        if old is None:
            added += 1
            rows.append((name, *new, moment, moment))
        elif old[: len(BUG_FIELDS)] != new:
            changed += 1
            rows.append((name, *new, old[-2], moment))
    active = BUG_FIELDS.index("active")
    for name, old in stored.items():
        if name not in incoming and name not in spared and old[active]:
            gone += 1
            rows.append((name, *old[:active], False, old[-2], moment))
    current = {link for link in linked if link[0] in incoming}
    if not wanted:
        wanted = current
    return _Plan(BugChanges(added, changed, gone, len(wanted)), rows, wanted - current, current - wanted)


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
