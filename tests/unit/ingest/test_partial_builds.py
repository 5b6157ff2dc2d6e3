"""Builds that lack a part of their results: no screen, route or command calls them ok."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
from click.testing import Result
from flask.testing import FlaskClient
from support.fake_server import Answer, WebServer, job

from dashboard.app import create_app
from data.settings import load

pytestmark = pytest.mark.slow

Run = Callable[..., Result]
GOOD = '<testsuite tests="2"><testcase name="a"/><testcase name="b"/></testsuite>'


def answer(client: FlaskClient, path: str) -> Any:
    found = client.get(f"/api/v1{path}")
    assert found.status_code == 200, found.text
    return found.json


# What the second of two builds has -> why it is incomplete.
IMPORTED = {
    "cut-off": (
        {"r.xml": GOOD.replace('2">', '3">').replace("</testsuite>", "<testcase")},
        "r.xml: is cut off after 2 tests",
    ),
    "declares-more": ({"r.xml": GOOD.replace('"2"', '"40"')}, "r.xml: declares 40 tests, 2 were read"),
    "unreadable": ({"r.xml": GOOD, "s.xml": "<testsuite"}, "s.xml: cannot be read"),
    "not-read": (
        {"r.xml": GOOD, "s.xml": '<test-results name="x" total="3" failures="1"/>'},
        "s.xml: not read: NUnit 2 XML",
    ),
}
POLLED: dict[str, tuple[dict[str, Any], str]] = {
    "failure": ({"result": "FAILURE"}, "Jenkins calls it FAILURE, but no test that was read failed"),
    "unstable": ({"result": "UNSTABLE"}, "Jenkins calls it UNSTABLE, but no test that was read failed"),
    "counts": (
        {"actions": [{"failCount": 0, "skipCount": 0, "totalCount": 5, "urlName": "testReport"}]},
        "Jenkins counts 5 tests, 2 were read",
    ),
    "not-built": ({"result": "NOT_BUILT"}, "Jenkins calls it NOT_BUILT: it did not run to its end"),
    "aborted": ({"result": "ABORTED"}, "Jenkins calls it ABORTED: it did not run to its end"),
}
RESCUED = '<testsuite tests="1"><testcase name="a"><flakyFailure/></testcase></testsuite>'


@pytest.fixture(scope="module")
def client(shared_regtracker: Run, tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    """The API on a store of two builds for each of the above, whose release has its name, and of two other builds."""
    logs = tmp_path_factory.mktemp("logs")
    for release, (files, _) in IMPORTED.items():
        for number, content in ((1, {"r.xml": GOOD}), (2, files)):
            folder = logs / release / "core" / str(number)
            folder.mkdir(parents=True)
            for name, text in content.items():
                (folder / name).write_text(text)
    skipped = logs / "skipped" / "core" / "1"
    skipped.mkdir(parents=True)
    (skipped / "net.tap").write_text("1..0 # SKIP no network\n")
    shared_regtracker("import", str(logs))
    with closing(WebServer()) as web:
        for release, (described, _) in POLLED.items():
            shared_regtracker("poll", source=polled(web, release, described))
        source = polled(web, "rescued", {"result": "UNSTABLE"})
        web.routes["/job/x/2/artifact/r.xml"] = Answer(RESCUED.encode())
        shared_regtracker("poll", source=source)
    return create_app(load()).server.test_client()


def polled(web: WebServer, release: str, described: dict[str, Any]) -> dict[str, Any]:
    """A job with two builds in which all tests passed, of which the second is described so."""
    source = job(web, 1, 2) | {"name": release, "release_fixed": release}
    for number in (1, 2):
        web.routes[f"/job/x/{number}/artifact/r.xml"] = Answer(GOOD.encode())
        web.routes[f"/job/x/{number}/api/json"] |= {"result": "SUCCESS"}
    web.routes["/job/x/2/api/json"] |= described
    return source


def assert_incomplete(client: FlaskClient, regtracker: Run, release: str, reason: str, count: str = "partial") -> None:
    """The newest of two builds of a release, and what depends on it, is incomplete for this reason. `count`: the
    field of the run that counts it."""
    run = answer(client, f"/runs?release={release}")["items"][0]
    assert [run["state"], run["incomplete"], run[count], run["missing"]] == ["incomplete", True, 1, 0]
    assert reason in run["first_partial"]
    build = answer(client, f"/builds?release={release}")["items"][0]
    assert build["health"] == "incomplete" and reason in build["missing_results"]
    (module,) = answer(client, f"/runs/{run['id']}/modules")["items"]
    assert [module["state"], module["incomplete"]] == ["incomplete", True]
    tile = answer(client, f"/releases/{release}")
    assert tile["state"] == "incomplete" and any(reason in text for text in tile["reasons"])
    (row,) = answer(client, f"/releases/{release}/matrix")["rows"]
    assert [cell["state"] for cell in row["cells"]] == ["incomplete"]
    assert "incomplete" in client.get(f"/api/v1/badges/{release}.svg").text
    gate = regtracker("gate", "--release", release)
    assert gate.exit_code == 2 and reason in gate.output


@pytest.mark.parametrize("release", IMPORTED)
def test_an_imported_build_that_lacks_results_is_incomplete(
    client: FlaskClient, shared_regtracker: Run, release: str
) -> None:
    assert_incomplete(client, shared_regtracker, release, IMPORTED[release][1])


@pytest.mark.parametrize("release", ["failure", "unstable", "counts"])
def test_a_polled_build_that_jenkins_knows_more_of_is_incomplete(
    client: FlaskClient, shared_regtracker: Run, release: str
) -> None:
    assert_incomplete(client, shared_regtracker, release, POLLED[release][1])


@pytest.mark.parametrize("release", ["not-built", "aborted"])
def test_a_build_that_did_not_run_to_its_end_is_incomplete(
    client: FlaskClient, shared_regtracker: Run, release: str
) -> None:
    reason = POLLED[release][1]
    assert_incomplete(client, shared_regtracker, release, reason, "aborted")
    assert f"x #2: {reason}" in answer(client, f"/runs?release={release}")["items"][0]["first_partial"]


def test_a_failed_attempt_explains_an_unstable_build(client: FlaskClient, shared_regtracker: Run) -> None:
    run = answer(client, "/runs?release=rescued")["items"][0]
    assert [run["state"], run["partial"], run["first_partial"]] == ["ok", 0, None]
    assert shared_regtracker("gate", "--release", "rescued").exit_code == 0


def test_a_tap_file_that_is_skipped_as_a_whole_lacks_nothing(client: FlaskClient) -> None:
    (run,) = answer(client, "/runs?release=skipped")["items"]
    assert [run["state"], run["total"], run["skipped"]] == ["ok", 1, 1]
    (build,) = answer(client, "/builds?release=skipped")["items"]
    assert [build["health"], build["missing_results"]] == ["ok", None]
