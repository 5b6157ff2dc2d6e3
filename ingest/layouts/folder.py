"""Layouts `folder`, `multibranch` and `view`: many jobs, found by walking folders. Builds can be grouped into runs.

A folder is recognized by its `jobs`, not only by its class, because plugins add new classes all the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

from data.model.json_values import JsonObject
from data.model.run_record import RunRecord
from data.settings import SourceSettings
from data.tasks.jobs import JobRow
from ingest.jenkins.build_details import JenkinsBuildDetail
from ingest.jenkins.client import Jenkins
from ingest.jenkins.json_values import dicts, whole
from ingest.jenkins.urls import encode, job_path
from ingest.layouts.job import JobLayout, as_run

LEVELS = 3  # of nested folders per request
_ITEM = "name,fullName,nextBuildNumber"
_FOLDERS = ("Folder", "MultiBranchProject", "OrganizationFolder")


def _tree(levels: int) -> str:
    return f"jobs[{_ITEM},{_tree(levels - 1)}]" if levels else "jobs[name]"


class FolderLayout(JobLayout):
    """All jobs below a folder whose name or path below the folder is included."""

    def __init__(self, source: SourceSettings) -> None:
        super().__init__(source)
        self.reads_upstream = source.group_by == "upstream"

    def jobs(self, jenkins: Jenkins) -> list[JobRow]:
        found = {job.job: job for job in self._walk(jenkins, self.source.job, job_path(self.source.job))}
        return [job for name, job in sorted(found.items()) if self.includes(*self._names(name))]

    def _names(self, job: str) -> tuple[str, ...]:
        return job.rpartition("/")[2], job.removeprefix(self.source.job.strip("/") + "/")

    def _walk(self, jenkins: Jenkins, folder: str, path: str) -> Iterator[JobRow]:
        answer = jenkins.api(path, _tree(LEVELS))
        yield from self._items(jenkins, folder, answer, LEVELS)

    def _items(self, jenkins: Jenkins, folder: str, holder: JsonObject, levels: int) -> Iterator[JobRow]:
        for item in dicts(holder.get("jobs")):
            if not item.get("name"):
                continue
            name = str(item.get("fullName") or f"{folder}/{item['name']}".strip("/"))
            if "jobs" in item and levels > 1:
                yield from self._items(jenkins, name, item, levels - 1)
            elif "jobs" in item or str(item.get("_class", "")).endswith(_FOLDERS):
                yield from self._walk(jenkins, name, job_path(name))
            else:
                yield JobRow(self.source.name, name, whole(item.get("nextBuildNumber")))

    def join(self, own: RunRecord, detail: JenkinsBuildDetail, upstream: JenkinsBuildDetail | None) -> RunRecord:
        if self.source.group_by.startswith("parameter:"):
            parameter = self.source.group_by.partition(":")[2]
            value = detail.parameters.get(parameter)
            if not value:
                return own
            number = int(value) if value.isdigit() and len(value) < 10 else own.number
            job = self.source.job.strip("/") or "/"
            return replace(own, job=job, number=number, key=f"{parameter}={value}", display_name=value)
        if upstream is not None and upstream.started_at is not None:
            return as_run(self.source, upstream, upstream.started_at, own.release, own.version, own.environment)
        return own


class ViewLayout(FolderLayout):
    """The jobs of a view: `job` is the path of its folder, if any, and its name."""

    def jobs(self, jenkins: Jenkins) -> list[JobRow]:
        folder, _, view = self.source.job.strip("/").rpartition("/")
        found = {job.job: job for job in self._walk(jenkins, folder, f"{job_path(folder)}view/{encode(view)}/")}
        return [job for name, job in sorted(found.items()) if self.includes(*self._names(name))]


class MultibranchLayout(FolderLayout):
    """The branches of a multibranch project. A branch is a release, unless the version of its builds names one."""

    def _names(self, job: str) -> tuple[str, ...]:
        return (self.fallback_release(job),)

    def fallback_release(self, job: str) -> str:
        # The item of branch feature/x is named feature%2Fx.
        return unquote(job.rpartition("/")[2])

    def module(self, job: str) -> str:
        return self.rules.module(job.rpartition("/")[0].rpartition("/")[2])
