"""A page or an answer is of one snapshot, is never that of an earlier one, and outlives the commits that leave it as it
is: checked against a server that keeps nothing."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from support.api_fixtures import fill
from support.store_builder import World

from dashboard.app import create_app
from data.cache.query_cache import QueryCache
from data.cache.result_arrays import ResultArrays
from data.model import ids
from data.model.bug_record import BugRecord
from data.settings import load
from data.tasks import ledger
from data.write.bugs import apply_bug_feed
from data.write.metadata import merge_metadata

RELEASES = ("7.0", "8.0")
OF_A_RELEASE = [
    "/releases/{0}",
    "/releases/{0}/modules",
    "/releases/{0}/versions",
    "/releases/{0}/runs",
    "/releases/{0}/matrix",
    "/releases/{0}/matrix?by=topology",
    "/runs?release={0}",
    "/runs?release={0}&exclude_flaky=1",
    "/builds?release={0}",
    "/trends?release={0}",
    "/trends?release={0}&group=module",
    "/verdicts?release={0}",
    "/verdicts?release={0}&priority=P0",
    "/verdicts/excluded?release={0}",
    "/flaky?release={0}",
    "/storms?release={0}",
    "/hosts?release={0}",
    "/failures?release={0}",
    "/grid?release={0}",
    "/gate?release={0}",
    "/regressions?release={0}",
    "/durations/tests?release={0}",
    "/choices?release={0}",
    "/durations/modules?release={0}",
    "/bugs?release={0}",
    "/tests?release={0}",
    "/tests/{test}/history?release={0}",
    "/badges/{0}.svg",
]
OF_ALL = [
    "/snapshot",
    "/releases",
    "/runs",
    "/builds",
    "/matrix",
    "/trends",
    "/verdicts",
    "/failures",
    "/bugs",
    "/tests",
    "/search?q=broken",
    "/choices",
    "/tests/{test}",
    "/tests/{test}/history",
    "/ingest/ledger",
    "/ingest/gaps",
    "/runs/{run}",
    "/runs/{run}/modules",
    "/runs/{run}/bugs",
    "/runs/{run}/priorities",
    "/runs/{run}/results",
    "/runs/{run}/changes",
    "/runs/{other}",
    "/runs/{other}/modules",
    "/runs/{other}/priorities",
    "/compare?base={before}&candidate={run}",
    "/compare?base={run}&candidate={other}",
    "/builds/{build}",
    "/builds/{build}/results",
    "/builds/{build}/facets",
    "/failures/{signature}",
    "/bugs/NET-1",
]
# Answers about one release that read nothing of the others; /failures also compares with the newest build of all.
ALONE = [
    path
    for path in OF_A_RELEASE
    if "{test}" not in path and path.partition("?")[0] not in ("/failures", "/tests", "/bugs")
]
SCREENS = {
    "overview": "/",
    "matrix": "/matrix?release=7.0",
    "run": "/runs/{run}?view=broken",
    "compare": "/compare?base={before}&candidate={run}",
    "failures": "/failures?release=7.0",
    "failure": "/failures/{signature}",
    "grid-head": "/grid?release=7.0",
    "trends-head": "/trends?release=7.0",
    "trends-table": "/trends?release=7.0",
    "build": "/builds/{build}",
    "test": "/tests/{test}?release=7.0",
    "drawer": "/?case={test}",
    "bugs": "/bugs?release=7.0",
    "ingest": "/ingest",
}
# What follows the clock, or names the snapshot.
CLOCK = re.compile(r'"(?:freshness_s|age_s|lag_s|snapshot|next)":[^,}]*|\d+ (?:s|min|h|d) ago')


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The store that each test begins with; closed."""
    world = World.at(tmp_path_factory.mktemp("origin"))
    fill(world)
    world.store.close()
    return world


@pytest.fixture
def stored(origin: World, tmp_path: Path) -> World:
    return origin.copied(tmp_path / "home")


@pytest.fixture
def kept(stored: World) -> Flask:
    """A server that keeps answers, as every one does."""
    return create_app(load(home=stored.store.settings.home)).server


@pytest.fixture
def forgetful(stored: World) -> Flask:
    """A server that computes every answer."""
    server = create_app(load(home=stored.store.settings.home, web={"cache_mb": 0})).server
    server.extensions["regtracker"].store.intermediate = QueryCache(0)
    return server


@pytest.fixture
def names(stored: World) -> dict[str, str]:
    runs = {release: [run for run in stored.runs if run.release == release] for release in RELEASES}
    value = stored.store.value
    return {
        "run": ids.text([run for run in runs["7.0"] if run.state == "final"][-1].id),
        "before": ids.text(runs["7.0"][3].id),
        "other": ids.text(runs["8.0"][-1].id),
        "test": ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "broken")),
        "build": ids.text(value("SELECT max_by(build, number) FROM builds WHERE release = '7.0' AND failed > 0")),
        "signature": ids.text(value("SELECT min(signature) FROM signatures")),
    }


def answer(server: Flask, path: str) -> str:
    response = server.test_client().get(f"/api/v1{path}")
    assert response.status_code == 200, f"{path}: {response.text}"
    return CLOCK.sub("", response.text)


def slot(server: Flask, name: str, href: str) -> str:
    body = {
        "output": f"{name}-html.data",
        "outputs": {"id": f"{name}-html", "property": "data"},
        "inputs": [{"id": "url", "property": "href", "value": href}, {"id": "snapshot", "property": "data"}],
        "changedPropIds": ["url.href"],
    }
    response = server.test_client().post("/_dash-update-component", json=body)
    found = response.json["response"][f"{name}-html"]["data"]
    assert found["snapshot"] is not None, found["html"]
    return CLOCK.sub("", found["html"])


def commits(world: World) -> dict[str, object]:
    """Everything that changes answers, about one release or all of them."""
    moment = datetime(2026, 11, 20, 8)

    def sql(statement: str, author: str = "test", message: str = "a change"):
        return lambda: world.store.transact(author, message, lambda cursor: cursor.execute(statement))

    def waits() -> None:
        entry = ledger.LedgerEntry("ci", "qa/8.0/ROUTING", 1, ledger.BUILD, ledger.NEW, 0, None, moment)
        world.store.transact("test", "found", lambda cursor: ledger.add_entries(cursor, [entry], moment))

    def metadata(row: dict[str, str]):
        return lambda: world.store.transact("test", "metadata", lambda cursor: merge_metadata(cursor, [row]))

    def bug() -> None:
        url = "https://tracker.example.com/browse/NET-2"
        record = BugRecord("NET-2", "NET", url, True, "Open", "Steady fails", "High", cases=("TC-2",))
        apply_bug_feed(world.store, [record], (), moment)

    def same_name_elsewhere() -> None:
        world.run({"storage": {"broken": "F", "quite_new": "P"}}, release="8.0")

    return {
        "a run of one release": lambda: world.run({"routing": {"steady": "F", "broken": "F"}}, release="8.0"),
        "a run of the other": lambda: world.run({"routing": {"steady": "P", "broken": "P"}}, release="7.0"),
        "a running run": lambda: world.run({"routing": {"steady": "P"}, "nvs": None}, release="8.0", state="running"),
        "a build that waits": waits,
        "a test whose bare name was unique": same_name_elsewhere,
        "metadata": metadata({"base_name": "steady", "priority": "P0", "case_id": "TC-2"}),
        "metadata of a release": metadata({"base_name": "broken", "priority": "P1", "release": "8.0"}),
        "a bug": bug,
        "a build read again": sql(
            "UPDATE builds SET result = 'ABORTED', ingested_at = ingested_at + INTERVAL 1 HOUR "
            "WHERE build = (SELECT max(build) FROM builds WHERE release = '8.0')"
        ),
        "a build with an older number": lambda: world.run(
            {"routing": {"steady": "F"}}, number=1, release="8.0", started_at=datetime(2026, 10, 1)
        ),
        "a rebuild that begins": sql("UPDATE jobs SET missing = 0", "rebuild", "1 of 9 builds rebuilt"),
        "a rebuild that ends": sql("INSERT INTO jobs (source, job) VALUES ('ci', 'x')", "rebuild", "done"),
        "a build that is gone": sql("DELETE FROM run_builds WHERE build = (SELECT min(build) FROM builds)"),
    }


def test_no_answer_is_that_of_an_earlier_commit(stored, kept, forgetful, names):
    paths = [path.format(release, **names) for release in RELEASES for path in OF_A_RELEASE]
    paths += [path.format(**names) for path in OF_ALL]
    stale = forgetful.extensions["regtracker"].store
    for path in paths:
        answer(kept, path)
    for turn, (what, commit) in enumerate(commits(stored).items()):
        commit()
        stale.result_arrays = ResultArrays()
        for path in paths[turn % 4 :: 4]:
            assert answer(kept, path) == answer(forgetful, path), f"{path} after {what}"


def test_a_commit_to_one_release_leaves_the_answers_about_others(stored, kept, names):
    client = kept.test_client()
    of_70 = [path.format(**names) for path in ("/runs/{run}", "/runs/{run}/results", "/builds/{build}/facets")]

    def tags(release: str) -> dict[str, str]:
        paths = ALONE + (of_70 if release == "7.0" else [])
        return {path: client.get(f"/api/v1{path.format(release)}").headers["ETag"] for path in paths}

    before, other = tags("7.0"), tags("8.0")
    stored.run({"routing": {"steady": "F", "broken": "F"}}, release="8.0")
    for path, tag in before.items():
        headers = {"If-None-Match": tag}
        assert client.get(f"/api/v1{path.format('7.0')}", headers=headers).status_code == 304, path
    now = tags("8.0")
    assert {path for path in ALONE if now[path] == other[path]} <= {"/choices?release={0}", "/bugs?release={0}"}
    runs = client.get("/api/v1/runs?release=7.0").json
    assert runs["snapshot"] < client.get("/api/v1/runs?release=8.0").json["snapshot"]
    assert client.get(f"/api/v1/runs?release=7.0&as_of={runs['snapshot']}").json["items"] == runs["items"]


@pytest.mark.slow
def test_a_commit_between_any_two_queries_is_in_no_answer(stored, kept, forgetful, names):
    """Of every route and screen: what it says is of the snapshot at which it began."""
    store = kept.extensions["regtracker"].store
    number = 100
    cursor = store.cursor

    def commit_first():
        nonlocal number, left
        if left:
            left -= 1
            number += 1
            stored.run(
                {"routing": {"steady": "F", "broken": "PF"[number % 2]}, "storage": {"flaky": "FP"[number % 2]}},
                number=number,
                started_at=datetime(2026, 11, 20) + timedelta(minutes=number),
            )
        return cursor()

    left = 0
    answer(kept, f"/tests/{names['test']}")  # ids that have changed are looked up before a route is entered
    store.cursor = commit_first
    requests = [(answer, path.format("7.0", **names)) for path in OF_A_RELEASE[::5]]
    requests += [(answer, path.format(**names)) for path in OF_ALL[::5]]
    requests += [
        (lambda server, href, name=name: slot(server, name, href), href.format(**names))
        for name, href in SCREENS.items()
    ]
    interrupted = 0
    for ask, what in requests:
        left = 0
        expected = ask(forgetful, what)
        left = 1
        assert ask(kept, what) == expected, what
        interrupted += not left
    assert interrupted > len(requests) / 2
