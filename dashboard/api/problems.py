"""Every error under /api is an RFC 9457 problem document: scripts read `status` and `parameter`, people read `detail`.

Problem                 an answer that is an error, raised anywhere below a route
FilterError             400: a filter's value (data/model/filters.py)
NoSnapshot              404: `as_of` or a cursor names a snapshot that is not there
StoreError, duckdb's I/O errors   503: the store cannot be opened or read
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

import duckdb
import orjson
from flask import Flask, Response, request
from flask_openapi3 import APIBlueprint
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from data.lake.connection import StoreError
from data.lake.store import SnapshotNotFoundError
from data.model.filters import Filter, FilterError

MIMETYPE = "application/problem+json"
log = logging.getLogger("regtracker.web")


class ProblemError(Exception):
    """Answered as a problem document with this status. `position`: at which letter of the parameter, from 0."""

    def __init__(self, status: int, detail: str, parameter: str | None = None, position: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.parameter, self.position = status, detail, parameter, position


def not_found(what: str, name: str) -> ProblemError:
    """404 for an id or name that is not in the store."""
    return ProblemError(404, f"there is no {what} {name!r}")


def validation_problem(error: ValidationError) -> None:
    """flask-openapi3's callback: the first thing that is wrong with the parameters or the body."""
    first = error.errors()[0]
    parameter = ".".join(str(part) for part in first["loc"]) if first["loc"] else None
    if first["type"] == "extra_forbidden":
        raise ProblemError(400, f"{parameter!r} is no parameter of this route{_refusal_reason(parameter)}", parameter)
    if first["type"] == "model_type":
        raise ProblemError(400, f"{parameter or 'the body'}: must be one JSON object", parameter)
    given = "" if first["type"] == "missing" else f" (given: {_shortened(first['input'])})"
    raise ProblemError(
        400, f"{parameter or 'the body'}: {first['msg'].removeprefix('Value error, ')}{given}", parameter
    )


def _refusal_reason(parameter: str) -> str:
    """Why a filter that other routes take is refused here."""
    if parameter == "priority":
        return (
            ": its numbers are sums over builds, which know of no priorities; /runs/{run}/priorities counts by "
            "priority, and lists of tests take it"
        )
    return ": its answer would be the same with it" if parameter in Filter.__dataclass_fields__ else ""


def problem_response(status: int, detail: str, parameter: str | None = None, position: int | None = None) -> Response:
    title = HTTPStatus(status).phrase
    document: dict[str, Any] = {
        "type": f"/api/docs#{status}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.path,
    }
    if parameter is not None:
        document["parameter"] = parameter
    if position is not None:
        document["position"] = position
    response = Response(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE), status, mimetype=MIMETYPE)
    response.headers["Cache-Control"] = "no-store"
    if status in (429, 503):
        response.headers["Retry-After"] = "5"
    return response


def register_handlers(api: APIBlueprint) -> None:
    """Turn what the routes of this blueprint raise into problem documents."""

    @api.errorhandler(ProblemError)
    def problem(error: ProblemError) -> Response:
        return problem_response(error.status, error.detail, error.parameter, error.position)

    @api.errorhandler(FilterError)
    def wrong_filter(error: FilterError) -> Response:
        return problem_response(400, str(error), error.field)

    @api.errorhandler(SnapshotNotFoundError)
    def no_snapshot(error: SnapshotNotFoundError) -> Response:
        return problem_response(404, str(error), "cursor" if "cursor" in request.args else "as_of")

    @api.errorhandler(StoreError)
    def no_store(error: StoreError) -> Response:
        log.error("the store cannot be used: %s", error)
        return problem_response(503, "the store cannot be opened; the server's log and `regtracker check` tell more")

    @api.errorhandler(duckdb.OperationalError)
    def unreadable(error: duckdb.OperationalError) -> Response:
        log.exception("the store cannot be read", exc_info=error)
        return problem_response(503, "the store cannot be read just now; try again, then see the server's log")

    @api.errorhandler(duckdb.ProgrammingError)
    def before_its_tables(error: duckdb.ProgrammingError) -> Response:
        if "as_of" not in request.args:
            raise error
        return problem_response(404, "at that snapshot the store did not have this yet", "as_of")


def install(server: Flask) -> None:
    """Whatever error leaves the server under /api (405, 413, a bug) leaves it as a problem document."""

    @server.after_request
    def as_problem(response: Response) -> Response:
        if response.status_code < 400 or response.mimetype == MIMETYPE or not request.path.startswith("/api"):
            return response
        error = request.routing_exception
        if isinstance(error, HTTPException) and error.code == response.status_code and error.description:
            detail = error.description
        elif response.status_code == 500:
            detail = "a fault of the server; its log tells more"
        else:
            detail = HTTPStatus(response.status_code).description or HTTPStatus(response.status_code).phrase
        replaced = problem_response(response.status_code, detail)
        for name, value in response.headers:
            if not name.startswith("Content-") or name == "Content-Security-Policy":
                replaced.headers.setdefault(name, value)
        return replaced


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
