"""Builds that lack a part of their results: no screen, route or command calls them ok."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
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


@pytest.fixture
def client(regtracker: Run) -> Iterator[Callable[[], FlaskClient]]:
    """Opens the API on the store of `regtracker`."""
    yield lambda: create_app(load()).server.test_client()


def answer(client: FlaskClient, path: str) -> Any:
    found = client.get(f"/api/v1{path}")
    assert found.status_code == 200, found.text
    return found.json


def assert_incomplete(client: FlaskClient, regtracker: Run, reason: str, count: str = "partial") -> None:
    """The newest of two builds of release 7.0, and what depends on it, is incomplete for this reason. `count`: the
    field of the run that counts it."""
    run = answer(client, "/runs?release=7.0")["items"][0]
    assert [run["state"], run["incomplete"], run[count], run["missing"]] == ["incomplete", True, 1, 0]
    assert reason in run["first_partial"]
    build = answer(client, "/builds?release=7.0")["items"][0]
    assert build["health"] == "incomplete" and reason in build["missing_results"]
    (module,) = answer(client, f"/runs/{run['id']}/modules")["items"]
    assert [module["state"], module["incomplete"]] == ["incomplete", True]
    tile = answer(client, "/releases/7.0")
    assert tile["state"] == "incomplete" and any(reason in text for text in tile["reasons"])
    (row,) = answer(client, "/releases/7.0/matrix")["rows"]
    assert [cell["state"] for cell in row["cells"]] == ["incomplete"]
    assert "incomplete" in client.get("/api/v1/badges/7.0.svg").text
    gate = regtracker("gate", "--release", "7.0")
    assert gate.exit_code == 2 and reason in gate.output


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"r.xml": GOOD.replace('2">', '3">').replace("</testsuite>", "<testcase")}, "r.xml: is cut off after 2 tests"),
        ({"r.xml": GOOD.replace('"2"', '"40"')}, "r.xml: declares 40 tests, 2 were read"),
        ({"r.xml": GOOD, "s.xml": "<testsuite"}, "s.xml: cannot be read"),
        ({"r.xml": GOOD, "s.xml": '<test-results name="x" total="3" failures="1"/>'}, "s.xml: not read: NUnit 2 XML"),
    ],
)
def test_an_imported_build_that_lacks_results_is_incomplete(
    tmp_path: Path, regtracker: Run, client: Callable[[], FlaskClient], files: dict[str, str], reason: str
) -> None:
    for number, content in ((1, {"r.xml": GOOD}), (2, files)):
        folder = tmp_path / str(number)
        folder.mkdir()
        for name, text in content.items():
            (folder / name).write_text(text)
        arguments = ("--release", "7.0", "--module", "core", "--build", str(number))
        regtracker("import", str(folder), *arguments)
    assert_incomplete(client(), regtracker, reason)


@pytest.mark.parametrize(
    ("described", "reason"),
    [
        ({"result": "FAILURE"}, "Jenkins calls it FAILURE, but no test that was read failed"),
        ({"result": "UNSTABLE"}, "Jenkins calls it UNSTABLE, but no test that was read failed"),
        (
            {"actions": [{"failCount": 0, "skipCount": 0, "totalCount": 5, "urlName": "testReport"}]},
            "Jenkins counts 5 tests, 2 were read",
        ),
    ],
)
def test_a_polled_build_that_jenkins_knows_more_of_is_incomplete(
    web: WebServer, regtracker: Run, client: Callable[[], FlaskClient], described: dict[str, Any], reason: str
) -> None:
    regtracker("poll", source=polled(web, described))
    assert_incomplete(client(), regtracker, reason)


@pytest.mark.parametrize("result", ["NOT_BUILT", "ABORTED"])
def test_a_build_that_did_not_run_to_its_end_is_incomplete(
    web: WebServer, regtracker: Run, client: Callable[[], FlaskClient], result: str
) -> None:
    regtracker("poll", source=polled(web, {"result": result}))
    reason = f"x #2: Jenkins calls it {result}: it did not run to its end"
    assert_incomplete(client(), regtracker, reason.removeprefix("x #2: "), "aborted")
    assert reason in answer(client(), "/runs?release=7.0")["items"][0]["first_partial"]


def test_a_failed_attempt_explains_an_unstable_build(
    web: WebServer, regtracker: Run, client: Callable[[], FlaskClient]
) -> None:
    source = polled(web, {"result": "UNSTABLE"})
    rescued = '<testsuite tests="1"><testcase name="a"><flakyFailure/></testcase></testsuite>'
    web.routes["/job/x/2/artifact/r.xml"] = Answer(rescued.encode())
    regtracker("poll", source=source)
    run = answer(client(), "/runs?release=7.0")["items"][0]
    assert [run["state"], run["partial"], run["first_partial"]] == ["ok", 0, None]
    assert regtracker("gate", "--release", "7.0").exit_code == 0


def polled(web: WebServer, described: dict[str, Any]) -> dict[str, Any]:
    """A job with two builds in which all tests passed, of which the second is described so."""
    source = job(web, 1, 2) | {"release_fixed": "7.0"}
    for number in (1, 2):
        web.routes[f"/job/x/{number}/artifact/r.xml"] = Answer(GOOD.encode())
        web.routes[f"/job/x/{number}/api/json"] |= {"result": "SUCCESS"}
    web.routes["/job/x/2/api/json"] |= described
    return source


def test_a_tap_file_that_is_skipped_as_a_whole_lacks_nothing(
    tmp_path: Path, regtracker: Run, client: Callable[[], FlaskClient]
) -> None:
    (tmp_path / "net.tap").write_text("1..0 # SKIP no network\n")
    regtracker("import", str(tmp_path / "net.tap"), "--release", "7.0", "--module", "core", "--build", "1")
    (run,) = answer(client(), "/runs?release=7.0")["items"]
    assert [run["state"], run["total"], run["skipped"]] == ["ok", 1, 1]
    (build,) = answer(client(), "/builds?release=7.0")["items"]
    assert [build["health"], build["missing_results"]] == ["ok", None]
