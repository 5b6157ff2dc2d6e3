"""What a release team does with the dashboard, through a real browser on a store whose content is known."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import axe_playwright_python
import pytest
from dash import Dash
from dash.testing.browser import Browser
from dash.testing.wait import until
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from support.browser import recent, texts, visiting, wait_for_text
from support.fake_server import eventually
from support.paths import ROOT, TESTS
from support.store_builder import World

from dashboard.app import create_app
from data.lake.store import Store
from data.model import ids
from data.model.bug_record import BugRecord
from data.settings import load
from data.write import raw_files
from data.write.bugs import apply_bug_feed
from data.write.metadata import merge_metadata
from data.write.raw_files import replace_raw_files

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


@pytest.fixture(scope="module")
def filled(tmp_path_factory) -> World:
    """7.2 has a regression and a module without results, 7.1 is in order, 7.0 broke before its tests ran."""
    world = World.at(tmp_path_factory.mktemp("screens") / "home")
    for hours in (30, 20):
        world.run({"routing": {"a": "P", "b": "P", "c": "S"}, "storage": {"d": "P"}}, "7.2", started_at=recent(hours))
    for hours in (12, 2):
        failing = {"a": "P", "b": "F", "c": "S", "rescued": "FP"}
        world.run({"routing": failing, "storage": {"d": "F"}, "late": None}, "7.2", started_at=recent(hours))
    world.run({"routing": {"a": "P"}}, "7.1", started_at=recent(5))
    world.run({"routing": {}}, "7.0", started_at=recent(3))
    return world


@pytest.fixture(scope="module")
def filled_app(filled: World) -> Dash:
    return create_app(load(home=filled.store.settings.home))


@pytest.fixture
def look(dash_duo, filled_app: Dash) -> Iterator[Callable[[str], None]]:
    """Opens a path on the filled store, which nobody changes."""
    with visiting(dash_duo, filled_app) as go:
        yield go


@pytest.fixture
def world(filled: World, tmp_path: Path) -> World:
    """The filled store once more, to be changed: what `visit` shows."""
    shutil.copytree(filled.store.settings.home, tmp_path / "home")
    return World(Store.open(load(home=tmp_path / "home")), list(filled.runs))


def query(duo: Browser) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(urlsplit(duo.driver.current_url).query).items()}


def path(duo: Browser) -> str:
    return urlsplit(duo.driver.current_url).path


def test_the_overview_shows_every_release_with_its_state(look, dash_duo):
    look("/")
    tiles = {tile.split()[0]: tile for tile in texts(dash_duo, ".tile")}
    assert set(tiles) == {"7.2", "7.1", "7.0"}
    assert "failing" in tiles["7.2"] and "2 regressions" in tiles["7.2"] and "40.00" in tiles["7.2"]
    assert "ok" in tiles["7.1"] and "100.00" in tiles["7.1"]
    assert "broken" in tiles["7.0"] and "no results" in tiles["7.0"] and "0.00" not in tiles["7.0"]
    assert texts(dash_duo, "#page h1") == ["2 of 3 releases need attention"]


def test_three_clicks_lead_from_a_red_tile_to_the_failing_lines(look, dash_duo):
    look("/")
    dash_duo.find_element(".tile.s-failing .verdict.k-regression").click()
    wait_for_text(dash_duo, ".case-sentence", "Failed in the last 2 runs")
    dash_duo.find_element(".case-link").click()
    wait_for_text(dash_duo, "#drawer .log", "AssertionError: b saw 3 of 4")
    wait_for_text(dash_duo, "#drawer .log", "Traceback of b, attempt 1")
    assert dash_duo.driver.switch_to.active_element.get_attribute("role") == "dialog"
    dash_duo.driver.switch_to.active_element.send_keys(Keys.ESCAPE)
    until(lambda: not texts(dash_duo, ".drawer-body"), 60)
    assert "b" in dash_duo.driver.switch_to.active_element.text  # the focus is back at the row


def test_a_run_shows_its_modules_and_drills_to_a_test_and_a_build(look, dash_duo):
    look("/runs/latest?release=7.2")
    rows = {row.split()[0]: row for row in texts(dash_duo, ".modules-table tbody tr")}
    assert "failing" in rows["routing"] and "missing" in rows["late"]
    assert rows["routing"].startswith("routing failing 50.00 %")
    assert len(dash_duo.find_elements(".modules-table .b-missing")) == 1
    dash_duo.find_element(".modules-table tbody .row-link").click()
    wait_for_text(dash_duo, ".case-name", "b")
    assert query(dash_duo) == {"release": "7.2", "view": "failed", "module": "routing"}
    assert len(dash_duo.find_elements(".case")) == 1
    dash_duo.find_element(".case-link").click()
    wait_for_text(dash_duo, "#drawer h2", "b")
    dash_duo.find_element("#drawer .drawer-history > a").click()
    wait_for_text(dash_duo, "#page h1", "b")
    assert path(dash_duo).startswith("/tests/")
    wait_for_text(dash_duo, ".verdict-line", "Failed in the last 2 runs")
    dash_duo.find_element("#test .scroll-x a[href^='/builds/']").click()
    wait_for_text(dash_duo, "#page h1", "routing")
    assert texts(dash_duo, ".figures dd") == ["4", "2", "1", "0", "1"]


_COMMIT = """
import sys
from support.store_builder import World
from datetime import datetime
from pathlib import Path
world = World.at(Path(sys.argv[1]), memory_tables=False)
at = datetime.fromisoformat(sys.argv[2])
world.run({"routing": {"a": "F", "b": "F"}, "storage": {"d": "P"}}, "7.2", started_at=at, number=99)
world.store.close()
"""


def test_a_commit_of_another_process_changes_values_at_once_and_moves_no_row_that_is_read(world, visit, dash_duo):
    visit("/")
    dash_duo.driver.execute_script(
        "window.scrollTo(0, 60); window.kept = document.querySelector('.tile');"
        "document.querySelector('.runs-table a').focus(); window.focused = document.activeElement"
    )
    subprocess.run(
        [sys.executable, "-c", _COMMIT, str(world.store.settings.home), recent(0.1).isoformat()],
        check=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, TESTS)))},
    )
    wait_for_text(dash_duo, ".tile", "#99", timeout=60)
    wait_for_text(dash_duo, "#held", "1 new run – show")
    same = "return [window.kept.isConnected, document.activeElement === window.focused, scrollY]"
    assert dash_duo.driver.execute_script(same) == [True, True, 60]
    assert not any("#99" in row for row in texts(dash_duo, ".runs-table tr"))
    dash_duo.find_element("#held button").click()
    wait_for_text(dash_duo, ".runs-table", "#99")
    assert dash_duo.driver.execute_script("return window.kept.isConnected && window.focused.isConnected")
    assert texts(dash_duo, "#held") == [""]


def test_an_answer_that_comes_late_does_not_overwrite_a_newer_one(look, dash_duo):
    look("/")
    late = {"html": "<h1>old</h1>", "at": "/", "snapshot": 1}
    dash_duo.driver.execute_script("dash_clientside.rt.apply(arguments[0], 'overview-html')", late)
    assert texts(dash_duo, "#page h1") == ["2 of 3 releases need attention"]


def test_back_forward_and_a_copied_address_restore_the_state(look, dash_duo):
    look("/runs/latest?release=7.2&view=failed")
    wait_for_text(dash_duo, ".cases", "d")
    dash_duo.find_element("input[data-param=q]").send_keys("TestIt::b")
    until(lambda: len(dash_duo.find_elements(".case")) == 1, 60)
    assert query(dash_duo)["q"] == "TestIt::b"
    dash_duo.find_element(".tabs a").click()
    dash_duo.wait_for_element(".modules-table")
    dash_duo.driver.back()
    dash_duo.wait_for_element(".cases")
    assert dash_duo.find_element("input[data-param=q]").get_attribute("value") == "TestIt::b"
    copied = dash_duo.driver.current_url
    dash_duo.driver.forward()
    dash_duo.wait_for_element(".modules-table")
    dash_duo.driver.get("about:blank")
    dash_duo.driver.get(copied)
    dash_duo.wait_for_element(".cases", timeout=60)
    assert texts(dash_duo, ".case-name") == ["b"]
    assert dash_duo.find_element("input[data-param=q]").get_attribute("value") == "TestIt::b"


def test_the_selectors_follow_the_address_and_write_it(look, dash_duo):
    look("/trends?release=7.2")
    release = dash_duo.find_element(".scope select")
    until(lambda: release.get_attribute("value") == "7.2", 60)
    offered = [
        option.text for option in dash_duo.find_elements(".scope select")[3].find_elements(By.TAG_NAME, "option")
    ]
    assert "storage" in offered
    release.find_element(By.CSS_SELECTOR, "option[value='7.1']").click()
    until(lambda: query(dash_duo).get("release") == "7.1", 60)
    wait_for_text(dash_duo, "#trends-head", "1 point in 1 line")
    dash_duo.driver.back()
    until(lambda: release.get_attribute("value") == "7.2", 60)


def test_trends_are_drawn_in_both_themes_and_a_point_opens_its_run(filled, look, dash_duo):
    look("/trends?release=7.2")
    dash_duo.wait_for_element("#trend-rate .main-svg .scatterlayer .point", timeout=60)
    dash_duo.wait_for_element("#trend-counts .main-svg .barlayer path")
    assert texts(dash_duo, "a[data-title='Share chart...']") == []
    colour = "return getComputedStyle(document.querySelector('#trend-rate .xtick text')).fill"
    before = dash_duo.driver.execute_script(colour)
    dash_duo.find_element("#theme-switch").click()
    until(lambda: dash_duo.driver.execute_script(colour) != before, 60)
    click = (
        "const plot = document.querySelector('#trend-rate');"
        "plot.emit('plotly_click', {points: [{curveNumber: 0, pointNumber: 0, pointIndex: 0, data: plot.data[0],"
        "customdata: plot.data[0].customdata[0], x: plot.data[0].x[0], y: plot.data[0].y[0]}]})"
    )
    dash_duo.driver.execute_script(click)
    wait_for_text(dash_duo, "#page h1", "7.2 #1")
    assert path(dash_duo) == "/runs/" + ids.text(filled.runs[0].id)


_AXE = """
const done = arguments[arguments.length - 1];
for (const animation of document.getAnimations())
  if (animation.effect.getTiming().iterations !== Infinity) animation.finish();
const rules = {region: {enabled: false}, "heading-order": {enabled: false}}; // slow, and never more than moderate
axe.run(document, {resultTypes: ['violations'], preload: false, rules}).then((found) => done(found.violations));
"""


_FOLLOW = """
const [path, done] = arguments, link = document.createElement("a");
const parts = (address) => address.split(/[?&]/).sort().join();
document.addEventListener("rt:rendered", function rendered({ detail }) {
  if (parts(detail.at) !== parts(path)) return;
  document.removeEventListener("rt:rendered", rendered);
  done();
});
link.href = path;
document.body.append(link);
link.click();
link.remove();
"""


# what axe calls moderate or minor, and this product does not allow either
_ALSO = ("aria-allowed-role", "empty-table-header", "landmark-unique", "page-has-heading-one")


def serious(duo: Browser) -> list[tuple[str, str, str]]:
    return [
        (violation["id"], violation["nodes"][0]["html"][:200], violation["nodes"][0]["failureSummary"][:300])
        for violation in duo.driver.execute_async_script(_AXE)
        if violation["impact"] in ("serious", "critical") or violation["id"] in _ALSO
    ]


def resize(duo: Browser, width: int, height: int = 900) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    duo.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    eventually(lambda: duo.driver.execute_script("return innerWidth") == width)


def test_the_page_of_the_api_is_accessible_and_fits_a_phone(visit, dash_duo):
    visit("/")
    dash_duo.driver.get(urljoin(dash_duo.driver.current_url, "/api/docs"))
    for width in (1440, 390):
        resize(dash_duo, width)
        dash_duo.driver.execute_script("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        assert dash_duo.driver.execute_script("return document.documentElement.scrollWidth") == width
    # All routes have one template: axe reads every eighth of them.
    closed = "document.querySelectorAll('details').forEach((one, n) => (one.open = n % 8 === 0))"
    dash_duo.driver.execute_script(closed)
    dash_duo.driver.execute_script(AXE)
    assert serious(dash_duo) == []


def test_every_page_is_accessible_at_every_width_and_asks_nobody_else(world, visit, dash_duo):
    """One browser over all pages: axe in light at 1440 and in dark at 390 px, no overflow from 390 to 2560 px."""
    file_bug(world, "b")
    base, run = (ids.text(world.runs[index].id) for index in (2, 3))
    test = ids.text(ids.of("tests/routing/routing_test.py", "TestIt", "b"))
    (number, at) = world.store.cursor().execute(
        "SELECT build, started_at FROM builds WHERE number = 4 AND module = 'routing'"
    ).fetchone()  # fmt: skip
    build, report = ids.text(number), raw_files.pack("reports/junit.xml", "junit", b"<testsuite/>")
    world.store.transact("test", "raw", lambda cursor: replace_raw_files(cursor, {(number, at): [report]}))
    signature = ids.text(world.store.value("SELECT min(signature) FROM signatures"))
    pages = {
        "/": ".wall",
        f"/runs/{run}": ".modules-table",
        f"/runs/{run}?view=broken&case={test}": ".drawer-body",
        f"/runs/{run}?view=changes&class=still_failing&base={base}": ".cases",
        f"/runs/{run}?view=patterns": ".patterns",
        f"/runs/{run}?view=failed": ".cases",
        "/matrix?release=7.2": ".matrix .m-failing",
        "/matrix?release=7.2&by=topology&row=routing": ".matrix-tests .case",
        "/failures": ".patterns",
        f"/failures/{signature}": ".cases",
        "/grid?release=7.2": ".cells-grid",
        "/trends": "#trend-counts .barlayer path",
        "/compare?release=7.2": ".two-runs",
        "/ingest": ".page h1",
        f"/builds/{build}?status=all": ".raw-files a",
        f"/builds/{build}?status=all&group=host": ".host-group",
        f"/tests/{test}": ".lane",
        "/sql": ".sql-side h2",
        "/docs/verdicts": ".docs-text h2",
        "/bugs": ".cases",
        "/bugs/NET-1": ".cases",
        "/nowhere": ".state-page",
    }
    theme = "document.documentElement.setAttribute('data-bs-theme', arguments[0])"
    wrong = []
    visit("/docs")
    dash_duo.driver.execute_script(AXE)
    dash_duo.driver.execute_script("performance.setResourceTimingBufferSize(9999)")
    for address, selector in pages.items():
        resize(dash_duo, 1440)
        dash_duo.driver.execute_async_script(_FOLLOW, address)
        dash_duo.wait_for_element(selector, timeout=60)
        dash_duo.driver.execute_script(theme, "light")
        wrong += [(address, "light", *violation) for violation in serious(dash_duo)]
        dash_duo.driver.execute_script(theme, "dark")
        for width in (2560, 390):
            resize(dash_duo, width)
            wide = dash_duo.driver.execute_script("return document.documentElement.scrollWidth")
            wrong += [(address, f"{wide} of {width} px")] if wide > width else []
        wrong += [(address, "dark", *violation) for violation in serious(dash_duo)]
        others = dash_duo.driver.execute_script(
            "return performance.getEntriesByType('resource').map((entry) => entry.name)"
            ".filter((name) => new URL(name).origin !== location.origin)"
        )
        wrong += [(address, other) for other in others]
    assert wrong == [], json.dumps(wrong, indent=1)


def file_bug(world: World, base_name: str) -> None:
    rows = [{"base_name": base_name, "case_id": "TC-1"}]
    world.store.transact("test", "metadata", lambda cursor: merge_metadata(cursor, rows))
    url = "https://tracker.example.com/browse/NET-1"
    bug = BugRecord("NET-1", "NET", url, True, "Open", "it stays down", "High", "dana", cases=("TC-1", "TC-9"))
    apply_bug_feed(world.store, [bug], (), datetime(2026, 11, 20, 8))


def test_a_bug_is_found_by_keys_and_leads_to_its_tests(world, visit, dash_duo):
    file_bug(world, "b")
    visit("/")
    ActionChains(dash_duo.driver).send_keys("/").perform()
    dash_duo.wait_for_element("#palette[open]", timeout=60)
    ActionChains(dash_duo.driver).send_keys("net-1").perform()
    wait_for_text(dash_duo, "#palette-list", "NET-1")
    ActionChains(dash_duo.driver).send_keys(Keys.ENTER).perform()
    wait_for_text(dash_duo, "#page h1", "NET-1 it stays down")
    assert path(dash_duo) == "/bugs/NET-1"
    dash_duo.driver.find_element("css selector", ".case-link").click()
    wait_for_text(dash_duo, ".drawer-bugs", "NET-1")
    ActionChains(dash_duo.driver).send_keys(Keys.ESCAPE).perform()
    until(lambda: not texts(dash_duo, ".drawer-body"), 60)
    ActionChains(dash_duo.driver).send_keys("g").send_keys("b").perform()
    wait_for_text(dash_duo, "#page h1", "1 open bug, 1 with failing tests")
