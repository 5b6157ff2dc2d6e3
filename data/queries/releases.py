"""Release lines: the tile of each, the choices of the filter, and versions."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from datetime import datetime
from typing import TypedDict

from data.answers.runs import Choices, Run, SparkPoint, Tile, TileLane, Version
from data.lake.cached_query import cached_query, of_names, of_release, of_tables
from data.lake.store import Store
from data.model import ids
from data.model.filter_sql import Where
from data.model.filters import EVERYTHING, Filter
from data.model.measures import iso
from data.queries.lane_states import LaneStatus, lane_states

SPARK = 20


class _VersionRow(TypedDict):
    version: str | None
    runs: int
    first: datetime
    last: datetime
    latest: int


def tiles(store: Store, flt: Filter = EVERYTHING) -> list[Tile]:
    """One tile per release line, newest activity first. All of it is about one `environment`, the one that tests most,
    so that a small staging run does not represent the release; `lanes` has the state of every environment. Counts are
    of the newest finished run; a test counts under its worst verdict kind alone.

    Not cached as a whole: freshness and staleness follow the clock.
    """
    found = [
        _tile(name, lane_states(store, replace(flt, release=name)))
        for name in release_names(store, flt)
        if flt.release in (None, name)
    ]
    found.sort(key=lambda tile: tile["freshness_s"] if tile["freshness_s"] is not None else math.inf)
    return found


@cached_query(of_tables("releases"))
def release_names(store: Store, flt: Filter = EVERYTHING) -> list[str]:
    """All release lines of the store, also those that a filter leaves out."""
    found = store.cursor().execute("SELECT release FROM releases ORDER BY release")
    return [release for (release,) in found.fetchall()]


def release(store: Store, name: str, flt: Filter = EVERYTHING) -> Tile | None:
    """One tile; None for an unknown release line."""
    return next(iter(tiles(store, replace(flt, release=name))), None)


def run_of_release(store: Store, flt: Filter) -> str | None:
    """The id of the run that a release means where a run is wanted: the newest finished one of the environment that
    tests most, as on its tile, or of the filter's environment. None if none has finished."""
    lanes = lane_states(store, flt)
    latest = lanes[0]["latest"] if lanes else None
    return latest and latest["id"]


def _tile(release: str, lanes: list[LaneStatus]) -> Tile:
    lane = lanes[0] if lanes else _NO_LANE
    latest, running, words = lane["latest"], lane["running"], lane["words"]
    shown = latest or running
    return {
        "release": release,
        "environment": lane["environment"],
        "state": lane["state"],
        "incomplete": lane["incomplete"],
        "stale": lane["stale"],
        "reasons": lane["reasons"],
        "pass_rate": shown["pass_rate"] if shown else None,
        "total": shown["total"] if shown else 0,
        "passed": shown["passed"] if shown else 0,
        "failed": shown["failed"] if shown else 0,
        "errors": shown["errors"] if shown else 0,
        "skipped": shown["skipped"] if shown else 0,
        "new_failures": words["new_failure"],
        "regressions": words["regression"],
        "always_failing": words["always_failing"],
        "flaky": words["flaky"],
        "fixed": words["fixed"],
        "unjudged": lane["unjudged"],
        "unread_history": [lane["unread"] for lane in lanes if lane["unread"]],
        "latest_run": latest,
        "running_run": running,
        "freshness_s": lane["age_s"],
        "spark": [_spark_point(run) for run in reversed(lane["runs"][:SPARK])],
        "lanes": [_lane_row(each) for each in lanes],
        "environments": sorted(each["environment"] for each in lanes if each["environment"]),
        "versions": sorted(
            {run["version"] for each in lanes for run in each["runs"] if run["version"]}, key=_natural, reverse=True
        ),
    }


def _spark_point(run: Run) -> SparkPoint:
    return {
        "id": run["id"],
        "job": run["job"],
        "number": run["number"],
        "started_at": run["started_at"],
        "state": run["state"],
        "incomplete": run["incomplete"],
        "pass_rate": run["pass_rate"],
        "total": run["total"],
        "passed": run["passed"],
        "failed": run["failed"],
        "skipped": run["skipped"],
    }


def _lane_row(lane: LaneStatus) -> TileLane:
    """The state of one environment, in a line."""
    run = lane["latest"] or lane["runs"][0]
    words = lane["words"]
    return {
        "environment": lane["environment"],
        "state": lane["state"],
        "incomplete": lane["incomplete"],
        "stale": lane["stale"],
        "reasons": lane["reasons"],
        "unjudged": lane["unjudged"],
        "new_failures": words["new_failure"],
        "regressions": words["regression"],
        "always_failing": words["always_failing"],
        "flaky": words["flaky"],
        "fixed": words["fixed"],
        "run": run["id"],
        "job": run["job"],
        "number": run["number"],
        "pass_rate": run["pass_rate"],
        "running": lane["running"] is not None,
    }


_NO_LANE: LaneStatus = {
    "environment": None,
    "state": "empty",
    "incomplete": False,
    "stale": False,
    "reasons": [],
    "words": {"regression": 0, "new_failure": 0, "always_failing": 0, "flaky": 0, "fixed": 0},
    "unjudged": 0,
    "runs": [],
    "latest": None,
    "running": None,
    "unread": None,
    "age_s": None,
}


@cached_query(of_names)
def choices(store: Store, flt: Filter) -> Choices:
    """The choices of the selectors: all releases, and the versions, environments and modules of the chosen one."""
    where = Where().equal("r", release=flt.release)
    found = store.cursor().execute(
        f"""SELECT list(DISTINCT version) FILTER (version IS NOT NULL) AS versions,
            list_sort(list(DISTINCT environment) FILTER (environment IS NOT NULL)) AS environments
        FROM runs r WHERE {where}""",
        where.parameters,
    )
    ((found_versions, environments),) = found.fetchall()
    part = " WHERE release = $release" if flt.release else ""
    modules = store.rows(
        f"SELECT DISTINCT module FROM build_counts{part} ORDER BY module", {"release": flt.release} if part else ()
    )
    return {
        "releases": sorted(release_names(store), key=_natural, reverse=True),
        "versions": sorted(found_versions or [], key=_natural, reverse=True),
        "environments": environments or [],
        "modules": [row["module"] for row in modules],
    }


def offered_names(offered: Choices, what: str) -> list[str]:
    """The choices of the selector of this name; none for another name."""
    names = {
        "release": offered["releases"],
        "version": offered["versions"],
        "environment": offered["environments"],
        "module": offered["modules"],
    }
    return names.get(what, [])


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """A sort key by which 7.0.10 comes after 7.0.9."""
    parts = re.split("([0-9]+)", text)
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts if part]


@cached_query(of_release)
def versions(store: Store, release: str, flt: Filter = EVERYTHING) -> list[Version]:
    """The versions of a release line, newest first: version, runs, first and last run."""
    rows = store.rows(
        f"""SELECT version, count(*) AS runs, min(started_at) AS first, max(started_at) AS last,
            arg_max(run, rank) AS latest
        FROM {store.derived_table("run_summaries")} WHERE release = $release
        GROUP BY version ORDER BY max(rank) DESC""",
        {"release": release},
        _VersionRow,
    )
    return [
        {
            "version": row["version"],
            "runs": row["runs"],
            "first": iso(row["first"]),
            "last": iso(row["last"]),
            "latest": ids.text(row["latest"]),
        }
        for row in rows
    ]
