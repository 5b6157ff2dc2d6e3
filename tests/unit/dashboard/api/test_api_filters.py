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
    "priority": "P0",
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
/badges/7.0.svg"""
ROUTES = ROUTES_TEXT.split()
# Answers that this store leaves empty, or that stay as they are: they cannot show that a filter narrows them.
SAME_HERE = {"/durations/tests", "/durations/modules", "/verdicts/excluded", "/storms", "/tests/{test}/suspects"}
ALL_OF_IT = {("/failures/{signature}", "priority")}  # every test of the answer has this value
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
    elif route not in ALWAYS | SAME_HERE and (route, name) not in ALL_OF_IT:
        assert name in ("priority", "exclude_flaky", "as_of"), "nothing has this name, and the answer does not say so"
        assert answered(narrowed) != answered(whole)


@pytest.mark.parametrize("format_name", ["json", "csv", "parquet"])
@pytest.mark.parametrize("name", ["release", "environment", "module", "version", "topology"])
def test_a_name_that_nothing_has_is_not_found_in_any_format(client, name, format_name):
    answer = client.get(f"/api/v1/runs?{name}=ruoting&format={format_name}")
    assert (answer.status_code, answer.json["detail"]) == (404, f"no such {name}: 'ruoting'")


def test_a_source_that_nobody_configured_is_not_found(client):
    assert client.get("/api/v1/ingest/ledger?source=nowhere").status_code == 404


def test_a_name_of_another_release_gives_an_empty_list(client, filled):
    of_7 = client.get("/api/v1/choices?release=7.0").json
    of_8 = client.get("/api/v1/choices?release=8.0").json
    only_8 = sorted(set(of_8["versions"]) - set(of_7["versions"]))
    assert client.get(f"/api/v1/runs?release=7.0&version={only_8[0]}").json["items"] == []
