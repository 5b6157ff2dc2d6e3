"""What stands round every screen, through a real browser: search, keys, sharing, exports, the past."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from builders import World
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from werkzeug.serving import make_server

from dashboard.app import create_app
from data import ids
from data.settings import load

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
NOW = datetime.now(UTC).replace(tzinfo=None, microsecond=0)


class Page:
    """The shared browser on one server, for all tests of this file."""

    def __init__(self, driver: Chrome, url: str, world: World, downloads: Path) -> None:
        self.driver, self.url, self.world, self.downloads = driver, url, world, downloads

    def visit(self, path: str) -> None:
        self.driver.get(self.url + path)
        self.until(lambda: self.run("return document.querySelector('#page h1') !== null"))

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        return self.run(
            "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText).join('\\n')", selector
        )

    def until(self, condition: Callable[[], Any], within_s: float = 20) -> Any:
        deadline = time.monotonic() + within_s
        while not (found := condition()):
            assert time.monotonic() < deadline, self.text("body")[:2000]
            time.sleep(0.05)
        return found

    def reads(self, selector: str, words: str) -> None:
        self.until(lambda: words in self.text(selector))

    def press(self, *keys: str) -> None:
        ActionChains(self.driver).send_keys(*keys).perform()

    def chord(self, key: str) -> None:
        ActionChains(self.driver).key_down(Keys.CONTROL).send_keys(key).key_up(Keys.CONTROL).perform()

    def click(self, selector: str) -> None:
        self.until(lambda: self.run("return document.querySelector(arguments[0]) !== null", selector))
        self.driver.find_element("css selector", selector).click()

    def is_open(self, dialog: str) -> bool:
        return self.run("return document.getElementById(arguments[0]).open", dialog)

    @property
    def path(self) -> str:
        parts = urlsplit(self.driver.current_url)
        return parts.path + (f"?{parts.query}" if parts.query else "")


@pytest.fixture(scope="module")
def page(chromium, tmp_path_factory) -> Iterator[Page]:
    world = World.at(tmp_path_factory.mktemp("shell") / "home")
    for hours in (50, 26, 2):
        broken = "F" if hours < 30 else "P"
        run = {"routing": {"test_links": "P", "test_down": broken, "test_up": broken}, "storage": {"test_disk": "P"}}
        world.run(run, "7.2", started_at=NOW - timedelta(hours=hours))
    server = make_server("127.0.0.1", 0, create_app(load(home=world.store.settings.home)).server, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    granted = {"origin": url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
    chromium.driver.execute_cdp_cmd("Browser.grantPermissions", granted)
    # unlike the setting of one tab, it lets a page save several files
    behaves = {"behavior": "allow", "downloadPath": chromium.download_path}
    chromium.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaves)
    yield Page(chromium.driver, url, world, Path(chromium.download_path))
    chromium.driver.get("about:blank")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def quiet_console(page: Page) -> Iterator[None]:
    page.driver.get(page.url + "/assets/icon.svg")
    page.run("localStorage.clear()")
    page.driver.get_log("browser")
    yield
    assert page.driver.get_log("browser") == []


def test_the_palette_finds_and_goes_by_keys_alone(page):
    page.visit("/trends")
    page.press("/")
    assert page.is_open("palette")
    page.press("test_")
    page.reads("#palette-list", "test_links")
    assert page.run("return document.activeElement.id") == "palette-input"
    chosen = "return document.getElementById(document.activeElement.getAttribute('aria-activedescendant')).innerText"
    first = page.run(chosen)
    page.press(Keys.ARROW_DOWN)
    assert page.run(chosen) != first
    page.press(Keys.ARROW_UP, Keys.ARROW_UP, Keys.ARROW_DOWN)
    assert page.run(chosen) == first
    page.press(Keys.ENTER)
    page.until(lambda: page.path.startswith("/tests/"))
    assert not page.is_open("palette") and first.startswith("test_")
    page.reads("#page h1", first.split()[0])


def test_what_was_picked_is_offered_again_and_an_empty_answer_says_so(page):
    page.visit("/")
    page.chord("k")
    page.press("7.2 #2")
    page.reads("#palette-list", "7.2 #2")
    page.press(Keys.ENTER)
    page.reads("#page h1", "7.2 #2")
    page.chord("k")
    page.reads("#palette-list", "Recent")
    page.reads("#palette-list", "7.2 #2")
    page.press("nosuchthing")
    page.reads("#palette-says", "Nothing has this in its name")
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.is_open("palette"))


def test_enter_before_the_answer_goes_to_the_answer(page):
    page.visit("/")
    page.press("/")
    page.press("failures", Keys.ENTER)
    page.until(lambda: page.path == "/failures")


def test_a_pasted_address_of_jenkins_goes_straight_there(page):
    page.visit("/")
    page.press("/")
    page.run(
        "const input = document.activeElement; input.dispatchEvent(new ClipboardEvent('paste', {bubbles: true}));"
        "input.value = 'https://jenkins.example.com/job/routing/3/testReport/';"
        "input.dispatchEvent(new InputEvent('input', {bubbles: true}))"
    )
    page.reads("#page h1", "routing #3")
    assert page.path.startswith("/builds/")


def test_the_sheet_shows_all_keys_and_gives_the_focus_back(page):
    page.visit("/")
    page.run("document.querySelector('.runs-table a').focus()")
    page.press("?")
    for words in ("search everything", "Ctrl K", "g t", "Trends", "the first filter"):
        assert words in page.text("#keys")
    page.press(Keys.TAB, Keys.TAB, Keys.TAB)
    assert page.run(
        "return document.activeElement === document.body || document.activeElement.closest('#keys') !== null"
    )
    page.press("gt")  # keys of the screen below do nothing now
    page.press(Keys.ESCAPE)
    page.until(lambda: not page.is_open("keys"))
    assert page.path == "/" and page.run("return document.activeElement.closest('.runs-table') !== null")
    page.click("[data-opens=keys]")
    assert page.is_open("keys")


def test_g_and_a_letter_go_to_every_screen_and_f_to_its_first_filter(page):
    page.visit("/?release=7.2")
    screens = page.run(
        "return [...document.querySelectorAll('a[data-nav]')].map((one) => [one.dataset.nav, one.dataset.letter])"
    )
    assert len({letter for _, letter in screens}) == len(screens) >= 6
    for path, letter in screens[1:]:
        page.press("g", letter)
        page.until(lambda path=path: page.path == path + "?release=7.2")
        page.until(lambda path=path: page.run("return document.querySelector('#page h1, #page textarea') !== null"))
    page.press("gf")
    page.until(lambda: page.run("return document.querySelector('#failures input[type=search]') !== null"))
    page.press("f")
    assert page.run("return document.activeElement.type") == "search"


def test_j_and_k_move_over_tiles_runs_and_modules_and_enter_opens(page):
    page.visit("/")
    page.press("j")
    assert page.run("return document.activeElement.matches('.tile h2 a, .tile a')")
    page.press("j")
    assert page.run("return document.activeElement.closest('.runs-table tr') !== null")
    page.press("k", Keys.ENTER)
    page.until(lambda: page.path.startswith("/runs/"))
    page.reads("#page h1", "7.2 #")
    page.until(lambda: page.run("return document.querySelector('.modules-table') !== null"))
    page.press("jj")
    assert page.run("return document.activeElement.closest('.modules-table tr').rowIndex") == 2
    page.press("k", Keys.ENTER)
    page.until(lambda: "module=" in page.path)
    page.visit("/failures")
    page.press("j")
    assert page.run("return document.activeElement.closest('.patterns tr') !== null")


def test_on_a_phone_the_filters_are_one_line_and_a_row_of_a_table_is_a_card(page):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.visit("/failures?release=7.2")
        page.reads("#scope-fold", "Filters (1)")
        assert "7.2" in page.text("#scope-fold")
        visible = "return [...document.querySelectorAll('.scope select')].filter((one) => one.checkVisibility()).length"
        assert page.run(visible) == 0
        assert page.run("return document.querySelector('#failures .filters').offsetHeight") < 60
        page.click("#scope-fold")
        assert page.run(visible) == 4
        page.visit("/")
        page.until(lambda: page.run("return document.querySelector('.runs-table td[data-label=Failed]') !== null"))
        wide = page.run(
            "return [...document.querySelectorAll('.runs-table td')].map((cell) => cell.getBoundingClientRect().right)"
        )
        assert max(wide) <= 390
        page.press("f")
        assert page.run("return document.activeElement.matches('.scope select')")
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_link_a_moment_and_a_call_are_copied(page):
    page.visit("/runs/latest?release=7.2&view=failed")
    page.press("y")
    page.until(lambda: "/results?status=failed" in page.text("#share-call"))
    copied = {}
    for name in ("link", "pinned", "call"):
        page.run("document.getElementById('share-says').textContent = ''")
        page.click(f"[data-copy={name}]")
        page.reads("#share-says", "Copied")
        copied[name] = page.driver.execute_async_script(
            "const done = arguments[0]; navigator.clipboard.readText().then(done, (error) => done(String(error)))"
        )
    assert copied["link"] == page.url + "/runs/latest?release=7.2&view=failed"
    assert copied["pinned"] == f"{copied['link']}&as_of={page.world.store.snapshot().id}"
    newest = ids.text(page.world.runs[2].id)
    assert copied["call"] == f"curl -s '{page.url}/api/v1/runs/{newest}/results?status=failed'"


def downloaded(page: Page, pattern: str) -> Path:
    return page.until(lambda: next(page.downloads.glob(pattern), None), 30)


def test_tables_and_charts_leave_as_files(page):
    page.visit("/trends?release=7.2")
    page.run("document.documentElement.setAttribute('data-bs-theme', 'dark')")
    page.until(lambda: page.run("return document.querySelectorAll('#page .js-plotly-plot .main-svg').length > 5"))
    page.press("y")
    page.until(lambda: "/trends?" in page.text("#share-call"))
    page.click("a[data-file=csv]")
    assert '"series"' in downloaded(page, "trends-*.csv").read_text()
    page.click("a[data-file=parquet]")
    assert downloaded(page, "trends-*.parquet").read_bytes()[:4] == b"PAR1"
    page.run(
        "[...document.querySelectorAll('#share-charts button')]"
        ".find((one) => one.textContent === 'Results as SVG').click()"
    )
    bars = downloaded(page, "Trends-Results.svg").read_text()
    title = float(re.search(r'class="gtitle"[^>]* y="([\d.]+)"', bars)[1])
    legend = float(re.search(r'class="legend"[^>]* transform="translate\([\d.]+, ?([\d.]+)\)"', bars)[1])
    assert title + 4 < legend, "the title stands above the legend"
    for form in ("svg", "png"):
        page.run(
            "[...document.querySelectorAll('#share-charts button')].find((one) => "
            "one.textContent.startsWith('Pass rate') && one.textContent.endsWith(arguments[0])).click()",
            form.upper(),
        )
        page.reads("#share-says", f"{form} was made")
    drawn = downloaded(page, "Trends-Pass-rate.svg").read_text()
    assert "rgb(255, 255, 255)" in drawn and "Trends · Pass rate" in drawn and "var(--" not in drawn
    assert "rgb(236, 238, 242)" not in drawn  # the ink of the dark theme
    assert downloaded(page, "Trends-Pass-rate.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    for screen in ("matrix", "compare"):
        page.visit(f"/{screen}?release=7.2")
        page.press("y")
        page.reads("#share-call", f"/{screen}")
        page.click("a[data-file=csv]")
        assert '"routing"' in downloaded(page, f"{screen}-*.csv").read_text()
    page.visit("/failures")
    page.press("y")
    page.until(lambda: "/failures" in page.text("#share-call"))
    assert page.text("#share").count("PNG") == 0
    page.visit("/sql#sql=SELECT module, 1 AS found FROM build_counts")
    page.reads(".sql-rows", "storage")
    page.press("y")
    page.reads("#share-call", "/api/v1/sql")
    assert page.text("#share").count("PNG") == 0
    page.press(Keys.ESCAPE)
    page.click(".sql-head .chip:nth-child(2)")
    page.until(lambda: page.run("return document.querySelector('#sql-chart .barlayer path') !== null"))
    page.press("y")
    page.until(lambda: page.text("#share").count("PNG") == 1)
    page.click("#share-charts button:nth-child(2)")
    assert "var(--" not in downloaded(page, "Ask-in-SQL-Chart.svg").read_text()


def test_nothing_to_draw_draws_no_empty_axes(page):
    page.visit("/trends?release=9.9")
    page.reads("#trends-head", "Nothing to draw")
    assert not page.driver.find_element("css selector", "#trend-charts").is_displayed()


_CLICK_CELL = """
const canvas = document.querySelector(`#grid [data-row="${arguments[0]}"] canvas`);
const box = canvas.getBoundingClientRect();
const where = { bubbles: true, clientX: box.x + (arguments[1] + 0.5) * box.width / arguments[2], clientY: box.y + 9 };
canvas.dispatchEvent(new MouseEvent("mousemove", where));
canvas.dispatchEvent(new MouseEvent("click", where));
"""


def test_the_grid_is_filtered_at_once_walked_by_keys_and_has_the_focus_again_when_the_text_is_closed(page):
    page.visit("/grid?release=7.2")
    page.until(lambda: page.run("return document.querySelectorAll('#grid canvas').length > 1"))
    assert page.run("return document.querySelector('#grid canvas').offsetWidth") == 3 * 64
    names = page.run(
        "return [...document.querySelectorAll('#grid [data-row] .cells-name')].map((one) => one.innerText)"
    )
    failed = page.run("return [...document.querySelectorAll('#grid [data-row]')].length")
    assert len(names) == failed > 1
    page.run(_CLICK_CELL, 0, 0, 3)
    page.press("j")  # before the text of the first has come
    page.until(lambda: "case=" in page.path)
    page.reads("#drawer h2", names[1].split()[0])
    page.press("k")
    page.reads("#drawer h2", names[0].split()[0])
    page.press("kk")  # there is none before the first
    page.reads("#drawer h2", names[0].split()[0])
    assert page.run(
        "return document.querySelector('#drawer-frame').getBoundingClientRect().top >= 60"
    )  # Search is free
    page.click("#drawer-close")
    page.until(lambda: page.run("return document.activeElement.matches('.cells-grid')"))
    search = page.driver.find_element("css selector", "#grid-head input[type=search]")
    search.send_keys("zzz")
    assert page.run("return [...document.querySelectorAll('#grid [data-row]')].every((line) => line.hidden)")
    page.reads("#grid-head", "No tests here")


def test_a_range_dragged_over_a_chart_is_the_pages_range_until_it_is_taken_away(page):
    page.visit("/trends?release=7.2")
    page.reads("#trends-head", "3 points in 1 line")
    page.until(lambda: page.run("return document.querySelectorAll('#trend-rate .scatterlayer .point').length === 3"))
    area = page.driver.find_element("css selector", "#trend-rate .nsewdrag")
    width = area.size["width"]
    drag = ActionChains(page.driver).move_to_element(area).move_by_offset(-width // 8, 20).click_and_hold()
    drag.move_by_offset(width // 8, 0).move_by_offset(width // 8, 0).release().perform()
    page.until(lambda: "since=" in page.path and "until=" in page.path)
    page.reads("#trends-head", "1 point in 1 line")
    page.click("#trends-head .chip[href='/trends?release=7.2'][aria-current]")
    page.reads("#trends-head", "3 points in 1 line")


def test_what_came_since_the_last_look_is_told_but_not_of_a_narrowed_wall(page):
    seen = {"at": 1, "runs": {"7.2": ids.text(page.world.runs[0].id)}, "broken": {"7.2": 0}}
    seen["started"] = {"7.2": page.world.runs[0].started_at.isoformat() + "Z"}
    page.run("localStorage.setItem('rt-seen', arguments[0])", json.dumps(seen))
    page.visit("/")
    page.reads("#since", "new runs of 7.2 (2 more broken)")
    page.reads("#since", "Newly broken: test_")
    page.click("#since a")
    page.reads("#drawer h2", "test_")
    page.reads(".tile", "new run")
    page.visit("/?environment=prod")
    page.reads(".tile", "7.2")
    assert page.text("#since") == ""
    page.visit("/")  # the last look was a moment ago
    page.reads(".tile", "7.2")
    assert page.text("#since") == ""


def test_an_earlier_moment_is_said_and_left_again(page):
    then = page.world.store.snapshot()
    page.visit(f"/failures?as_of={then.id - 1}")
    page.reads("#then", "This is how it stood at")
    page.press("go")
    page.until(lambda: page.path == f"/?as_of={then.id - 1}")
    page.reads(".runs-table", "#2")
    assert "#3" not in page.text(".runs-table")
    page.click("#then button")
    page.reads(".runs-table", "#3")
    assert page.path == "/" and page.text("#then") == ""
    page.click("#live-text")
    page.run("document.getElementById('past-time').value = '2001-01-01T00:00'")
    page.click("#past-form button")
    page.reads("#past-says", "The store begins at")
    page.reads("#past-begins", "The store begins at")
    assert page.run("return [...document.querySelectorAll('[data-ago]')].every((jump) => jump.disabled && jump.title)")
    assert page.path == "/"
    for moment, words in (("", "Choose a moment"), ("2999-01-01T00:00", "still to come")):
        page.run("document.getElementById('past-time').value = arguments[0]", moment)
        page.click("#past-form button")
        page.reads("#past-says", words)
    assert page.driver.get_log("browser") == [] and page.path == "/"


def test_two_tabs_outlive_a_server_that_is_stopped_and_started_again(page, tmp_path):
    """Both say that it is gone, go on by themselves with what came meanwhile, and are not loaded anew."""
    world = World.at(tmp_path / "home")
    world.run({"routing": {"a": "P"}}, "9.1", started_at=NOW - timedelta(hours=3))
    serving = create_app(load(home=world.store.settings.home)).server

    @contextmanager
    def served(port: int) -> Iterator[int]:
        server = make_server("127.0.0.1", port, serving, threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port
        server.shutdown()
        server.server_close()
        thread.join()

    first = page.driver.current_window_handle
    with served(0) as port:
        page.driver.get(f"http://127.0.0.1:{port}/")
        page.driver.switch_to.new_window("tab")
        page.driver.get(f"http://127.0.0.1:{port}/trends?release=9.1")
        second = page.driver.current_window_handle
        for tab, sink in ((first, "#overview"), (second, "#trends-head")):
            page.driver.switch_to.window(tab)
            page.reads(sink, "9.1" if tab == first else "1 point")
            page.run("window.kept = true")
    for tab in (first, second):
        page.driver.switch_to.window(tab)
        page.reads("#offline", "cannot be reached")
    world.run({"routing": {"a": "F"}}, "9.1", started_at=NOW - timedelta(hours=1))
    with served(port):
        for tab, sink, words in ((first, ".runs-table", "#2"), (second, "#trends-head", "2 points")):
            page.driver.switch_to.window(tab)
            page.reads(sink, words)
            page.until(lambda: page.text("#offline") == "")
            assert page.run("return window.kept")
        page.driver.close()
        page.driver.switch_to.window(first)
        page.driver.get("about:blank")
    page.driver.get_log("browser")  # the browser tells of every request that failed


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_dialogs_are_accessible(page, theme):
    page.run(f"localStorage.setItem('rt-theme', '{theme}')")
    page.visit(f"/?as_of={page.world.store.snapshot().id}")
    for key, dialog in (("/", "palette"), ("?", "keys"), ("y", "share")):
        page.press(key)
        if dialog == "palette":
            page.press("routing")
            page.reads("#palette-list", "Builds")
        found = page.driver.execute_async_script(
            AXE + ";const done = arguments[arguments.length - 1];"
            "axe.run(document, {resultTypes: ['violations']}).then((found) => done(found.violations))"
        )
        serious = [
            (one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], dialog
        page.press(Keys.ESCAPE)
        page.until(lambda dialog=dialog: not page.is_open(dialog))
