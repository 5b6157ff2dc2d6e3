"""How a route is described in the OpenAPI document: its tag, its answers with an example, its problems."""

from __future__ import annotations

from collections.abc import Callable
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
_REF = "#/components/schemas/{model}"
_ANSWERS: dict[str, Callable[[], type[BaseModel]]] = {}  # by the name of the schema


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
    found = _responses(200, answer.__name__, lambda: schema(answer), files, has_etag=True)
    return found | {304: NOT_MODIFIED} | problem_responses(400, 404, 406, 503)


def list_responses(item: type) -> ResponseDict:
    """The answers of a GET route that returns a list: a page of JSON, or a file."""
    found = _responses(200, f"{item.__name__}List", lambda: page_model(item), FILE_CONTENT, has_etag=True)
    return found | {304: NOT_MODIFIED} | problem_responses(400, 404, 406, 503)


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


def success_responses(status: int, answer: type, files: dict[str, Any] | None = None) -> ResponseDict:
    """An answer of data/answers/, and the other types of its content."""
    return _responses(status, answer.__name__, lambda: schema(answer), files)


def _responses(
    status: int,
    name: str,
    model: Callable[[], type[BaseModel]],
    files: dict[str, Any] | None,
    has_etag: bool = False,
) -> ResponseDict:
    """An answer in JSON whose schema, of this name, is derived when the document is first read: the schemas of all
    routes take longer to derive than a command takes to start."""
    _ANSWERS[name] = model
    content = {"application/json": {"schema": {"$ref": _REF.format(model=name)}}, **(files or {})}
    return {status: {"headers": {"ETag": _ETAG} if has_etag else {}, "content": content}}


def add_answers(document: dict[str, Any]) -> None:
    """Add the schemas and examples of the answers to an OpenAPI document."""
    models = {name: model() for name, model in _ANSWERS.items()}
    schemas = document["components"].setdefault("schemas", {})
    for name, model in models.items():
        definition = model.model_json_schema(mode="serialization", ref_template=_REF)
        schemas |= definition.pop("$defs", {}) | {name: definition}
    for item in document["paths"].values():
        for operation in item.values():
            for response in operation["responses"].values():
                content = response.get("content", {}).get("application/json", {})
                name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                if name in models:
                    content["example"] = example(models[name])
