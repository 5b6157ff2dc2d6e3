"""The health report of a job: how many of its last five builds failed."""

from __future__ import annotations

from ingest.simulator.jenkins_items import JenkinsBuild
from ingest.simulator.tree_query import Properties

COUNTED_BUILDS = 5
ICONS = ((20, "health-00to19"), (40, "health-20to39"), (60, "health-40to59"), (80, "health-60to79"))


def health_report(builds: list[JenkinsBuild], now: float) -> list[Properties]:
    """`builds`: newest first. Aborted builds do not count, and unstable ones did not fail."""
    ended = [build.outcome() for build in builds[: 2 * COUNTED_BUILDS] if not build.building(now)]
    counted = [outcome for outcome in ended[:COUNTED_BUILDS] if outcome in ("SUCCESS", "UNSTABLE", "FAILURE")]
    if not counted:
        return []
    failed = counted.count("FAILURE")
    score = 100 * (len(counted) - failed) // len(counted)
    text = f"{failed} out of the last {len(counted)} builds failed."
    if failed in (0, len(counted)):
        text = f"{'All' if failed else 'No'} recent builds failed."
    icon = next((name for limit, name in ICONS if score <= limit), "health-80plus")
    return [
        {
            "description": f"Build stability: {text}",
            "iconClassName": f"icon-{icon}",
            "iconUrl": f"{icon}.png",
            "score": score,
        }
    ]
