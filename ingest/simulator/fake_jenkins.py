"""The fake Jenkins: which path answers what."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

from cachetools import LRUCache
from flask import Response, request

from ingest.simulator import console_log, error_pages, orchestrator_jobs, side_jobs
from ingest.simulator.artifact_download import zip_request, zipped
from ingest.simulator.jenkins_items import JenkinsBuild, JenkinsFolder, JenkinsJob
from ingest.simulator.json_api import PERMALINKS, Exporter
from ingest.simulator.programme import Programme
from ingest.simulator.test_report_json import test_report
from ingest.simulator.tree_query import DepthSelection, ExportedBean, parse, render

ZIP_CACHE_BYTES = 200 << 20


class FakeJenkins:
    """The items of one server, and the response to a GET of each. `root_url` None: the address of the request."""

    def __init__(self, programme: Programme, root_url: str | None) -> None:
        self.programme, self.root_url = programme, root_url
        self.root = JenkinsFolder("")
        orchestrator_jobs.add_jobs(programme, self.root)
        side_jobs.add_jobs(programme.seed, programme.started, self.root, programme.size)
        self._zips: LRUCache[tuple[object, ...], bytes] = LRUCache(ZIP_CACHE_BYTES, getsizeof=len)
        self._lock = threading.Lock()

    def get(self, path: str) -> Response:
        now = self.programme.now()
        exporter = Exporter(self.root_url or request.host_url, now)
        segments = [segment for segment in path.split("/") if segment]
        if segments[:1] == ["view"] and len(segments) > 1:
            view, segments = segments[1], segments[2:]
            if view not in self.root.views and view != "all":
                return error_pages.not_found_page(path)
            if segments == ["api", "json"] and view != "all":
                return _json(exporter.view(self.root, view))
            # Below a view, every URL in the answer begins with the view's.
            exporter = replace(exporter, root=f"{exporter.root}view/{view}/")
        if segments == ["api", "json"]:
            return _json(exporter.server(self.root))
        item, rest = self._item(segments)
        if item is None:
            return error_pages.not_found_page(path)
        if rest == ["api", "json"]:
            return _json(exporter.item(item))
        if isinstance(item, JenkinsJob) and rest:
            build = self._build(item, rest[0], now)
            if build:
                return self._build_page(exporter, item, build, rest[1:], path)
        return error_pages.not_found_page(path)

    def _item(self, segments: list[str]) -> tuple[JenkinsFolder | JenkinsJob | None, list[str]]:
        names, position = [], 0
        while segments[position : position + 1] == ["job"] and position + 1 < len(segments):
            names.append(segments[position + 1])
            position += 2
        if position < len(segments) and "=" in segments[position]:  # an axis of a matrix job
            names.append(segments[position])
            position += 1
        return (self.root.find(names) if names else None), segments[position:]

    def _build(self, job: JenkinsJob, which: str, now: float) -> JenkinsBuild | None:
        if which in PERMALINKS:
            return next((build for build in job.builds(now) if PERMALINKS[which](build, now)), None)
        return job.build(int(which), now) if which.isdigit() else None

    def _build_page(
        self, exporter: Exporter, job: JenkinsJob, build: JenkinsBuild, rest: list[str], path: str
    ) -> Response:
        now = exporter.now
        if rest == ["api", "json"]:
            return _json(exporter.build(job, build))
        if rest == ["testReport", "api", "json"]:
            report = test_report(build, now, exporter.build_url)
            return _json(report) if report else error_pages.not_found_page(path)
        if rest == ["logText", "progressiveText"]:
            body, size, more = console_log.progressive(build, now, request.args.get("start", 0, int))
            response = Response(body, content_type="text/plain;charset=utf-8", headers={"X-Text-Size": str(size)})
            if more:
                response.headers["X-More-Data"] = "true"
            return response
        if rest == ["consoleText"]:
            return Response(console_log.text(build, now), content_type="text/plain;charset=utf-8")
        if rest[:1] == ["artifact"]:
            return self._artifact(job, build, rest[1:], now) or error_pages.not_found_page(path)
        return error_pages.not_found_page(path)

    def _artifact(self, job: JenkinsJob, build: JenkinsBuild, segments: list[str], now: float) -> Response | None:
        if wanted := zip_request(segments):
            body = self._zip(job, build, wanted, now)
            # Jenkins streams the zip as it creates it: no Content-Length, no ranges.
            return Response(iter([body]), content_type="application/zip") if body is not None else None
        name = "/".join(segments)
        render_file = build.files(now).get(name)
        if render_file is None:
            return None
        body = render_file()
        kinds = {"xml": "application/xml", "json": "application/json", "txt": "text/plain"}
        response = Response(body, content_type=kinds.get(name.rsplit(".", 1)[-1], "application/octet-stream"))
        response.last_modified = datetime.fromtimestamp(int(min(now, build.ended)), UTC)
        response.make_conditional(request.environ, accept_ranges=True, complete_length=len(body))
        return response

    def _zip(self, job: JenkinsJob, build: JenkinsBuild, wanted: tuple[str, str], now: float) -> bytes | None:
        key = (job.full_name, build.number, build.started, wanted)
        with self._lock:
            if (body := self._zips.get(key)) is not None:
                return body
        body = zipped(build.files(now), *wanted, modified=min(now, build.ended))
        if body is not None and not build.in_progress(now):
            with self._lock:
                self._zips[key] = body
        return body


def _json(bean: ExportedBean) -> Response:
    wanted = request.args.get("tree")
    try:
        shown = parse(wanted) if wanted is not None else DepthSelection(1 - request.args.get("depth", 0, int))
    except ValueError as error:
        return error_pages.server_error_page(str(error))
    return error_pages.json_response(render(bean, shown), pretty="pretty" in request.args)
