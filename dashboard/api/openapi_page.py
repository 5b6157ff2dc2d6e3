"""The OpenAPI document, generated from the routes, and a page that shows it without scripts."""

from __future__ import annotations

import copy
import re
import shlex
from functools import lru_cache
from typing import Any

import duckdb
import orjson
from flask import Blueprint, Flask, Response, current_app, render_template, request
from flask_openapi3 import APIBlueprint, Info, OpenAPI
from markupsafe import Markup, escape

from dashboard.api.openapi import STATUS_DESCRIPTIONS, add_answers
from dashboard.api.parameters import NoQuery
from dashboard.api.problems import validation_problem
from dashboard.api.responses import VERSION, content_response
from dashboard.api.schemas import Problem
from data.lake.connection import StoreError

routes = APIBlueprint("document", __name__)
pages = Blueprint("api_docs", __name__, template_folder="templates")
_TEXT = """Everything that a screen shows is one call. Times are ISO 8601 in UTC, durations are seconds, rates 0 to 1,
ids 16 hexadecimal digits. Lists page by `cursor` within one snapshot; `as_of` reads the store as of an earlier
snapshot; every GET has an `ETag` that is valid until a commit changes what the answer depends on."""


def install(server: OpenAPI) -> None:
    """Set the title, the description and the error format of the document."""
    server.info = Info(title="Regression Tracker", version=VERSION, description=_TEXT)
    server.validation_error_status = "400"
    server.validation_error_callback = validation_problem
    server.validation_error_model = Problem


def document(server: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 document; the example of `as_of` is the newest snapshot, because older ones expire."""
    spec, snapshot = _build_document(server), _newest_snapshot(server)
    if snapshot is None:
        return spec
    paths = {
        path: {method: _with_snapshot_example(operation, snapshot) for method, operation in item.items()}
        for path, item in spec["paths"].items()
    }
    return spec | {"paths": paths}


def _with_snapshot_example(operation: dict[str, Any], snapshot: int) -> dict[str, Any]:
    shown = [
        parameter | {"example": str(snapshot)} if parameter["name"] == "as_of" else parameter
        for parameter in operation.get("parameters", [])
    ]
    return operation | {"parameters": shown} if shown else operation


@lru_cache(1)  # it takes 100 ms
def _build_document(server: Flask) -> dict[str, Any]:
    assert isinstance(server, OpenAPI)
    spec = copy.deepcopy(server.api_doc)
    spec["paths"] = {path: item for path, item in spec["paths"].items() if path.startswith("/api/")}
    spec["components"] = {name: part for name, part in spec["components"].items() if part}
    add_answers(spec)
    for item in spec["paths"].values():
        for operation in item.values():
            if "description" in operation:  # flask-openapi3 ends each line of a docstring with a tag
                operation["description"] = operation["description"].replace("<br/>", "\n")
            for parameter in operation.get("parameters", []):
                parameter["schema"] = _parameter_schema(parameter["schema"])
                if parameter["name"] == "fields":
                    answer = operation["responses"]["200"]["content"]["application/json"]
                    names = _allow_partial_items(spec["components"]["schemas"], answer)
                    parameter["schema"]["pattern"] = "^(({0})(,({0}))*)?$".format("|".join(names))
                    parameter["example"] = ",".join(names[:2])
            form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data")
            if form is not None:
                _form_schema(spec["components"]["schemas"][form["schema"]["$ref"].rpartition("/")[2]])
            # flask-openapi3 adds its own error format to routes without parameters.
            if "application/json" in operation["responses"].get("400", {}).get("content", {}):
                del operation["responses"]["400"]
    sources = server.extensions["regtracker"].settings.source
    if sources:
        work = spec["paths"]["/api/v1/ingest/requests"]["post"]["requestBody"]["content"]["application/json"]
        work["example"]["source"] = sources[0].name
    return spec


def _newest_snapshot(server: Flask) -> int | None:
    """The newest snapshot, for examples; None if the store cannot be opened."""
    try:
        return server.extensions["regtracker"].store.snapshot().id
    except (StoreError, duckdb.Error):
        return None


def _form_schema(schema: dict[str, Any]) -> None:
    """Remove null from the fields: a form cannot send it."""
    for name, field in schema["properties"].items():
        texts = {key: field[key] for key in ("title", "description") if key in field}
        schema["properties"][name] = _parameter_schema(field) | texts


def _allow_partial_items(schemas: dict[str, Any], content: dict[str, Any]) -> list[str]:
    """Allow items with some of the fields, as `fields` selects; returns the names of all fields."""
    name = content["schema"]["$ref"].rpartition("/")[2]
    partial = copy.deepcopy(schemas[name])
    item = partial["properties"]["items"]["items"]["$ref"].rpartition("/")[2]
    schemas[f"Some{item}"] = {name: value for name, value in schemas[item].items() if name != "required"}
    partial["properties"]["items"]["items"] = {"$ref": f"#/components/schemas/Some{item}"}
    schemas[f"Some{name}"] = partial
    content["schema"] = {"anyOf": [content["schema"], {"$ref": f"#/components/schemas/Some{name}"}]}
    return list(schemas[item]["properties"])


def _parameter_schema(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter without null, which a query string cannot send, and without its own texts."""
    (option,) = [option for option in schema.get("anyOf", [schema]) if option.get("type") != "null"]
    omitted = {"anyOf", "title", "description", "example"} | ({"default"} if schema.get("default") is None else set())
    return {name: value for name, value in (schema | option).items() if name not in omitted}


@routes.get("/openapi.json", doc_ui=False)
def openapi_json(query: NoQuery) -> Response:
    return content_response(orjson.dumps(document(current_app)), "application/json")


@pages.get("/api/docs")
def docs_page() -> str:
    spec = document(current_app)
    groups: dict[str, tuple[str, list[tuple[str, str, dict[str, Any]]]]] = {
        tag["name"]: (tag.get("description", ""), []) for tag in spec["tags"]
    }
    for path, item in spec["paths"].items():
        for method, operation in item.items():
            groups[operation["tags"][0]][1].append((method.upper(), path, operation))
    return render_template(
        "api_docs.html",
        spec=spec,
        groups=groups,
        text=_markup,
        call=_curl,
        example=_response_example,
        problems=STATUS_DESCRIPTIONS,
    )


def _markup(text: str | None) -> Markup:
    """Text as HTML, with `names` as code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text or ""))))


def _curl(method: str, path: str, operation: dict[str, Any]) -> str:
    """The curl command of an operation; placeholders are in capitals."""
    needed = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query" and p.get("required")]
    query = "&".join(f"{name}={name.upper()}" for name in needed)
    filled = re.sub(r"{(\w+)}", lambda name: name[1].upper(), path) + (query and f"?{query}")
    url = shlex.quote(request.host_url.rstrip("/") + filled)
    content = operation.get("requestBody", {}).get("content", {})
    if "application/json" in content:
        body = orjson.dumps(content["application/json"]["example"]).decode()
        return f"curl -s {url} -H 'Content-Type: application/json' -d {shlex.quote(body)}"
    form = " -F release=7.0 -F module=network -F files=@report.xml" if "multipart/form-data" in content else ""
    return f"curl -s{f' -X {method}' if method == 'DELETE' else ''} {url}{form}"


def _response_example(operation: dict[str, Any]) -> str:
    for answer in operation["responses"].values():
        example = answer.get("content", {}).get("application/json", {}).get("example")
        if example is not None:
            return orjson.dumps(example, option=orjson.OPT_INDENT_2).decode()
    return ""
