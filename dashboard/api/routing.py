"""What holds of every request below /api before a route is entered: there is such a route, it takes this method, and
no parameter would be left out of its answer."""

from __future__ import annotations

from functools import cache

from flask import Flask, Response, request
from werkzeug.routing import Map, MapAdapter

from dashboard.api.problems import problem_response


def install(server: Flask) -> None:
    @cache
    def ours() -> MapAdapter:
        """The routes of the API alone, made at the first request: by then all are registered. The server's own map
        also has Dash's, which answers GET of any path with a page."""
        rules = [rule.empty() for rule in server.url_map.iter_rules() if rule.rule.startswith("/api/")]
        return Map(rules, merge_slashes=False).bind("")

    @server.before_request
    def route() -> Response | None:
        if not f"{request.path}/".startswith("/api/"):
            return None
        if request.method != "OPTIONS" and request.url_rule is not None and request.url_rule.rule.startswith("/api/"):
            return _reject_ignored_parameters()
        methods = sorted(ours().allowed_methods(request.path))
        if not methods:
            return problem_response(404, f"there is no route {request.path}; see /api/docs")
        if request.method == "OPTIONS":
            response = Response()
        else:
            response = problem_response(405, f"{request.path} takes {', '.join(methods)}, not {request.method}")
        response.headers["Allow"] = ", ".join(methods)
        return response


def _reject_ignored_parameters() -> Response | None:
    """What is asked in a way that part of it would be left out."""
    if request.method not in ("GET", "HEAD"):  # what these are told stands in the body
        for name in request.args:
            return problem_response(400, f"{name!r} is no parameter of this route", name)
    # The first value alone would answer another question. A list is one value with commas; only files come several.
    for given in (request.args, request.form) if request.method == "POST" else (request.args,):
        for name, values in given.lists():
            if len(values) > 1:
                return problem_response(400, f"{name!r} is given {len(values)} times", name)
    return None
