"""Folders, jobs and builds as Jenkins exports them.

Every `url` begins with the configured root, which on real servers is often not the address of the request.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from ingest.simulator import jenkins_items
from ingest.simulator.jenkins_items import JenkinsBuild, JenkinsFolder, JenkinsJob
from ingest.simulator.programme import ProductCommit
from ingest.simulator.tree_query import ExportedBean, ExportedList

LISTED_BUILDS = 100
COLORS = {"SUCCESS": "blue", "UNSTABLE": "yellow", "FAILURE": "red", "ABORTED": "aborted", None: "notbuilt"}
PERMALINKS = {
    "lastBuild": lambda build, now: True,
    "lastCompletedBuild": lambda build, now: not build.building(now),
    "lastFailedBuild": lambda build, now: not build.building(now) and build.outcome() == "FAILURE",
    "lastStableBuild": lambda build, now: not build.building(now) and build.outcome() == "SUCCESS",
    "lastSuccessfulBuild": lambda build, now: not build.building(now) and build.outcome() in ("SUCCESS", "UNSTABLE"),
    "lastUnstableBuild": lambda build, now: not build.building(now) and build.outcome() == "UNSTABLE",
    "lastUnsuccessfulBuild": lambda build, now: not build.building(now) and build.outcome() != "SUCCESS",
}


def raw_encode(segment: str) -> str:
    """A path segment as Jenkins writes it: a percent sign in a name is encoded once more."""
    return quote(segment, safe="!$&'()*+,-.=@_~")


def item_path(full_name: str) -> str:
    return "".join(f"job/{raw_encode(name)}/" for name in full_name.split("/") if name)


def _display_path(full_name: str) -> str:
    return " » ".join(name.replace("%2F", "/") for name in full_name.split("/"))


@dataclass(frozen=True, slots=True)
class Exporter:
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

    def item(self, item: JenkinsFolder | JenkinsJob) -> ExportedBean:
        return self.folder(item) if isinstance(item, JenkinsFolder) else self.job(item)

    def server(self, root: JenkinsFolder) -> ExportedBean:
        views = [self._all_view(root), *(self.view(root, name) for name in root.views)]
        properties = {
            "assignedLabels": [{"name": "built-in"}],
            "mode": "NORMAL",
            "nodeDescription": "the Jenkins controller's built-in node",
            "nodeName": "",
            "numExecutors": 0,
            "description": None,
            "jobs": self._jobs(root),
            "overallLoad": {},
            "primaryView": views[0],
            "quietingDown": False,
            "slaveAgentPort": 50000,
            "unlabeledLoad": ExportedBean("jenkins.model.UnlabeledLoadStatistics"),
            "url": self.root,
            "useCrumbs": True,
            "useSecurity": True,
            "views": views,
        }
        return ExportedBean("hudson.model.Hudson", properties, visibility=1)

    def view(self, root: JenkinsFolder, name: str) -> ExportedBean:
        jobs = [root.find(job.split("/")) for job in root.views[name]]
        properties: dict[str, object] = {"description": None, "jobs": ExportedList(jobs, self.item), "property": []}
        names = {"name": name, "url": f"{self.root}view/{raw_encode(name)}/"}
        return ExportedBean("hudson.model.ListView", properties | names, visibility=1)

    def _all_view(self, root: JenkinsFolder) -> ExportedBean:
        properties: dict[str, object] = {
            "description": None,
            "jobs": self._jobs(root),
            "property": [],
            "name": "all",
            "url": self.root,
        }
        return ExportedBean("hudson.model.AllView", properties, visibility=1)

    def _jobs(self, folder: JenkinsFolder) -> ExportedList:
        return ExportedList(sorted(folder.items.values(), key=lambda item: item.name.lower()), self.item)

    def _names(self, item: JenkinsFolder | JenkinsJob) -> dict[str, object]:
        return {
            "actions": [ExportedBean(""), ExportedBean("com.cloudbees.plugins.credentials.ViewCredentialsAction")],
            "description": None,
            "displayName": item.name.replace("%2F", "/"),
            "displayNameOrNull": None,
            "fullDisplayName": _display_path(item.full_name),
            "fullName": item.full_name,
            "name": item.name,
            "url": self.url(item),
        }

    def folder(self, folder: JenkinsFolder) -> ExportedBean:
        properties = self._names(folder) | {"healthReport": [], "jobs": self._jobs(folder), "views": []}
        return ExportedBean(folder.kind, properties, visibility=1)

    def job(self, job: JenkinsJob) -> ExportedBean:
        builds = job.builds(self.now)

        def make(build: JenkinsBuild) -> ExportedBean:
            return self.build(job, build)

        def latest(name: str) -> ExportedBean | None:
            found = next((build for build in builds if PERMALINKS[name](build, self.now)), None)
            return make(found) if found else None

        properties = self._names(job) | {
            "buildable": True,
            "builds": ExportedList(builds[:LISTED_BUILDS], make),
            "allBuilds": ExportedList(builds, make),
            "color": lambda: self._color(builds),
            "concurrentBuild": True,
            "firstBuild": make(builds[-1]) if builds else None,
            "healthReport": [],
            "inQueue": False,
            "keepDependencies": False,
            "nextBuildNumber": job.next_number(self.now),
            "property": [],
            "queueItem": None,
            **{name: (lambda name=name: latest(name)) for name in PERMALINKS},
        }
        if job.axes:
            properties["activeConfigurations"] = ExportedList(list(job.axes.values()), self.job)
        return ExportedBean(job.kind[0], properties, visibility=1)

    def _color(self, builds: list[JenkinsBuild]) -> str:
        done = next((build for build in builds if not build.building(self.now)), None)
        running = "_anime" if builds and builds[0].building(self.now) else ""
        return COLORS[done.outcome() if done else None] + running

    def build(self, job: JenkinsJob, build: JenkinsBuild) -> ExportedBean:
        name = build.display_name or f"#{build.number}"
        properties: dict[str, object] = {
            "actions": lambda: self._actions(build),
            "artifacts": lambda: [self._artifact(path) for path in build.files(self.now)],
            "building": lambda: build.building(self.now),
            "description": None,
            "displayName": name,
            "duration": lambda: 0 if build.building(self.now) else int((build.ended - build.started) * 1000),
            "estimatedDuration": int((build.ended - build.started) * 1010),
            "executor": lambda: ExportedBean("hudson.model.Executor") if build.building(self.now) else None,
            "fullDisplayName": f"{_display_path(job.full_name)} {name}",
            "id": str(build.number),
            "inProgress": lambda: build.in_progress(self.now),
            "keepLog": False,
            "number": build.number,
            "queueId": int(build.started) % 10**7,
            "result": lambda: build.result(self.now),
            "timestamp": int(build.started * 1000),
            "url": self.build_url(job, build),
        }
        if job.kind == jenkins_items.PIPELINE:
            properties["changeSets"] = lambda: [self._changes(build.commits())] if build.commits() else []
            properties["previousBuild"] = lambda: self._neighbour(job, build)
        else:
            properties["builtOn"] = build.agent
            properties["changeSet"] = lambda: self._changes(build.commits())
        properties["culprits"] = lambda: [self._person(commit) for commit in build.commits()]
        if job.kind == jenkins_items.MATRIX:
            properties["runs"] = ExportedList(build.sub_builds(), lambda pair: self.build(*pair))
        elif job.kind == jenkins_items.MULTIJOB:
            properties["subBuilds"] = [self._sub_build(job, build, *pair) for pair in build.sub_builds()]
        return ExportedBean(job.kind[1], properties | job.edits.get(build.number, {}), visibility=1)

    def _neighbour(self, job: JenkinsJob, build: JenkinsBuild) -> ExportedBean | None:
        older = next((other for other in job.builds(self.now) if other.number < build.number), None)
        return self.build(job, older) if older else None

    def _sub_build(self, job: JenkinsJob, build: JenkinsBuild, started: JenkinsJob, sub: JenkinsBuild) -> ExportedBean:
        properties = {
            "abort": False,
            "build": self.build(started, sub),
            "buildNumber": sub.number,
            "duration": "5 min 0 sec",
            "icon": "blue.png",
            "jobName": started.name,
            "parentBuildNumber": build.number,
            "parentJobName": job.name,
            "phaseName": "tests",
            "result": sub.result(self.now),
            "retry": False,
            "url": f"{item_path(started.full_name)}{sub.number}/",
        }
        return ExportedBean("com.tikal.jenkins.plugins.multijob.MultiJobBuild$SubBuild", properties)

    def _actions(self, build: JenkinsBuild) -> list[ExportedBean]:
        actions = [ExportedBean("hudson.model.CauseAction", {"causes": [self._cause(build)]})]
        if build.parameters:
            parameters = [_parameter(name, value) for name, value in build.parameters.items()]
            actions.append(ExportedBean("hudson.model.ParametersAction", {"parameters": parameters}))
        actions.append(ExportedBean(""))
        if build.revision:
            branch = {
                "SHA1": build.revision,
                "branch": [{"SHA1": build.revision, "name": "refs/remotes/origin/master"}],
            }
            git: dict[str, object] = {
                "lastBuiltRevision": branch,
                "remoteUrls": ["git@git.internal:product/core.git"],
                "scmName": "",
            }
            actions.append(ExportedBean("hudson.plugins.git.util.BuildData", git))
        actions.append(ExportedBean(""))
        if counts := build.counts(self.now):
            kind = "hudson.tasks.test.MatrixTestResult" if build.sub_builds() else "hudson.tasks.junit.TestResultAction"
            actions.append(ExportedBean(kind, {**counts, "urlName": "testReport"}))
        return actions

    def _cause(self, build: JenkinsBuild) -> ExportedBean:
        if not build.upstream:
            return ExportedBean(
                "hudson.triggers.TimerTrigger$TimerTriggerCause", {"shortDescription": "Started by timer"}
            )
        job, number = build.upstream.job, build.upstream.number
        properties = {
            "shortDescription": f'Started by upstream project "{job}" build number {number}',
            "upstreamBuild": number,
            "upstreamProject": job,
            "upstreamUrl": item_path(job),
        }
        return ExportedBean("hudson.model.Cause$UpstreamCause", properties)

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

    def _artifact(self, path: str) -> ExportedBean:
        name = path.rsplit("/", 1)[-1]
        return ExportedBean("", {"displayPath": name, "fileName": name, "relativePath": path})


def _parameter(name: str, value: object) -> ExportedBean:
    kind = "Boolean" if isinstance(value, bool) else "String"
    return ExportedBean(f"hudson.model.{kind}ParameterValue", {"name": name, "value": value})
