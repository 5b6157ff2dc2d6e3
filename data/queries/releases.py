"""Release lines: the tile of each, the choices of the filter, and versions."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from typing import Any

from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import conditions
from data.model.filters import EVERYTHING, Filter
from data.model.measures import COUNTS, iso, release_state
from data.queries.runs import runs
from data.verdicts import verdicts
from data.verdicts.unread_history import unread_histories

SPARK = 20
_SPARK_FIELDS = ("id", "number", "started_at", "state", "pass_rate", "total", "passed", "failed", "skipped")


def tiles(store: Store, flt: Filter = EVERYTHING) -> list[dict[str, Any]]:
    """One tile per release line, newest activity first. Its numbers and its spark are of `latest_run`: the newest
    finished run in the environment that tests most, so that a small staging run does not represent the release.

    Not cached as a whole: freshness and staleness follow the clock.
    """
    now = (store if flt.as_of is None else store.at(flt.as_of)).now()
    return [_tile(line, now, store) for line in release_runs(store, flt)]


def release(store: Store, name: str, flt: Filter = EVERYTHING) -> dict[str, Any] | None:
    """One tile; None for an unknown release line."""
    return next((tile for tile in tiles(store, replace(flt, release=name)) if tile["release"] == name), None)


@cached_query
def release_runs(store: Store, flt: Filter) -> list[dict[str, Any]]:
    """What tiles are computed from, without the clock: release, its newest runs, and counts of its verdict kinds."""
    rows = store.rows("SELECT release, active FROM releases ORDER BY release")
    kinds = verdicts.counts(store, flt)
    found = []
    for row in rows:
        if flt.release is not None and row["release"] != flt.release:
            continue
        newest = runs(store, replace(flt, release=row["release"]), 2 * SPARK)
        unread = unread_histories(store, replace(flt, release=row["release"]))
        found.append(
            {
                "release": row["release"],
                "runs": newest,
                "kinds": kinds.get(row["release"], {}),
                "unread": [history.row() for history in unread],
            }
        )
    found.sort(key=lambda line: line["runs"][0]["started_at"] if line["runs"] else "", reverse=True)
    return found


def _tile(line: dict[str, Any], now: datetime, store: Store) -> dict[str, Any]:
    newest, kinds = line["runs"], line["kinds"]
    running = next((run for run in newest if run["state"] == "running"), None)
    latest = _latest_run(newest)
    age = (now - datetime.fromisoformat(newest[0]["started_at"].rstrip("Z"))).total_seconds() if newest else None
    shown = latest or running or {}
    return {
        "release": line["release"],
        "state": release_state(latest, running is not None, kinds, age, store.settings.measures),
        "pass_rate": shown.get("pass_rate"),
        **{name: shown.get(name, 0) for name in COUNTS},
        "new_failures": kinds.get("new_failure", 0),
        "regressions": kinds.get("regression", 0),
        "always_failing": kinds.get("always_failing", 0),
        "flaky": kinds.get("flaky", 0),
        "fixed": kinds.get("fixed", 0),
        "unread_history": line["unread"],
        "latest_run": latest,
        "running_run": running,
        "freshness_s": age,
        "spark": _spark(newest, latest),
        "environments": sorted({run["environment"] for run in newest if run["environment"]}),
        "versions": sorted({run["version"] for run in newest if run["version"]}, key=_natural, reverse=True),
    }


def _latest_run(newest: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The newest finished run in the environment that tests most."""
    finished = [run for run in newest if run["state"] != "running"]
    if not finished:
        return None
    main = max(finished, key=lambda run: run["total"])["environment"]
    return next(run for run in finished if run["environment"] == main)


def _spark(newest: list[dict[str, Any]], latest: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The runs of the sparkline, oldest first: those in the environment of the latest run."""
    shown = [run for run in newest if latest is None or run["environment"] == latest["environment"]][:SPARK]
    return [{name: run[name] for name in _SPARK_FIELDS} for run in reversed(shown)]


@cached_query
def choices(store: Store, flt: Filter) -> dict[str, list[str]]:
    """The choices of the selectors: all releases, and the versions, environments and modules of the chosen one."""
    where, parameters = conditions(replace(flt, version=None, environment=None), "r")
    found = store.rows(
        f"""SELECT list(DISTINCT version) FILTER (version IS NOT NULL) AS versions,
            list_sort(list(DISTINCT environment) FILTER (environment IS NOT NULL)) AS environments
        FROM runs r WHERE {where}""",
        parameters,
    )[0]
    releases = [row["release"] for row in store.rows("SELECT release FROM releases")]
    part = " WHERE release = $release" if flt.release else ""
    modules = store.rows(f"SELECT DISTINCT module FROM build_counts{part} ORDER BY module", parameters if part else {})
    return {
        "releases": sorted(releases, key=_natural, reverse=True),
        "versions": sorted(found["versions"] or [], key=_natural, reverse=True),
        "environments": found["environments"] or [],
        "modules": [row["module"] for row in modules],
    }


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """A sort key by which 7.0.10 comes after 7.0.9."""
    parts = re.split("([0-9]+)", text)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part]


@cached_query
def versions(store: Store, name: str, flt: Filter = EVERYTHING) -> list[dict[str, Any]]:
    """The versions of a release line, newest first: version, runs, first and last run."""
    rows = store.rows(
        f"""SELECT version, count(*) AS runs, min(started_at) AS first, max(started_at) AS last,
            arg_max(run, rank) AS latest
        FROM runs JOIN {store.derived_table("run_order")} USING (run) WHERE release = $release
        GROUP BY version ORDER BY max(rank) DESC""",
        {"release": name},
    )
    return [
        row | {"first": iso(row["first"]), "last": iso(row["last"]), "latest": ids.text(row["latest"])} for row in rows
    ]
