"""The OpenAPI document is complete and correct: every route, valid examples, a page without foreign files."""

from __future__ import annotations

import re

import jsonschema
import pytest
from support.api_fixtures import answer_types

from dashboard.api import create_server, openapi
from dashboard.api.openapi_examples import example
from dashboard.api.schemas import schema
from data.settings import SourceSettings, load

ANSWERS = answer_types()
PROMISED = """/health /health/live /health/ready /snapshot /releases /releases/{release} /releases/{release}/modules
/releases/{release}/versions /releases/{release}/matrix /matrix /releases/{release}/runs /runs/{run} /runs/{run}/modules
/runs/{run}/priorities /runs/{run}/results /runs/{run}/changes /compare /trends /tests
/tests/{test} /tests/{test}/history /grid /verdicts
/failures /failures/{signature} /builds /builds/{build} /builds/{build}/results /ingest/status /ingest/ledger
/ingest/requests /ingest/requests/{request} /bugs /bugs/{bug} /runs/{run}/bugs
/search /sql /gate /badges/{release}.svg"""


@pytest.fixture
def document(client) -> dict:
    return client.get("/api/v1/openapi.json").json


def operations(document):
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield f"{method.upper()} {path}", operation


def test_every_promised_route_is_in_it(document):
    assert document["openapi"].startswith("3.1")
    assert {f"/api/v1{path}" for path in PROMISED.split()} <= set(document["paths"])
    assert "post" in document["paths"]["/api/v1/builds"] and "post" in document["paths"]["/api/v1/ingest/requests"]


def test_it_tells_of_every_route_below_api(document, server):
    rules = {
        f"{method} " + re.sub(r"<(?:path:)?(\w+)>", r"{\1}", rule.rule)
        for rule in server.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and rule.rule != "/api/v1/openapi.json"
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert rules == {name for name, _ in operations(document)}


def test_every_route_has_a_name_a_summary_and_an_example(document):
    names = [operation["operationId"] for _, operation in operations(document)]
    assert len(names) == len(set(names))
    for route, operation in operations(document):
        assert operation["summary"], route
        (answer,) = [a for status, a in operation["responses"].items() if status in ("200", "201", "202", "204")]
        content = answer.get("content", {})
        assert all("example" in shown for kind, shown in content.items() if "json" in kind), route
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (route, parameter["name"])


def test_every_reference_leads_somewhere(document):
    text = str(document)
    for name in re.findall(r"#/components/schemas/([\w.]+)", text):
        assert name in document["components"]["schemas"], name


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_examples_fit_their_shapes(name):
    for model in (schema(ANSWERS[name]), openapi.page_model(ANSWERS[name])):
        model.model_validate(example(model), strict=True)


def test_the_page_shows_every_route_without_scripts_or_other_hosts(client, document):
    page = client.get("/api/docs")
    assert (page.status_code, page.mimetype) == (200, "text/html")
    for path in document["paths"]:
        assert path in page.text
    assert "curl -s http://localhost/api/v1/runs/RUN/results" in page.text
    assert "curl -s &#39;http://localhost/api/v1/gate?release=RELEASE&#39;" in page.text
    assert "curl -s -X DELETE http://localhost/api/v1/sql/saved/QUERY" in page.text
    assert "<script" not in page.text
    assert not re.findall(r'(?:src|href)="(?!/"|/api/|#)', page.text)


def test_no_description_has_a_tag(document):
    assert "<br" not in str(document)


def validator(document, schema):
    return jsonschema.Draft202012Validator(schema | {"components": document["components"]})


def test_every_example_fits_the_schema_beside_it(document):
    for _, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in (content for body in bodies for content in body.get("content", {}).values()):
            if "example" in content:
                validator(document, content["schema"]).validate(content["example"])
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                validator(document, parameter["schema"]).validate(parameter["example"])


def test_every_parameters_example_is_answered_by_its_route(client, document, names):
    """Alone, and beside what the route cannot do without; ids are those of something that is there."""
    for route, operation in operations(document):
        method, path = route.split()
        parameters = operation.get("parameters", [])
        if method != "GET" or re.search(r"{(request|query)}|content$", path):
            continue
        given = {p["name"]: names.get(p["name"], p.get("example")) for p in parameters if p["in"] == "path"}
        address = path.format(**given)
        needed = {p["name"]: p["example"] for p in parameters if p["in"] == "query" and p.get("required")}
        for parameter in parameters:
            if parameter["in"] == "query" and "example" in parameter:
                query = needed | {parameter["name"]: parameter["example"]}
                answer = client.get(address, query_string=query)
                missing = answer.status_code == 404 and parameter["name"] in (
                    "version",
                    "environment",
                    "priority",
                    "base",
                )
                assert answer.status_code == 200 or missing, (route, query, answer.text)


def test_a_form_is_not_said_to_take_null(document):
    (content,) = document["paths"]["/api/v1/builds"]["post"]["requestBody"]["content"].values()
    name = content["schema"]["$ref"].rpartition("/")[2]
    assert "null" not in str(document["components"]["schemas"][name])


def test_it_comes_as_other_answers_do(client):
    document = "/api/v1/openapi.json"
    plain, packed = client.get(document), client.get(document, headers={"Accept-Encoding": "zstd, gzip"})
    assert packed.headers["Content-Encoding"] == "zstd" and len(packed.data) < len(plain.data) / 5
    assert plain.headers["ETag"] == packed.headers["ETag"]
    again = client.get(document, headers={"If-None-Match": plain.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get(document, headers={"Accept": "text/csv"}).status_code == 406
    refused = client.get(f"{document}?pretty=1")
    assert (refused.status_code, refused.json["parameter"]) == (400, "pretty")


def test_its_moment_is_one_that_is_there(world, own_client):
    """Also when the document was first requested long ago: snapshots expire."""

    def moments():
        found = own_client.get("/api/v1/openapi.json").json
        return {p["example"] for _, o in operations(found) for p in o.get("parameters", []) if p["name"] == "as_of"}

    for _ in range(2):
        world.run({"routing": {"a": "P"}})
        assert moments() == {str(own_client.get("/api/v1/snapshot").json["snapshot"])}


def test_it_is_available_without_a_store(tmp_path, serve, document):
    home = tmp_path / "home"
    home.mkdir()
    (home / "catalog.sqlite").write_bytes(b"this is no database" * 100)
    client = serve(home).test_client()
    assert client.get("/api/v1/openapi.json").json["components"] == document["components"]


def test_what_can_be_chosen_is_drawn(document):
    (fields,) = [
        parameter["schema"]["pattern"]
        for parameter in document["paths"]["/api/v1/runs"]["get"]["parameters"]
        if parameter["name"] == "fields"
    ]
    assert re.search(fields, "id,number") and not re.search(fields, "id,nothing")


def test_a_build_is_not_said_to_have_no_files(document):
    (content,) = document["paths"]["/api/v1/builds"]["post"]["requestBody"]["content"].values()
    form = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    assert "files" in form["required"] and form["properties"]["files"]["minItems"] == 1


def test_times_that_are_sent_are_drawn(document):
    """A client that goes by the document sends no text that is none."""
    schemas = document["components"]["schemas"]
    started = schemas["Upload"]["properties"]["started_at"]["pattern"]
    (first,) = [
        form["pattern"] for form in schemas["IngestRequest"]["properties"]["from"]["anyOf"] if "pattern" in form
    ]
    for pattern in (started, first):
        assert re.search(pattern, "2026-11-22T20:00:00.5+01:00")
        assert not re.search(pattern, "") and not re.search(pattern, "soon")


def test_the_example_of_a_request_is_accepted_as_it_is(tmp_path):
    """The example names a configured source."""
    lab = SourceSettings(name="lab", url="https://jenkins.example.com/", job="qa/7.0/RUN")
    client = create_server(load(home=tmp_path / "home", source=[lab])).test_client()
    body = client.get("/api/v1/openapi.json").json["paths"]["/api/v1/ingest/requests"]["post"]["requestBody"]
    answer = client.post("/api/v1/ingest/requests", json=body["content"]["application/json"]["example"])
    assert (answer.status_code, answer.json["source"]) == (202, "lab")
