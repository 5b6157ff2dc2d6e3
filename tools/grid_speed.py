"""Measure in Chromium how long the grid takes to paint 1,000 tests x 200 runs, and how smoothly it scrolls.

`python tools/grid_speed.py URL` needs a running dashboard. The content is generated here: only the browser is timed.
"""

from __future__ import annotations

import statistics
import sys

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PAINTS = 7
_MAKE = """
const letters = "PPPPPPFSK-";
window.generate = (seed) => ({
  at: seed,
  release: "7.0",
  runs: Array.from({length: 200}, (_, i) =>
    ["r" + i, 500 - i, new Date(1.79e12 - i * 4.3e7).toISOString(), "prod", "7.0.0." + (90 - (i >> 1)), "ok"]),
  tests: Array.from({length: 1000}, (_, i) =>
    ["t" + i, "test_restart_default_gateway_" + i + "_" + seed,
      "tests/routing/gateway_test.py::Gateway::test_restart_default_gateway_" + i, "routing",
      i % 9 ? [] : ["flaky"], i % 3 ? "" : "Gateway"]),
  cells: Array.from({length: 1000}, (_, i) =>
    Array.from({length: 200}, (_, j) => letters[(i * 7 + j * 13 + seed) % 10]).join("")),
});
"""
# From the arrival of the answer to the frame after its paint.
_PAINT = """
const done = arguments[1], data = generate(arguments[0]), start = performance.now();
dash_clientside.rt.grid(data, "grid");
requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
"""
_SCROLL = """
const done = arguments[0], grid = document.querySelector(".cells-grid"), frames = [];
let last = performance.now(), left = 120;
function step(now) {
  frames.push(now - last);
  last = now;
  grid.scrollTop += 150;
  if (--left) requestAnimationFrame(step); else done(frames.slice(2));
}
requestAnimationFrame(step);
"""


def main(url: str) -> None:
    options = Options()
    for argument in ("--headless=new", "--no-sandbox", "--window-size=1440,900"):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options)
    try:
        driver.get(url.rstrip("/") + "/grid")
        WebDriverWait(driver, 30).until(lambda browser: browser.find_elements(By.CSS_SELECTOR, "#grid"))
        driver.execute_script(_MAKE)
        paints = [driver.execute_async_script(_PAINT, seed) for seed in range(PAINTS)]
        frames = driver.execute_async_script(_SCROLL)
    finally:
        driver.quit()
    late = sum(frame > 34 for frame in frames)
    sys.stdout.write(
        f"paint of 1,000 x 200: median {statistics.median(paints):.0f} ms, first {paints[0]:.0f} ms, "
        f"worst {max(paints):.0f} ms of {PAINTS}\n"
        f"scrolling: median frame {statistics.median(frames):.1f} ms, worst {max(frames):.0f} ms, "
        f"{late} of {len(frames)} later than 34 ms\n"
    )


if __name__ == "__main__":
    main(sys.argv[1])
