"""The fake Jenkins itself: which path gives what, who may ask, and the doors beside Jenkins by which tests steer it."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Self

from cachetools import LRUCache
from flask import Flask, Response, jsonify, request

from ingest.simulator import console_log, error_pages, http_server, orchestrator_jobs, side_jobs
from ingest.simulator.artifact_download import zip_request, zipped
from ingest.simulator.bug_feed import bug_feed
from ingest.simulator.http_faults import HttpFaultPlan
from ingest.simulator.jenkins_items import JenkinsBuild, JenkinsFolder, JenkinsJob
from ingest.simulator.json_api import PERMALINKS, Exporter
from ingest.simulator.metadata_csv import metadata_csv
from ingest.simulator.programme import Programme
from ingest.simulator.request_counter import RequestCounter
from ingest.simulator.sources import extra_sources, sources
from ingest.simulator.tree_query import DepthSelection, ExportedBean, parse, render
from ingest.simulator.truth import truth

WRONG_ROOT = "http://jenkins.internal:8080/"
ZIP_CACHE_BYTES = 200 << 20


class FakeJenkins:
    """The items of one server and its answers to one GET. `root_url` None means that it knows its own address."""

    def __init__(self, programme: Programme, root_url: str | None) -> None:
        self.programme, self.root_url = programme, root_url
        self.root = JenkinsFolder("")
        orchestrator_jobs.add_jobs(programme, self.root)
        side_jobs.add_jobs(programme.seed, programme.started, self.root, programme.size)
        self._zips: LRUCache = LRUCache(ZIP_CACHE_BYTES, getsizeof=len)
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
            # What is asked for through a view says so in its addresses.
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
        names, place = [], 0
        while segments[place : place + 1] == ["job"] and place + 1 < len(segments):
            names.append(segments[place + 1])
            place += 2
        if place < len(segments) and "=" in segments[place]:  # an axis of a matrix job
            names.append(segments[place])
            place += 1
        return (self.root.find(names) if names else None), segments[place:]

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
            report = exporter.report(build)
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
            # Made while it is sent: no length, no range.
            return Response(iter([body]), content_type="application/zip") if body is not None else None
        name = "/".join(segments)
        render_file = build.files(now).get(name)
        if render_file is None:
            return None
        body = render_file()
        kinds = {"xml": "application/xml", "json": "application/json", "txt": "text/plain"}
        response = Response(body, content_type=kinds.get(name.rsplit(".", 1)[-1], "application/octet-stream"))
        response.last_modified = int(min(now, build.ended))
        return response.make_conditional(request.environ, accept_ranges=True, complete_length=len(body))

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


def create_app(
    programme: Programme,
    faults: list[dict] | None = None,
    *,
    root_url: str | None = WRONG_ROOT,
    user: str | None = None,
    token: str | None = None,
) -> Flask:
    """The server as a WSGI application. `root_url` is the Jenkins URL as configured on the server, wrong by default as
    it often is; with `user` and `token` it wants them and nobody else's."""
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    jenkins, plan, traffic = FakeJenkins(programme, root_url), HttpFaultPlan(faults), RequestCounter()
    app.extensions["jenkins"] = jenkins

    @app.get("/")
    @app.get("/<path:path>")
    def answer(path: str = "") -> Response:
        traffic.begin(request.path)
        try:
            response = respond(request.path)
        except BaseException:
            traffic.end()
            raise
        response.call_on_close(traffic.end)
        return response

    def respond(path: str) -> Response:
        fault = plan.strike(f"{path}?{request.query_string.decode()}" if request.query_string else path)
        if fault and fault.kind == "slow":
            time.sleep(fault.delay_s)
        if fault and fault.kind in ("html", "login", "status"):
            response = error_pages.fault_response(fault, path)
        elif path == "/login":
            response = error_pages.login_page()
        elif user and (refused := error_pages.refusal(request.authorization, user, token, path)):
            response = refused
        else:
            response = jenkins.get(path)
            if fault and fault.kind in ("truncate", "reset"):
                response = error_pages.damaged_response(response, fault)
        error_pages.finish_response(response, request.headers.get("Accept-Encoding", ""), user)
        return response

    @app.get("/metadata.csv")
    def tell_metadata() -> Response:
        return Response(metadata_csv(programme), content_type="text/csv; charset=utf-8")

    @app.get("/bugs.json")
    def tell_bugs() -> Response:
        return jsonify(bug_feed(programme))

    @app.get("/truth.json")
    def tell_truth() -> Response:
        return jsonify(truth(programme, jenkins.root, detail=bool(request.args.get("detail"))))

    @app.route("/_sim/faults", methods=["GET", "POST", "DELETE"])
    def fault_plan() -> Response | tuple[Response, int]:
        try:
            if request.method != "GET":
                plan.set(request.get_json() if request.method == "POST" else [])
        except (TypeError, ValueError) as error:
            return jsonify({"error": str(error)}), 400
        return jsonify(plan.as_list())

    @app.route("/_sim/requests", methods=["GET", "DELETE"])
    def requests_seen() -> Response:
        seen = traffic.as_dict()
        if request.method == "DELETE":
            traffic.reset()
        return jsonify(seen)

    @app.post("/_sim/advance")
    def advance() -> Response:
        told = request.get_json()
        now = programme.finish() if told.get("finish") else programme.advance(float(told["seconds"]))
        return jsonify({"now": now})

    @app.post("/_sim/<action>")
    def change(action: str) -> Response | tuple[Response, int]:
        told = request.get_json()
        job = jenkins.root.find(told["job"].split("/"))
        if not isinstance(job, JenkinsJob) or action not in ("delete", "recreate", "edit"):
            return jsonify({"error": f"no job {told['job']!r}, or nothing called {action!r} can be done to it"}), 404
        if action == "delete":
            job.deleted.add(int(told["number"]))
        elif action == "recreate":
            side_jobs.recreate(programme.seed, job, programme.now())
        else:
            job.edits[int(told["number"])] = told["set"]
        return jsonify({"job": job.full_name})

    return app


class SimulatorServer(AbstractContextManager):
    """Serves `programme` on a thread of its own; `port` 0 takes a free one. Further arguments as for create_app."""

    def __init__(self, programme: Programme, port: int = 0, host: str = "127.0.0.1", **options) -> None:
        self.programme = programme
        self.app = create_app(programme, **options)
        self._server = http_server.JenkinsHttpServer(self.app, host, port)
        self.port = self._server.port
        self.url = f"http://{host}:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="simulator", daemon=True)
        self._thread.start()

    def sources(self) -> list[dict]:
        return sources(self.programme, self.url)

    def extra_sources(self) -> list[dict]:
        return extra_sources(self.url)

    def truth(self, detail: bool = False) -> dict:
        return truth(self.programme, self.app.extensions["jenkins"].root, detail)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def join(self) -> None:
        """Wait until the server is stopped, for a process that does nothing else."""
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
