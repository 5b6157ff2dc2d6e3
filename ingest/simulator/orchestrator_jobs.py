"""The jobs of the regression programme: per release a folder with the orchestrating job and its module jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from ingest.simulator import artifacts
from ingest.simulator.jenkins_items import (
    FREESTYLE,
    PIPELINE,
    ArtifactFiles,
    JenkinsBuild,
    JenkinsFolder,
    JenkinsJob,
    PublishedReport,
    UpstreamBuild,
)
from ingest.simulator.programme import ProductCommit, Programme
from ingest.simulator.timeline import Execution, PlannedRelease, PlannedRun

PARENT = "MODULE-RUN"


@dataclass(slots=True, eq=False, kw_only=True)
class ParentBuild(JenkinsBuild):
    programme: Programme
    run: PlannedRun

    def outcome(self) -> str:
        if self.run.fate != "tests":
            return "FAILURE"
        outcomes = {self.programme.outcome(execution) for execution in self.run.all_builds}
        return next((o for o in ("FAILURE", "ABORTED", "UNSTABLE") if o in outcomes), "SUCCESS")

    def commits(self) -> list[ProductCommit]:
        return list(self.programme.commits(self.run.release, self.run.index))

    def files(self, now: float) -> ArtifactFiles:
        if not any(execution.started <= now for execution in self.run.all_builds):
            return {}
        return {"build_map.json": lambda: artifacts.build_map(self.run, now)}

    def console(self, now: float) -> str:
        folder = f"qa/{self.run.release}"
        lines = [f"Starting building: {folder}/{e.module.job} #{e.number}" for e in self.run.own if e.started <= now]
        if self.run.fate == "no_map" and not self.building(now):
            lines.append("ERROR: no testbed could be booked, nothing was started")
        return "\n".join([*lines, ""])


@dataclass(slots=True, eq=False, kw_only=True)
class ModuleBuild(JenkinsBuild):
    programme: Programme
    execution: Execution

    def result(self, now: float) -> str | None:
        # A step may set the result before the build has ended, and some of these builds do.
        early = self.execution.ended - 0.2 * (self.execution.ended - self.execution.started)
        if now >= early and self.execution.number % 4 == 0 and self.execution.fate == "tests":
            return self.outcome()
        return JenkinsBuild.result(self, now)

    def outcome(self) -> str:
        return self.programme.outcome(self.execution)

    def commits(self) -> list[ProductCommit]:
        return self.programme.commits_of(self.execution)

    def files(self, now: float) -> ArtifactFiles:
        return artifacts.files(self.programme, self.execution, now)

    def report(self, now: float) -> PublishedReport | None:
        # Jobs that rerun failed tests archive their reports without publishing them: the counts would be those of the
        # first attempts.
        if self.execution.module.reruns or self.building(now):
            return None
        return artifacts.test_report(self.programme, self.execution, now)

    def counts(self, now: float) -> dict[str, int] | None:
        if self.execution.module.reruns or self.building(now):
            return None
        return artifacts.report_counts(self.programme, self.execution, now)

    def console(self, now: float) -> str:
        return artifacts.console(self.programme, self.execution, now)


def add_jobs(programme: Programme, root: JenkinsFolder) -> None:
    for release in programme.releases:
        folder = root.folder(release.folder)
        folder.add(JenkinsJob(f"{release.folder}/{PARENT}", PIPELINE, _parents(programme, release)))
        for module in programme.modules:
            name = f"{release.folder}/{module.job}"
            folder.add(JenkinsJob(name, FREESTYLE, _module_builds(programme, release, module.index)))


def _parents(programme: Programme, release: PlannedRelease) -> Callable[[float], list[JenkinsBuild]]:
    build_of = cache(lambda run: _parent(programme, run))

    def history(now: float) -> list[JenkinsBuild]:
        return [build_of(run) for run in release.runs if run.started <= now]

    return history


def _parent(programme: Programme, run: PlannedRun) -> JenkinsBuild:
    return ParentBuild(
        number=run.number,
        started=run.started,
        ended=run.ended,
        post=60 * run.pace,
        display_name=_display_name(run, "FULL-RUN"),
        parameters={"RUN_STAGING_TESTS_ONLY": run.environment == "staging", "BRANCH": "master", "PRIO": "ALL"},
        revision=programme.revision(run),
        programme=programme,
        run=run,
    )


def _module_builds(programme: Programme, release: PlannedRelease, module: int) -> Callable[[float], list[JenkinsBuild]]:
    build_of = cache(lambda execution: _module_build(programme, release, execution))

    def history(now: float) -> list[JenkinsBuild]:
        executions = programme.executions(release.name, module, now)
        return [build_of(execution) for execution in executions if not execution.rotated]

    return history


def _module_build(programme: Programme, release: PlannedRelease, execution: Execution) -> JenkinsBuild:
    run, module = execution.run, execution.module
    # Some builds keep the default name: their version is known from the parent only.
    named = execution.number % 7 != 3
    return ModuleBuild(
        number=execution.number,
        started=execution.started,
        ended=execution.ended,
        post=execution.post,
        scheduled=run.started,
        display_name=_display_name(run, module.name.upper()) if named else "",
        parameters={"BRANCH": "master", "TESTBED": f"tb-{module.short}"},
        upstream=UpstreamBuild(f"{release.folder}/{PARENT}", run.number),
        agent=artifacts.agent(execution),
        revision=programme.revision(run),
        programme=programme,
        execution=execution,
    )


def _display_name(run: PlannedRun, module: str) -> str:
    return f"REL: Release_{run.release} | VER: {run.version} | MOD: {module} | PRIO: ALL | master"
