"""The SQL console in a browser: a query runs, is drawn, kept, cancelled, and is in the address."""

from __future__ import annotations

from urllib.parse import parse_qs, quote

import pytest
from dash.testing.wait import until
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from support.browser import texts

from data.model import ids

HOSTILE = "<img src=x onerror=document.title='owned'>"


@pytest.fixture
def console(world, visit, dash_duo, app):
    world.history({"broken": "PPFF", "steady": "PPPP"})
    world.history({HOSTILE: "FF"}, module="storage")
    yield visit
    app.server.extensions["regtracker_sandbox"].close()


def write(dash_duo, sql: str) -> None:
    """Run a query from the keyboard."""
    field = dash_duo.find_element("#sql-text")
    field.clear()
    field.send_keys(sql, Keys.CONTROL + Keys.ENTER)


def fragment(dash_duo) -> dict[str, list[str]]:
    return parse_qs(dash_duo.driver.current_url.partition("#")[2])


def cells(dash_duo) -> list[str]:
    return texts(dash_duo, ".sql-rows td")


def test_a_query_is_answered_drawn_and_found_again_by_its_address(console, dash_duo):
    console("/sql")
    dash_duo.wait_for_element("#sql-text")
    sql = "SELECT module, sum(failed)::BIGINT AS failed FROM build_counts GROUP BY ALL ORDER BY 1"
    write(dash_duo, sql)
    until(lambda: cells(dash_duo) == ["routing", "2", "storage", "2"], 60)
    assert fragment(dash_duo) == {"sql": [sql]}
    dash_duo.find_elements(".sql-head .chip")[1].click()
    dash_duo.wait_for_element("#sql-chart .barlayer path", timeout=60)
    assert fragment(dash_duo)["view"] == ["bar"]
    address = dash_duo.driver.current_url
    write(dash_duo, "SELECT name, test FROM tests ORDER BY module DESC, name")
    until(lambda: cells(dash_duo)[:1] == [HOSTILE], 60)
    link = dash_duo.find_element(".sql-rows td a").get_attribute("href")
    assert link.endswith("/tests/" + ids.text(ids.of("tests/storage/storage_test.py", "TestIt", HOSTILE)))
    assert dash_duo.driver.title != "owned" and not texts(dash_duo, ".sql-rows img")
    dash_duo.driver.back()
    until(lambda: dash_duo.find_element("#sql-text").get_attribute("value") == sql, 60)
    dash_duo.driver.get("about:blank")
    dash_duo.driver.get(address)
    dash_duo.wait_for_element("#sql-chart .barlayer path", timeout=60)
    assert dash_duo.find_element("#sql-text").get_attribute("value") == sql


def test_names_are_inserted_queries_are_kept_and_forgotten(console, dash_duo):
    console(f"/sql#sql={quote('SELECT 42 AS x FROM')}")
    dash_duo.wait_for_element(".sql-failed", timeout=60)
    dash_duo.find_element("#sql-text").send_keys(Keys.END)
    dash_duo.find_element("[data-key=runs] summary").click()
    dash_duo.find_element("[data-key=runs] [data-sql-insert=runs]").click()
    field = dash_duo.find_element("#sql-text")
    assert field.get_attribute("value") == "SELECT 42 AS x FROM runs"
    name = dash_duo.find_element("#sql-save [name=name]")
    name.send_keys(HOSTILE, Keys.ENTER)
    dash_duo.wait_for_element(".sql-kept", timeout=60)
    assert dash_duo.find_element(".sql-kept a").text == HOSTILE and dash_duo.driver.title != "owned"
    assert dash_duo.find_element("[data-key=runs]").get_attribute("open")  # nothing else moved
    dash_duo.find_element(".sql-kept a").click()
    until(lambda: cells(dash_duo)[:1] == ["42"], 60)
    dash_duo.find_element(".sql-kept button").click()
    until(lambda: not texts(dash_duo, ".sql-kept"), 60)
    refused = [entry for entry in dash_duo.get_logs() if "400" in entry["message"]]
    assert len(refused) == 1  # the query that was cut short


def test_an_error_is_shown_at_its_place_and_a_long_query_is_cancelled(console, dash_duo):
    console("/sql")
    dash_duo.wait_for_element("#sql-text")
    write(dash_duo, "SELECT nonsense FROM runs")
    assert dash_duo.wait_for_element(".sql-answer mark", timeout=60).text == "nonsense"
    chosen = "const field = document.activeElement; return field.value.slice(field.selectionStart, field.selectionEnd)"
    assert dash_duo.driver.execute_script(chosen) == "nonsense"
    write(dash_duo, "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = -1")
    until(lambda: dash_duo.find_element("#sql-cancel").is_displayed(), 60)
    dash_duo.find_element("#sql-cancel").click()
    until(lambda: "Cancelled" in dash_duo.find_element("#sql-answer").text, 60)
    write(dash_duo, "SELECT 43 AS x")
    until(lambda: cells(dash_duo) == ["43"], 60)
    width = "return [document.documentElement.scrollWidth, innerWidth]"
    dash_duo.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    )
    shown, wide = dash_duo.driver.execute_script(width)
    assert shown <= wide == 390
    assert dash_duo.driver.find_elements(By.ID, "sql-run")
    assert len(dash_duo.get_logs()) == 1  # the browser itself notes the 400
