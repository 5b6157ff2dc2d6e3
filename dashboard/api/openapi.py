"""What every route says of itself in the OpenAPI document: its tag, its answers with an example, its problems."""

from __future__ import annotations

from typing import Any

from flask_openapi3 import APIBlueprint, Tag
from pydantic import BaseModel, ConfigDict, create_model

from dashboard.api.openapi_examples import example
from dashboard.api.problems import MIMETYPE
from dashboard.api.responses import FORMATS
from dashboard.api.schemas.base import Count

STATUS_DESCRIPTIONS = {
    400: "a parameter is unknown or wrong",
    403: "a page of another site sent this",
    404: "an id or name in the path, or the snapshot, is unknown",
    405: "the route does not take this method; Allow names those that it takes",
    406: "Accept names no type that this can be",
    408: "it took too long",
    413: "the body is too large",
    415: "the body is of another type",
    429: "too many at once",
    503: "the store cannot be read",
}
_ETAG = {"description": "the snapshot and the question: send it as If-None-Match", "schema": {"type": "string"}}
NOT_MODIFIED = {"description": "nothing has changed since the answer whose ETag was sent"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
FILE_CONTENT = {mimetype: _BINARY for name, mimetype in FORMATS.items() if name != "json"}


def blueprint(name: str, description: str) -> APIBlueprint:
    tag = Tag(name=name, description=description)
    return APIBlueprint(name, __name__, abp_tags=[tag], operation_id_callback=lambda name, path, method: name)


def problem_responses(*statuses: int) -> dict[int, Any]:
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {status: {"description": STATUS_DESCRIPTIONS[status], "content": {MIMETYPE: schema}} for status in statuses}


def item_responses(model: type[BaseModel], files: dict[str, Any] | None = None) -> dict[int, Any]:
    """The answers of a GET route that gives one thing."""
    return {
        200: documented_response(model, {"ETag": _ETAG}, files),
        304: NOT_MODIFIED,
        **problem_responses(400, 404, 406, 503),
    }


def list_responses(item: type[BaseModel]) -> dict[int, Any]:
    """The answers of a GET route that gives a list: a page of JSON, or a file."""
    return {
        200: documented_response(page_model(item), {"ETag": _ETAG}, FILE_CONTENT),
        304: NOT_MODIFIED,
        **problem_responses(400, 404, 406, 503),
    }


def page_model(item: type[BaseModel]) -> type[BaseModel]:
    return create_model(
        f"{item.__name__}List",
        __config__=ConfigDict(extra="forbid"),
        __doc__="One page of a list; `next` is the cursor of the following one.",
        items=(list[item], ...),
        next=(str | None, ...),
        snapshot=(Count, ...),
    )


def documented_response(
    model: type[BaseModel], headers: dict[str, Any] | None = None, files: dict[str, Any] | None = None
) -> type[BaseModel]:
    """The model, as flask-openapi3 wants an answer described."""
    extra: dict[str, Any] = {"example": example(model), "headers": headers or {}, "content": files or {}}
    return type(model.__name__, (model,), {"model_config": ConfigDict(openapi_extra=extra), "__doc__": model.__doc__})
