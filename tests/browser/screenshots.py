"""Pictures of every screen in both themes, of a dashboard that runs: `python tests/browser/screenshots.py URL FOLDER`.

Meant for the demo: `make demo`, then this against its address; docs/ and the README show what it makes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.request import urlopen

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

SIZES = {"": (1440, 900), "-phone": (390, 844)}


def main(url: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        for suffix, (width, height) in SIZES.items():
            driver = browser(width, height)
            driver.get(url)
            driver.execute_script(f"localStorage.setItem('rt-theme', '{theme}')")
            for name, (path, ready) in screens(url).items():
                driver.get(url.rstrip("/") + path)
                WebDriverWait(driver, 30).until(lambda browser, css=ready: browser.find_elements(By.CSS_SELECTOR, css))
                driver.save_screenshot(str(folder / f"{name}-{theme}{suffix}.png"))
            driver.quit()


def screens(url: str) -> dict[str, tuple[str, str]]:
    """Screen -> (path, what stands there when it is drawn), of the release that has most to tell."""
    tiles = _ask(url, "/releases")
    tile = max(tiles, key=lambda tile: tile["regressions"] if tile["latest_run"] else -1)
    run = tile["latest_run"]["id"]
    failed = _ask(url, f"/runs/{run}/results?status=failed")[0]
    case = f"{failed['test']}.{failed['build']}.{failed['topology']}" if "build" in failed else failed["test"]
    build = _ask(url, f"/builds?release={tile['release']}")[-1]["id"]
    return {
        "overview": ("/", ".tile"),
        "run": (f"/runs/{run}", ".modules-table"),
        "failure": (f"/runs/{run}?view=failed&case={case}", "#drawer .log"),
        "trends": (f"/trends?release={tile['release']}", "#trend-counts .barlayer path"),
        "build": (f"/builds/{build}", ".run-head"),
        "test": (f"/tests/{failed['test']}?release={tile['release']}", ".lane"),
    }


def _ask(url: str, path: str) -> list[dict]:
    with urlopen(f"{url.rstrip('/')}/api/v1{path}") as answer:
        return json.load(answer)["items"]


def browser(width: int, height: int) -> webdriver.Chrome:
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--force-color-profile=srgb"):
        options.add_argument(argument)
    options.add_argument("--window-size=1440,900")
    driver = webdriver.Chrome(options=options)
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    return driver


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
