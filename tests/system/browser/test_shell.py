"""What surrounds every screen, in a real browser: search, keys, dialogs, a server that is away."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from selenium.webdriver.common.keys import Keys
from support.browser import recent
from support.live_server import served
from support.store_builder import World

from dashboard.app import create_app
from data.settings import load

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()


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
    page.reads("#palette-status", "No matches")
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
    for words in ("search everything", "Ctrl K", "g t", "Trends", "first filter of the screen"):
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


def test_on_a_phone_the_filters_fold_or_wrap_and_a_row_of_a_table_is_a_card(page):
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        page.visit("/failures?release=7.2")
        page.reads("#scope-fold", "Filters (1)")
        assert "7.2" in page.text("#scope-fold")
        visible = "return [...document.querySelectorAll('.scope select')].filter((one) => one.checkVisibility()).length"
        assert page.run(visible) == 0
        edges = "[...document.querySelectorAll('#failures .filters *')].map((one) => one.getBoundingClientRect().right)"
        assert page.run(f"return Math.max(...{edges})") <= 390
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


def test_two_tabs_outlive_a_server_that_is_stopped_and_started_again(page, tmp_path):
    """Both report that it is gone, continue with what came meanwhile, and are not reloaded."""
    world = World.at(tmp_path / "home")
    world.run({"routing": {"a": "P"}}, "9.1", started_at=recent(3))
    serving = create_app(load(home=world.store.settings.home)).server

    first = page.driver.current_window_handle
    with served(serving) as address:
        page.driver.get(address)
        page.driver.switch_to.new_window("tab")
        page.driver.get(f"{address}/trends?release=9.1")
        second = page.driver.current_window_handle
        for tab, slot in ((first, "#overview"), (second, "#trends-head")):
            page.driver.switch_to.window(tab)
            page.reads(slot, "9.1" if tab == first else "1 point")
            page.run("window.kept = true")
    for tab in (first, second):
        page.driver.switch_to.window(tab)
        page.reads("#offline", "cannot be reached")
    world.run({"routing": {"a": "F"}}, "9.1", started_at=recent(1))
    with served(serving, urlsplit(address).port):
        for tab, slot, words in ((first, ".runs-table", "#2"), (second, "#trends-head", "2 points")):
            page.driver.switch_to.window(tab)
            page.reads(slot, words)
            page.until(lambda: page.text("#offline") == "")
            assert page.run("return window.kept")
        page.driver.close()
        page.driver.switch_to.window(first)
        page.driver.get("about:blank")
    page.driver.get_log("browser")  # the browser logs every failed request


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
