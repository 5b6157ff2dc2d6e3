"""Every error under /api is an RFC 9457 problem document: scripts read `status` and `parameter`, people `detail`.

ProblemError            an error answer, raised anywhere below a route
FilterError             400: a filter's value (data/model/filters.py)
SnapshotNotFoundError   404: `as_of` or a cursor names a snapshot that does not exist
StoreError, duckdb's I/O errors   503: the store cannot be opened or read
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import duckdb
import orjson
from flask import Flask, Response, request
from flask_openapi3 import APIBlueprint
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from dashboard.api.parameters.reading import wording
from data import redaction
from data.lake.connection import RefusedStoreError, StoreError
from data.lake.store import SnapshotNotFoundError
from data.model.filters import Filter, FilterError
from data.model.json_values import JsonObject

MIMETYPE = "application/problem+json"
log = logging.getLogger("regtracker.web")


class ProblemError(Exception):
    """Answered as a problem document with this status. `position`: index of the character in the parameter."""

    def __init__(self, status: int, detail: str, parameter: str | None = None, position: int | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.parameter, self.position = status, detail, parameter, position


def not_found(what: str, name: str, parameter: str | None = None, near: Sequence[str] = ()) -> ProblemError:
    """404 for an id or name that is not in the store; `near`: the names that it may mean."""
    meant = f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
    return ProblemError(404, f"no such {what}: {name!r}{meant}", parameter)


def validation_problem(error: ValidationError) -> None:
    """Report the first invalid parameter or field: flask-openapi3's callback."""
    first = error.errors()[0]
    parameter = ".".join(str(part) for part in first["loc"]) if first["loc"] else None
    if first["type"] == "extra_forbidden":
        raise ProblemError(400, f"unknown parameter {parameter!r}{_refusal_reason(parameter)}", parameter)
    if first["type"] == "model_type":
        raise ProblemError(400, f"{parameter or 'the body'}: must be a JSON object", parameter)
    given = "" if first["type"] == "missing" else f"={_shortened(first['input'])}"
    raise ProblemError(400, f"{parameter or 'the body'}{given}: {wording(first)}", parameter)


def _refusal_reason(parameter: str | None) -> str:
    """Why this route refuses a filter that other routes take."""
    if parameter == "priority":
        return (
            ": this route counts whole builds, which have no priority; use /runs/{run}/priorities, or a list of tests"
        )
    return ": it does not change the answer of this route" if parameter in Filter.__dataclass_fields__ else ""


def problem_response(status: int, detail: str, parameter: str | None = None, position: int | None = None) -> Response:
    title = HTTPStatus(status).phrase
    document: JsonObject = {
        "type": f"/api/docs#{status}",
        "title": title,
        "status": status,
        "detail": redaction.redact(detail),
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
    """Turn the exceptions of this blueprint's routes into problem documents."""

    @api.errorhandler(ProblemError)
    def problem(error: ProblemError) -> Response:
        return problem_response(error.status, error.detail, error.parameter, error.position)

    @api.errorhandler(FilterError)
    def wrong_filter(error: FilterError) -> Response:
        return problem_response(400, str(error), error.field)

    @api.errorhandler(SnapshotNotFoundError)
    def unknown_snapshot(error: SnapshotNotFoundError) -> Response:
        return problem_response(404, str(error), "cursor" if "cursor" in request.args else "as_of")

    @api.errorhandler(StoreError)
    def unusable_store(error: StoreError) -> Response:
        log.error("the store cannot be opened: %s", error)
        if isinstance(error, RefusedStoreError):
            return problem_response(503, str(error))
        return problem_response(503, "the store cannot be opened; see the server's log and `regtracker check`")

    @api.errorhandler(duckdb.OperationalError)
    def unreadable(error: duckdb.OperationalError) -> Response:
        log.exception("the store cannot be read", exc_info=error)
        return problem_response(503, "the store cannot be read; try again, then see the server's log")

    @api.errorhandler(duckdb.ProgrammingError)
    def missing_table(error: duckdb.ProgrammingError) -> Response:
        if "as_of" not in request.args:
            raise error
        return problem_response(404, "the store did not have these tables at that snapshot", "as_of")


def install(server: Flask) -> None:
    """Turn every other error under /api (405, 413, a bug) into a problem document."""

    @server.after_request
    def as_problem(response: Response) -> Response:
        if response.status_code < 400 or response.mimetype == MIMETYPE or not request.path.startswith("/api"):
            return response
        error = request.routing_exception
        if isinstance(error, HTTPException) and error.code == response.status_code and error.description:
            detail = error.description
        elif response.status_code == 500:
            detail = "internal error; see the server's log"
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
