"""Every route answers in the shape that the document promises, and the numbers are those of the store."""

from __future__ import annotations

import re
from typing import Any

import pytest

from dashboard.api import openapi
from dashboard.api.schemas import Problem, schema
from data.answers import bugs, builds, gate, operations, runs, search, statistics, tests
from data.answers import trends as series
from data.answers import verdicts as verdict_schemas

LISTS = {
    "/releases": runs.Tile,
    "/releases/7.0/modules": runs.Module,
    "/releases/7.0/versions": runs.Version,
    "/releases/7.0/runs": runs.Run,
    "/runs": runs.Run,
    "/runs/{run}/modules": runs.Module,
    "/runs/{run}/priorities": runs.Priority,
    "/runs/{run}/results": runs.Result,
    "/tests?q=e": tests.FoundTest,
    "/bugs": bugs.ListedBug,
    "/bugs?release=7.0&status=open&q=net&test={test}&run={run}&module=routing": bugs.ListedBug,
    "/runs/{run}/bugs?module=routing&status=failed": bugs.ModuleBugs,
    "/search?q=r": search.Hit,
    "/tests/{test}/history": tests.HistoryRow,
    "/tests/{test}/verdicts": verdict_schemas.Verdict,
    "/runs/{run}/results?rerun=1": runs.Result,
    "/verdicts": verdict_schemas.Verdict,
    "/failures": verdict_schemas.Failure,
    "/failures?like=broken&since={first}": verdict_schemas.Failure,
    "/hosts": verdict_schemas.Host,
    "/flaky": statistics.Flaky,
    "/tests/{test}/suspects": statistics.Suspects,
    "/runs?exclude_flaky=1": runs.Run,
    "/runs/{run}/modules?exclude_flaky=1": runs.Module,
    "/verdicts?include_storms=1": verdict_schemas.Verdict,
    "/builds": builds.Build,
    "/builds/{build}/results?attempts=1": builds.BuildResult,
    "/builds/{build}/tests/{test}": tests.Attempt,
    "/ingest/status": operations.IngestSource,
    "/ingest/ledger": operations.LedgerRow,
}
ONES = {
    "/snapshot": operations.Snapshot,
    "/choices": runs.Choices,
    "/verdicts/excluded": verdict_schemas.Excluded,
    "/releases/7.0": runs.Tile,
    "/runs/{run}": runs.RunDetail,
    "/runs/{run}/changes": runs.Comparison,
    "/runs/{first}/changes": runs.Comparison,
    "/compare?base=7.0&candidate=8.0": runs.Comparison,
    "/compare?base={first}&candidate=8.0": runs.Comparison,
    "/regressions?release=7.0": statistics.RisingTestList,
    "/regressions?release=8.0&base=7.0": statistics.RisingTestList,
    "/gate?release=7.0&environment=prod&kind=regression,still_failing": gate.Gate,
    "/gate?release=8.0&baseline=7.0": gate.Gate,
    "/gate?release=7.0&run=999": gate.Gate,
    "/trends?group=module": series.Trend,
    "/trends?by=day": series.Trend,
    "/tests/{test}": tests.TestDetail,
    "/bugs/NET-1": bugs.BugDetail,
    "/bugs/LAB-7?release=7.0&module=routing": bugs.BugDetail,
    "/grid?release=7.0": series.Grid,
    "/failures/{signature}": verdict_schemas.FailureDetail,
    "/builds/{build}": builds.BuildDetail,
    "/builds/{build}/facets": builds.Facets,
    "/health": operations.Health,
    "/health/live": operations.Live,
    "/health/ready": operations.Ready,
}


def get(client, path: str, status: int = 200, **headers: str) -> Any:
    answer = client.get(f"/api/v1{path}", headers=headers)
    assert answer.status_code == status, (path, answer.text)
    return answer.json


@pytest.mark.parametrize("path", LISTS)
def test_a_list_has_the_promised_shape(client, names, path):
    page = get(client, path.format(**names))
    openapi.page_model(LISTS[path]).model_validate(page, strict=True)
    assert page["items"], "an empty list shows nothing"


@pytest.mark.parametrize("path", ONES)
def test_one_thing_has_the_promised_shape(client, names, path):
    schema(ONES[path]).model_validate(get(client, path.format(**names)), strict=True)


def test_a_tile_says_what_the_newest_run_that_has_ended_found(client):
    seven, eight = (get(client, f"/releases/{release}") for release in ("7.0", "8.0"))
    assert seven["state"] == "failing" or seven["state"] == "stale"
    assert seven["running_run"]["state"] == "running" and seven["latest_run"]["state"] == "failing"
    assert seven["environment"] == "prod" and (seven["regressions"], seven["always_failing"]) == (1, 1)
    assert [(lane["environment"], lane["always_failing"]) for lane in seven["lanes"]] == [("prod", 1), ("staging", 1)]
    assert (eight["total"], eight["passed"], eight["failed"]) == (2, 1, 1)
    assert eight["pass_rate"] == 0.5


def test_filters_are_the_ones_of_the_screens(client):
    staging = get(client, "/runs?release=7.0&environment=staging")["items"]
    assert len(staging) == 4 and {run["environment"] for run in staging} == {"staging"}
    part = get(client, "/runs?release=7.0&environment=prod&module=routing&topology=5s")["items"]
    assert [run["total"] for run in part if run["total"]] == [2]


def test_results_are_worst_first_and_can_be_narrowed(client, names):
    rows = get(client, "/runs/{run}/results".format(**names))["items"]
    assert [row["status"] for row in rows] == sorted(row["status"] for row in rows)
    failed = get(client, "/runs/{run}/results?status=failed&q=BROKEN".format(**names))["items"]
    assert {(row["name"], row["topology"]) for row in failed} == {("broken", "3s"), ("broken", "5s")}
    narrow = get(client, "/runs/{run}/results?fields=test,status".format(**names))["items"]
    assert {frozenset(row) for row in narrow} == {frozenset(("test", "status"))}


def test_a_bug_tells_its_tests_and_a_test_its_bugs(client, names):
    (net,) = get(client, "/bugs?status=open")["items"]
    assert (net["bug"], net["state"], net["tests"], net["failing"]) == ("NET-1", "open", 1, 1)
    detail = get(client, "/bugs/NET-1")
    assert detail["unmatched"] == ["C9"] and [row["test"] for row in detail["affected"]] == [names["test"]]
    assert {lane["status"] for lane in detail["affected"][0]["lanes"]} == {"failed", "passed"}
    assert [bug["bug"] for bug in get(client, "/tests/{test}".format(**names))["bugs"]] == ["NET-1"]
    assert get(client, "/runs/{run}/bugs".format(**names))["items"][0]["types"] == {"NET": 1}
    assert get(client, "/bugs?release=8.0&environment=staging")["items"] == []
    for path in ("/bugs/NET-99", "/bugs/%2e%2e", "/bugs?run=" + "0" * 16, "/bugs?test=" + "0" * 16):
        assert get(client, path, 404)["status"] == 404
    assert get(client, "/bugs?status=new", 400)["parameter"] == "status"


def test_every_attempt_keeps_its_own_text(client):
    test = get(client, "/tests?q=rescued")["items"][0]["test"]
    newest = get(client, f"/tests/{test}/history")["items"][0]
    assert newest["status"] == "passed" and newest["rerun"]
    first, second = get(client, f"/builds/{newest['build']}/tests/{test}")["items"]
    assert (first["status"], second["status"]) == ("failed", "passed")
    assert first["trace"] == "Traceback of rescued, attempt 1" and second["trace"] is None


def test_verdicts_come_with_what_they_were_judged_on(client):
    found = get(client, "/verdicts?release=7.0&kind=regression")["items"]
    assert [(row["name"], row["kind"]) for row in found] == [("broken", "regression")]
    assert found[0]["evidence"]["statuses"].endswith("PFFF")
    carried = [set(row["kinds"]) for row in get(client, "/verdicts?kind=flaky,always_failing")["items"]]
    assert carried and all(kinds & {"flaky", "always_failing"} for kinds in carried)


def test_changes_and_compare_agree(client, names):
    changes = get(client, "/runs/{run}/changes".format(**names))
    pair = f"base={changes['base']['id']}&candidate={changes['candidate']['id']}"
    assert get(client, f"/compare?{pair}") == changes
    assert get(client, "/runs/{first}/changes".format(**names))["base"] is None
    classes = get(client, "/compare?base=7.0&candidate=8.0")["classes"]
    assert [test["name"] for test in classes["regression"]] == ["steady"]


def test_the_grid_pages_over_tests_and_keeps_its_columns(client):
    whole = get(client, "/grid?release=7.0&environment=prod&order=name&runs=5")
    assert len(whole["runs"]) == 5 and {len(cells) for cells in whole["cells"]} == {5}
    tests, cells, cursor = [], [], ""
    while cursor is not None:
        page = get(client, f"/grid?release=7.0&environment=prod&order=name&runs=5&limit=2&cursor={cursor}")
        assert page["runs"] == whole["runs"]
        tests += page["tests"]
        cells += page["cells"]
        cursor = page["next"]
    assert (tests, cells) == (whole["tests"], whole["cells"])


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        ("/runs/0000000000000000", 404, None),
        ("/runs/not-an-id/results", 404, None),
        ("/runs/ffffffffffffffff", 404, None),
        ("/builds/0000000000000000/results", 404, None),
        ("/tests/0000000000000000/history", 404, None),
        ("/failures/0000000000000000", 404, None),
        ("/releases/9.9", 404, None),
        ("/releases/9.9/runs", 404, None),
        ("/badges/9.9.svg", 404, None),
        ("/compare?base=9.9&candidate=8.0", 404, "base"),
        ("/ingest/requests/0000000000000000", 404, None),
        ("/nothing/here", 404, None),
        ("/runs?limt=5", 400, "limt"),
        ("/runs?limit=0", 400, "limit"),
        ("/runs?limit=1001", 400, "limit"),
        ("/runs?limit=ten", 400, "limit"),
        ("/runs?cursor=AAAA", 400, "cursor"),
        ("/runs?format=xml", 400, "format"),
        ("/runs?fields=id,zap", 400, "fields"),
        ("/runs?as_of=yesterday", 400, "as_of"),
        ("/runs?as_of=99999", 404, "as_of"),
        ("/runs?as_of=0", 404, "as_of"),
        ("/runs?as_of=1999-01-01", 404, "as_of"),
        ("/snapshot?release=7.0", 400, "release"),
        ("/verdicts?kind=broken", 400, "kind"),
        ("/trends?by=week", 400, "by"),
        ("/gate?release=7.0&kind=flaky", 400, "kind"),
        ("/gate", 400, "release"),
        ("/gate?release=9.9", 404, "release"),
        ("/trends?runs=0", 400, "runs"),
        ("/compare?base=7.0", 400, "candidate"),
        ("/grid?order=luck", 400, "order"),
    ],
)
def test_an_error_is_a_problem_document(client, path, status, parameter):
    answer = client.get(f"/api/v1{path}")
    assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), answer.text
    problem = Problem.model_validate(answer.json, strict=True)
    assert (problem.status, problem.parameter) == (status, parameter)
    assert problem.instance == f"/api/v1{path}".partition("?")[0]
    assert not re.search(r"Traceback|/tmp|\.py", answer.text)


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_another_method_is_a_problem_too(client, method):
    answer = getattr(client, method)("/api/v1/runs", json={})
    assert (answer.status_code, answer.mimetype) == (405, "application/problem+json")
    assert "GET" in answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/v2/runs", "/api/v1"])
def test_no_path_below_api_is_ever_a_page(client, path):
    answer = client.get(path)
    assert (answer.status_code, answer.mimetype) == (404, "application/problem+json")


def test_a_release_may_have_a_slash_in_its_name(world, own_client):
    world.run({"routing": {"a": "P"}}, release="feature/x")
    assert get(own_client, "/releases/feature/x")["release"] == "feature/x"
    assert get(own_client, "/releases/feature%2Fx/runs")["items"][0]["release"] == "feature/x"


def test_an_empty_store_answers_empty_lists(own_client):
    for path in ("/releases", "/runs", "/builds", "/verdicts", "/failures", "/tests?q=a", "/ingest/ledger"):
        assert get(own_client, path)["items"] == [], path
    assert get(own_client, "/grid")["tests"] == []
    assert get(own_client, "/trends")["series"] == []
