"""A real browser on a real server: headless Chromium, also as root, that can reach nothing but this machine."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builders import World
from dash import Dash
from dash.testing.application_runners import BaseDashRunner, ThreadedRunner
from dash.testing.browser import Browser
from dash.testing.composite import DashComposite
from dash.testing.wait import until
from selenium.webdriver.chrome.options import Options

from dashboard.app import create_app
from data.settings import load

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
    "--window-size=1440,900",
    "--hide-scrollbars",
    # whatever asks another host fails, and is seen in the console
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def pytest_setup_options() -> Options:
    options = Options()
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    return options


def pytest_configure(config: pytest.Config) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium:
        os.environ.setdefault("DASH_TEST_CHROMEPATH", chromium)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    BaseDashRunner._next_port = 58050 + 500 * int(worker.removeprefix("gw"))


@pytest.fixture(scope="session")
def chromium(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashComposite]:
    """One browser for all tests: to start one takes as long as most tests do."""
    with DashComposite(
        server=None,
        browser="Chrome",
        options=[pytest_setup_options()],
        download_path=str(tmp_path_factory.mktemp("download")),
        percy_run=False,
    ) as browser:
        yield browser


@pytest.fixture
def dash_duo(chromium: DashComposite, dash_thread_server: ThreadedRunner) -> Iterator[DashComposite]:
    """Dash's own fixture, on the shared browser, which forgets what a test left in it."""
    chromium.server = dash_thread_server
    yield chromium
    first, *others = chromium.driver.window_handles
    for handle in others:
        chromium.driver.switch_to.window(handle)
        chromium.driver.close()
    chromium.driver.switch_to.window(first)
    origin = {"origin": dash_thread_server.url, "storageTypes": "all"}
    chromium.driver.execute_cdp_cmd("Storage.clearDataForOrigin", origin)
    chromium.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
    chromium.driver.get("about:blank")
    chromium.get_logs()
    # Dash ends the server by an exception in each of its threads: let those that still answer come to their end.
    until(lambda: not any("process_request" in thread.name for thread in threading.enumerate()), 10)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.at(tmp_path / "home", mirrored=False)


@pytest.fixture
def app(world: World) -> Dash:
    """The application on the world's store, opened a second time, as another process would."""
    return create_app(load(home=world.store.settings.home))


@pytest.fixture
def visit(dash_duo: Browser, app: Dash) -> Iterator[Callable[[str], None]]:
    """Serve the application; opens a path of it. The test must leave an empty console."""
    dash_duo.start_server(app, navigate=False)

    def go(path: str) -> None:
        dash_duo.driver.get(dash_duo.server.url + path)
        dash_duo.wait_for_element("#page h1", timeout=20)

    yield go
    logs = dash_duo.get_logs()
    assert logs == [], logs
