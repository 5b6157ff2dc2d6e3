"""The build queue: builds that wait for their agent, and for five minutes those that have left it."""

from __future__ import annotations

from ingest.simulator.build_json import queue_id
from ingest.simulator.jenkins_items import JenkinsFolder
from ingest.simulator.json_api import Exporter
from ingest.simulator.tree_query import ExportedBean

REMEMBERED_S = 300


def find(root: JenkinsFolder, exporter: Exporter, path: list[str]) -> ExportedBean | None:
    """What is at `path` below /queue/: the queue itself, or `item/ID`."""
    if not path:
        waiting = [(build.started, job, build) for job in root.jobs() for build in job.waiting(exporter.now)]
        waiting.sort(key=lambda entry: entry[0], reverse=True)
        items = [exporter.queue_item(job, build) for _, job, build in waiting]
        return ExportedBean("hudson.model.Queue", {"discoverableItems": [], "items": items}, visibility=1)
    if len(path) != 2 or path[0] != "item" or not path[1].isdigit():
        return None
    wanted = int(path[1])
    for job in root.jobs():
        left = [build for build in job.builds(exporter.now) if build.started > exporter.now - REMEMBERED_S]
        for build in job.waiting(exporter.now) + left:
            if queue_id(job, build) == wanted:
                return exporter.queue_item(job, build)
    return None
