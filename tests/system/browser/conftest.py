"""A real browser on a real server: headless Chromium, also as root, that can reach nothing but this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dash import Dash
from dash.testing.browser import Browser
from dash.testing.composite import DashComposite
from selenium.webdriver.chrome.options import Options
from support.browser import Page, visiting
from support.compiled_templates import compiled_templates
from support.light_plans import light_plans
from support.live_server import served
from support.store_builder import World

from dashboard.app import create_app
from data.settings import load

__all__ = ["app", "chromium", "compiled_templates", "dash_duo", "light_plans", "page", "three_runs", "visit", "world"]

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--force-prefers-reduced-motion",
    "--window-size=1440,900",
    "--hide-scrollbars",
    # whatever asks another host fails, and is seen in the console
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def _options() -> Options:
    options = Options()
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    return options


def pytest_configure(config: pytest.Config) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium:
        os.environ.setdefault("DASH_TEST_CHROMEPATH", chromium)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashComposite]:
    """One browser for all tests: to start one takes as long as most tests do."""
    with DashComposite(
        server=None,
        browser="Chrome",
        options=[_options()],
        download_path=str(tmp_path_factory.mktemp("download")),
        percy_run=False,
        wait_timeout=60,
    ) as browser:
        browser.driver.implicitly_wait(30)  # for an element to appear: no test waits for one to stay away
        browser.driver.set_script_timeout(120)  # axe reads a long page for more than the usual 30 s on a busy machine
        yield browser


@pytest.fixture
def dash_duo(chromium: DashComposite) -> Iterator[DashComposite]:
    """The shared browser, which forgets what a test left in it."""
    yield chromium
    first, *others = chromium.driver.window_handles
    for handle in others:
        chromium.driver.switch_to.window(handle)
        chromium.driver.close()
    chromium.driver.switch_to.window(first)
    chromium.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.at(tmp_path / "home", memory_tables=False)


@pytest.fixture
def app(world: World) -> Dash:
    """The application on the world's store, opened a second time, as another process would."""
    return create_app(load(home=world.store.settings.home))


@pytest.fixture
def visit(dash_duo: Browser, app: Dash) -> Iterator[Callable[[str], None]]:
    with visiting(dash_duo, app) as go:
        yield go


@pytest.fixture(scope="session")
def three_runs(chromium: DashComposite, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """A release whose last two runs broke, the last in a commit of its own; served for all tests that only look."""
    world = World.at(tmp_path_factory.mktemp("shell") / "home")
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    storage = {"test_disk": "P"}
    good, bad = (
        {"routing": {"test_links": "P", "test_down": letter, "test_up": letter}, "storage": storage} for letter in "PF"
    )
    then, yesterday = (now - timedelta(hours=hours) for hours in (50, 26))
    world.series([(good, {"started_at": then}), (bad, {"started_at": yesterday})], release="7.2")
    world.run(bad, "7.2", started_at=now - timedelta(hours=2))
    with served(create_app(load(home=world.store.settings.home)).server) as url:
        granted = {"origin": url, "permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}
        chromium.driver.execute_cdp_cmd("Browser.grantPermissions", granted)
        # unlike the setting of one tab, it lets a page save several files
        behaves = {"behavior": "allow", "downloadPath": chromium.download_path}
        chromium.driver.execute_cdp_cmd("Browser.setDownloadBehavior", behaves)
        yield Page(chromium.driver, url, world, Path(chromium.download_path))


@pytest.fixture
def page(three_runs: Page) -> Iterator[Page]:
    """A test must leave an empty console, and finds nothing that another one left in the browser."""
    three_runs.driver.get(three_runs.url + "/assets/icon.svg")
    three_runs.run("localStorage.clear()")
    three_runs.driver.get_log("browser")
    yield three_runs
    logs = three_runs.driver.get_log("browser")
    three_runs.driver.get("about:blank")
    assert logs == []
