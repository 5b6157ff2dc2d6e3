"""The other jobs of the fake Jenkins, few and small: one for each way in which teams lay out their results.

libcore-nightly (freestyle, surefire XML), compat-matrix (matrix, test report only),
axes-matrix (matrix whose axis builds alone have files), webapp (multibranch), platform
(nested folders, builds joined by a parameter and an upstream build), suite (multijob), and a view on three of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ingest.simulator import jenkins_items
from ingest.simulator.jenkins_items import JenkinsBuild, JenkinsFolder, JenkinsJob, UpstreamBuild
from ingest.simulator.side_builds import BuildExtras, SideBuild
from ingest.simulator.timeline import ProgrammeSize
from ingest.simulator.tree_query import Properties

VIEW = "nightly"
ARCHIVE = "archive"
AXES = ("os=debian12,python=3.11", "os=debian12,python=3.13", "os=macos15,python=3.11", "os=macos15,python=3.13")
BRANCHES = {"main": 14, "release%2F2.1": 9, "feature%2Fx": 5}
NIGHTLY = ("platform/nightly/api/unit", "platform/nightly/api/e2e", "platform/nightly/ui/e2e")


@dataclass(slots=True)
class _BuildSeries:
    """Draws the builds of one job, one every `hours` up to the programme's start."""

    seed: int
    until: float
    job: str
    count: int
    hours: float
    style: str
    tests: int = 0
    bad_from: int = 10**9
    extra: Callable[[int], BuildExtras] = field(default=lambda number: BuildExtras())

    def build(self, number: int) -> SideBuild:
        started = float(int(self.until - (self.count - number) * self.hours * 3600 - 1800))
        return SideBuild(
            number=number,
            started=started,
            ended=started + 300 + number % 60,
            agent="agent-01",
            seed=self.seed,
            job=self.job,
            style=self.style,
            tests=self.tests,
            bad_from=self.bad_from,
            **self.extra(number),
        )

    def builds(self) -> list[JenkinsBuild]:
        return [self.build(number) for number in range(1, self.count + 1)]


def _job(full_name: str, kind: tuple[str, str], builds: list[JenkinsBuild]) -> JenkinsJob:
    return JenkinsJob(full_name, kind, lambda now: [build for build in builds if build.started <= now])


def add_jobs(seed: int, started: float, root: JenkinsFolder, size: ProgrammeSize) -> None:
    """Add the side jobs below `root`, and the fleet and archive jobs of the size."""

    def make(job: str, count: int, hours: float, style: str, tests: int = 0, **more: Any) -> _BuildSeries:
        return _BuildSeries(seed, started, job, count, hours, style, tests, **more)

    def version(number: int) -> BuildExtras:
        return {"parameters": {"VERSION": f"3.{number // 40}.{number % 40}"}}

    name = "libcore-nightly"
    libcore = make(name, 120, 24, "surefire", 64, bad_from=112, extra=version)
    nightly = _job(name, jenkins_items.FREESTYLE, libcore.builds())
    root.add(nightly)
    nightly.missing.add(97)
    root.add(_matrix(make, "compat-matrix", 30, "report", "report"))
    root.add(_matrix(make, "axes-matrix", 10, "axes", "pytest"))
    root.add(_multibranch(make))
    _add_platform(make, root)
    _add_suite(make, root)
    root.views[VIEW] = [name, "compat-matrix", "suite-unit"]
    for number in range(size.fleet):
        idle = f"fleet/job-{number:04d}"
        root.folder("fleet").add(
            _job(idle, jenkins_items.FREESTYLE, make(idle, 1 + number % 3, 24, "pytest", 5).builds())
        )
    if size.archive:
        builds = make(ARCHIVE, size.archive, 1, "pytest", 500).builds()
        root.add(JenkinsJob(ARCHIVE, jenkins_items.FREESTYLE, lambda now: builds))


def _matrix(make: Callable[..., _BuildSeries], name: str, count: int, style: str, axis_style: str) -> JenkinsJob:
    """Every fifth build leaves its last axis to the build before it."""

    def started_by(number: int) -> BuildExtras:
        return {"upstream": UpstreamBuild(name, number)}

    axes = {
        axis: make(f"{name}/{axis}", count, 24, axis_style, 20, bad_from=count - 3, extra=started_by).builds()
        for axis in AXES
    }
    jobs = {axis: _job(f"{name}/{axis}", jenkins_items.MATRIX_AXIS, builds) for axis, builds in axes.items()}
    for number in range(5, count + 1, 5):
        jobs[AXES[-1]].deleted.add(number)

    def runs(number: int) -> BuildExtras:
        older = [number - 1 if axis == AXES[-1] and number % 5 == 0 else number for axis in AXES]
        return {"inherited": tuple((jobs[axis], axes[axis][n - 1]) for axis, n in zip(AXES, older, strict=True))}

    matrix = _job(name, jenkins_items.MATRIX, make(name, count, 24, style, extra=runs).builds())
    matrix.axes = jobs
    return matrix


def _multibranch(make: Callable[..., _BuildSeries]) -> JenkinsFolder:
    project = JenkinsFolder("webapp", jenkins_items.MULTIBRANCH)
    for branch, count in BRANCHES.items():
        builds = make(f"webapp/{branch}", count, 8, "pytest", 24, bad_from=count - 1).builds()
        project.add(_job(f"webapp/{branch}", jenkins_items.PIPELINE, builds))
    return project


def _add_platform(make: Callable[..., _BuildSeries], root: JenkinsFolder) -> None:
    def joined(number: int) -> BuildExtras:
        parameters: Properties = {"RUN_ID": f"nightly-{number:03d}", "VERSION": f"4.2.{number}"}
        return {"parameters": parameters, "upstream": UpstreamBuild("platform/trigger", number)}

    trigger = make("platform/trigger", 20, 24, "none", extra=lambda n: {"parameters": joined(n)["parameters"]})
    root.folder("platform").add(_job("platform/trigger", jenkins_items.PIPELINE, trigger.builds()))
    for name in NIGHTLY:
        builds = make(name, 20, 24, "pytest", 30, bad_from=18, extra=joined).builds()
        root.folder(name.rsplit("/", 1)[0]).add(_job(name, jenkins_items.FREESTYLE, builds))


def _add_suite(make: Callable[..., _BuildSeries], root: JenkinsFolder) -> None:
    def below(number: int) -> BuildExtras:
        return {"upstream": UpstreamBuild("suite", number)}

    phases = {}
    for name in ("suite-unit", "suite-system"):
        builds = make(name, 12, 24, "pytest", 20, extra=below).builds()
        root.add(_job(name, jenkins_items.FREESTYLE, builds))
        phases[name] = builds

    def started(number: int) -> BuildExtras:
        return {"started_jobs": tuple((root.job(name), builds[number - 1]) for name, builds in phases.items())}

    root.add(_job("suite", jenkins_items.MULTIJOB, make("suite", 12, 24, "none", extra=started).builds()))


def recreate(seed: int, job: JenkinsJob, now: float) -> None:
    """Delete the job and create it again with three builds, numbered from 1 and begun just now."""
    maker = _BuildSeries(seed + 1, now, job.full_name, 3, 0.1, "pytest", 20)
    builds = maker.builds()
    job.deleted.clear()
    job.missing.clear()
    job.history = lambda at: [build for build in builds if build.started <= at]
