"""Small charts inside text: a spark of runs, a strip of statuses, a bar of counts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NotRequired, TypedDict

from dashboard.formats import percent
from data.answers.base import Counts
from data.answers.runs import ListedBuild, SparkPoint

_STEP, _HEIGHT = 10, 44
LETTERS = {"P": ("passed", "passed"), "F": ("failed", "failed"), "S": ("skipped", "skipped"),
           "K": ("flaky", "passed on a rerun"), "-": ("none", "did not run")}  # fmt: skip


class SparkBar(TypedDict):
    """A run; `parts` are (class, y, height)."""

    x: int
    id: str
    number: int
    state: str
    incomplete: bool
    parts: list[tuple[str, float, float]]
    title: str


class Spark(TypedDict):
    width: int
    height: int
    bars: list[SparkBar]


class Bar(Counts):
    """A row of counts, of a run, a module or a build, with what says how much an incomplete one lacks."""

    incomplete: NotRequired[bool]
    expected_total: NotRequired[int | None]
    builds: NotRequired[int | list[ListedBuild]]
    missing: NotRequired[int]


def spark(points: list[SparkPoint], name: Callable[[SparkPoint], str], slots: int = 20) -> Spark:
    """Geometry of a spark: one bar per run, from 0 to 100 % for every release, with failed and skipped at the top."""
    bars: list[SparkBar] = []
    for index, point in enumerate(points[-slots:], start=slots - min(len(points), slots)):
        bars.append(
            {
                "x": index * _STEP,
                "id": point["id"],
                "number": point["number"],
                "state": point["state"],
                "incomplete": point["incomplete"],
                "parts": _bar_segments(point),
                "title": _title(point, name(point)),
            }
        )
    return {"width": slots * _STEP - 3, "height": _HEIGHT, "bars": bars}


def _bar_segments(point: SparkPoint) -> list[tuple[str, float, float]]:
    if not point["total"]:
        return [("empty", 0, _HEIGHT)]
    parts, top = [], 0.0
    for name, count in (("failed", point["failed"]), ("skipped", point["skipped"])):
        height = count / point["total"] * _HEIGHT
        if count:
            height = max(height, 1.5)
        height = min(height, _HEIGHT - top)
        if round(height, 2) > 0:
            parts.append((name, round(top, 2), round(height, 2)))
        top += height
    if round(_HEIGHT - top, 2) > 0:
        parts.append(("passed", round(top, 2), round(_HEIGHT - top, 2)))
    return parts


def _title(point: SparkPoint, name: str) -> str:
    if not point["total"]:
        return f"{name} {point['state']}: no results"
    passed = f"{percent(point['pass_rate'])} % of {point['total']} passed"
    if point["incomplete"]:
        passed = f"{point['passed']} of {point['total']} passed, results are missing"
    return f"{name} {point['state']}: {passed}, {point['failed']} failed, {point['skipped']} skipped"


def bar(row: Bar) -> list[tuple[str, float]]:
    """Shares of a counts bar in percent: (class, width); any share above 0 is at least 1 % wide. What an incomplete row
    lacks is a share of its own, by its expected total or by its builds."""
    if not row["total"]:
        return []
    amounts: list[tuple[str, float]]
    amounts = [("passed", row["passed"]), ("failed", row["failed"]), ("skipped", row["skipped"])]
    if row.get("incomplete"):
        amounts.append(("missing", _lacking(row)))
    whole = sum(amount for _, amount in amounts)
    small = {name: max(amount / whole * 100, 1.0) for name, amount in amounts if amount}
    scale = 100 / math.fsum(small.values())
    return [(name, round(share * scale, 2)) for name, share in small.items()]


def _lacking(row: Bar) -> float:
    """About how many results an incomplete row lacks."""
    if expected := row.get("expected_total"):
        return max(expected - row["total"], 1)
    builds, lacking = row.get("builds", 0), row.get("missing", 0)
    share = lacking / builds if isinstance(builds, int) and builds > lacking > 0 else 0.05
    return row["total"] * share / (1 - share)


def letters(text: str) -> list[tuple[str, str]]:
    """The statuses of a strip, oldest first: (class, meaning)."""
    return [LETTERS[letter] for letter in text]


def columns(counts: list[int], most: int) -> list[tuple[int, float, float]]:
    """Counts as columns 5 wide and 20 high: (x, y, height); any count above 0 is visible."""
    tall = [max(20 * count / most, 2.0) if count else 0.0 for count in counts]
    return [(5 * index, round(20 - height, 1), round(height, 1)) for index, height in enumerate(tall)]


FUNCTIONS = {"columns": columns, "spark": spark, "bar": bar, "letters": letters}
