"""Each filter on every route: it changes the answer or is answered with 400, and is never ignored."""

from __future__ import annotations

from typing import Any

import pytest

# What narrows, or moves, any answer that knows of it. Nothing in the store has the name "none".
FILTERS = {
    "release": "none",
    "version": "none",
    "environment": "none",
    "module": "none",
    "topology": "none",
    "priority": "none",
    "exclude_flaky": "1",
    "as_of": "",
}
ROUTES_TEXT = """/releases /releases/7.0 /releases/7.0/modules /releases/7.0/versions /releases/7.0/runs
/choices?release=7.0 /matrix /runs
/runs/{run} /runs/{run}/modules /runs/{run}/priorities /runs/{run}/results /runs/{run}/changes
/compare?base={first}&candidate={run} /compare?base=7.0&candidate=8.0 /trends /trends?group=module /grid?release=7.0
/tests?q=e /tests/{test} /tests/{test}/history /tests/{test}/suspects /flaky?release=7.0 /regressions?release=7.0
/durations/tests /durations/modules /verdicts /verdicts/excluded /failures /failures/{signature} /storms /hosts /builds
/builds?run={run} /builds/{build} /builds/{build}/results /builds/{build}/facets /builds/{build}/tests/{test}
/ingest/status /ingest/ledger /ingest/gaps /ingest/drops /ingest/requests /sql/saved /sql/tables /snapshot
/badges/7.0.svg /releases/7.0/matrix /tests/{test}/verdicts /bugs /runs/{run}/bugs /gate?release=7.0&run={run}"""
ROUTES = ROUTES_TEXT.split()
# Answers that this store leaves empty, or that stay as they are: they cannot show that a filter narrows them.
SAME_HERE = {
    "/bugs",
    "/runs/{run}/bugs",
    "/durations/tests",
    "/durations/modules",
    "/verdicts/excluded",
    "/storms",
    "/tests/{test}/suspects",
}
NO_FLAKY_TEST = {("/gate?release=7.0&run={run}", "exclude_flaky")}  # none fails in this run
ALWAYS = {"/ingest/gaps", "/ingest/drops", "/ingest/requests", "/sql/saved", "/sql/tables"}


@pytest.fixture(scope="module")
def early(filled) -> int:
    """The snapshot of the first runs."""
    return filled.store.value("SELECT min(snapshot_id) FROM lake.snapshots() WHERE author = 'test'")


def answered(answer) -> Any:
    """An answer without what depends on the clock or the snapshot."""
    if answer.mimetype != "application/json":
        return answer.text
    body = answer.json

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            left_out = ("snapshot", "freshness_s", "lag_s", "next")
            return {name: plain(inner) for name, inner in value.items() if name not in left_out}
        return [plain(item) for item in value] if isinstance(value, list) else value

    return plain(body)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("route", ROUTES)
def test_a_filter_changes_the_answer_or_is_refused(client, early, names, route, name):
    path = "/api/v1" + route.format(**names)
    whole = client.get(path)
    assert whole.status_code == 200, whole.text
    if f"{name}=" in route:
        return
    value = FILTERS[name] or str(early)
    narrowed = client.get(f"{path}{'&' if '?' in path else '?'}{name}={value}")
    if narrowed.status_code == 400:
        assert name != "as_of", "every route reads the past"
        assert narrowed.json["parameter"] == name and name in narrowed.json["detail"]
    elif narrowed.status_code == 404:
        assert name == "as_of" or narrowed.json["detail"] == f"no such {name}: 'none'"
        assert name == "as_of" or narrowed.json["parameter"] == name
    elif route not in ALWAYS | SAME_HERE and (route, name) not in NO_FLAKY_TEST:
        assert name in ("priority", "exclude_flaky", "as_of"), "nothing has this name, and the answer does not say so"
        assert answered(narrowed) != answered(whole)


@pytest.mark.parametrize("format_name", ["json", "csv", "parquet"])
@pytest.mark.parametrize("name", ["release", "environment", "module", "version", "topology", "priority"])
def test_a_name_that_nothing_has_is_not_found_in_any_format(client, name, format_name):
    answer = client.get(f"/api/v1/verdicts?{name}=ruoting&format={format_name}")
    meant = "; did you mean 'routing'?" if name == "module" else ""
    assert (answer.status_code, answer.json["detail"]) == (404, f"no such {name}: 'ruoting'{meant}")
    assert answer.json["parameter"] == name


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/releases/7.O", None),
        ("/releases/7.O/runs", None),
        ("/releases/7.O/modules", None),
        ("/releases/7.O/versions", None),
        ("/releases/7.O/matrix", None),
        ("/badges/7.O.svg", None),
        ("/compare?base=7.O&candidate=8.0", "base"),
        ("/compare?base=8.0&candidate=7.O", "candidate"),
        ("/regressions?release=8.0&base=7.O", "base"),
        ("/gate?release=7.O", "release"),
        ("/gate?release=8.0&baseline=7.O", "baseline"),
    ],
)
def test_a_misspelt_release_names_the_one_that_it_may_mean(client, path, parameter):
    answer = client.get(f"/api/v1{path}")
    assert answer.status_code == 404 and answer.json["detail"].endswith("'7.O'; did you mean '7.0'?"), answer.text
    assert answer.json.get("parameter") == parameter


def test_every_route_with_a_filter_of_names_is_in_the_table(client):
    """So that a new route is asked with names that nothing has."""
    in_table = {route.partition("?")[0].replace("7.0", "{release}") for route in ROUTES}
    paths = client.get("/api/v1/openapi.json").json["paths"]
    filtering = {
        path.removeprefix("/api/v1")
        for path, item in paths.items()
        if {parameter["name"] for parameter in item.get("get", {}).get("parameters", ())} & (FILTERS.keys() - {"as_of"})
    }
    assert filtering - in_table == {"/bugs/{bug}"}, "the store has no bug"


def test_a_source_that_nobody_configured_is_not_found(client):
    assert client.get("/api/v1/ingest/ledger?source=nowhere").status_code == 404


def test_a_name_of_another_release_gives_an_empty_list(client, filled):
    of_7 = client.get("/api/v1/choices?release=7.0").json
    of_8 = client.get("/api/v1/choices?release=8.0").json
    only_8 = sorted(set(of_8["versions"]) - set(of_7["versions"]))
    assert client.get(f"/api/v1/runs?release=7.0&version={only_8[0]}").json["items"] == []
