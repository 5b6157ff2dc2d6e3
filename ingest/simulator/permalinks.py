"""The builds of a job that have a name, such as lastStableBuild."""

from __future__ import annotations

from collections.abc import Callable

from ingest.simulator.jenkins_items import JenkinsBuild


def _completed(*results: str) -> Callable[[JenkinsBuild, float], bool]:
    """Whether a build has ended with one of the results; without any given, whether it has ended."""
    return lambda build, now: not build.building(now) and (not results or build.outcome() in results)


PERMALINKS = {
    "lastBuild": lambda build, now: True,
    "lastCompletedBuild": _completed(),
    "lastFailedBuild": _completed("FAILURE"),
    "lastStableBuild": _completed("SUCCESS"),
    "lastSuccessfulBuild": _completed("SUCCESS", "UNSTABLE"),
    "lastUnstableBuild": _completed("UNSTABLE"),
    "lastUnsuccessfulBuild": _completed("UNSTABLE", "FAILURE", "NOT_BUILT", "ABORTED"),
}


def named_build(builds: list[JenkinsBuild], name: str, now: float) -> JenkinsBuild | None:
    """The build of that name among `builds`, newest first; None if there is none, or no such name."""
    if name == "firstBuild":
        return builds[-1] if builds else None
    wanted = PERMALINKS.get(name)
    return next((build for build in builds if wanted and wanted(build, now)), None)
