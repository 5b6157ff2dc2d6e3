"""The simulator's HTTP server: the fake Jenkins, its truth and feeds, and the routes with which tests steer it."""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import AbstractContextManager
from typing import Any, Self

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException

from data.model.json_values import JsonObject
from ingest.simulator import account, error_pages, http_server, side_jobs
from ingest.simulator.bug_feed import bug_feed
from ingest.simulator.fake_jenkins import FakeJenkins
from ingest.simulator.http_faults import FaultRule, HttpFaultPlan
from ingest.simulator.jenkins_items import JenkinsJob
from ingest.simulator.metadata_csv import metadata_csv
from ingest.simulator.programme import Programme
from ingest.simulator.request_counter import RequestCounter
from ingest.simulator.sources import extra_sources, sources
from ingest.simulator.truth import truth

WRONG_ROOT = "http://jenkins.internal:8080/"


def create_app(
    programme: Programme,
    faults: list[FaultRule] | None = None,
    *,
    root_url: str | None = WRONG_ROOT,
    user: str | None = None,
    token: str | None = None,
) -> Flask:
    """The server as a WSGI application. `root_url` is the Jenkins URL configured on the server, wrong by default as it
    often is; with `user` and `token`, only these may log in."""
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False
    jenkins, plan, counter = FakeJenkins(programme, root_url), HttpFaultPlan(faults), RequestCounter()
    app.extensions["jenkins"] = jenkins

    @app.route("/", methods=["GET", "POST"])
    @app.route("/<path:path>", methods=["GET", "POST"])
    def answer(path: str = "") -> Response:
        counter.begin(request.path)
        try:
            response = respond(request.path)
        except BaseException:
            counter.end()
            raise
        response.call_on_close(counter.end)
        return response

    def respond(path: str) -> Response:
        fault = plan.strike(f"{path}?{request.query_string.decode()}" if request.query_string else path)
        if fault and fault.kind == "slow":
            time.sleep(fault.delay_s)
        if fault and fault.kind in ("html", "login", "status"):
            response = error_pages.fault_response(fault, path)
        elif path == "/login":
            response = error_pages.login_page()
        else:
            response = let_in(path)
            if fault and fault.kind in ("truncate", "reset"):
                response = error_pages.damaged_response(response, fault)
        error_pages.finish_response(response, request.headers.get("Accept-Encoding", ""), user)
        return response

    def let_in(path: str) -> Response:
        given = request.authorization if user else None
        given = given if given and given.type == "basic" else None
        if user and given and not account.may_log_in(given, user, token or ""):
            return error_pages.unauthorized_page()
        name = user if user and given else ""
        if user and not name and not path.startswith(account.UNPROTECTED):
            return error_pages.refusal_page(path)
        issues_crumb = path.startswith(account.CRUMB_ISSUER)
        session = request.cookies.get(account.SESSION_COOKIE, "")
        visitor = account.Visitor(name, session or (secrets.token_hex(16) if issues_crumb else ""))
        # A visitor who logs in with each request, as programs do, needs no crumb.
        if request.method == "POST" and not name and request.headers.get(account.CRUMB_FIELD) != visitor.crumb:
            return error_pages.no_crumb_page()
        response = jenkins.change(path, visitor) or jenkins.get(path, visitor)
        if issues_crumb:
            response.set_cookie(account.SESSION_COOKIE, visitor.session, httponly=True)
        return response

    @app.errorhandler(HTTPException)
    def fail(error: HTTPException) -> Response:
        response = error_pages.http_error_page(error.code or 500)
        error_pages.finish_response(response, "", None)
        return response

    @app.get("/metadata.csv")
    def get_metadata() -> Response:
        return Response(metadata_csv(programme), content_type="text/csv; charset=utf-8")

    @app.get("/bugs.json")
    def get_bugs() -> Response:
        return jsonify(bug_feed(programme))

    @app.get("/truth.json")
    def get_truth() -> Response:
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
    def request_counts() -> Response:
        counts = counter.as_dict()
        if request.method == "DELETE":
            counter.reset()
        return jsonify(counts)

    @app.post("/_sim/advance")
    def advance() -> Response:
        body = request.get_json()
        now = programme.finish() if body.get("finish") else programme.advance(float(body["seconds"]))
        return jsonify({"now": now})

    @app.post("/_sim/<action>")
    def change(action: str) -> Response | tuple[Response, int]:
        body = request.get_json()
        job = jenkins.root.find(body["job"].split("/"))
        if not isinstance(job, JenkinsJob) or action not in ("delete", "recreate", "edit"):
            return jsonify({"error": f"no job {body['job']!r}, or nothing called {action!r} can be done to it"}), 404
        if action == "delete":
            job.deleted.add(int(body["number"]))
        elif action == "recreate":
            side_jobs.recreate(programme.seed, job, programme.now())
        else:
            job.edits[int(body["number"])] = body["set"]
        return jsonify({"job": job.full_name})

    return app


class SimulatorServer(AbstractContextManager):
    """Serves `programme` on its own thread; `port` 0 picks a free port. `options` are those of `create_app`."""

    def __init__(self, programme: Programme, port: int = 0, host: str = "127.0.0.1", **options: Any) -> None:
        self.programme = programme
        self.app = create_app(programme, **options)
        self._server = http_server.JenkinsHttpServer(self.app, host, port)
        self.port = self._server.port
        self.url = f"http://{host}:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="simulator", daemon=True)
        self._thread.start()

    def sources(self) -> list[JsonObject]:
        return sources(self.programme, self.url)

    def extra_sources(self) -> list[JsonObject]:
        return extra_sources(self.url)

    def truth(self, detail: bool = False) -> JsonObject:
        return truth(self.programme, self.app.extensions["jenkins"].root, detail)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._thread.join()

    def join(self) -> None:
        """Wait until the server is stopped."""
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
