"""Every screen knows the API call that answers it, and shows an earlier moment as it was."""

from __future__ import annotations

from datetime import datetime

import pytest
from dash import Dash
from support.store_builder import World

from dashboard.app import create_app
from dashboard.page_url import match
from dashboard.pages import PAGES, docs, sql
from data.model import ids
from data.model.bug_record import BugRecord
from data.settings import load
from data.write.bugs import apply_bug_feed
from data.write.metadata import merge_metadata

TEST = ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "b"))
# Every screen by an address that has its filters; the sinks it fills, and what the call must hold.
SCREENS = {
    "/?release=7.0&version=7.0.0.2": (["overview"], "/api/v1/releases?release=7.0"),
    "/runs/latest?release=7.0": (["run"], "/api/v1/runs/{run}/modules"),
    "/runs/latest?release=7.0&view=failed&q=TestIt&module=routing&limit=7": (
        ["run"],
        "/api/v1/runs/{run}/results?module=routing&q=TestIt&status=failed",
    ),
    "/runs/{run}?view=failed&status=all": (["run"], "/api/v1/runs/{run}/results"),
    "/runs/latest?view=broken&kind=regression": (
        ["run"],
        "/api/v1/verdicts?environment=prod&kind=regression&release=7.0",
    ),
    "/matrix?by=topology": (["matrix"], "/api/v1/releases/7.0/matrix?by=topology"),
    "/failures?q=saw&new=1&runs=30": (["failures"], "/api/v1/failures?new=1&q=saw&runs=30"),
    "/failures/{signature}": (["failure"], "/api/v1/failures/{signature}"),
    "/grid?q=b&order=name": (["grid-head"], "/api/v1/grid?environment=prod&order=name&q=b&release=7.0&runs=30"),
    "/trends?by=day&release=7.0": (
        ["trends-head", "trends-table"],
        "/api/v1/trends?by=day&group=environment&release=7.0&runs=100",
    ),
    "/trends?release=7.0&since=2026-11-02T00:00:00Z&until=2026-11-02": (
        ["trends-head", "trends-table"],
        "/api/v1/trends?by=run&group=environment&release=7.0&runs=100&since=2026-11-02T00%3A00%3A00Z&until=2026-11-02",
    ),
    "/compare?module=routing": (["compare"], "/api/v1/compare?base={before}&candidate={run}&module=routing"),
    "/bugs?q=net&module=routing": (["bugs"], "/api/v1/bugs?module=routing&q=net&status=open"),
    "/bugs?run={run}": (["bugs"], "/api/v1/bugs?run={run}"),
    "/bugs/NET-1?release=7.0": (["bug"], "/api/v1/bugs/NET-1?release=7.0"),
    "/ingest?state=retry": ([], "/api/v1/ingest/ledger?state=retry"),
    "/builds/{build}?topology=": (["build"], "/api/v1/builds/{build}/results?status=failed"),
    "/builds/{build}?attempts=1&status=all": (["build"], "/api/v1/builds/{build}/results?attempts=1"),
    "/tests/{test}?release=7.0": (["test"], "/api/v1/tests/{test}/history?release=7.0"),
}


def fill(world: World) -> dict[str, str]:
    world.history({"a": "PPP", "b": "PFF"}, release="7.0")
    metadata = [{"base_name": "b", "case_id": "TC-1"}]
    world.store.transact("test", "metadata", lambda cursor: merge_metadata(cursor, metadata))
    bug = BugRecord("NET-1", "NET", "https://tracker.example.com/NET-1", True, cases=("TC-1",))
    apply_bug_feed(world.store, [bug], (), datetime(2026, 11, 20))
    run, build = world.runs[-1], world.store.value("SELECT build FROM builds WHERE number = 3")
    signature = world.store.value("SELECT signature FROM signatures")
    return {
        "run": ids.text(run.id),
        "before": ids.text(world.runs[-2].id),
        "build": ids.text(build),
        "test": TEST,
        "signature": ids.text(signature),
    }


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> tuple[Dash, dict[str, str]]:
    world = World.at(tmp_path_factory.mktemp("shared") / "home")
    names = fill(world)
    return create_app(load(home=world.store.settings.home)), names


def share(app: Dash, call, href: str) -> dict:
    answer = call(app, "share-call.data", {"share-request.data": 1}, {"url.href": f"http://host{href}"})
    return answer.json["response"]["share-call"]["data"]


@pytest.mark.parametrize("address", SCREENS)
def test_a_screens_call_returns_the_data_it_shows(filled, call, address):
    app, names = filled
    found = share(app, call, address.format(**names))
    assert found["path"] == SCREENS[address][1].format(**names)
    client = app.server.test_client()
    assert client.get(found["path"]).status_code == 200
    if found["files"]:
        for form, mimetype in (("csv", "text/csv"), ("parquet", "application/vnd.apache.parquet")):
            file = client.get(found["path"] + ("&" if "?" in found["path"] else "?") + f"format={form}")
            assert (file.status_code, file.mimetype) == (200, mimetype), file.text[:300]


def test_every_screen_is_covered():
    paths = {address.partition("?")[0] for address in SCREENS}
    for page in (page for page in PAGES if page not in (sql, docs)):  # they show no answer of a GET route
        assert any(match(page.PATH, path) is not None for path in paths), f"{page.__name__} is in no row of SCREENS"


def test_trends_cover_the_chosen_range(world, screen, app):
    world.history({"a": "PPPP"})  # 12 h apart, from the 1st at 16:00
    client, chosen = app.server.test_client(), "since=2026-11-02T00:00:00Z&until=2026-11-02T16:00:00Z"
    (series,) = client.get(f"/api/v1/trends?{chosen}").json["series"]
    assert [point["number"] for point in series["points"]] == [2, 3]
    trends = screen("trends-head", f"/trends?{chosen}")
    assert "2 points in 1 line" in trends and trends.one("link", "from 02 Nov 00:00").href == "/trends"
    assert "4 points" in screen("trends-head", "/trends")
    assert screen("trends-head", "/trends?since=often").one("link", "remove since").href == "/trends"
    assert client.get("/api/v1/trends?until=often").json["parameter"] == "until"


@pytest.mark.parametrize("address", ["/nowhere", "/runs/0123456789abcdef", "/trends?runs=many", "/?as_of=99999"])
def test_a_screen_with_an_error_has_no_call(filled, call, address):
    assert "path" not in share(filled[0], call, address)


def test_every_screen_honours_the_time_in_its_url(world, app, screen, call):
    """What was shown before a commit is shown after it, word for word, at the snapshot before."""
    names, then = fill(world), world.store.snapshot().id
    addresses = {address.format(**names): sinks for address, (sinks, _) in SCREENS.items()}

    def words(slot: str, address: str) -> str:
        return screen(slot, address).text

    before = {(slot, address): words(slot, address) for address, sinks in addresses.items() for slot in sinks}
    drawer = f"/?case={TEST}"
    before["drawer", drawer] = words("drawer", drawer)
    world.run({"routing": {"a": "F", "b": "F", "c": "P"}}, release="7.0")
    world.run({"storage": {"d": "F"}}, release="8.0")
    changed = 0
    for (slot, address), text in before.items():
        joint = "&" if "?" in address else "?"
        assert words(slot, f"{address}{joint}as_of={then}") == text, address
        changed += words(slot, address) != text
    assert changed > 8  # and the present is another one
    assert f"as_of={then}" in share(app, call, f"/grid?as_of={then}")["path"]
