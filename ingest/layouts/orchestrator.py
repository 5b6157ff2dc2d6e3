"""Layout `orchestrator`: a parent build starts one build per module and lists them in its artifact build_map.json.

Several parents may list one build. A module build belongs to the release of its own version and to the environment of
its own parameter, or without one to that of its parent. The parent in a multijob needs no map: Jenkins lists its
sub-builds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from data.model.json_values import JsonObject
from data.model.run_record import RunRecord
from data.tasks.ledger import RUN
from ingest.jenkins.build_details import JenkinsBuildDetail
from ingest.layouts.job import BuildPlacement, JobLayout, as_run
from ingest.layouts.naming_rules import UNKNOWN

MAP_FILE = "build_map.json"


class OrchestratorLayout(JobLayout):
    kind = RUN

    def parent(self, detail: JenkinsBuildDetail, started_at: datetime, release: str | None) -> RunRecord:
        """The run of an orchestrating build; `release` is used if its own version names none."""
        version = self.rules.version(detail.display_name, detail.parameters)
        release = self.rules.release(version) or release or UNKNOWN
        environment = self.rules.environment(detail.parameters)
        return as_run(self.source, detail, started_at, release, version, environment)

    def listed_builds(self, detail: JenkinsBuildDetail, build_map: JsonObject | None) -> list[tuple[str, int, str]]:
        """(full job name, number, module) of the builds that a parent lists; number 0 if one was never started."""
        folder = detail.job.rpartition("/")[0]
        if build_map is None:
            named = [(name, number) for name, number, _ in detail.sub_builds]
        else:
            named = [(key.replace("_", "-"), _number(value)) for key, value in build_map.items()]
        jobs = {f"{folder}/{name}".strip("/"): number for name, number in named if self.includes(name)}
        return [(job, number, self.module(job)) for job, number in jobs.items()]

    def placement(
        self,
        detail: JenkinsBuildDetail,
        started_at: datetime,
        parents: Sequence[RunRecord],
        upstream: JenkinsBuildDetail | None,
    ) -> BuildPlacement:
        own = replace(super().placement(detail, started_at, parents, upstream), run=None)
        parent = nearest(parents, started_at)
        if parent is None:
            return own
        return replace(
            own,
            release=own.release if own.release != UNKNOWN else self.rules.release(parent.version) or parent.release,
            version=own.version or parent.version,
            environment=own.environment if self.rules.names_environment(detail.parameters) else parent.environment,
        )


def nearest(parents: Sequence[RunRecord], started_at: datetime) -> RunRecord | None:
    """The parent that started a build: the latest one before it, else the first one after it."""
    before = [parent for parent in parents if parent.started_at <= started_at]
    if before:
        return max(before, key=lambda parent: (parent.started_at, parent.number))
    return min(parents, key=lambda parent: (parent.started_at, parent.number), default=None)


def _number(value: Any) -> int:
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
