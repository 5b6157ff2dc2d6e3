"""What the screens show at an address, through Dash's own route and without a browser."""

from __future__ import annotations

import logging

import pytest
from dash import Dash
from support.screen import Screen
from support.store_builder import World, cases

from dashboard.app import create_app
from dashboard.pages import run as run_page
from data.model import ids
from data.settings import load


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A store of one run, for tests that only read."""
    world = World.at(tmp_path_factory.mktemp("answers") / "home")
    world.run({"routing": {"a": "P"}})
    return world


def test_a_response_carries_its_url_and_snapshot(world, show):
    world.run({"routing": {"a": "P"}})
    answer = show("overview", "http://host/?utm=1")
    assert answer["at"] == "/?utm=1"
    assert answer["snapshot"] == world.store.snapshot().id
    assert "100.00" in Screen(answer["html"])


def test_a_url_of_another_page_leaves_a_slot_unchanged(app, call):
    answer = call(app, "run-html.data", {"url.href": "http://host/trends", "snapshot.data": None})
    assert "run-html" not in answer.json["response"]


def test_a_build_without_results_is_broken_and_not_zero_percent(world, screen):
    world.run({"routing": {}})
    run = screen("run", "/runs/latest")
    assert "No results: the builds finished" in run and "no results" in run
    assert "0.00" not in run


def test_a_missing_build_is_hatched_and_does_not_hide_a_failing_module(world, screen):
    world.run({"routing": {"a": "F"}, "late": None})
    run = screen("run", "/runs/latest")
    assert run.tooltips.count("build not read") == 1
    assert "build not read" in run.one("row", "late").tooltips and run.one("row", "late").widths == [100.0]
    assert "1 without results" in run.facts["builds"] and "failing" in run.one("row", "routing").words


def test_what_a_missing_build_lacks_is_hatched_in_the_bar_of_the_run_and_of_its_module(world, screen):
    world.run({"routing": {"a": "F"}, "late": None})
    assert screen("run", "/runs/latest").markup.count("b-missing") == 2


def test_the_markup_of_hostile_names_and_messages_is_escaped(world, screen):
    world.run({"<b>m</b>": cases("<b>m</b>", {"<img src=x>": "F"}, topology="<i>t</i>")}, release="<u>r</u>")
    run = ids.text(world.runs[0].id)
    for slot, href in (("overview", "/"), ("run", f"/runs/{run}?view=failed"), ("run", f"/runs/{run}")):
        shown = screen(slot, href)
        assert "<u>r</u>" in shown
        assert not any(tag in shown.markup for tag in ("<b>m", "<img", "<u>r", "<i>t"))


def test_a_tiles_count_links_to_as_many_tests_even_during_a_run(world, screen):
    for environment in ("prod", "staging"):
        world.history({f"a_{environment}": "PPFF", "both": "PPFF"}, environment=environment)
    ended = ids.text(world.runs[3].id)
    world.run({"routing": {}}, state="running")
    assert "2 regressions" in screen("overview", "/").texts("link"), "those of the tile's environment"
    everywhere = screen("run", f"/runs/{ended}?view=broken&kind=regression&everywhere=1")
    assert "regression 4" in everywhere.texts("link") and len(everywhere.cases()) == 4
    assert len(screen("run", f"/runs/{ended}?view=broken&kind=regression").cases()) == 2
    assert "Verdicts as of #1" in screen("run", f"/runs/{ids.text(world.runs[0].id)}?view=broken")


def test_a_small_run_of_another_environment_does_not_represent_the_release(world, screen):
    world.run({"routing": {"a": "P", "b": "P", "c": "F"}})
    world.run({"routing": {"a": "P"}}, environment="staging")
    tile = screen("overview", "/").one("article", "7.0")
    assert "66.67 %" in tile and tile.one("heading").text == "7.0 prod" and "last 1 run of prod" in tile
    prod = ids.text(world.runs[0].id)
    assert tile.one("heading").one("link").href == f"/runs/{prod}"
    staging = ids.text(world.runs[1].id)
    assert tile.one("link", "staging").href == f"/runs/{staging}?environment=staging"
    assert "100.00" in screen("overview", "/?environment=staging").one("article", "7.0")


def test_tests_that_a_running_run_has_not_reached_have_not_disappeared(world, screen):
    world.run({"routing": {"a": "P"}, "nvs": {"b": "P", "c": "P"}})
    world.run({"routing": {"a": "P"}, "nvs": None}, state="running", number=5)
    page = screen("run", "/runs/latest?view=changes&class=disappeared")
    assert "Changes 0" in page.texts("link") and "points" not in page
    world.run({"routing": {"a": "P"}, "nvs": {}}, number=5)
    ended = screen("run", "/runs/latest?view=changes")
    assert "Changes 0" in ended.texts("link") and "2 not compared" in ended.texts("link") and "points" not in ended


def test_a_case_of_a_lane_does_not_change_the_scope(world, screen):
    for environment in ("prod", "staging"):
        world.history({"a": "PF"}, environment=environment)
    page = screen("run", f"/runs/{ids.text(world.runs[1].id)}?view=broken&everywhere=1")
    links = [case.one("link").href for case in page.cases()]
    assert len(links) == 2 and all("release=" not in link for link in links)
    shown = [screen("drawer", link) for link in links]
    assert ["prod" in drawer for drawer in shown] == [True, False]
    assert ["staging" in drawer for drawer in shown] == [False, True]


def test_a_case_leads_to_the_first_bad_build(world, screen):
    world.history({"a": "PPFSF", "b": "FFFFF"})
    first, newest = (ids.text(ids.of("tests/routing/routing_test.py", "TestIt", name)) for name in "ab")
    drawer = screen("drawer", f"/?case={first}")
    assert "failing since build #3 in run #3 (first bad build)" in drawer
    (bad,) = [link.href for link in drawer.all("link") if link.text == "build #3"]
    there = screen("drawer", f"/?case={first}.{bad.rpartition('/')[2]}")
    assert "first bad build" in there and "failing since" not in there
    assert "first bad build" not in screen("drawer", f"/?case={newest}"), "no earlier result is known"


def test_the_case_in_the_url_opens_with_every_attempt(world, screen):
    world.run({"routing": {"a": "FF", "b": "P"}})
    test = ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "a"))
    drawer = screen("drawer", f"/?case={test}")
    assert len(drawer.all("heading", "attempt")) == 2
    assert "Traceback of a, attempt 1" in drawer and "Traceback of a, attempt 2" in drawer
    nothing = screen("drawer", "/")
    assert nothing.text == "" and not nothing.markup.strip()


def test_invalid_urls_show_an_explanation(filled, screen):
    assert "Not found" in screen("run", "/runs/0123456789abcdef")
    assert "is not a valid id" in screen("run", "/runs/xyz")
    assert "must be a whole number" in screen("overview", "/?runs=x")
    assert "No release 9.9" in screen("overview", "/?release=9.9")
    assert "there is no snapshot 999" in (gone := screen("overview", "/?as_of=999"))
    assert "regtracker check" not in gone
    assert "No release 9.9" in screen("run", "/runs/latest?release=9.9")


@pytest.mark.parametrize(
    ("slot", "path", "route", "query"),
    [
        ("overview", "/", "releases", "runs=x"),
        ("overview", "/", "releases", "runs=0"),
        ("overview", "/", "releases", "runs=1001"),
        ("overview", "/", "releases", "exclude_flaky=maybe"),
        ("overview", "/", "releases", "as_of=yesterday"),
        ("grid-head", "/grid", "grid", "order=nonsense"),
        ("grid-head", "/grid", "grid", "kind=flaky,odd"),
        ("matrix", "/matrix?release=7.0&", "releases/7.0/matrix", "by=host"),
        ("failures", "/failures", "failures", "new=perhaps"),
        ("ingest", "/ingest", "ingest/ledger", "state=lost"),
    ],
)
def test_a_page_and_the_api_refuse_a_parameter_in_the_same_words(filled, app, screen, slot, path, route, query):
    refused = app.server.test_client().get(f"/api/v1/{route}?{query}")
    assert refused.status_code == 400 and refused.json["parameter"] == query.partition("=")[0]
    assert refused.json["detail"] in screen(slot, f"{path}{'' if path.endswith('&') else '?'}{query}")


@pytest.mark.parametrize("slot", ["overview", "matrix", "trends-head", "grid-head", "failures", "compare", "bugs"])
@pytest.mark.parametrize("name", ["release", "environment", "module"])
def test_a_name_that_nothing_has_is_no_clean_screen(filled, screen, slot, name):
    path = {"overview": ""}.get(slot, slot.removesuffix("-head"))
    found = screen(slot, f"/{path}?{name}=ruoting")
    assert f"No {name} ruoting" in found and found.one("link", "Remove the filters").href == f"/{path}"


def test_an_invalid_parameter_is_named_with_a_link_to_remove_it(world, screen):
    world.run({"routing": {"a": "F"}})
    build = ids.text(world.store.value("SELECT build FROM builds"))
    for slot, address, name in (
        ("run", "/runs/latest?view=nonsense", "view"),
        ("run", "/runs/latest?sort=nonsense", "sort"),
        ("run", "/runs/latest?view=failed&offset=-3", "offset"),
        ("build", f"/builds/{build}?group=nonsense", "group"),
        ("build", f"/builds/{build}?status=nonsense", "status"),
        ("trends-head", "/trends?by=nonsense", "by"),
        ("trends-head", "/trends?group=nonsense", "group"),
        ("grid-head", "/grid?kind=nonsense", "kind"),
        ("failures", "/failures?sort=nonsense", "sort"),
        ("matrix", "/matrix?release=7.0&by=nonsense", "by"),
        ("overview", "/?as_of=nonsense", "as_of"),
    ):
        explained = screen(slot, address)
        assert "=nonsense" not in (repaired := explained.one("link", f"remove {name}").href), address
        assert f"{name}=" not in repaired, address
        assert "nonsense" in explained or "-3" in explained
    assert "is not a valid id" in screen("drawer", "/?case=nonsense")


def test_a_page_accepts_the_same_times_as_the_api(world, show, screen):
    world.run({"routing": {"a": "P"}})
    then = world.store.snapshot()
    world.run({"routing": {"a": "F"}})
    moment = then.committed_at.isoformat()
    assert show("overview", f"/?as_of={moment}")["snapshot"] == then.id
    run = screen("run", f"/runs/latest?as_of={moment}Z")
    assert "100.00" in run and f"as_of={moment.replace(':', '%3A')}Z" in run.one("link", "Overview").href
    assert "no snapshot as old as" in screen("overview", "/?as_of=2001-01-01")


def test_an_earlier_snapshot_shows_earlier_data(world, screen):
    world.run({"routing": {"a": "P"}})
    then = world.store.snapshot().id
    world.run({"routing": {"a": "F"}})
    assert "100.00" in screen("run", f"/runs/latest?as_of={then}")
    assert "0.00" in screen("run", "/runs/latest").words


def test_a_store_that_cannot_be_opened_is_explained(tmp_path, call):
    (tmp_path / "home").write_text("a file where a folder should be")
    app = create_app(load(home=tmp_path / "home"))
    answer = call(app, "overview-html.data", {"url.href": "/", "snapshot.data": None})
    explained = Screen(answer.json["response"]["overview-html"]["data"]["html"])
    assert explained.title == "The store is unavailable" and "regtracker check" in explained


def test_a_failing_callback_is_logged_and_shown_as_a_message(world, app, call, monkeypatch, caplog):
    world.run({"routing": {"a": "P"}})
    monkeypatch.setattr(run_page.runs, "runs", None)
    with caplog.at_level(logging.ERROR, "regtracker.web"):
        answer = call(app, "run-html.data", {"url.href": "/runs/latest", "snapshot.data": None})
    assert answer.json["sideUpdate"]["toast"]["is_open"] is True
    reference = caplog.records[0].args[0]
    assert reference in answer.json["sideUpdate"]["toast"]["children"]


def test_two_applications_in_one_process_keep_their_own_callbacks(app, call, tmp_path):
    second = create_app(load(home=tmp_path / "second"))
    assert isinstance(second, Dash) and set(second.callback_map) == set(app.callback_map)
    for one in (app, second):
        answer = call(one, "overview-html.data", {"url.href": "/", "snapshot.data": None})
        assert Screen(answer.json["response"]["overview-html"]["data"]["html"]).title == "No data yet"


def test_an_excluded_failure_is_not_the_first_bad_build(world, screen):
    tests = [f"t{number}" for number in range(8)]
    storm = [{"routing": dict.fromkeys(tests, letter)} for letter in "PPPF"]
    world.series([*storm, {"routing": dict.fromkeys(tests, "P") | {"t0": "F"}}])
    build = ids.text(world.store.value("SELECT build FROM builds WHERE number = 4"))
    case = ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "t0"))
    during_storm = screen("drawer", f"/?case={case}.{build}.")
    assert "not counted in verdicts" in during_storm and "mass failure" in during_storm.texts("link")
    assert "first bad build" not in during_storm
    newest = screen("drawer", f"/?case={case}")
    assert "first bad build" in newest and "failing since" not in newest and "not counted in verdicts" not in newest
    links = newest.texts("link")
    assert "7.0 qa/7.0/ROUTING build #5" in links and "run #5" in links
