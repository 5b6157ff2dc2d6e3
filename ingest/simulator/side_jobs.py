"""The other jobs of the fake server, few and small, one for each way that teams lay out their results:

libcore-nightly (freestyle, surefire XML), compat-matrix (matrix, test report only),
axes-matrix (matrix whose axis builds alone have files), webapp (multibranch), platform
(nested folders, builds joined by a parameter and an upstream build), suite (multijob), and a view on three of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from random import Random
from xml.sax.saxutils import escape, quoteattr

from ingest.simulator import jenkins_items, vocabulary
from ingest.simulator.jenkins_items import ArtifactFiles, JenkinsBuild, JenkinsFolder, JenkinsJob, UpstreamBuild
from ingest.simulator.programme import ProductCommit
from ingest.simulator.timeline import ProgrammeSize

VIEW = "nightly"
ARCHIVE = "archive"
AXES = ("os=debian12,python=3.11", "os=debian12,python=3.13", "os=macos15,python=3.11", "os=macos15,python=3.13")
BRANCHES = {"main": 14, "release%2F2.1": 9, "feature%2Fx": 5}
NIGHTLY = ("platform/nightly/api/unit", "platform/nightly/api/e2e", "platform/nightly/ui/e2e")


@dataclass(frozen=True, slots=True)
class SideCase:
    """`retried`: failed at first and ran again, as surefire tells it."""

    class_name: str
    name: str
    status: str
    seconds: float
    message: str = ""
    retried: bool = False


@dataclass(slots=True, eq=False, kw_only=True)
class SideBuild(JenkinsBuild):
    """`style`: surefire, pytest, report (nothing archived), axes (the axis builds have it all) or none (no tests).
    `bad_from` is the first build in which the job's fifth test fails for good."""

    seed: int
    job: str
    style: str
    tests: int = 0
    bad_from: int = 10**9
    inherited: tuple[tuple[JenkinsJob, JenkinsBuild], ...] = ()
    started_jobs: tuple[tuple[JenkinsJob, JenkinsBuild], ...] = ()

    def cases(self) -> list[SideCase]:
        return _cases(self)

    def draw_cases(self) -> list[SideCase]:
        rng = Random(f"{self.seed}:{self.job}:{self.number}")
        return [self._case(rng, test) for test in range(self.tests)]

    def _case(self, rng: Random, test: int) -> SideCase:
        draw, seconds = rng.random(), round(rng.lognormvariate(-2, 1), 3)
        class_name = f"com.example.{self.job.split('/')[0].replace('-', '_')}.Part{test // 8}Test"
        name = f"keeps{vocabulary.OBJECTS[test % 18].title().replace('_', '')}{test % 8}"
        if test == 11:
            return SideCase(class_name, name, "skipped", 0.0, "needs a network")
        if test == 5 and self.number >= self.bad_from:
            return SideCase(class_name, name, "failed", seconds, f"expected:<{test}> but was:<{rng.randrange(90)}>")
        if test in (3, 17) and draw < 0.2:
            status = "passed" if self.style == "surefire" and test == 3 else "failed"
            message = f"timeout after {rng.randrange(100, 999)} ms"
            return SideCase(class_name, name, status, seconds, message, self.style == "surefire")
        if test == 7:
            seconds = 1234.56 if self.number % 2 else float("nan") if self.number % 10 == 8 else 4321.0
        return SideCase(class_name, name, "passed", seconds)

    def outcome(self) -> str:
        built = [build.outcome() for _, build in (*self.inherited, *self.started_jobs)]
        return "UNSTABLE" if "UNSTABLE" in built or any(c.status == "failed" for c in self.cases()) else "SUCCESS"

    def commits(self) -> list[ProductCommit]:
        if self.style in ("report", "none", "axes"):
            return []
        rng = Random(f"{self.seed}:{self.job}:{self.number}:commits")
        return [self._commit(rng, place) for place in range(1 if self.number == self.bad_from else rng.randrange(3))]

    def _commit(self, rng: Random, place: int) -> ProductCommit:
        author, user = rng.choice(vocabulary.AUTHORS)
        digest = hashlib.sha1(f"{self.seed}:{self.job}:{self.number}:{place}".encode()).hexdigest()
        when = float(int(self.started - rng.uniform(60, 9000)))
        return ProductCommit(digest, author, user, rng.choice(vocabulary.CHANGES), when, ("src/main.c",))

    def files(self, now: float) -> ArtifactFiles:
        if self.building(now) or self.style not in ("surefire", "pytest"):
            return {}
        by_class: dict[str, list[SideCase]] = {}
        for case in self.cases():
            by_class.setdefault(case.class_name, []).append(case)
        if self.style == "surefire":
            folder = "target/surefire-reports"
            return {f"{folder}/TEST-{c}.xml": (lambda c=c: _xml(c, by_class[c]).encode()) for c in by_class}
        suites = "".join(_xml(name, cases) for name, cases in by_class.items())
        return {"reports/junit.xml": lambda: f"<testsuites>{suites}</testsuites>".encode()}

    def report(self, now: float) -> dict | None:
        if self.building(now) or self.style == "axes":
            return None
        if self.inherited:
            return {"children": [(job, build, build.report(now)) for job, build in self.inherited]}
        if not self.tests:
            return None
        cases = [
            {
                "className": case.class_name,
                "name": case.name,
                "duration": case.seconds,
                "status": case.status.upper(),
                "skipped": case.status == "skipped",
                "skippedMessage": case.message if case.status == "skipped" else None,
                "errorDetails": case.message if case.status == "failed" else None,
                "errorStackTrace": f"{case.message}\n\tat Main.run(Main.java:42)" if case.status == "failed" else None,
                "stdout": None,
                "stderr": None,
            }
            for case in self.cases()
        ]
        started = datetime.fromtimestamp(self.started, UTC).isoformat()
        return {"suites": [{"name": self.job, "duration": 12.5, "timestamp": started, "cases": cases}]}

    def sub_builds(self) -> list[tuple[JenkinsJob, JenkinsBuild]]:
        return [*self.inherited, *self.started_jobs]


# Description, counts and files of a build are asked for one after the other.
_cases = lru_cache(32)(SideBuild.draw_cases)


def _xml(suite: str, cases: list[SideCase]) -> str:
    return (
        f'<testsuite name="{suite}" tests="{len(cases)}" errors="0" '
        f'skipped="{sum(c.status == "skipped" for c in cases)}" failures="{sum(c.status == "failed" for c in cases)}">'
        '<properties><property name="java.version" value="21.0.2"/></properties>'
        + "".join(_xml_case(case) for case in cases)
        + "</testsuite>\n"
    )


def _xml_case(case: SideCase) -> str:
    seconds = f"{case.seconds:,}" if case.seconds == case.seconds else "NaN"
    message = quoteattr(case.message)
    trace = escape(f"{case.message}\n\tat Main.run(Main.java:42)")
    inside = ""
    if case.status == "skipped":
        inside = f"<skipped message={message}/>"
    elif case.status == "failed":
        inside = f'<failure message={message} type="AssertionError">{trace}</failure>'
        if case.retried:
            inside += (
                f'<rerunFailure message={message} type="AssertionError"><stackTrace>{trace}</stackTrace></rerunFailure>'
            )
    elif case.retried:
        inside = (
            f'<flakyFailure message={message} type="AssertionError"><stackTrace>{trace}</stackTrace></flakyFailure>'
        )
    return f'<testcase name="{case.name}" classname="{case.class_name}" time="{seconds}">{inside}</testcase>\n'


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
    extra: Callable[[int], dict] = field(default=lambda number: {})

    def build(self, number: int) -> SideBuild:
        started = float(int(self.until - (self.count - number) * self.hours * 3600 - 1800))
        same = {"seed": self.seed, "job": self.job, "style": self.style, "tests": self.tests, "bad_from": self.bad_from}
        common = {"number": number, "started": started, "ended": started + 300 + number % 60, "agent": "agent-01"}
        return SideBuild(**common, **same, **self.extra(number))

    def builds(self) -> list[JenkinsBuild]:
        return [self.build(number) for number in range(1, self.count + 1)]


def _job(full_name: str, kind: tuple[str, str], builds: list[JenkinsBuild]) -> JenkinsJob:
    return JenkinsJob(full_name, kind, lambda now: [build for build in builds if build.started <= now])


def add_jobs(seed: int, started: float, root: JenkinsFolder, size: ProgrammeSize) -> None:
    """The side jobs below `root`, and those that the size asks for beside them."""

    def make(job: str, count: int, hours: float, style: str, tests: int = 0, **more) -> _BuildSeries:
        return _BuildSeries(seed, started, job, count, hours, style, tests, **more)

    name = "libcore-nightly"
    version = lambda number: {"parameters": {"VERSION": f"3.{number // 40}.{number % 40}"}}  # noqa: E731
    libcore = make(name, 120, 24, "surefire", 64, bad_from=112, extra=version)
    root.add(_job(name, jenkins_items.FREESTYLE, libcore.builds()))
    root.items[name].missing.add(97)
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
    axes = {axis: make(f"{name}/{axis}", count, 24, axis_style, 20, bad_from=count - 3).builds() for axis in AXES}
    jobs = {axis: _job(f"{name}/{axis}", jenkins_items.MATRIX_AXIS, builds) for axis, builds in axes.items()}
    for number in range(5, count + 1, 5):
        jobs[AXES[-1]].deleted.add(number)

    def runs(number: int) -> dict:
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
    def joined(number: int) -> dict:
        parameters = {"RUN_ID": f"nightly-{number:03d}", "VERSION": f"4.2.{number}"}
        return {"parameters": parameters, "upstream": UpstreamBuild("platform/trigger", number)}

    trigger = make("platform/trigger", 20, 24, "none", extra=lambda n: {"parameters": joined(n)["parameters"]})
    root.folder("platform").add(_job("platform/trigger", jenkins_items.PIPELINE, trigger.builds()))
    for name in NIGHTLY:
        builds = make(name, 20, 24, "pytest", 30, bad_from=18, extra=joined).builds()
        root.folder(name.rsplit("/", 1)[0]).add(_job(name, jenkins_items.FREESTYLE, builds))


def _add_suite(make: Callable[..., _BuildSeries], root: JenkinsFolder) -> None:
    def below(number: int) -> dict:
        return {"upstream": UpstreamBuild("suite", number)}

    phases = {}
    for name in ("suite-unit", "suite-system"):
        builds = make(name, 12, 24, "pytest", 20, extra=below).builds()
        root.add(_job(name, jenkins_items.FREESTYLE, builds))
        phases[name] = builds

    def started(number: int) -> dict:
        return {"started_jobs": tuple((root.items[name], builds[number - 1]) for name, builds in phases.items())}

    root.add(_job("suite", jenkins_items.MULTIJOB, make("suite", 12, 24, "none", extra=started).builds()))


def recreate(seed: int, job: JenkinsJob, now: float) -> None:
    """Delete the job and make it anew: three builds, numbered from 1, begun just now."""
    maker = _BuildSeries(seed + 1, now, job.full_name, 3, 0.1, "pytest", 20)
    builds = maker.builds()
    job.deleted.clear()
    job.missing.clear()
    job.history = lambda at: [build for build in builds if build.started <= at]
