"""One test: its results in every run by topology and environment, and why it failed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from statistics import median
from typing import TypedDict

from dash import Dash, html

from dashboard import rendering
from dashboard.api import parameters
from dashboard.api_links import ApiCall, api_call
from dashboard.page_url import PAGE_SIZE, PageUrl, offset_of
from data.answers.bugs import Bug
from data.answers.statistics import RateHistory, Suspects
from data.answers.tests import Attempt, HistoryRow, TestDetail
from data.answers.verdicts import Verdict
from data.lake.store import Store
from data.queries import bugs, tests
from data.verdicts import rate_segments, suspects, verdicts
from data.verdicts.rules import KINDS

PATH, NAME = "/tests/<test>", ""
HISTORY = 300
STRIP = 60
SPLITS = ("release", "environment", "topology")
SUSPECTS = 5
MEDIAN = 5  # passed results per median of the duration line
VERDICTS = 4  # in the head, worst first


def layout() -> html.Div:
    return html.Div(rendering.html_slot("test"), className="page")


def register(app: Dash) -> None:
    rendering.register(app, "test", PATH, "test.html", page_data)


class TestPage(TypedDict):
    """A test, its newest results, and why it failed."""

    test: TestDetail
    history: list[HistoryRow]
    rows: list[HistoryRow]
    offset: int
    more: bool
    splits: tuple[str, ...]
    split: tuple[str, ...]
    lanes: list[Strip]
    reasons: list[Reason]
    pager: ShownFailure | None
    segments: list[RateHistory]
    suspects: list[Suspects]
    chart: DurationChart | None
    verdicts: list[Verdict]
    bugs: list[Bug]
    counts: dict[str, int]


def page_data(store: Store, url: PageUrl, test: str) -> TestPage:
    this = tests.test(store, test)
    if this is None:
        raise rendering.UnknownError(f"No test {test}. The link may belong to another installation.")
    flt = replace(url.filter, module=None)
    history = tests.history(store, test, flt, HISTORY)
    offset = offset_of(url)
    lane = replace(flt, module=this["module"], topology=None)
    test_verdicts = verdicts.verdicts(store, lane, KINDS, VERDICTS, tests=(test,))
    split = tuple(name for name in SPLITS if name in url.get("split", ",".join(SPLITS)).split(","))
    found = reasons(history)
    return {
        "test": this,
        "history": history,
        "rows": history[offset : offset + PAGE_SIZE],
        "offset": offset,
        "more": len(history) > offset + PAGE_SIZE,
        "splits": SPLITS,
        "split": split,
        "lanes": lanes(history, split),
        "reasons": found,
        "pager": _failure(store, url, history),
        "segments": rate_segments.segments(store, test, replace(lane, topology=flt.topology)),
        "suspects": [{**row, "suspects": row["suspects"][:SUSPECTS]} for row in suspects.suspects(store, test, lane)],
        "chart": durations(history),
        "verdicts": test_verdicts,
        "bugs": bugs.bugs_of_tests(store, (test,), flt).get(test, []),
        "counts": {
            status: sum(row["status"] == status for row in history) for status in ("passed", "failed", "skipped")
        },
    }


class _Bar(HistoryRow):
    """A result in a strip; `height` is its duration in percent of the strip's longest."""

    height: int


class Strip(TypedDict):
    key: str
    names: list[str]
    bars: list[_Bar]
    longest: float
    failed: int


class Reason(TypedDict):
    """A failure pattern of a history."""

    signature: str | None
    count: int
    newest: HistoryRow
    oldest: HistoryRow
    strip: str


class Dot(TypedDict):
    x: float
    y: float
    row: HistoryRow


class DurationChart(TypedDict):
    """Geometry of the durations: `top` in seconds, dots oldest first, lines (topology, SVG points of the median over
    the last five passes)."""

    width: int
    height: int
    top: float
    dots: list[Dot]
    lines: list[tuple[str, str]]


class ShownFailure(TypedDict):
    """The failure whose text is shown: number `at` of `of`, newest first."""

    at: int
    of: int
    row: HistoryRow
    reason: str
    attempts: list[Attempt]


def _failure(store: Store, url: PageUrl, history: list[HistoryRow]) -> ShownFailure | None:
    """The failure whose text is shown: `failure` in the URL counts from the newest, `reason` selects one pattern."""
    reason = url.get("reason")
    failed = [row for row in history if row["status"] == "failed" and reason in ("", row["signature"])]
    if not failed:
        return None
    text = url.get("failure", "0")
    at = min(int(text), len(failed) - 1) if text.isascii() and text.isdigit() else 0
    row = failed[at]
    attempts = tests.attempts(store, row["build"], url.path.split("/")[2], row["topology"])
    return {"at": at, "of": len(failed), "row": row, "reason": reason, "attempts": attempts[::-1]}


def lanes(history: list[HistoryRow], split: tuple[str, ...] = SPLITS) -> list[Strip]:
    """One strip per release, environment and topology (or the fields in `split`): the newest results, oldest first;
    `height` is the duration in percent of the strip's longest."""
    found: dict[tuple[str, ...], list[HistoryRow]] = defaultdict(list)
    for row in history:
        fields = {"release": row["release"], "environment": row["environment"], "topology": row["topology"]}
        key = tuple(fields[name] or "" for name in split)
        if len(found[key]) < STRIP:
            found[key].append(row)
    answer: list[Strip] = []
    for key, rows in sorted(found.items(), reverse=True):
        longest = max((row["duration_s"] or 0 for row in rows), default=0)
        bars: list[_Bar] = [{**row, "height": _height(row["duration_s"], longest)} for row in reversed(rows)]
        answer.append(
            {
                "key": "-".join(key),
                "names": [name for name in key if name] or ["all results"],
                "bars": bars,
                "longest": longest,
                "failed": sum(row["status"] == "failed" for row in rows),
            }
        )
    return answer


def _height(seconds: float | None, longest: float) -> int:
    """Percent of the strip's height, at least enough to be clicked."""
    return max(round(100 * (seconds or 0) / longest), 12) if longest else 60


def reasons(history: list[HistoryRow]) -> list[Reason]:
    """The failure patterns of a history, the most frequent first, each with its newest example."""
    found: dict[str | None, list[HistoryRow]] = defaultdict(list)
    for row in history:
        if row["status"] == "failed":
            found[row["signature"]].append(row)
    strips = {signature: "".join(_letter(row, signature) for row in reversed(history[:STRIP])) for signature in found}
    answer: list[Reason] = [
        {
            "signature": signature,
            "count": len(rows),
            "newest": rows[0],
            "oldest": rows[-1],
            "strip": strips[signature],
        }
        for signature, rows in found.items()
    ]
    return sorted(answer, key=lambda reason: -reason["count"])


def _letter(row: HistoryRow, signature: str | None) -> str:
    """The status letter of a result in one reason's strip; "-" if it failed for another reason."""
    if row["status"] == "failed":
        return "F" if row["signature"] == signature else "-"
    return "S" if row["status"] == "skipped" else "P"


def durations(history: list[HistoryRow], width: int = 1000, height: int = 150) -> DurationChart | None:
    """None if fewer than two results have a duration."""
    timed = [(row, row["duration_s"]) for row in reversed(history) if row["duration_s"] is not None]
    if len(timed) < 2:
        return None
    top = max(seconds for _, seconds in timed) * 1.05 or 1.0

    def x(index: int) -> float:
        return round(index / (len(timed) - 1) * width, 1)

    def y(seconds: float) -> float:
        return round(height - seconds / top * height, 1)

    dots: list[Dot] = []
    lines: dict[str, list[str]] = defaultdict(list)
    recent: dict[str, list[float]] = defaultdict(list)
    for index, (row, seconds) in enumerate(timed):
        dots.append({"x": x(index), "y": y(seconds), "row": row})
        if row["status"] == "passed":
            last = recent[row["topology"]]
            last.append(seconds)
            lines[row["topology"]].append(f"{x(index)},{y(median(last[-MEDIAN:]))}")
    return {
        "width": width,
        "height": height,
        "top": top,
        "dots": dots,
        "lines": [(name, " ".join(points)) for name, points in sorted(lines.items()) if len(points) > 1],
    }


def as_api_call(store: Store, url: PageUrl, test: str) -> ApiCall:
    return api_call(("tests", test, "history"), parameters.HistoryQuery, url)
