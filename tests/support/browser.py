"""The dashboard in the shared browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dash import Dash
from dash.testing.browser import Browser
from dash.testing.wait import until
from selenium.webdriver import Chrome
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from support.fake_server import eventually
from support.live_server import served
from support.store_builder import World


class Page:
    """The shared browser on one server."""

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

    def until(self, condition: Callable[[], Any], within_s: float = 60) -> Any:
        try:
            return eventually(condition, within_s)
        except AssertionError as error:
            raise AssertionError(self.text("body")[:2000]) from error

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


def recent(hours: float) -> datetime:
    """So many hours ago, as stores keep times: UTC, naive."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(hours=hours)


_TEXTS = "return [...document.querySelectorAll(arguments[0])].map((found) => found.innerText)"


def texts(browser: Browser, selector: str) -> list[str]:
    """What is read in each element, in one line."""
    return [" ".join(text.split()) for text in browser.driver.execute_script(_TEXTS, selector)]


def wait_for_text(browser: Browser, selector: str, text: str, timeout: float = 60) -> None:
    until(lambda: any(text in found for found in texts(browser, selector)), timeout)


@contextmanager
def visiting(browser: Browser, app: Dash) -> Iterator[Callable[[str], None]]:
    """Serve the application; opens a path of it. What is done there must leave an empty console."""
    driver = browser.driver
    with served(app.server) as url:

        def go(path: str) -> None:
            driver.get(url + path)
            browser.wait_for_element("#page h1", timeout=60)

        yield go
        logs = browser.get_logs()
        driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": url, "storageTypes": "all"})
        driver.get("about:blank")
        browser.get_logs()
    assert logs == [], logs
