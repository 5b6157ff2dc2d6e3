"""What the screens are given for an address, through Dash's own route and without a browser."""

from __future__ import annotations

import logging
import re
from html import unescape

from dash import Dash
from support.store_builder import cases

from dashboard.app import create_app
from dashboard.pages import run as run_page
from data.model import ids
from data.settings import load


def test_a_response_carries_its_url_and_snapshot(world, show):
    world.run({"routing": {"a": "P"}})
    answer = show("overview", "http://host/?utm=1")
    assert answer["at"] == "/?utm=1"
    assert answer["snapshot"] == world.store.snapshot().id
    assert "100.00" in answer["html"]


def test_a_url_of_another_page_leaves_a_slot_unchanged(app, call):
    answer = call(app, "run-html.data", {"url.href": "http://host/trends", "snapshot.data": None})
    assert "run-html" not in answer.json["response"]


def test_a_build_without_results_is_broken_and_not_zero_percent(world, show):
    world.run({"routing": {}})
    html = show("run", "/runs/latest")["html"]
    assert "No results: the builds finished" in html and "no results" in html
    assert "0.00" not in html


def test_a_missing_build_is_hatched_and_does_not_hide_a_failing_module(world, show):
    world.run({"routing": {"a": "F"}, "late": None})
    html = show("run", "/runs/latest")["html"]
    assert html.count("b-missing") == 1 and "build not read" in html
    assert "1 without results" in html


def test_names_and_messages_are_escaped(world, show):
    world.run({"<b>m</b>": cases("<b>m</b>", {"<img src=x>": "F"}, topology="<i>t</i>")}, release="<u>r</u>")
    run = ids.text(world.runs[0].id)
    for slot, href in (("overview", "/"), ("run", f"/runs/{run}?view=failed"), ("run", f"/runs/{run}")):
        html = show(slot, href)["html"]
        assert "<b>m" not in html and "<img" not in html and "<u>r" not in html and "<i>t" not in html


def test_a_tiles_count_links_to_as_many_tests_even_during_a_run(world, show):
    for environment in ("prod", "staging"):
        world.history({f"a_{environment}": "PPFF", "both": "PPFF"}, environment=environment)
    ended = ids.text(world.runs[3].id)
    world.run({"routing": {}}, state="running")
    assert "<b data-live>3</b><span>regressions</span>" in show("overview", "/")["html"]
    html = show("run", f"/runs/{ended}?view=broken&kind=regression&everywhere=1")["html"]
    assert "regression <b>3</b>" in html and html.count('class="case"') == 4
    assert show("run", f"/runs/{ended}?view=broken&kind=regression")["html"].count('class="case"') == 2
    assert "Verdicts as of #1" in show("run", f"/runs/{ids.text(world.runs[0].id)}?view=broken")["html"]


def test_a_small_run_of_another_environment_does_not_represent_the_release(world, show):
    world.run({"routing": {"a": "P", "b": "P", "c": "F"}})
    world.run({"routing": {"a": "P"}}, environment="staging")
    html = show("overview", "/")["html"]
    assert "66.67" in html and '<span class="tile-env">prod</span>' in html and "last 1 run of prod" in html
    prod = ids.text(world.runs[0].id)
    assert f'<h2><a href="/runs/{prod}">' in html and 'href="/runs/latest?release=7.0&amp;environment=staging"' in html
    assert "100.00" in show("overview", "/?environment=staging")["html"]


def test_tests_that_a_running_run_has_not_reached_have_not_disappeared(world, show):
    world.run({"routing": {"a": "P"}, "nvs": {"b": "P", "c": "P"}})
    world.run({"routing": {"a": "P"}, "nvs": None}, state="running", number=5)
    page = show("run", "/runs/latest?view=changes&class=disappeared")["html"]
    assert "Changes <b>0</b>" in page and "points" not in page.split("run-delta")[1][:200]
    world.run({"routing": {"a": "P"}, "nvs": {}}, number=5)
    assert "Changes <b>2</b>" in show("run", "/runs/latest")["html"]


def test_a_case_of_a_lane_does_not_change_the_scope(world, show):
    for environment in ("prod", "staging"):
        world.history({"a": "PF"}, environment=environment)
    page = show("run", f"/runs/{ids.text(world.runs[1].id)}?view=broken&everywhere=1")["html"]
    links = re.findall(r'class="case-link" href="([^"]+)"', page)
    assert len(links) == 2 and all("case=" in link and "release=" not in link for link in links)
    shown = [show("drawer", unescape(link))["html"] for link in links]
    assert ["prod" in markup for markup in shown] == [True, False]
    assert ["staging" in markup for markup in shown] == [False, True]


def test_a_case_leads_to_the_first_bad_build(world, show):
    world.history({"a": "PPFSF", "b": "FFFFF"})
    first, newest = (ids.text(ids.of("tests/routing/routing_test.py", "TestIt", name)) for name in "ab")
    html = show("drawer", f"/?case={first}")["html"]
    assert "failing since" in html and re.search(r"failing since <a[^>]*>build #\d+</a> in run #\d+", html)
    bad = re.search(r'failing since <a\s+href="(/builds/\w+)', html)[1]
    assert "<span>first bad build" in show("drawer", f"/?case={first}.{bad.rpartition('/')[2]}")["html"]
    assert "first bad build" not in show("drawer", f"/?case={newest}")["html"], "no earlier result is known"


def test_the_case_in_the_url_opens_with_every_attempt(world, show):
    world.run({"routing": {"a": "FF", "b": "P"}})
    test = ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "a"))
    html = show("drawer", f"/?case={test}")["html"]
    assert html.count('class="attempt"') == 2
    assert "Traceback of a, attempt 1" in html and "Traceback of a, attempt 2" in html
    assert show("drawer", "/")["html"].strip() == ""


def test_invalid_urls_show_an_explanation(world, show):
    world.run({"routing": {"a": "P"}})
    assert "Not found" in show("run", "/runs/0123456789abcdef")["html"]
    assert "is not a valid id" in show("run", "/runs/xyz")["html"]
    assert "must be a whole number" in show("overview", "/?runs=x")["html"]
    assert "No release 9.9" in show("overview", "/?release=9.9")["html"]
    assert "there is no snapshot 999" in (gone := show("overview", "/?as_of=999")["html"])
    assert "regtracker check" not in gone
    assert "No runs of this release" in show("run", "/runs/latest?release=9.9")["html"]


def test_an_invalid_parameter_is_named_with_a_link_to_remove_it(world, show):
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
        html = unescape(show(slot, address)["html"])
        assert f"remove <code>{name}</code>" in html, address
        assert "nonsense" in html or "-3" in html
    assert "is not a valid id" in show("drawer", "/?case=nonsense")["html"]


def test_a_page_accepts_the_same_times_as_the_api(world, show):
    world.run({"routing": {"a": "P"}})
    then = world.store.snapshot()
    world.run({"routing": {"a": "F"}})
    moment = then.committed_at.isoformat()
    assert show("overview", f"/?as_of={moment}")["snapshot"] == then.id
    html = show("run", f"/runs/latest?as_of={moment}Z")["html"]
    assert "100.00" in html and f"as_of={moment.replace(':', '%3A')}Z" in html
    assert "no snapshot as old as" in show("overview", "/?as_of=2001-01-01")["html"]


def test_an_earlier_snapshot_shows_earlier_data(world, show):
    world.run({"routing": {"a": "P"}})
    then = world.store.snapshot().id
    world.run({"routing": {"a": "F"}})
    assert "100.00" in show("run", f"/runs/latest?as_of={then}")["html"]
    assert "0.00" in show("run", "/runs/latest")["html"]


def test_a_store_that_cannot_be_opened_is_explained(tmp_path, call):
    (tmp_path / "home").write_text("a file where a folder should be")
    app = create_app(load(home=tmp_path / "home"))
    answer = call(app, "overview-html.data", {"url.href": "/", "snapshot.data": None})
    html = answer.json["response"]["overview-html"]["data"]["html"]
    assert "The store is unavailable" in html and "regtracker check" in html


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
        assert "No data yet" in answer.json["response"]["overview-html"]["data"]["html"]


def test_an_excluded_failure_is_not_the_first_bad_build(world, show):
    tests = [f"t{number}" for number in range(8)]
    storm = [{"routing": dict.fromkeys(tests, letter)} for letter in "PPPF"]
    world.series([*storm, {"routing": dict.fromkeys(tests, "P") | {"t0": "F"}}])
    build = ids.text(world.store.value("SELECT build FROM builds WHERE number = 4"))
    case = ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "t0"))
    during_storm = show("drawer", f"/?case={case}.{build}.")["html"]
    assert (
        "<span>not counted in verdicts" in during_storm
        and ">mass failure<" in during_storm
        and "first bad build" not in during_storm
    )
    newest = show("drawer", f"/?case={case}")["html"]
    assert "<span>first bad build" in newest and "<span>not counted in verdicts" not in newest
    assert "build #5</a>" in newest and ">run #5<" in newest
