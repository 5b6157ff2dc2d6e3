"""The builds of the side jobs: their cases, reports and files in the dialects of several test frameworks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial
from random import Random
from typing import TypedDict
from xml.sax.saxutils import escape, quoteattr

from ingest.simulator import vocabulary
from ingest.simulator.jenkins_items import ArtifactFiles, JenkinsBuild, JenkinsJob, PublishedReport, UpstreamBuild
from ingest.simulator.programme import ProductCommit
from ingest.simulator.published_reports import ReportCase
from ingest.simulator.tree_query import Properties


@dataclass(frozen=True, slots=True)
class SideCase:
    """One test case. `retried`: it failed at first and ran again, as surefire reports it."""

    class_name: str
    name: str
    status: str
    seconds: float
    message: str = ""
    retried: bool = False


class BuildExtras(TypedDict, total=False):
    """What builds of some jobs have."""

    parameters: Properties
    upstream: UpstreamBuild | None
    inherited: tuple[tuple[JenkinsJob, JenkinsBuild], ...]
    started_jobs: tuple[tuple[JenkinsJob, JenkinsBuild], ...]


@dataclass(slots=True, eq=False, kw_only=True)
class SideBuild(JenkinsBuild):
    """`style`: surefire, pytest, report (nothing archived), axes (only the axis builds have files) or none (no tests).
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
        return [
            self._commit(rng, position) for position in range(1 if self.number == self.bad_from else rng.randrange(3))
        ]

    def _commit(self, rng: Random, position: int) -> ProductCommit:
        author, user = rng.choice(vocabulary.AUTHORS)
        digest = hashlib.sha1(f"{self.seed}:{self.job}:{self.number}:{position}".encode()).hexdigest()
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
            return {f"{folder}/TEST-{c}.xml": partial(_suite_file, c, cases) for c, cases in by_class.items()}
        suites = "".join(_xml(name, cases) for name, cases in by_class.items())
        return {"reports/junit.xml": lambda: f"<testsuites>{suites}</testsuites>".encode()}

    def report(self, now: float) -> PublishedReport | None:
        if self.building(now) or self.style == "axes":
            return None
        if self.inherited:
            reports = [(job, build, build.report(now)) for job, build in self.inherited]
            return {
                "children": [(job, build, report) for job, build, report in reports if report and "suites" in report]
            }
        if not self.tests:
            return None
        cases: list[ReportCase] = [
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


# The description, counts and files of a build are requested one after the other.
_cases = lru_cache(32)(SideBuild.draw_cases)


def _suite_file(suite: str, cases: list[SideCase]) -> bytes:
    return _xml(suite, cases).encode()


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
