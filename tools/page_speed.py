"""Measure in Chromium how long people wait for a running dashboard: `python tools/page_speed.py URL [--json]`.

Cold: with an empty browser cache, from the request to a usable screen. Interactions: from the click to the paint of
the new content, and the share of the server in it. Run it on an idle machine.
"""

from __future__ import annotations

import json
import statistics
import sys
from dataclasses import asdict, dataclass

from screenshots import browser, resize, screens
from selenium.webdriver import Chrome
from selenium.webdriver.support.ui import WebDriverWait

ROUNDS = 3
# Runs before the scripts of the page; records the first frame with a visible element that matches the selector.
_WATCH = """
(() => {
  const css = %s;
  window.__usable = null;
  const look = () => {
    const found = document.querySelector(css);
    if (found && found.getClientRects().length) window.__usable = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})();
"""
# Clicks or types, waits until the new content is painted; returns [total ms, server ms].
_ACT = """
const [css, text, event, nth, done] = arguments;
const target = document.querySelector(css);
if (!target) { done(null); return; }
performance.clearResourceTimings();
const start = performance.now();
const applied = () => requestAnimationFrame(() => setTimeout(() => {
  const end = performance.now();
  const requests = performance.getEntriesByType("resource").filter((e) => e.name.includes("_dash-update-component"));
  done([end - start, Math.max(0, ...requests.map((e) => e.responseStart - e.requestStart))]);
}));
let left = nth;
document.addEventListener(event, () => { if (!--left) applied(); });
setTimeout(() => done(null), 5000);
if (text) { target.focus(); target.value = text; target.dispatchEvent(new Event("input", { bubbles: true })); }
else if (target.tagName === "SELECT") {
  target.selectedIndex = (target.selectedIndex + 1) %% target.options.length;
  target.dispatchEvent(new Event("change", { bubbles: true }));
}
else target.click();
""".replace("%%", "%")
# Screen -> what people do there: (name, selector, text to type). If the first event that applies markup is not the
# answer, the event that is, and its ordinal. Each starts from the screen as first shown.
ACTIONS: dict[str, list[tuple]] = {
    "overview": [("open a run from its tile", ".tile a[href*='/runs/']", "")],
    "run": [
        ("sort the modules", ".modules-table th a", ""),
        ("what broke", "a[href*='view=broken']", ""),
        ("failed tests", "a[href*='view=failed']", ""),
    ],
    "failure": [("next failing test", "#page .case-row:not(.open) .case-link, #page .case-link", "")],
    "build": [("search in the results", "#page input[type=search]", "case_7")],
    "grid": [
        ("filter by name: rows already loaded", "#page input[type=search]", "case_7", "rt:painted", 1),
        ("filter by name, all rows", "#page input[type=search]", "case_7", "rt:painted", 2),
    ],
    "failures": [("open a pattern", "#page a[href*='/failures/']", "")],
}


@dataclass(frozen=True)
class PageLoad:
    """Time a screen with an empty cache; median of ROUNDS."""

    screen: str
    usable_ms: float
    kilobytes: float  # over the wire
    requests: int


@dataclass(frozen=True)
class Action:
    """Time an interaction on a screen; median of ROUNDS."""

    screen: str
    action: str
    painted_ms: float
    server_ms: float


def main(url: str, as_json: bool) -> None:
    driver = browser()
    resize(driver, 1440, 900)
    driver.set_script_timeout(30)
    loads, actions = [], []
    for name, (path, ready) in screens(url).items():
        address = url.rstrip("/") + path
        cold = [_cold(driver, address, ready) for _ in range(ROUNDS)]
        usable, kilobytes, requests = (statistics.median(values) for values in zip(*cold, strict=True))
        loads.append(PageLoad(name, usable, kilobytes, int(requests)))
        for action, css, text, *answer in ACTIONS.get(name, []):
            event, nth = answer or ("rt:rendered", 1)
            acts = (_act(driver, address, ready, css, text, event, nth) for _ in range(ROUNDS))
            times = [time for time in acts if time]
            if times:
                painted, server = (statistics.median(values) for values in zip(*times, strict=True))
                actions.append(Action(name, action, painted, server))
            else:
                print(f"{name}: nothing to click for {action!r} ({css})", file=sys.stderr)
    driver.quit()
    figures = {"loads": [asdict(load) for load in loads], "actions": [asdict(action) for action in actions]}
    print(json.dumps(figures) if as_json else _text(loads, actions))


def _cold(driver: Chrome, address: str, ready: str) -> tuple[float, float, int]:
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.clearBrowserCache", {})
    watch = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH % json.dumps(ready)})
    driver.get("about:blank")
    driver.get(address)
    WebDriverWait(driver, 30, 0.02).until(lambda shown: shown.execute_script("return window.__usable"))
    usable = driver.execute_script("return window.__usable")
    fetched = driver.execute_script(
        "return [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
        ".map((entry) => entry.transferSize)"
    )
    driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", watch)
    return usable, sum(fetched) / 1024, len(fetched)


def _act(driver: Chrome, address: str, ready: str, css: str, text: str, event: str, nth: int) -> list[float] | None:
    driver.get(address)
    WebDriverWait(driver, 30, 0.02).until(
        lambda shown: shown.execute_script("return document.querySelector(arguments[0])", ready)
    )
    return driver.execute_async_script(_ACT, css, text, event, nth)


def _text(loads: list[PageLoad], actions: list[Action]) -> str:
    lines = ["| screen, cold | usable ms | KB | requests |", "| --- | ---: | ---: | ---: |"]
    lines += [f"| {load.screen} | {load.usable_ms:.0f} | {load.kilobytes:.0f} | {load.requests} |" for load in loads]
    lines += ["", "| on | interaction | painted ms | of which server ms |", "| --- | --- | ---: | ---: |"]
    lines += [
        f"| {action.screen} | {action.action} | {action.painted_ms:.0f} | {action.server_ms:.0f} |"
        for action in actions
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1], "--json" in sys.argv)
