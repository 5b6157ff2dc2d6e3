"""The fake Jenkins: which path answers what."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

from cachetools import LRUCache
from flask import Response, jsonify, request

from ingest.simulator import (
    account,
    console_log,
    error_pages,
    nodes,
    orchestrator_jobs,
    pipeline_stages,
    plugins,
    queue_items,
    remote_api,
    side_jobs,
)
from ingest.simulator.account import Visitor
from ingest.simulator.artifact_download import zip_request, zipped
from ingest.simulator.jenkins_items import PIPELINE, JenkinsBuild, JenkinsFolder, JenkinsJob
from ingest.simulator.json_api import Exporter
from ingest.simulator.permalinks import named_build
from ingest.simulator.programme import Programme
from ingest.simulator.test_report_json import test_report
from ingest.simulator.tree_query import ExportedBean

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

    def get(self, path: str, visitor: Visitor) -> Response:
        exporter = Exporter(self.root_url or request.host_url, self.programme.now())
        segments = [segment for segment in path.split("/") if segment]
        flavor = segments[-1] if segments[-2:-1] == ["api"] else ""
        target = segments[:-2] if flavor else segments
        if target == ["me"] and not visitor.user:
            return error_pages.refusal_page(path)
        found = self._file(exporter, target) if not flavor else None
        if found:
            return found
        bean = self._bean(exporter, target, visitor)
        if bean is None or (flavor and flavor not in remote_api.FLAVORS):
            return error_pages.not_found_page(path)
        if flavor:
            return remote_api.answer(bean, flavor)
        if not path.endswith("/"):
            return error_pages.redirect_page(f"{quote(path)}/")
        return error_pages.index_page(target[-1] if target else "Dashboard")

    def change(self, path: str, visitor: Visitor) -> Response | None:
        """The response to a request that would change something: nobody may. None for other paths."""
        needed = account.ACTIONS.get(path.rstrip("/").rpartition("/")[2])
        if needed is None:
            return None
        segments = [segment for segment in path.split("/") if segment]
        exporter = Exporter(self.root_url or request.host_url, self.programme.now())
        if self._bean(exporter, segments[:-1], visitor) is None:
            return error_pages.not_found_page(path)
        if request.method != "POST":
            if segments[-1] != "config.xml":
                return error_pages.post_required_page()
            needed = account.READ_CONFIGURATION
        return error_pages.forbidden_page(visitor.name, needed)

    def _bean(self, exporter: Exporter, path: list[str], visitor: Visitor) -> ExportedBean | None:
        """What is at the path, None if nothing is."""
        first, rest = (path[0], path[1:]) if path else ("", [])
        match first:
            case "":
                return exporter.server(self.root)
            case "queue":
                return queue_items.find(self.root, exporter, rest)
            case "computer":
                return nodes.find(self.root, exporter, rest)
            case "pluginManager":
                return plugins.find(rest)
            case "whoAmI" | "me" | "user" | "crumbIssuer":
                return account.find(visitor, exporter.root, path)
            case "view" if rest and (rest[0] == self.root.all_view or rest[0] in self.root.views):
                if len(rest) > 1:
                    # Below a view, every URL in the answer begins with the view's.
                    return self._bean(replace(exporter, root=f"{exporter.root}view/{rest[0]}/"), rest[1:], visitor)
                is_all = rest[0] == self.root.all_view
                return exporter.all_view(self.root) if is_all else exporter.view(self.root, rest[0])
        return self._item_bean(exporter, path)

    def _item_bean(self, exporter: Exporter, path: list[str]) -> ExportedBean | None:
        item, rest = self._item(path)
        if isinstance(item, JenkinsFolder) and rest == ["view", item.all_view]:
            return exporter.all_view(item)
        if item is None or not rest:
            return exporter.item(item) if item else None
        build = self._build(item, rest[0], exporter.now) if isinstance(item, JenkinsJob) else None
        if not isinstance(item, JenkinsJob) or build is None:
            return None
        if rest[1:] == ["testReport"]:
            return test_report(item, build, exporter.now, exporter.build_url)
        return exporter.build(item, build) if len(rest) == 1 else None

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
        return job.build(int(which), now) if which.isdigit() else named_build(job.builds(now), which, now)

    def _file(self, exporter: Exporter, path: list[str]) -> Response | None:
        """Logs, artifacts and stages of a build: what is not a bean. None for other paths."""
        item, rest = self._item(path[2:] if path[:1] == ["view"] else path)
        if not isinstance(item, JenkinsJob) or len(rest) < 2:
            return None
        now = exporter.now
        build = self._build(item, rest[0], now)
        if build is None:
            return None
        match rest[1:]:
            case ["logText", "progressiveText"]:
                body, size, more = console_log.progressive(build, now, request.args.get("start", 0, int))
                response = Response(body, content_type="text/plain;charset=utf-8", headers={"X-Text-Size": str(size)})
                if more:
                    response.headers["X-More-Data"] = "true"
                return response
            case ["consoleText"]:
                return Response(console_log.text(build, now), content_type="text/plain;charset=utf-8")
            case ["artifact", *names]:
                return self._artifact(item, build, names, now)
            case ["wfapi", page] if item.kind == PIPELINE and page in ("describe", "artifacts"):
                answer = pipeline_stages.describe if page == "describe" else pipeline_stages.artifacts
                return jsonify(answer(item, build, now))
        return None

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
