"""Questions about release lines: how healthy is each one now."""

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
from data.model.measures import iso, release_state
from data.queries.runs import runs
from data.verdicts import verdicts

SPARK = 20


def tiles(store: Store, flt: Filter = EVERYTHING) -> list[dict[str, Any]]:
    """One tile a release line, newest activity first. Numbers are of `latest_run`: the newest run that has ended in the
    environment that tests most, so that a small staging run does not speak for the release; so is the spark.

    Not remembered as a whole: freshness and staleness follow the clock.
    """
    now = (store if flt.as_of is None else store.at(flt.as_of)).now()
    return [_tile(line, now, store) for line in release_runs(store, flt)]


def release(store: Store, name: str, flt: Filter = EVERYTHING) -> dict[str, Any] | None:
    """One tile; None where no such release line is known."""
    return next((tile for tile in tiles(store, replace(flt, release=name)) if tile["release"] == name), None)


@cached_query
def release_runs(store: Store, flt: Filter) -> list[dict[str, Any]]:
    """What the tiles are made of, without the clock: release, its newest runs, and its tests' words counted."""
    known = store.rows("SELECT release, active FROM releases ORDER BY release")
    words = verdicts.counts(store, flt)
    found = []
    for row in known:
        if flt.release is not None and row["release"] != flt.release:
            continue
        newest = runs(store, replace(flt, release=row["release"]), 2 * SPARK)
        found.append({"release": row["release"], "runs": newest, "words": words.get(row["release"], {})})
    found.sort(key=lambda line: line["runs"][0]["started_at"] if line["runs"] else "", reverse=True)
    return found


def _tile(facts: dict[str, Any], now: datetime, store: Store) -> dict[str, Any]:
    newest = facts["runs"]
    running = next((run for run in newest if run["state"] == "running"), None)
    ended = [run for run in newest if run["state"] != "running"]
    main = max(ended, key=lambda run: run["total"])["environment"] if ended else None
    latest = next((run for run in ended if run["environment"] == main), None)
    spark = [run for run in newest if run["environment"] == main or latest is None][:SPARK]
    age = (now - datetime.fromisoformat(newest[0]["started_at"].rstrip("Z"))).total_seconds() if newest else None
    words = facts["words"]
    shown = latest or running or {}
    return {
        "release": facts["release"],
        "state": release_state(latest, running is not None, words, age, store.settings.measures),
        "pass_rate": shown.get("pass_rate"),
        **{name: shown.get(name, 0) for name in ("total", "passed", "failed", "errors", "skipped")},
        "new_failures": words.get("new_failure", 0),
        "regressions": words.get("regression", 0),
        "always_failing": words.get("always_failing", 0),
        "flaky": words.get("flaky", 0),
        "fixed": words.get("fixed", 0),
        "latest_run": latest,
        "running_run": running,
        "freshness_s": age,
        "spark": [
            {
                name: run[name]
                for name in ("id", "number", "started_at", "state", "pass_rate", "total", "passed", "failed", "skipped")
            }
            for run in reversed(spark)
        ],
        "environments": sorted({run["environment"] for run in newest if run["environment"]}),
        "versions": sorted({run["version"] for run in newest if run["version"]}, key=_natural, reverse=True),
    }


@cached_query
def choices(store: Store, flt: Filter) -> dict[str, list[str]]:
    """What the selectors offer: every release, and below the chosen one its versions, environments and modules."""
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
        """SELECT version, count(*) AS runs, min(started_at) AS first, max(started_at) AS last,
            arg_max(run, started_at) AS latest
        FROM runs WHERE release = $release GROUP BY version ORDER BY last DESC""",
        {"release": name},
    )
    return [
        row | {"first": iso(row["first"]), "last": iso(row["last"]), "latest": ids.text(row["latest"])} for row in rows
    ]
