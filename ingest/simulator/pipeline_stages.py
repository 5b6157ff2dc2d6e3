"""What the Pipeline REST API plugin tells about a pipeline's build: its stages and its artifacts."""

from __future__ import annotations

from data.model.json_values import Json, JsonObject
from ingest.simulator.build_json import item_path, raw_encode
from ingest.simulator.jenkins_items import JenkinsBuild, JenkinsJob

STAGES = (("6", "Checkout", 0.02), ("11", "Tests", 0.96), ("38", "Report", 0.02))
STATUSES = {"SUCCESS": "SUCCESS", "UNSTABLE": "UNSTABLE", "FAILURE": "FAILED", "ABORTED": "ABORTED"}


def describe(job: JenkinsJob, build: JenkinsBuild, now: float) -> JsonObject:
    """`wfapi/describe`: the stages that have begun, each with its share of the build's time."""
    status = "IN_PROGRESS" if build.building(now) else STATUSES[build.outcome()]
    whole = build.ended - build.started
    stages: list[Json] = []
    begun = build.started
    for number, name, share in STAGES:
        ended = begun + share * whole
        if begun <= now:
            # Only the last stage that has begun has the build's status; those before it have passed.
            running = "IN_PROGRESS" if build.building(now) and now < ended else "SUCCESS"
            outcome = status if name == "Tests" and not build.building(now) else running
            stages.append(
                {
                    "_links": {"self": {"href": f"{_path(job, build)}execution/node/{number}/wfapi/describe"}},
                    "id": number,
                    "name": name,
                    "execNode": "",
                    "status": outcome,
                    "startTimeMillis": int(begun * 1000),
                    "durationMillis": int((min(now, ended) - begun) * 1000),
                    "pauseDurationMillis": 0,
                }
            )
        begun = ended
    return {
        "_links": {"self": {"href": f"{_path(job, build)}wfapi/describe"}},
        "id": str(build.number),
        "name": build.display_name or f"#{build.number}",
        "status": status,
        "startTimeMillis": int(build.started * 1000),
        "endTimeMillis": int(min(now, build.ended) * 1000),
        "durationMillis": int((min(now, build.ended) - build.started) * 1000),
        "queueDurationMillis": 0,
        "pauseDurationMillis": 0,
        "stages": stages,
    }


def artifacts(job: JenkinsJob, build: JenkinsBuild, now: float) -> list[JsonObject]:
    """`wfapi/artifacts`: unlike the build's own list, with addresses and sizes."""
    return [
        {
            "id": f"n{number}",
            "name": path.rsplit("/", 1)[-1],
            "path": path,
            "url": f"{_path(job, build)}artifact/{'/'.join(map(raw_encode, path.split('/')))}",
            "size": len(render()),
        }
        for number, (path, render) in enumerate(build.files(now).items(), 1)
    ]


def _path(job: JenkinsJob, build: JenkinsBuild) -> str:
    return f"/{item_path(job.full_name)}{build.number}/"
