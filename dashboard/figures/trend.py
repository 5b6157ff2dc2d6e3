"""Pass rate, counts and duration over runs or days.

All charts of a page share the x axis: runs in the order of their start, or calendar days.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypedDict

from dashboard.formats import duration, number, percent
from dashboard.run_names import run_namer
from data.answers.trends import Point, Series
from data.model.json_values import Json, JsonObject

PALETTE = 8
PANELS = 6
_UNITS = (("h", 3600), ("min", 60), ("s", 1))
LABEL = 30  # px above a row, for its name
READABLE = 8  # times as tall as another row may be on the same scale
_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "pentagon")
_Counted = Literal["failed", "skipped", "passed"]
_COUNTS: tuple[tuple[_Counted, str, str], ...] = (
    ("failed", "var(--fail-fill)", "/"),
    ("skipped", "var(--skip-fill)", ""),
    ("passed", "var(--pass-fill)", ""),
)


class Figure(TypedDict):
    """What Plotly draws: traces and layout in its own terms."""

    data: list[JsonObject]
    layout: JsonObject


def rates(series: list[Series]) -> Figure:
    """Pass rate in percent, one line per series. A point without results is a gap, not zero."""
    yaxis: JsonObject = {"ticksuffix": " %", "nticks": 6, "rangemode": "normal"}
    return _line_chart(series, 340, yaxis, lambda point: _scaled(point["pass_rate"], 100))


def durations(series: list[Series]) -> Figure:
    """Test time, summed over the results, one line per series; in hours, minutes or seconds, so that the axis needs no
    fractions."""
    longest = max((point["duration_s"] or 0 for line in series for point in line["points"]), default=0)
    unit, seconds = next((one for one in _UNITS if longest >= 5 * one[1]), _UNITS[-1])
    yaxis: JsonObject = {"ticksuffix": f" {unit}", "nticks": 5, "rangemode": "tozero"}
    return _line_chart(series, 240, yaxis, lambda point: _scaled(point["duration_s"], 1 / seconds))


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _line_chart(series: list[Series], height: int, yaxis: JsonObject, value: Callable[[Point], float | None]) -> Figure:
    """One line per series; points of running runs are hollow. Points of incomplete runs are hollow and not joined: the
    line has a gap there, and they are a trace of their own."""
    at = _positions(series)
    name = _namer(series)
    traces: list[JsonObject] = []
    for (colour, dash), line in zip(_line_styles(series), series, strict=True):
        points = line["points"]
        symbol = _SYMBOLS[colour % len(_SYMBOLS)]
        look: JsonObject = {
            "type": "scatter",
            "name": _plain(line["name"]),
            "legendgroup": _plain(line["name"]),
            **_points(line, at, name),
            "line": {
                "color": f"var(--s{colour % PALETTE + 1}c)",
                "width": 1.8,
                "dash": _DASHES[dash % len(_DASHES)],
            },
        }
        traces.append(
            look
            | {
                "mode": "lines+markers",
                "y": [None if point["incomplete"] else value(point) for point in points],
                "marker": {
                    "size": [9 if point["running"] else 6 for point in points],
                    "symbol": [f"{symbol}-open" if point["running"] else symbol for point in points],
                    "line": {"width": [2 if point["running"] else 0 for point in points]},
                },
            }
        )
        if any(point["incomplete"] for point in points):
            traces.append(
                look
                | {
                    "mode": "markers",
                    "showlegend": False,
                    "y": [value(point) if point["incomplete"] else None for point in points],
                    "marker": {
                        "size": 8,
                        "symbol": f"{symbol}-open",
                        "color": f"var(--s{colour % PALETTE + 1}c)",
                        "line": {"width": 1.5},
                    },
                }
            )
    layout = _axes(at) | {"yaxis": yaxis, "height": height, "showlegend": len(series) > 1, "hovermode": "closest"}
    return {"data": traces, "layout": layout}


def _line_styles(series: list[Series]) -> list[tuple[int, int]]:
    """(colour, dash) of each line. If lines are environments of several releases, each release has a colour and each
    environment a dash."""
    lanes = [{(point.get("release"), point.get("environment")) for point in line["points"]} for line in series]
    if all(len(found) == 1 for found in lanes):
        own = [found.pop() for found in lanes]
        releases = sorted({release for release, _ in own if release})
        environments = sorted({environment for _, environment in own if environment})
        if 1 < len(releases) < len(own):
            return [
                (releases.index(release) if release else 0, environments.index(environment) if environment else 0)
                for release, environment in own
            ]
    return [(index, index // PALETTE) for index in range(len(series))]


def counts(series: list[Series], passed: bool = False) -> Figure:
    """Rows of stacked bars for the six series with the newest points: failed at the base, then skipped, then passed if
    `passed` (which makes small numbers of the others unreadable). Running and incomplete runs are pale."""
    newest = sorted((line for line in series if line["points"]), key=lambda line: _moment(line["points"][-1]))[-PANELS:]
    shown = [line for line in series if line in newest]
    stacked = _COUNTS[: 3 if passed else 2]
    at = _positions(series)
    name_run = _namer(series)
    name_run = _namer(series)
    tallest = [max((sum(point[name] for name, *_ in stacked) for point in line["points"]), default=0) for line in shown]
    seen = [most for most in tallest if most]
    # One scale for all rows, unless the smallest would be unreadable; then each row has its own.
    one_scale = not seen or max(seen) <= READABLE * min(seen)
    traces: list[JsonObject] = []
    annotations: list[Json] = []
    layout: JsonObject = _axes(at) | {
        "barmode": "stack",
        "bargap": 0.18,
        "height": 62 + (150 if len(shown) <= 3 else 96) * max(len(shown), 1),
        "hovermode": "closest",
        "annotations": annotations,
        "margin": {"l": 52, "r": 12, "t": 30, "b": 32},
        "legend": {"yref": "container", "y": 0.995, "yanchor": "top", "traceorder": "normal"},
    }
    share = 1 / max(len(shown), 1)
    own = 1 - LABEL / (150 if len(shown) <= 3 else 96) if len(shown) > 1 else 1  # of a row, below its name
    for row, line in enumerate(shown):
        points = line["points"]
        axis = "" if row == 0 else str(row + 1)
        bottom = max(1 - (row + 1) * share, 0)
        top = min(bottom + share * own, 1)
        most = max(seen, default=0) if one_scale else tallest[row]
        layout[f"yaxis{axis}"] = {
            "domain": [bottom, top],
            "anchor": f"x{axis}",
            **(
                {"nticks": 4, "range": [0, most * 1.05]}
                if most > 3
                else {"dtick": 1, "range": [0, max(most, 1) * 1.05]}
            ),
        }
        last = row == len(shown) - 1
        layout[f"xaxis{axis}"] = _x_axis(at) | {
            "anchor": f"y{axis}",
            "showticklabels": last,
            "ticks": "outside" if last else "",
            **({"matches": "x"} if row else {}),
        }
        if len(shown) > 1:
            note = "" if one_scale else f" (own scale, up to {number(most)})"
            note = note if tallest[row] else ": no failures, no skips"
            annotations.append(
                {
                    "text": _plain(line["name"] + note), "x": 0, "xref": "paper", "xanchor": "left", "y": top,
                    "yref": "paper", "yanchor": "bottom", "yshift": 2, "showarrow": False,
                    "font": {"color": "var(--ink)"},
                }
            )  # fmt: skip
        for name, colour, shape in stacked:
            traces.append(
                {
                    "type": "bar",
                    "name": name,
                    "legendgroup": name,
                    "showlegend": row == 0,
                    "y": [point[name] for point in points],
                    **_points(line, at, name_run),
                    **({"width": 0.82} if at else {}),
                    "textposition": "none",
                    "marker": {
                        "color": colour,
                        "opacity": [0.45 if point["running"] or point["incomplete"] else 1 for point in points],
                        "line": {"width": 0},
                        "pattern": {
                            "shape": shape,
                            "fillmode": "overlay",
                            "fgcolor": "var(--fail)",
                            "size": 5,
                            "solidity": 0.2,
                        },
                    },
                    "xaxis": f"x{axis}",
                    "yaxis": f"y{axis}",
                }
            )
    return {"data": traces, "layout": layout}


def _positions(series: list[Series]) -> dict[str, int] | None:
    """Run -> its position among all runs shown, in their order; None if points are days. A key begins with the start
    time."""
    points = [point for line in series for point in line["points"]]
    if points and "run" not in points[0]:
        return None
    runs = {point.get("rank") or 0: _run_key(point) for point in points}
    return {runs[rank]: index for index, rank in enumerate(sorted(runs))}


def _run_key(point: Point) -> str:
    return f"{point.get('started_at')} {point.get('run')}"


def _x_value(point: Point, at: dict[str, int] | None) -> int | str:
    return _day(point) if at is None else at[_run_key(point)]


def _day(point: Point) -> str:
    return point.get("day") or ""


def _namer(series: list[Series]) -> Callable[[Point], str]:
    """Names the runs of all lines."""
    return run_namer(point for line in series for point in line["points"])


def _points(line: Series, at: dict[str, int] | None, name: Callable[[Point], str]) -> JsonObject:
    """The positions and tooltips of the points, and the run that a click opens."""
    return {
        "x": [_x_value(point, at) for point in line["points"]],
        "text": [_hover(point, line["name"], name) for point in line["points"]],
        "customdata": [point.get("run") for point in line["points"]],
        "hovertemplate": "%{text}<extra></extra>",
    }


def _axes(at: dict[str, int] | None) -> JsonObject:
    """The x axis in a layout. `meta.moments` are the start times of the runs by position, which the browser shows as
    tick labels in local time and uses for a selected range."""
    layout: JsonObject = {"xaxis": _x_axis(at)}
    if at is not None:
        layout["meta"] = {"moments": [key.split(" ")[0] for key in at]}
    return layout


def _x_axis(at: dict[str, int] | None) -> JsonObject:
    """The x axis of all charts."""
    if at is None:
        return {"type": "date"}
    return {"type": "linear", "range": [-0.6, max(len(at), 1) - 0.4], "showgrid": False}


def _moment(point: Point) -> str:
    return point.get("started_at") or _day(point)


def _hover(point: Point, series: str, name: Callable[[Point], str]) -> str:
    """The tooltip of a point. Plotly interprets some tags, so the data is escaped."""
    where = f"{point.get('release')} {name(point)}" if "run" in point else _day(point)
    head = where if series == "all" or where.startswith(series) else f"{series} · {where}"
    if not point["total"]:
        return _plain(f"{head}<br>no results")
    lines = [
        _passed_text(point),
        f"{number(point['failed'])} failed, {number(point['skipped'])} skipped",
    ]
    if point["duration_s"] is not None:
        lines.append(f"test time {duration(point['duration_s'])}")
    if point.get("version"):
        lines.append(f"{point.get('version')} · {point.get('environment')}")
    if point["running"]:
        lines.append("still running")
    if point["incomplete"]:
        lines.append("incomplete: builds are missing, partial or were aborted")
    return "<br>".join([_plain(head), *(_plain(line) for line in lines)])


def _passed_text(point: Point) -> str:
    counts = f"{number(point['passed'])} of {number(point['total'])}"
    return f"{counts} passed" if point["incomplete"] else f"{percent(point['pass_rate'])} % passed: {counts}"


def _plain(text: str) -> str:
    return text.replace("<br>", "\n").replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br>")
