"""The server, its folders, views and jobs as Jenkins exports them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from ingest.simulator import jenkins_items
from ingest.simulator.build_json import (
    BuildExporter,
    cause,
    display_path,
    parameter_type,
    parameter_value,
    parameters_action,
    queue_id,
    raw_encode,
)
from ingest.simulator.jenkins_items import JenkinsBuild, JenkinsFolder, JenkinsJob
from ingest.simulator.job_health import health_report
from ingest.simulator.permalinks import PERMALINKS, named_build
from ingest.simulator.tree_query import ExportedBean, ExportedList, Properties

LISTED_BUILDS = 100
COLORS = {"SUCCESS": "blue", "UNSTABLE": "yellow", "FAILURE": "red", "ABORTED": "aborted", None: "notbuilt"}
ABSTRACT_PROJECT: Properties = {
    "disabled": False,
    "downstreamProjects": [],
    "labelExpression": None,
    "scm": ExportedBean("hudson.plugins.git.GitSCM"),
    "upstreamProjects": [],
}
MULTIBRANCH_VIEW = "jenkins.branch.MultiBranchProjectViewHolder$ViewImpl"


@dataclass(frozen=True, slots=True)
class Exporter(BuildExporter):
    """Exports everything, builds included."""

    def item(self, item: JenkinsFolder | JenkinsJob) -> ExportedBean:
        return self.folder(item) if isinstance(item, JenkinsFolder) else self.job(item)

    def server(self, root: JenkinsFolder) -> ExportedBean:
        views = [self.all_view(root), *(self.view(root, name) for name in root.views)]
        properties: Properties = {
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
        return _view(
            "hudson.model.ListView", name, f"{self.root}view/{raw_encode(name)}/", ExportedList(jobs, self.item)
        )

    def all_view(self, folder: JenkinsFolder) -> ExportedBean:
        """The view of everything in a folder, whose address is the folder's own."""
        kind = MULTIBRANCH_VIEW if folder.kind == jenkins_items.MULTIBRANCH else "hudson.model.AllView"
        return _view(kind, folder.all_view, self.url(folder), self._jobs(folder))

    def _jobs(self, folder: JenkinsFolder) -> ExportedList:
        return ExportedList(sorted(folder.items.values(), key=lambda item: item.name.lower()), self.item)

    def _names(self, item: JenkinsFolder | JenkinsJob) -> Properties:
        return {
            "actions": [ExportedBean(""), ExportedBean("com.cloudbees.plugins.credentials.ViewCredentialsAction")],
            "description": None,
            "displayName": item.name.replace("%2F", "/"),
            "displayNameOrNull": None,
            "fullDisplayName": display_path(item.full_name),
            "fullName": item.full_name,
            "name": item.name,
            "url": self.url(item),
        }

    def folder(self, folder: JenkinsFolder) -> ExportedBean:
        view = self.all_view(folder)
        properties = self._names(folder) | {
            "healthReport": [],
            "jobs": self._jobs(folder),
            "primaryView": view,
            "views": [view],
        }
        if folder.kind == jenkins_items.MULTIBRANCH:
            properties["sources"] = [ExportedBean("")]
        return ExportedBean(folder.kind, properties, visibility=1)

    def job(self, job: JenkinsJob) -> ExportedBean:
        builds = job.builds(self.now)

        def make(build: JenkinsBuild) -> ExportedBean:
            return self.build(job, build)

        def named(name: str) -> ExportedBean | None:
            found = named_build(builds, name, self.now)
            return make(found) if found else None

        properties: Properties = self._names(job) | {
            "buildable": True,
            "builds": ExportedList(builds[:LISTED_BUILDS], make),
            "allBuilds": ExportedList(builds, make),
            "color": lambda: self._color(builds),
            "concurrentBuild": True,
            "firstBuild": lambda: named("firstBuild"),
            "healthReport": lambda: health_report(builds, self.now),
            "inQueue": lambda: bool(job.waiting(self.now)),
            "keepDependencies": False,
            "nextBuildNumber": job.next_number(self.now),
            "property": lambda: _parameter_definitions(builds),
            "queueItem": lambda: next((self.queue_item(job, build) for build in job.waiting(self.now)), None),
            **{name: partial(named, name) for name in PERMALINKS},
        }
        if job.kind == jenkins_items.PIPELINE:
            properties["resumeBlocked"] = False
        else:
            properties |= ABSTRACT_PROJECT
        if job.axes:
            properties["activeConfigurations"] = ExportedList(list(job.axes.values()), self.job)
        return ExportedBean(job.kind[0], properties, visibility=1)

    def _color(self, builds: list[JenkinsBuild]) -> str:
        done = next((build for build in builds if not build.building(self.now)), None)
        running = "_anime" if builds and builds[0].building(self.now) else ""
        return COLORS[done.outcome() if done else None] + running

    def queue_item(self, job: JenkinsJob, build: JenkinsBuild) -> ExportedBean:
        """A `BuildableItem` while the build waits, then a `LeftItem` that names the build."""
        number, waits = queue_id(job, build), build.started > self.now
        since = int(1000 * (build.started if build.scheduled is None else build.scheduled))
        actions = [ExportedBean("hudson.model.CauseAction", {"causes": [cause(build)]})]
        if build.parameters:
            actions.append(parameters_action(build))
        properties: Properties = {
            "actions": actions,
            "blocked": False,
            "buildable": waits,
            "id": number,
            "inQueueSince": since,
            "params": "".join(f"\n{name}={value}" for name, value in build.parameters.items()),
            "stuck": False,
            "task": lambda: self.job(job),
            "url": f"queue/item/{number}/",
            "why": f"Waiting for next available executor on ‘{build.agent}’" if waits else None,
        }
        if waits:
            properties |= {"buildableStartMilliseconds": since, "pending": False}
            return ExportedBean("hudson.model.Queue$BuildableItem", properties, visibility=1)
        properties |= {"cancelled": False, "executable": lambda: self.build(job, build)}
        return ExportedBean("hudson.model.Queue$LeftItem", properties, visibility=1)


def _view(kind: str, name: str, url: str, jobs: ExportedList) -> ExportedBean:
    properties: Properties = {"description": None, "jobs": jobs, "name": name, "property": [], "url": url}
    return ExportedBean(kind, properties, visibility=1)


def _parameter_definitions(builds: list[JenkinsBuild]) -> list[ExportedBean]:
    """The parameters of a job are those of its newest build, whose values are the defaults."""
    if not builds or not builds[0].parameters:
        return []
    definitions = [
        ExportedBean(
            f"hudson.model.{parameter_type(value)}ParameterDefinition",
            {
                "defaultParameterValue": parameter_value(name, value),
                "description": "",
                "name": name,
                "type": f"{parameter_type(value)}ParameterDefinition",
            },
        )
        for name, value in builds[0].parameters.items()
    ]
    return [ExportedBean("hudson.model.ParametersDefinitionProperty", {"parameterDefinitions": definitions})]
