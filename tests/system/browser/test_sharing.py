"""What is shared and saved, through a real browser: links, calls of the API, files, pictures."""

from __future__ import annotations

import re
from pathlib import Path

from selenium.webdriver.common.keys import Keys
from support.browser import Page

from data.model import ids


def test_a_link_a_moment_and_a_call_are_copied(page):
    page.visit("/runs/latest?release=7.2&view=failed")
    page.press("y")
    page.until(lambda: "/results?status=failed" in page.text("#share-call"))
    copied = {}
    for name in ("link", "pinned", "call"):
        page.run("document.getElementById('share-status').textContent = ''")
        page.click(f"[data-copy={name}]")
        page.reads("#share-status", "Copied")
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
    assert title + 4 < legend, "the title is above the legend"
    for form in ("svg", "png"):
        page.run(
            "[...document.querySelectorAll('#share-charts button')].find((one) => "
            "one.textContent.startsWith('Pass rate') && one.textContent.endsWith(arguments[0])).click()",
            form.upper(),
        )
        page.reads("#share-status", f"{form} was saved")
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
    assert "var(--" not in downloaded(page, "SQL-Chart.svg").read_text()


def test_nothing_to_draw_draws_no_empty_axes(page):
    page.visit("/trends?release=9.9")
    page.reads("#trends-head", "No release 9.9")
    assert not page.driver.find_element("css selector", "#trend-charts").is_displayed()
