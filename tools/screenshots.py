"""Take screenshots of every screen of a running dashboard, in both themes and at two widths.

`python tools/screenshots.py URL FOLDER`, meant for the demo: start `make demo`, then pass its address and
`docs/screenshots`. The README shows some of them. A palette keeps each picture well under 150 KB.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

from PIL import Image
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

SIZES = {"": (1440, 900), "-phone": (390, 844)}
COLOURS = 64


def main(url: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    driver = browser()
    try:
        driver.get(url)
        for theme in ("light", "dark"):
            driver.execute_script(f"localStorage.setItem('rt-theme', '{theme}')")
            for suffix, (width, height) in SIZES.items():
                resize(driver, width, height)
                for name, (path, ready) in screens(url).items():
                    driver.get(url.rstrip("/") + path)
                    WebDriverWait(driver, 30).until(
                        lambda browser, css=ready: browser.find_elements(By.CSS_SELECTOR, css)
                    )
                    _save(driver.get_screenshot_as_png(), folder / f"{name}-{theme}{suffix}.png")
    finally:
        driver.quit()


def screens(url: str) -> dict[str, tuple[str, str]]:
    """Screen -> (path, selector of an element that it has once drawn), of the release with the most failures."""
    tiles = ask(url, "/releases")
    tile = max(tiles, key=lambda tile: tile["regressions"] if tile["latest_run"] else -1)
    run, release = tile["latest_run"]["id"], quote(tile["release"])
    worst = ask(url, f"/verdicts?release={release}&kind=regression,always_failing,new_failure&limit=1")[0]
    failed = ask(url, f"/runs/{run}/results?status=failed")[0]
    case = f"{failed['test']}.{failed['build']}.{quote(failed['topology'])}"
    pattern = ask(url, f"/failures?release={release}&limit=1")[0]["signature"]
    return {
        "overview": ("/", ".tile"),
        "run": (f"/runs/{run}", ".modules-table"),
        "run-what-broke": (f"/runs/{run}?view=broken", ".case"),
        "run-changes": (f"/runs/{run}?view=changes", ".cases"),
        "drawer": (f"/runs/{run}?view=failed&case={case}", "#drawer .log"),
        "matrix": (f"/matrix?release={release}&by=topology", ".matrix"),
        "failures": (f"/failures?release={release}", ".patterns"),
        "failure": (f"/failures/{pattern}", ".days"),
        "grid": (f"/grid?release={release}&runs=60", ".cells-grid"),
        "trends": (f"/trends?release={release}", "#trend-counts .barlayer path"),
        "compare": (f"/compare?release={release}", ".two-runs"),
        "test": (f"/tests/{worst['test']}?release={release}", ".lane"),
        "build": (f"/builds/{failed['build']}", ".cases"),
        "ingest": ("/ingest", "#ingest h1"),
        "verdicts": ("/docs/verdicts", ".docs-text h2"),
    }


def ask(url: str, path: str) -> list[dict]:
    with urlopen(f"{url.rstrip('/')}/api/v1{path}") as answer:
        return json.load(answer)["items"]


def _save(png: bytes, path: Path) -> None:
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    # No dithering: flat colours stay flat, and text sharp.
    picture.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(path, optimize=True)


def browser() -> webdriver.Chrome:
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--force-color-profile=srgb"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options)
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    )
    return driver


def resize(driver: webdriver.Chrome, width: int, height: int) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
