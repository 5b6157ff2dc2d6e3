"""Failure patterns: one message told over many tests, runs and hosts, and whether it is new."""

from __future__ import annotations

from typing import Any

from data import ids
from data.cache import question
from data.filters import EVERYTHING, Filter
from data.measures import iso
from data.queries.windows import window, within
from data.store import Store

RECENT_RUNS = 10


@question
def failures(store: Store, flt: Filter, limit: int = 100, run: str | None = None) -> list[dict[str, Any]]:
    """The patterns of the newest `flt.runs` (10) runs of each lane, the widest first: count, tests, modules, hosts,
    runs, first and last seen (ever), and `new`: never seen before these runs. With `run`, of that run alone."""
    seen = window(store, flt, flt.runs or RECENT_RUNS)
    builds = seen.builds["build"]
    if run is not None:
        rows = store.rows("SELECT build FROM run_builds WHERE run = ? AND build IS NOT NULL", [ids.number(run)])
        builds = [row["build"] for row in rows]
    if not builds:
        return []
    where, parameters = within(seen, flt)
    rows = store.rows(
        f"""WITH here AS (
            SELECT r.signature, count(*) AS count, count(DISTINCT r.test) AS tests, count(DISTINCT r.build) AS builds,
                list_sort(list(DISTINCT r.module)) AS modules, list_sort(list(DISTINCT r.host)) AS hosts,
                min(r.started_at) AS first_here, max(r.started_at) AS last_seen
            FROM results r WHERE {where} AND r.signature IS NOT NULL AND r.build IN (SELECT unnest($builds::BIGINT[]))
            GROUP BY r.signature)
        SELECT h.*, s.pattern, s.example, s.first_seen FROM here h JOIN signatures s USING (signature)
        ORDER BY h.tests DESC, h.count DESC, h.signature LIMIT $limit""",
        parameters | {"builds": builds, "limit": limit},
    )
    return [_failure(row) for row in rows]


@question
def failure(store: Store, signature: str, flt: Filter = EVERYTHING, limit: int = 50) -> dict[str, Any] | None:
    """One pattern with its newest examples (test, build, message, host) and its counts by day. None if unknown."""
    number = ids.number(signature)
    known = store.rows("SELECT * FROM signatures WHERE signature = ?", [number])
    if not known:
        return None
    part, parameters = "", {"signature": number}
    for name in ("release", "module", "topology"):
        if getattr(flt, name) is not None:
            part += f" AND r.{name} = ${name}"
            parameters[name] = getattr(flt, name)
    totals = store.rows(
        f"""SELECT count(*) AS count, count(DISTINCT r.test) AS tests, count(DISTINCT r.build) AS builds,
            list_sort(list(DISTINCT r.module)) AS modules, list_sort(list(DISTINCT r.host)) AS hosts,
            min(r.started_at) AS first_here, max(r.started_at) AS last_seen
        FROM results r WHERE r.signature = $signature{part}""",
        parameters,
    )[0]
    days = store.rows(
        f"""SELECT strftime(date_trunc('day', r.started_at), '%Y-%m-%d') AS day, count(*) AS count
        FROM results r WHERE r.signature = $signature{part} GROUP BY 1 ORDER BY 1""",
        parameters,
    )
    examples = store.rows(
        f"""SELECT r.test, r.build, r.topology, r.attempt, r.module, r.started_at, r.message, t.file, t.class, t.name,
            b.number, b.job, x.host
        FROM failures r JOIN tests t USING (test) JOIN builds b USING (build)
        LEFT JOIN (SELECT build, test, topology, attempt, host FROM results r WHERE r.signature = $signature{part}) x
            USING (build, test, topology, attempt)
        WHERE r.signature = $signature{part} ORDER BY r.started_at DESC, r.build, r.test LIMIT $limit""",
        parameters | {"limit": limit},
    )
    answer = _failure(known[0] | totals)
    answer["days"] = days
    answer["examples"] = [
        {
            "test": ids.text(row["test"]),
            "key": f"{row['file']}::{row['class']}::{row['name']}",
            "name": row["name"],
            "module": row["module"],
            "build": ids.text(row["build"]),
            "number": row["number"],
            "job": row["job"],
            "topology": row["topology"],
            "attempt": row["attempt"],
            "host": row["host"],
            "started_at": iso(row["started_at"]),
            "message": row["message"],
        }
        for row in examples
    ]
    return answer


def _failure(row: dict[str, Any]) -> dict[str, Any]:
    first, here = row["first_seen"], row["first_here"]
    return {
        "signature": ids.text(row["signature"]),
        "pattern": row["pattern"],
        "example": row["example"],
        "count": row["count"],
        "tests": row["tests"],
        "builds": row["builds"],
        "modules": row["modules"] or [],
        "hosts": [host for host in row["hosts"] or [] if host],
        "first_seen": iso(first),
        "last_seen": iso(row["last_seen"]),
        "new": here is not None and first is not None and first >= here,
    }
