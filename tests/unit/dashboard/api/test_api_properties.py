"""Whatever is sent, every answer is one that the document names: never a 5xx, never a page, never another shape."""

from __future__ import annotations

import json
from functools import cache
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel
from support.api_fixtures import answer_types

from dashboard.api import openapi
from dashboard.api.schemas import Problem, schema

pytestmark = pytest.mark.slow

TEXTS = st.text(max_size=30) | st.sampled_from(
    ["", "7.0", "prod", "'", '"', "%", "\x00", "\ud7ff", "../..", "1e999", "null"]
)
NUMBERS = st.integers(-(2**70), 2**70) | st.integers(0, 20)
ANYTHING = TEXTS | NUMBERS.map(str) | st.dates().map(str) | st.booleans().map(str)


def values(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Mostly what the schema allows, and now and then anything."""
    options = schema.get("anyOf", [schema])
    allowed = []
    for option in options:
        if "enum" in option:
            allowed.append(st.sampled_from([str(value) for value in option["enum"]]))
        elif option.get("type") == "integer":
            allowed.append(st.integers(option.get("minimum", 0), option.get("maximum", 50)).map(str))
        elif option.get("type") == "boolean":
            allowed.append(st.sampled_from(["true", "false", "0", "1"]))
    return st.one_of(*allowed, ANYTHING) if allowed else ANYTHING


class Document(dict):
    """Hypothesis prints the arguments of a failing test, and this one is long."""

    def __repr__(self) -> str:
        return "the document"


@pytest.fixture(scope="module")
def document(server) -> Document:
    return Document(server.test_client().get("/api/v1/openapi.json").json)


@pytest.fixture(scope="module")
def known(server) -> dict[str, list[str]]:
    """Names that are in the store, by path parameter."""
    client = server.test_client()
    runs = client.get("/api/v1/runs").json["items"]
    tests = client.get("/api/v1/tests?q=e").json["items"]
    return {
        "release": ["7.0", "8.0"],
        "run": [run["id"] for run in runs[:3]],
        "build": [build["id"] for build in client.get("/api/v1/builds").json["items"][:3]],
        "test": [test["test"] for test in tests[:3]],
        "signature": [row["signature"] for row in client.get("/api/v1/failures").json["items"][:2]],
        "base": [run["id"] for run in runs[:2]] + ["7.0"],
        "candidate": [run["id"] for run in runs[:2]] + ["8.0"],
        "q": ["e", "broken"],
        "as_of": ["3", "2999-01-01"],
        "fields": ["test,status", "id"],
        "kind": ["regression,flaky", "fixed"],
    }


@cache
def shape_of(name: str) -> type[BaseModel]:
    found = answer_types()
    if name == Problem.__name__:
        return Problem
    return schema(found[name]) if name in found else openapi.page_model(found[name.removesuffix("List")])


def check(answer, operation: dict[str, Any], whole: bool) -> None:
    described = operation["responses"].get(str(answer.status_code))
    assert described is not None, f"{answer.status_code} is not in the document: {answer.text[:300]}"
    if answer.status_code == 304:
        return
    assert answer.mimetype in described["content"], answer.mimetype
    promised = described["content"][answer.mimetype].get("schema", {})
    promised = promised.get("anyOf", [promised])[0]  # a list with all its fields comes before one with some
    if "$ref" in promised and whole:
        shape_of(promised["$ref"].rpartition("/")[2]).model_validate(answer.json, strict=True)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_get_has_an_answer_that_the_document_names(client, document, known, data):
    routes = sorted(path for path, item in document["paths"].items() if "get" in item)
    path = data.draw(st.sampled_from(routes))
    operation = document["paths"][path]["get"]
    url, query = path, {}
    for parameter in operation.get("parameters", []):
        name = parameter["name"]
        strategy = values(parameter["schema"])
        if name in known:
            strategy = st.one_of(*[st.sampled_from(known[name])] * 3, strategy)
        if parameter["in"] == "path":
            url = url.replace(f"{{{name}}}", quote(data.draw(strategy), safe="") or "%20")
        elif parameter.get("required") or data.draw(st.integers(0, 3)) == 0:
            query[name] = data.draw(strategy)
    if data.draw(st.integers(0, 9)) == 0:
        query[data.draw(TEXTS)] = data.draw(ANYTHING)
    accept = data.draw(st.sampled_from(["*/*", "application/json", "text/csv", "text/html,*/*;q=0.8", "junk", ""]))
    answer = client.get(f"{url}?{urlencode(query, errors='surrogatepass')}", headers={"Accept": accept})
    check(answer, operation, whole="fields" not in query)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
TOKENS = "SELECT FROM WHERE count(*) results tests 1 'a' ( ) , * . ; -- /* $1 read_csv WITH AS UNION [ ] {"
SQL = st.lists(st.sampled_from(TOKENS.split()), max_size=12).map(" ".join)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON | st.fixed_dictionaries({"sql": SQL | TEXTS}, optional={"limit": NUMBERS}))
def test_any_question_in_sql_has_an_answer_that_the_document_names(client, document, body):
    answer = client.post("/api/v1/sql", data=json.dumps(body), content_type="application/json")
    assert answer.status_code < 500, answer.text
    check(answer, document["paths"]["/api/v1/sql"]["post"], whole=True)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON | st.fixed_dictionaries({"kind": st.just("poll"), "source": TEXTS.filter(lambda name: name != "ci")}))
def test_any_request_for_work_has_an_answer_that_the_document_names(client, document, body):
    answer = client.post("/api/v1/ingest/requests", data=json.dumps(body), content_type="application/json")
    assert answer.status_code == 400, answer.text
    check(answer, document["paths"]["/api/v1/ingest/requests"]["post"], whole=True)
