"""How a route is described in the OpenAPI document: its tag, its answers with an example, its problems."""

from __future__ import annotations

from types import GenericAlias
from typing import Annotated, Any

from flask_openapi3 import APIBlueprint, Tag
from flask_openapi3.types import ResponseDict
from pydantic import BaseModel, ConfigDict, Field, create_model

from dashboard.api.openapi_examples import example
from dashboard.api.problems import MIMETYPE
from dashboard.api.schemas import schema
from dashboard.media_types import FORMATS

STATUS_DESCRIPTIONS = {
    400: "a parameter is unknown or invalid",
    403: "the request came from a page of another site",
    404: "unknown id, name or snapshot",
    405: "the route does not support this method; `Allow` lists those it does",
    406: "the answer has none of the types in Accept",
    408: "the query took too long",
    413: "the body is too large",
    415: "the body has the wrong type",
    429: "too many requests at once",
    503: "the store cannot be read",
}
_ETAG = {
    "description": "identifies the question and what its answer depends on; send it as If-None-Match",
    "schema": {"type": "string"},
}
NOT_MODIFIED = {"description": "unchanged since the answer with this ETag"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
FILE_CONTENT = {mimetype: _BINARY for name, mimetype in FORMATS.items() if name != "json"}


class OpenApiConfig(ConfigDict, total=False):
    """The configuration of a model, with what flask-openapi3 adds to its description."""

    openapi_extra: dict[str, Any]


def blueprint(name: str, description: str) -> APIBlueprint:
    tag = Tag(name=name, description=description)
    return APIBlueprint(name, __name__, abp_tags=[tag], operation_id_callback=lambda name, path, method: name)


def problem_responses(*statuses: int) -> ResponseDict:
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {status: {"description": STATUS_DESCRIPTIONS[status], "content": {MIMETYPE: schema}} for status in statuses}


def item_responses(answer: type, files: dict[str, Any] | None = None) -> ResponseDict:
    """The answers of a GET route that returns one object, an answer of data/answers/."""
    return {
        200: _documented(schema(answer), {"ETag": _ETAG}, files),
        304: NOT_MODIFIED,
        **problem_responses(400, 404, 406, 503),
    }


def list_responses(item: type) -> ResponseDict:
    """The answers of a GET route that returns a list: a page of JSON, or a file."""
    return {
        200: _documented(page_model(item), {"ETag": _ETAG}, FILE_CONTENT),
        304: NOT_MODIFIED,
        **problem_responses(400, 404, 406, 503),
    }


def page_model(item: type) -> type[BaseModel]:
    rows: Any = GenericAlias(list, (schema(item),))
    return create_model(
        f"{item.__name__}List",
        __config__=ConfigDict(extra="forbid"),
        __doc__="One page of a list; `next` is the cursor of the following one.",
        items=(rows, ...),
        next=(str | None, ...),
        snapshot=(Annotated[int, Field(ge=0)], ...),
    )


def documented_response(answer: type, files: dict[str, Any] | None = None) -> type[BaseModel]:
    """An answer of data/answers/ with its example and the other types of its content."""
    return _documented(schema(answer), None, files)


def _documented(
    model: type[BaseModel], headers: dict[str, Any] | None, files: dict[str, Any] | None
) -> type[BaseModel]:
    """The model with example, headers and other types, in the form that flask-openapi3 reads."""
    extra: dict[str, Any] = {"example": example(model), "headers": headers or {}, "content": files or {}}
    return type(
        model.__name__, (model,), {"model_config": OpenApiConfig(openapi_extra=extra), "__doc__": model.__doc__}
    )
