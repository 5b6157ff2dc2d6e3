"""Release lines: the tile of each, the choices of the filter, and versions."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

from data.lake.cached_query import cached_query, of_names, of_release, of_tables
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import conditions
from data.model.filters import EVERYTHING, Filter
from data.model.measures import COUNTS, iso
from data.queries.lane_states import lane_states
from data.verdicts.rules import KINDS
from data.verdicts.unread_history import UnreadLane, unread_histories

SPARK = 20
_SPARK_FIELDS = (
    *("id", "number", "started_at", "state", "incomplete", "pass_rate", "total", "passed", "failed", "skipped"),
)
# Key of a tile -> verdict kind.
WORDS = {
    "new_failures": "new_failure",
    "regressions": "regression",
    "always_failing": "always_failing",
    "flaky": "flaky",
    "fixed": "fixed",
}


def tiles(store: Store, flt: Filter = EVERYTHING) -> list[dict[str, Any]]:
    """One tile per release line, newest activity first. All of it is about one `environment`, the one that tests most,
    so that a small staging run does not represent the release; `lanes` has the state of every environment. Counts are
    of the newest finished run; a test counts under its worst verdict kind alone.

    Not cached as a whole: freshness and staleness follow the clock.
    """
    filters = [replace(flt, release=name) for name in release_names(store, flt) if flt.release in (None, name)]
    found = [_tile(each, lane_states(store, each), unread_histories(store, each)) for each in filters]
    found.sort(key=lambda tile: tile["freshness_s"] if tile["freshness_s"] is not None else math.inf)
    return found


@cached_query(of_tables("releases"))
def release_names(store: Store, flt: Filter = EVERYTHING) -> list[str]:
    """All release lines of the store, also those that a filter leaves out."""
    return [row["release"] for row in store.rows("SELECT release FROM releases ORDER BY release")]


def release(store: Store, name: str, flt: Filter = EVERYTHING) -> dict[str, Any] | None:
    """One tile; None for an unknown release line."""
    return next(iter(tiles(store, replace(flt, release=name))), None)


def run_of_release(store: Store, flt: Filter) -> str | None:
    """The id of the run that a release means where a run is wanted: the newest finished one of the environment that
    tests most, as on its tile, or of the filter's environment. None if none has finished."""
    lanes = lane_states(store, flt)
    latest = lanes[0]["latest"] if lanes else None
    return latest and latest["id"]


def _tile(flt: Filter, lanes: list[dict[str, Any]], unread: list[UnreadLane]) -> dict[str, Any]:
    lane = lanes[0] if lanes else _NO_LANE
    latest, running, words = lane["latest"], lane["running"], lane["words"]
    shown = latest or running or {}
    return {
        "release": flt.release,
        "environment": lane["environment"],
        **{name: lane[name] for name in ("state", "incomplete", "stale", "reasons")},
        "pass_rate": shown.get("pass_rate"),
        **{name: shown.get(name, 0) for name in COUNTS},
        **{name: words[kind] for name, kind in WORDS.items()},
        "unjudged": lane["unjudged"],
        "unread_history": [history.row() for history in unread],
        "latest_run": latest,
        "running_run": running,
        "freshness_s": lane["age_s"],
        "spark": [{name: run[name] for name in _SPARK_FIELDS} for run in reversed(lane["runs"][:SPARK])],
        "lanes": [_lane_row(each) for each in lanes],
        "environments": sorted(each["environment"] for each in lanes if each["environment"]),
        "versions": sorted(
            {run["version"] for each in lanes for run in each["runs"] if run["version"]}, key=_natural, reverse=True
        ),
    }


def _lane_row(lane: dict[str, Any]) -> dict[str, Any]:
    """The state of one environment, in a line."""
    run = lane["latest"] or lane["running"]
    return {
        **{name: lane[name] for name in ("environment", "state", "incomplete", "stale", "reasons", "unjudged")},
        **{name: lane["words"][kind] for name, kind in WORDS.items()},
        "run": run["id"],
        "number": run["number"],
        "pass_rate": run["pass_rate"],
        "running": lane["running"] is not None,
    }


_NO_LANE: dict[str, Any] = {
    "environment": None,
    "state": "empty",
    "incomplete": False,
    "stale": False,
    "reasons": [],
    "words": dict.fromkeys(KINDS, 0),
    "unjudged": 0,
    "runs": [],
    "latest": None,
    "running": None,
    "age_s": None,
}


@cached_query(of_names)
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


@cached_query(of_release)
def versions(store: Store, release: str, flt: Filter = EVERYTHING) -> list[dict[str, Any]]:
    """The versions of a release line, newest first: version, runs, first and last run."""
    rows = store.rows(
        f"""SELECT version, count(*) AS runs, min(started_at) AS first, max(started_at) AS last,
            arg_max(run, rank) AS latest
        FROM runs JOIN {store.derived_table("run_order")} USING (run) WHERE release = $release
        GROUP BY version ORDER BY max(rank) DESC""",
        {"release": release},
    )
    return [
        row | {"first": iso(row["first"]), "last": iso(row["last"]), "latest": ids.text(row["latest"])} for row in rows
    ]
