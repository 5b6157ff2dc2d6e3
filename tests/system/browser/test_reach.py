"""A page requested while the server is away, in a real browser."""

from __future__ import annotations

from urllib.parse import urlsplit

from support.browser import recent
from support.fake_server import eventually
from support.live_server import served


def test_it_is_said_not_shown_as_the_old_page_and_comes_by_itself(world, app, chromium):
    world.run({"routing": {"a": "P", "b": "F"}}, "9.1", started_at=recent(3))
    driver = chromium.driver

    def text(selector: str) -> str:
        return driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText).join(' ')", selector
        )

    def click(selector: str) -> None:
        driver.execute_script("document.querySelector(arguments[0]).click()", selector)

    with served(app.server) as address:
        driver.get(address)
        eventually(lambda: "9.1" in text("#overview"))
        driver.execute_script("window.kept = true")
    click("a[data-nav='/failures']")
    eventually(lambda: "could not be loaded" in text("#unloaded h1"))
    assert driver.execute_script("return document.querySelector('#page').offsetHeight") == 0
    driver.back()
    eventually(lambda: text("#unloaded") == "" and "9.1" in text("#overview"))
    driver.forward()
    eventually(lambda: "could not be loaded" in text("#unloaded h1"))
    with served(app.server, urlsplit(address).port):
        eventually(lambda: "AssertionError" in text("#failures"))
        assert text("#unloaded") == "" and driver.execute_script("return window.kept")
        eventually(lambda: text("#offline") == "")
        driver.get("about:blank")
    driver.get_log("browser")  # the browser logs every failed request
