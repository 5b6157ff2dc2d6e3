"""Builds as Jenkins exports them: their actions, changes, causes and artifacts.

Every `url` begins with the configured root, which on real servers is often not the address of the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from zlib import crc32

from ingest.simulator import jenkins_items
from ingest.simulator.jenkins_items import JenkinsBuild, JenkinsFolder, JenkinsJob
from ingest.simulator.programme import ProductCommit
from ingest.simulator.tree_query import Exported, ExportedBean, ExportedList, ExportedMap, Properties

GIT_URL = "git@git.internal:product/core.git"
BRANCH = "refs/remotes/origin/master"
# Builds of these jobs run on the controller beside its executors; what they do happens on agents.
FLYWEIGHT = (jenkins_items.PIPELINE, jenkins_items.MATRIX)


def raw_encode(segment: str) -> str:
    """A path segment as Jenkins writes it: a percent sign in a name is encoded once more."""
    return quote(segment, safe="!$&'()*+,-.=@_~")


def item_path(full_name: str) -> str:
    return "".join(f"job/{raw_encode(name)}/" for name in full_name.split("/") if name)


def display_path(full_name: str) -> str:
    return " » ".join(name.replace("%2F", "/") for name in full_name.split("/"))


@dataclass(frozen=True, slots=True)
class BuildExporter:
    """`root`: the configured Jenkins URL. `now`: the time that every answer of one request is about."""

    root: str
    now: float

    def url(self, item: JenkinsFolder | JenkinsJob) -> str:
        if isinstance(item, JenkinsJob) and item.kind == jenkins_items.MATRIX_AXIS:
            project, axis = item.full_name.rsplit("/", 1)
            return f"{self.root}{item_path(project)}{raw_encode(axis)}/"
        return self.root + item_path(item.full_name)

    def build_url(self, job: JenkinsJob, build: JenkinsBuild) -> str:
        return f"{self.url(job)}{build.number}/"

    def build(self, job: JenkinsJob, build: JenkinsBuild, kind: str | None = None) -> ExportedBean:
        """`kind` is empty where Jenkins names no class: at references whose type is declared as the build's."""
        name = build.display_name or f"#{build.number}"
        properties: Properties = {
            "actions": lambda: self._actions(job, build),
            "artifacts": lambda: [_artifact(path) for path in build.files(self.now)],
            "building": lambda: build.building(self.now),
            "description": None,
            "displayName": name,
            "duration": lambda: 0 if build.building(self.now) else int((build.ended - build.started) * 1000),
            "estimatedDuration": int((build.ended - build.started) * 1010),
            "executor": lambda: self._executor(job) if build.building(self.now) else None,
            "fullDisplayName": f"{display_path(job.full_name)} {name}",
            "id": str(build.number),
            "inProgress": lambda: build.in_progress(self.now),
            "keepLog": False,
            "number": build.number,
            "queueId": queue_id(job, build),
            "result": lambda: build.result(self.now),
            "timestamp": int(build.started * 1000),
            "url": self.build_url(job, build),
        }
        if job.kind == jenkins_items.PIPELINE:
            properties["changeSets"] = lambda: [self._changes(build.commits())] if build.commits() else []
            properties["nextBuild"] = lambda: self._neighbour(job, build, 1)
            properties["previousBuild"] = lambda: self._neighbour(job, build, -1)
        else:
            properties["builtOn"] = build.agent
            properties["changeSet"] = lambda: self._changes(build.commits())
        properties["culprits"] = lambda: [self._person(commit) for commit in build.commits()]
        if job.kind == jenkins_items.MATRIX:
            properties["runs"] = ExportedList(build.sub_builds(), lambda pair: self.build(pair[0], pair[1], kind=""))
        elif job.kind == jenkins_items.MULTIJOB:
            properties["subBuilds"] = [self._sub_build(job, build, *pair) for pair in build.sub_builds()]
        kind = job.kind[1] if kind is None else kind
        return ExportedBean(kind, properties | job.edits.get(build.number, {}), visibility=1)

    def _executor(self, job: JenkinsJob) -> ExportedBean:
        return ExportedBean("hudson.model.OneOffExecutor" if job.kind in FLYWEIGHT else "")

    def _neighbour(self, job: JenkinsJob, build: JenkinsBuild, step: int) -> ExportedBean | None:
        """The build before (`step` -1) or after (1)."""
        others = [other for other in job.builds(self.now) if (other.number - build.number) * step > 0]
        nearest = min(others, key=lambda other: (other.number - build.number) * step, default=None)
        return self.build(job, nearest, kind="") if nearest else None

    def _sub_build(self, job: JenkinsJob, build: JenkinsBuild, started: JenkinsJob, sub: JenkinsBuild) -> ExportedBean:
        properties: Properties = {
            "abort": False,
            "build": self.build(started, sub),
            "buildNumber": sub.number,
            "duration": "5 min 0 sec",
            "icon": "blue.png",
            "jobAlias": "",
            "jobName": started.name,
            "multiJobBuild": False,
            "parentBuildNumber": build.number,
            "parentJobName": job.name,
            "phaseName": "tests",
            "result": sub.result(self.now),
            "retry": False,
            "url": f"{item_path(started.full_name)}{sub.number}/",
        }
        return ExportedBean("", properties)

    def _actions(self, job: JenkinsJob, build: JenkinsBuild) -> list[ExportedBean]:
        actions = [ExportedBean("hudson.model.CauseAction", {"causes": [cause(build)]})]
        if job.kind == jenkins_items.MATRIX_AXIS:
            actions.insert(0, ExportedBean("hudson.matrix.MatrixChildParametersAction", {"parameters": []}))
        if build.parameters:
            actions.append(parameters_action(build))
        actions.append(ExportedBean(""))
        if build.revision:
            actions += [_git(build), ExportedBean("hudson.plugins.git.GitTagAction")]
        actions.append(ExportedBean(""))
        if counts := build.counts(self.now):
            kind = "hudson.tasks.test.MatrixTestResult" if build.sub_builds() else "hudson.tasks.junit.TestResultAction"
            actions.append(ExportedBean(kind, {**counts, "urlName": "testReport"}))
        return actions

    def _changes(self, commits: list[ProductCommit]) -> ExportedBean:
        if not commits:
            return ExportedBean("hudson.scm.EmptyChangeLogSet", {"items": [], "kind": None})
        items = [
            ExportedBean(
                "hudson.plugins.git.GitChangeSet",
                {
                    "affectedPaths": list(commit.paths),
                    "commitId": commit.id,
                    "timestamp": int(commit.timestamp * 1000),
                    "author": self._person(commit),
                    "authorEmail": f"{commit.user}@example.com",
                    "comment": f"{commit.message}\n",
                    "date": f"{datetime.fromtimestamp(commit.timestamp, UTC):%Y-%m-%d %H:%M:%S %z}",
                    "id": commit.id,
                    "msg": commit.message,
                    "paths": [{"editType": "edit", "file": path} for path in commit.paths],
                },
            )
            for commit in commits
        ]
        return ExportedBean("hudson.plugins.git.GitChangeSetList", {"items": items, "kind": "git"})

    def _person(self, commit: ProductCommit) -> ExportedBean:
        return ExportedBean(
            "", {"absoluteUrl": f"{self.root}user/{raw_encode(commit.user)}", "fullName": commit.author}
        )


def queue_id(job: JenkinsJob, build: JenkinsBuild) -> int:
    """The number under which the build waited in the queue; later builds have higher ones."""
    return int(build.started * 1000) + crc32(job.full_name.encode()) % 1000


def cause(build: JenkinsBuild) -> ExportedBean:
    if not build.upstream:
        return ExportedBean("hudson.triggers.TimerTrigger$TimerTriggerCause", {"shortDescription": "Started by timer"})
    job, number = build.upstream.job, build.upstream.number
    properties: Properties = {
        "shortDescription": f'Started by upstream project "{job}" build number {number}',
        "upstreamBuild": number,
        "upstreamProject": job,
        "upstreamUrl": item_path(job),
    }
    return ExportedBean("hudson.model.Cause$UpstreamCause", properties)


def parameters_action(build: JenkinsBuild) -> ExportedBean:
    values = [parameter_value(name, value) for name, value in build.parameters.items()]
    return ExportedBean("hudson.model.ParametersAction", {"parameters": values})


def parameter_value(name: str, value: Exported) -> ExportedBean:
    return ExportedBean(f"hudson.model.{parameter_type(value)}ParameterValue", {"name": name, "value": value})


def parameter_type(value: object) -> str:
    return "Boolean" if isinstance(value, bool) else "String"


def _git(build: JenkinsBuild) -> ExportedBean:
    revision: Properties = {"SHA1": build.revision, "branch": [{"SHA1": build.revision, "name": BRANCH}]}
    built = ExportedBean(
        "hudson.plugins.git.util.Build",
        {"buildNumber": build.number, "buildResult": None, "marked": revision, "revision": revision},
    )
    properties: Properties = {
        "buildsByBranchName": ExportedMap({BRANCH: built}),
        "lastBuiltRevision": revision,
        "remoteUrls": [GIT_URL],
        "scmName": "",
    }
    return ExportedBean("hudson.plugins.git.util.BuildData", properties)


def _artifact(path: str) -> ExportedBean:
    name = path.rsplit("/", 1)[-1]
    return ExportedBean("", {"displayPath": name, "fileName": name, "relativePath": path})
