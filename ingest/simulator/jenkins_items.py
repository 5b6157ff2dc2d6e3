"""Folders, jobs and builds of the fake Jenkins, as they are at a time `now` (epoch seconds)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TypedDict, final

from ingest.simulator.programme import ProductCommit
from ingest.simulator.published_reports import SuitesReport
from ingest.simulator.tree_query import Properties

ArtifactFiles = dict[str, Callable[[], bytes]]

FREESTYLE = ("hudson.model.FreeStyleProject", "hudson.model.FreeStyleBuild")
PIPELINE = ("org.jenkinsci.plugins.workflow.job.WorkflowJob", "org.jenkinsci.plugins.workflow.job.WorkflowRun")
MATRIX = ("hudson.matrix.MatrixProject", "hudson.matrix.MatrixBuild")
MATRIX_AXIS = ("hudson.matrix.MatrixConfiguration", "hudson.matrix.MatrixRun")
MULTIJOB = ("com.tikal.jenkins.plugins.multijob.MultiJobProject", "com.tikal.jenkins.plugins.multijob.MultiJobBuild")
RUNNING_AT_ONCE = 5  # no job runs more of its builds at once
FOLDER = "com.cloudbees.hudson.plugins.folder.Folder"
MULTIBRANCH = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"


@dataclass(frozen=True, slots=True)
class UpstreamBuild:
    """The build that started a build."""

    job: str
    number: int


@dataclass(slots=True, eq=False, kw_only=True)
class JenkinsBuild:
    """One build. Between `ended` and `ended + post` it is in post-production: not building, still in progress.
    It waits in the queue from `scheduled` to `started`, None: it did not wait."""

    number: int
    started: float
    ended: float
    post: float = 0.0
    display_name: str = ""
    parameters: Properties = field(default_factory=dict)
    upstream: UpstreamBuild | None = None
    scheduled: float | None = None
    agent: str = ""
    revision: str = ""

    def building(self, now: float) -> bool:
        return now < self.ended

    def in_progress(self, now: float) -> bool:
        return now < self.ended + self.post

    def result(self, now: float) -> str | None:
        return None if self.building(now) else self.outcome()

    def outcome(self) -> str:
        """The final result."""
        return "SUCCESS"

    def commits(self) -> list[ProductCommit]:
        return []

    def files(self, now: float) -> ArtifactFiles:
        """Artifacts: relative path -> function that renders it."""
        return {}

    def report(self, now: float) -> PublishedReport | None:
        """A test report as `{"suites": [...]}` of the JUnit plugin, `{"children": [(axis build, report)]}` of a matrix
        build, or None if nothing was published."""
        return None

    def counts(self, now: float) -> dict[str, int] | None:
        """failCount, skipCount and totalCount of the report."""
        report = self.report(now)
        return report_counts(report) if report else None

    def console(self, now: float) -> str:
        """The log so far, without the lines that Jenkins itself adds at its start and end."""
        return ""

    def sub_builds(self) -> list[tuple[JenkinsJob, JenkinsBuild]]:
        """The axis builds of a matrix build (inherited ones too), or the builds that a multijob's phases started."""
        return []


@final
class MatrixReport(TypedDict):
    """Of a matrix build: its axis builds, each with its report."""

    children: list[tuple[JenkinsJob, JenkinsBuild, SuitesReport]]


PublishedReport = SuitesReport | MatrixReport


def report_counts(report: PublishedReport) -> dict[str, int]:
    if "children" in report:
        parts = [report_counts(child) for _, _, child in report["children"]]
        return {name: sum(part[name] for part in parts) for name in ("failCount", "skipCount", "totalCount")}
    statuses = [case["status"] for suite in report["suites"] for case in suite["cases"]]
    return {
        "failCount": statuses.count("FAILED"),
        "skipCount": statuses.count("SKIPPED"),
        "totalCount": len(statuses),
    }


@dataclass(slots=True, eq=False)
class JenkinsJob:
    """`history` gives the builds that have begun by a moment, oldest first. Builds whose numbers are `missing` are
    listed but gone, those `deleted` are gone; `edits` are properties changed by hand after the build."""

    full_name: str
    kind: tuple[str, str]
    history: Callable[[float], list[JenkinsBuild]]
    missing: set[int] = field(default_factory=set)
    deleted: set[int] = field(default_factory=set)
    edits: dict[int, Properties] = field(default_factory=dict)
    axes: dict[str, JenkinsJob] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.full_name.rsplit("/", 1)[-1]

    def builds(self, now: float) -> list[JenkinsBuild]:
        """Newest first."""
        return [build for build in reversed(self.history(now)) if build.number not in self.deleted]

    def waiting(self, now: float) -> list[JenkinsBuild]:
        """Builds that something has started and that wait for an executor."""
        return [build for build in self.history(inf) if build.started > now]

    def running(self, now: float) -> list[JenkinsBuild]:
        """Newest first."""
        return [build for build in self.builds(now)[:RUNNING_AT_ONCE] if build.building(now)]

    def next_number(self, now: float) -> int:
        history = self.history(now)
        return history[-1].number + 1 if history else 1

    def build(self, number: int, now: float) -> JenkinsBuild | None:
        if number in self.missing:
            return None
        return next((build for build in self.builds(now) if build.number == number), None)


@dataclass(slots=True, eq=False)
class JenkinsFolder:
    """A folder, a multibranch project or, with an empty name, the root. `views` name jobs by full name."""

    full_name: str
    kind: str = FOLDER
    items: dict[str, JenkinsFolder | JenkinsJob] = field(default_factory=dict)
    views: dict[str, list[str]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.full_name.rsplit("/", 1)[-1]

    @property
    def all_view(self) -> str:
        """The name of the view of everything in it."""
        if not self.full_name:
            return "all"
        return "default" if self.kind == MULTIBRANCH else "All"

    def add(self, item: JenkinsFolder | JenkinsJob) -> None:
        self.items[item.name.lower()] = item

    def folder(self, path: str) -> JenkinsFolder:
        """The folder at `path` below this one, created if missing."""
        here = self
        for name in path.split("/"):
            item = here.items.get(name.lower())
            if item is None:
                item = JenkinsFolder(f"{here.full_name}/{name}".lstrip("/"))
                here.add(item)
            if not isinstance(item, JenkinsFolder):
                raise LookupError(f"{item.full_name} is a job, not a folder")
            here = item
        return here

    def job(self, path: str) -> JenkinsJob:
        """The job at `path` below this folder. Raises LookupError."""
        item = self.find(path.split("/"))
        if not isinstance(item, JenkinsJob):
            raise LookupError(f"no job {path}")
        return item

    def jobs(self) -> Iterator[JenkinsJob]:
        """Every job below this folder, with the axes of matrix jobs."""
        for item in self.items.values():
            if isinstance(item, JenkinsFolder):
                yield from item.jobs()
            else:
                yield item
                yield from item.axes.values()

    def find(self, names: list[str]) -> JenkinsFolder | JenkinsJob | None:
        """The item at that path; Jenkins ignores case."""
        here: JenkinsFolder | JenkinsJob = self
        for name in names:
            inside: Mapping[str, JenkinsFolder | JenkinsJob]
            inside = here.items if isinstance(here, JenkinsFolder) else here.axes
            item = inside.get(name.lower())
            if item is None:
                return None
            here = item
        return here
