"""Grid, charts and the past as a reader moves through them, through a real browser."""

from __future__ import annotations

import json

from selenium.webdriver.common.action_chains import ActionChains

from data.model import ids

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
    page.reads("#grid-head", "No matching tests")


def test_a_term_leads_from_a_screen_to_its_heading_in_the_documentation(page):
    term = "document.querySelector('#page a[href*=\"/docs/verdicts#\"]')"
    page.visit("/runs/latest?release=7.2")
    page.until(lambda: page.run(f"return Boolean({term})"))
    heading = page.run(f"const link = {term}; link.click(); return link.hash.slice(1)")
    page.until(lambda: page.run("return document.activeElement.id") == heading)
    page.until(lambda: page.run("return document.activeElement.getBoundingClientRect().top < innerHeight"))


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


def test_what_is_new_since_the_last_look_is_shown_but_not_on_a_filtered_overview(page):
    seen = {"at": 1, "runs": {"7.2": ids.text(page.world.runs[0].id)}, "broken": {"7.2": 0}}
    seen["started"] = {"7.2": page.world.runs[0].started_at.isoformat() + "Z"}
    page.run("localStorage.setItem('rt-seen', arguments[0])", json.dumps(seen))
    page.visit("/")
    page.reads("#since", "7.2 (2 more broken)")
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
    page.reads("#then", "You are looking at")
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
    page.reads("#past-status", "The store begins at")
    page.reads("#past-begins", "The store begins at")
    assert page.run("return [...document.querySelectorAll('[data-ago]')].every((jump) => jump.disabled && jump.title)")
    assert page.path == "/"
    for moment, words in (("", "Choose a time"), ("2999-01-01T00:00", "in the future")):
        page.run("document.getElementById('past-time').value = arguments[0]", moment)
        page.click("#past-form button")
        page.reads("#past-status", words)
    assert page.driver.get_log("browser") == [] and page.path == "/"
