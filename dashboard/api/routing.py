"""Checks before a route under /api is entered: the route exists, supports the method, and ignores no parameter."""

from __future__ import annotations

from functools import cache

from flask import Flask, Response, request
from werkzeug.routing import Map, MapAdapter

from dashboard.api.problems import problem_response


def install(server: Flask) -> None:
    @cache
    def api_routes() -> MapAdapter:
        """The API's routes alone: the server's own map also has Dash's, which answers GET of any path with a page.

        Built at the first request, when all are registered.
        """
        rules = [rule.empty() for rule in server.url_map.iter_rules() if rule.rule.startswith("/api/")]
        return Map(rules, merge_slashes=False).bind("")

    @server.before_request
    def route() -> Response | None:
        if not f"{request.path}/".startswith("/api/"):
            return None
        if request.method != "OPTIONS" and request.url_rule is not None and request.url_rule.rule.startswith("/api/"):
            return _reject_ignored_parameters()
        methods = sorted(api_routes().allowed_methods(request.path))
        if not methods:
            return problem_response(404, f"no such route: {request.path}; see /api/docs")
        if request.method == "OPTIONS":
            response = Response()
        else:
            response = problem_response(405, f"{request.path} supports {', '.join(methods)}, not {request.method}")
        response.headers["Allow"] = ", ".join(methods)
        return response


def _reject_ignored_parameters() -> Response | None:
    """400 if a parameter would be ignored."""
    if request.method not in ("GET", "HEAD"):  # their input is the body
        for name in request.args:
            return problem_response(400, f"unknown parameter {name!r}", name)
    # Flask would read the first value only. A list is one value with commas; only files may repeat.
    for given in (request.args, request.form) if request.method == "POST" else (request.args,):
        for name, values in given.lists():
            if len(values) > 1:
                return problem_response(400, f"{name!r} is repeated {len(values)} times", name)
    return None
