"""Layout `job`: each build of one job is a run. Also the base class of the other layouts.

A layout decides only from names and parameters, so that `rebuild` can apply it without a Jenkins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase

from data.model.run_record import RunRecord
from data.settings import SourceSettings
from data.tasks.jobs import JobRow
from data.tasks.ledger import BUILD
from ingest.jenkins.build_details import JenkinsBuildDetail
from ingest.jenkins.client import Jenkins
from ingest.jenkins.json_values import whole
from ingest.jenkins.urls import build_path, job_path
from ingest.layouts.naming_rules import UNKNOWN, NamingRules


@dataclass(frozen=True)
class BuildPlacement:
    """Where a build belongs. `run` is the run that it forms or joins; None if an orchestrating build lists it."""

    release: str
    version: str | None
    environment: str
    module: str
    run: RunRecord | None


class JobLayout:
    """`kind` of the jobs' builds: ledger.BUILD, or ledger.RUN if they list other builds."""

    kind = BUILD
    reads_upstream = False  # whether the run of a build depends on the build that started it

    def __init__(self, source: SourceSettings) -> None:
        self.source = source
        self.rules = NamingRules(source)

    def jobs(self, jenkins: Jenkins) -> list[JobRow]:
        """The jobs of the source, with nextBuildNumber if the server sends it. Raises JenkinsError."""
        name = self.source.job.strip("/")
        answer = jenkins.api(job_path(name), "nextBuildNumber")
        return [JobRow(self.source.name, name, whole(answer.get("nextBuildNumber")))]

    def placement(
        self,
        detail: JenkinsBuildDetail,
        started_at: datetime,
        parents: Sequence[RunRecord],
        upstream: JenkinsBuildDetail | None,
    ) -> BuildPlacement:
        """`parents`: the runs that list this build. `upstream`: the build that started it, if `reads_upstream`."""
        version = self.rules.version(detail.display_name, detail.parameters)
        release = self.rules.release(version) or self.fallback_release(detail.job)
        environment = self.rules.environment(detail.parameters)
        run = as_run(self.source, detail, started_at, release, version, environment)
        return BuildPlacement(release, version, environment, self.module(detail.job), self.join(run, detail, upstream))

    def fallback_release(self, job: str) -> str:
        return UNKNOWN

    def module(self, job: str) -> str:
        return self.rules.module(job.rpartition("/")[2])

    def join(self, own: RunRecord, detail: JenkinsBuildDetail, upstream: JenkinsBuildDetail | None) -> RunRecord:
        """The run that a build belongs to; `own` is the run that it forms alone."""
        return own

    def includes(self, *names: str) -> bool:
        """Whether `include` and `exclude` accept a job by any of its names."""
        wanted = any(fnmatchcase(name, glob) for name in names for glob in self.source.include)
        return wanted and not any(fnmatchcase(name, glob) for name in names for glob in self.source.exclude)


def as_run(
    source: SourceSettings,
    detail: JenkinsBuildDetail,
    started_at: datetime,
    release: str,
    version: str | None,
    environment: str,
) -> RunRecord:
    """The run that one build forms."""
    return RunRecord(
        source=source.name,
        job=detail.job,
        number=detail.number,
        release=release,
        started_at=started_at,
        version=version,
        environment=environment,
        duration_s=detail.duration_s,
        state="final" if detail.final else "running",
        result=detail.result,
        display_name=detail.display_name,
        url=source.url + build_path(detail.job, detail.number),
    )
