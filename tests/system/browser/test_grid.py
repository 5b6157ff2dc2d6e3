"""The grid through a real browser: what a cell opens, and what stays where it is while new data comes."""

from __future__ import annotations

import pyarrow as pa
from dash.testing.browser import Browser
from dash.testing.wait import until
from selenium.webdriver.common.keys import Keys
from support.browser import recent, texts, wait_for_text
from support.store_builder import cases

_CELL = """
const [row, column] = arguments[0];
const canvas = document.querySelector(`#grid [data-row="${row}"] canvas`);
const columns = document.querySelectorAll(".cells-head .cells > a").length;
const box = canvas.getBoundingClientRect();
const where = { bubbles: true, clientX: box.x + (column + 0.5) * box.width / columns, clientY: box.y + 9 };
for (const type of arguments[1]) canvas.dispatchEvent(new MouseEvent(type, where));
"""


def painted(duo: Browser, rows: int) -> None:
    until(lambda: len(duo.find_elements("#grid canvas")) == rows, 60)


def on_topologies(**letters: str) -> pa.Table:
    parts = [
        cases("routing", {"test_links": letter}, topology, message=f"{{name}} broke on {topology}")
        for topology, letter in letters.items()
    ]
    return pa.concat_tables(parts)


def test_a_cell_opens_and_explains_the_result_that_it_shows(world, visit, dash_duo):
    table = on_topologies(a="P", b="F", c="P")
    world.run({"routing": table}, "7.2", started_at=recent(20))
    then = world.store.snapshot().id
    world.run({"routing": on_topologies(a="F", b="P", c="P")}, "7.2", started_at=recent(2))
    worst = {"/grid?release=7.2": ("a", 0), "/grid?release=7.2&topology=b": ("b", 1)}
    worst |= {f"/grid?release=7.2&as_of={then}": ("b", 0), "/grid?release=7.2&topology=c": ("c", 0)}
    for address, (topology, column) in worst.items():
        visit(address)
        painted(dash_duo, 1)
        dash_duo.driver.execute_script(_CELL, [0, column], ["mousemove"])
        text = f"test_links broke on {topology}" if topology != "c" else "passed"
        wait_for_text(dash_duo, "#grid-tip", text)
        dash_duo.driver.execute_script(_CELL, [0, column], ["click"])
        wait_for_text(dash_duo, "#drawer .drawer-facts", f"topology {topology}")
        assert f".{topology}" in dash_duo.driver.current_url


def test_rows_and_cursor_keep_their_place_while_the_grid_is_read(world, visit, dash_duo):
    def run(hours: float, **letters: str) -> None:
        world.run({"routing": letters}, "7.2", started_at=recent(hours))

    for hours in (30, 20, 10):
        run(hours, test_a="F", test_b="P", test_c="P")
    visit("/grid?release=7.2")
    painted(dash_duo, 3)
    grid = dash_duo.find_element(".cells-grid")
    grid.send_keys(Keys.ARROW_DOWN)
    wait_for_text(dash_duo, "#grid-tip", "test_b in run #3")
    for hours in (5, 4, 3, 2):
        run(hours, test_b="F", test_c="P", test_new="F")
    wait_for_text(dash_duo, "#held", "4 new runs – show", timeout=60)
    names = [name.split()[0] for name in texts(dash_duo, "#grid [data-row] .cells-name")]
    assert names == ["test_a", "test_b", "test_c"]
    grid.send_keys(Keys.HOME)
    wait_for_text(dash_duo, "#grid-tip", "test_b in run #3")
    dash_duo.find_element("#held button").click()
    until(lambda: len(dash_duo.find_elements("#grid [data-row]")) == 4, 60)
    assert texts(dash_duo, "#held") == [""]
    names = [name.split()[0] for name in texts(dash_duo, "#grid [data-row] .cells-name")]
    assert names[0] == "test_b"
    dash_duo.driver.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    wait_for_text(dash_duo, "#grid-tip", "test_b in run #2")


def test_values_of_a_grid_that_is_read_change_where_they_stand(world, visit, dash_duo):
    both = {"routing": {"test_a": "F"}, "storage": {"test_b": "P"}}
    world.run(both, "7.2", started_at=recent(9))
    at = recent(1)
    world.run(both | {"storage": None}, "7.2", state="running", started_at=at, number=2)
    visit("/grid?release=7.2&order=name")
    painted(dash_duo, 2)
    dash_duo.find_element(".cells-grid").send_keys(Keys.ARROW_DOWN)
    wait_for_text(dash_duo, "#grid-tip", "test_b in run #2 prod: did not run")
    dash_duo.driver.execute_script("window.kept = document.querySelector('.cells-grid')")
    world.run(both | {"storage": {"test_b": "F"}}, "7.2", started_at=at, number=2)
    until(lambda: len(dash_duo.find_elements(".cells-head .s-failing")) == 2, 60)
    dash_duo.find_element(".cells-grid").send_keys(Keys.HOME)
    wait_for_text(dash_duo, "#grid-tip", "test_b in run #2 prod: failed")
    assert dash_duo.driver.execute_script("return window.kept.isConnected") and texts(dash_duo, "#held") == [""]
