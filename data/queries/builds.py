"""Builds (of Jenkins or imported): lists of them, one build, its contents and its raw files."""

from __future__ import annotations

import json
from typing import Any

from data.lake.cached_query import cached_query, of_build, of_release
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import conditions
from data.model.filters import EVERYTHING, Filter
from data.model.measures import BUILDS, build_health, iso, pass_rate
from data.write import raw_files


@cached_query(of_release)
def builds(
    store: Store,
    flt: Filter = EVERYTHING,
    limit: int = 50,
    before: str | None = None,
    run: str | None = None,
) -> list[dict[str, Any]]:
    """The builds of a filter (module: the job's), newest first, after the build `before` (id) where given."""
    where, parameters = conditions(flt, "b")
    order = store.derived_table("build_order")
    if flt.module is not None:
        where += " AND b.module = $module"
        parameters["module"] = flt.module
    if run is not None:
        where += " AND b.build IN (SELECT build FROM run_builds WHERE run = $run)"
        parameters["run"] = ids.number(run)
    if before is not None:
        where += f" AND o.rank < (SELECT rank FROM {order} WHERE build = $before)"
        parameters["before"] = ids.number(before)
    rows = store.rows(
        f"""SELECT b.*, (SELECT min(run) FROM run_builds rb WHERE rb.build = b.build) AS run
        FROM {BUILDS} b JOIN {order} o USING (build) WHERE {where} ORDER BY o.rank DESC LIMIT $limit""",
        parameters | {"limit": limit},
    )
    return [_build(row, store) for row in rows]


@cached_query(of_build)
def build(store: Store, build_id: str, flt: Filter = EVERYTHING) -> dict[str, Any] | None:
    """One build with its parameters, causes, commits, parser warnings and the runs that listed it. None if unknown."""
    number = ids.number(build_id)
    rows = store.rows(
        f"""SELECT b.*, (SELECT min(run) FROM run_builds rb WHERE rb.build = b.build) AS run
        FROM {BUILDS} b WHERE build = ?""",
        [number],
    )
    if not rows:
        return None
    answer = _build(rows[0], store)
    answer["parameters"] = json.loads(rows[0]["parameters"] or "{}")
    answer["causes"] = json.loads(rows[0]["causes"] or "[]")
    answer["display_name"] = rows[0]["display_name"]
    answer["revision"] = rows[0]["revision"]
    answer["declared"] = {name: rows[0][f"declared_{name}"] for name in ("total", "failed", "skipped")}
    answer["ingested_at"] = iso(rows[0]["ingested_at"])
    commits = store.rows(f"SELECT * FROM {store.table_source('commits')} WHERE build = ? ORDER BY position", [number])
    answer["commits"] = [
        {name: row[name] for name in ("revision", "author", "message", "url")}
        | {"committed_at": iso(row["committed_at"])}
        for row in commits
    ]
    answer["warnings"] = store.rows(
        f"SELECT path, message FROM {store.table_source('warnings')} WHERE build = ?", [number]
    )
    listing = store.rows(
        f"""SELECT r.run, r.number FROM run_builds rb JOIN runs r USING (run)
            JOIN {store.derived_table("run_order")} o USING (run) WHERE rb.build = ? ORDER BY o.rank""",
        [number],
    )
    answer["runs"] = [{"id": ids.text(row["run"]), "number": row["number"]} for row in listing]
    return answer


@cached_query(of_build)
def facets(store: Store, build_id: str, flt: Filter = EVERYTHING) -> dict[str, list[dict[str, Any]]]:
    """Counts of a build's final results by status, topology, host and module."""
    here = partition(store, build_id)
    if here is None:
        return {}
    rows = store.rows(
        f"""SELECT r.status, r.topology, r.host, r.module, count(*) AS total
        FROM {build_table(store, "results", here)} r
        WHERE r.release = $release AND r.started_at = $at AND r.build = $build AND r.is_final GROUP BY ALL""",
        here,
    )
    answer: dict[str, list[dict[str, Any]]] = {}
    for facet in ("status", "topology", "host", "module"):
        found: dict[str, dict[str, int]] = {}
        for row in rows:
            counts = found.setdefault(row[facet], {"total": 0, "passed": 0, "failed": 0, "skipped": 0})
            counts["total"] += row["total"]
            counts[row["status"]] += row["total"]
        answer[facet] = [{"value": value, **counts} for value, counts in sorted(found.items())]
    return answer


@cached_query(of_build)
def files(store: Store, build_id: str, flt: Filter = EVERYTHING) -> list[dict[str, Any]]:
    """The stored raw files of a build by path, including those in zips: {"path", "kind", "size" (bytes)}."""
    here = partition(store, build_id)
    if here is None:
        return []
    found = raw_files.members(store, here["build"], here["at"])
    return sorted(
        ({"path": path, "kind": kind, "size": size} for path, kind, size in found), key=lambda row: row["path"]
    )


def file(store: Store, build_id: str, path: str, limit: int = 32 << 20) -> bytes | None:
    """The first `limit` bytes of a raw file; None for an unknown path."""
    here = partition(store, build_id)
    return None if here is None else raw_files.read(store, here["build"], here["at"], path, limit)


def partition(store: Store, build_id: str) -> dict[str, Any] | None:
    """Release, start time and id of a build, so that a query about it opens one month's files; None if unknown."""
    rows = store.rows("SELECT release, started_at AS at, build FROM builds WHERE build = ?", [ids.number(build_id)])
    return rows[0] if rows else None


def build_table(store: Store, table: str, here: dict[str, Any]) -> str:
    return store.table_source(table, [here["release"]], [here["at"]])


def _build(row: dict[str, Any], store: Store) -> dict[str, Any]:
    return {
        "id": ids.text(row["build"]),
        "source": row["source"],
        "job": row["job"],
        "number": row["number"],
        "run": None if row["run"] is None else ids.text(row["run"]),
        "release": row["release"],
        "version": row["version"],
        "environment": row["environment"],
        "module": row["module"],
        "started_at": iso(row["started_at"]),
        "duration_s": row["duration_s"],
        "state": row["state"],
        "health": build_health(row),
        "result": row["result"],
        **{name: row[name] for name in ("total", "passed", "failed", "errors", "skipped")},
        "pass_rate": pass_rate(row, store.settings.measures),
        "agent": row["agent"],
        "url": row["url"],
        "missing_results": row["missing_results"],
        "flags": row["flags"].split() if row["flags"] else [],
    }
