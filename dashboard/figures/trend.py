"""Pass rate and counts over runs or days."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dashboard.formats import duration, number, percent

PALETTE = 8
PANELS = 6
_DASHES = ("solid", "dash", "dot", "dashdot")
_SYMBOLS = ("circle", "square", "diamond", "triangle-up", "x", "cross", "star", "pentagon")
_COUNTS = (("failed", "var(--fail-fill)", "/"), ("skipped", "var(--skip-fill)", ""), ("passed", "var(--pass-fill)", ""))


def rates(series: list[dict[str, Any]]) -> dict[str, Any]:
    """One line a series: pass rate in percent. A point that brought no results is a gap, never a zero."""
    layout = {
        "yaxis": {"ticksuffix": " %", "nticks": 6, "rangemode": "normal"},
        "xaxis": {"type": "date"},
        "showlegend": len(series) > 1,
        "hovermode": "closest",
        "height": 340,
    }
    return {"data": _lines(series, lambda point: _times(point["pass_rate"], 100)), "layout": layout}


def durations(series: list[dict[str, Any]]) -> dict[str, Any]:
    """One line a series: test time, summed over the results, in hours."""
    layout = {
        "yaxis": {"ticksuffix": " h", "nticks": 5, "rangemode": "tozero"},
        "xaxis": {"type": "date"},
        "showlegend": len(series) > 1,
        "hovermode": "closest",
        "height": 240,
    }
    return {"data": _lines(series, lambda point: _times(point["duration_s"], 1 / 3600)), "layout": layout}


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _lines(series: list[dict[str, Any]], value: Callable[[dict[str, Any]], float | None]) -> list[dict[str, Any]]:
    """A trace a series; the point of a run that still goes on is hollow."""
    traces = []
    for (colour, dash), line in zip(_looks(series), series, strict=True):
        points = line["points"]
        symbol = _SYMBOLS[colour % len(_SYMBOLS)]
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": _plain(line["name"]),
                "x": [_moment(point) for point in points],
                "y": [value(point) for point in points],
                "text": [_hover(point, line["name"]) for point in points],
                "customdata": [point.get("run") for point in points],
                "hovertemplate": "%{text}<extra></extra>",
                "line": {
                    "color": f"var(--s{colour % PALETTE + 1}c)",
                    "width": 1.8,
                    "dash": _DASHES[dash % len(_DASHES)],
                },
                "marker": {
                    "size": [9 if point["running"] else 6 for point in points],
                    "symbol": [f"{symbol}-open" if point["running"] else symbol for point in points],
                    "line": {"width": [2 if point["running"] else 0 for point in points]},
                },
                "meta": {"utc": bool(points and "run" in points[0])},
            }
        )
    return traces


def _looks(series: list[dict[str, Any]]) -> list[tuple[int, int]]:
    """(colour, dash) of each line. Where lines are environments of several releases, a release has one colour and an
    environment one dash."""
    lanes = [{(point.get("release"), point.get("environment")) for point in line["points"]} for line in series]
    if all(len(found) == 1 for found in lanes):
        own = [found.pop() for found in lanes]
        releases = sorted({release for release, _ in own if release})
        environments = sorted({environment for _, environment in own if environment})
        if 1 < len(releases) < len(own):
            return [
                (releases.index(release), environments.index(environment) if environment else 0)
                for release, environment in own
            ]
    return [(place, place // PALETTE) for place in range(len(series))]


def counts(series: list[dict[str, Any]], passed: bool = False) -> dict[str, Any]:
    """A row of stacked bars a series, for the six that have the newest points: failed at the base, then skipped, and on
    top `passed`, under which small numbers of the others cannot be read. A run that still goes on is pale."""
    newest = sorted((line for line in series if line["points"]), key=lambda line: _moment(line["points"][-1]))[-PANELS:]
    shown = [line for line in series if line in newest]
    traces: list[dict[str, Any]] = []
    layout: dict[str, Any] = {
        "barmode": "stack",
        "bargap": 0.18,
        "height": 84 + 150 * max(len(shown), 1),
        "hovermode": "closest",
        "annotations": [],
        "margin": {"l": 52, "r": 12, "t": 48, "b": 32},
        "legend": {"yref": "container", "y": 0.995, "yanchor": "top", "traceorder": "normal"},
    }
    share = 1 / max(len(shown), 1)
    for row, line in enumerate(shown):
        axis = "" if row == 0 else str(row + 1)
        top = 1 - row * share
        layout[f"yaxis{axis}"] = {
            "domain": [max(top - share * (0.7 if len(shown) > 1 else 1), 0), top],
            "nticks": 4,
            "anchor": f"x{axis}",
        }
        layout[f"xaxis{axis}"] = {
            "anchor": f"y{axis}",
            **_bar_axis(line["points"], row),
            "nticks": 12,
            "tickangle": 0,
            "showgrid": False,
            "showticklabels": True,
        }
        if len(shown) > 1:
            layout["annotations"].append(
                {
                    "text": _plain(line["name"]), "x": 0, "xref": "paper", "xanchor": "left", "y": top, "yref": "paper",
                    "yanchor": "bottom", "yshift": 2, "showarrow": False, "font": {"color": "var(--ink)"},
                }
            )  # fmt: skip
        for name, colour, shape in _COUNTS[: 3 if passed else 2]:
            traces.append(
                {
                    "type": "bar",
                    "name": name,
                    "legendgroup": name,
                    "showlegend": row == 0,
                    "x": [_label(point) for point in line["points"]],
                    "y": [point[name] for point in line["points"]],
                    "text": [_hover(point, line["name"]) for point in line["points"]],
                    "textposition": "none",
                    "customdata": [point.get("run") for point in line["points"]],
                    "hovertemplate": "%{text}<extra></extra>",
                    "marker": {
                        "color": colour,
                        "opacity": [0.45 if point["running"] else 1 for point in line["points"]],
                        "line": {"width": 0},
                        "pattern": {"shape": shape, "size": 5, "solidity": 0.25},
                    },
                    "xaxis": f"x{axis}",
                    "yaxis": f"y{axis}",
                }
            )
    return {"data": traces, "layout": layout}


def _bar_axis(points: list[dict[str, Any]], row: int) -> dict[str, Any]:
    """Runs stand side by side; days are of one calendar, the same in every row."""
    if not points or "run" in points[0]:
        return {"type": "category"}
    return {"type": "date"} if row == 0 else {"type": "date", "matches": "x"}


def _moment(point: dict[str, Any]) -> str:
    return point.get("started_at") or point["day"]


def _label(point: dict[str, Any]) -> str:
    return f"#{point['number']}" if "run" in point else point["day"]


def _hover(point: dict[str, Any], name: str) -> str:
    """Both denominators, in words. Plotly reads a few tags in a text, so nothing of the data may look like one."""
    where = f"{point['release']} #{point['number']}" if "run" in point else point["day"]
    head = where if name in ("all", point.get("release")) else f"{name} · {where}"
    if not point["total"]:
        return _plain(f"{head}<br>no results")
    lines = [
        f"{percent(point['pass_rate'])} % passed: {number(point['passed'])} of {number(point['total'])}",
        f"{number(point['failed'])} failed, {number(point['skipped'])} skipped",
    ]
    if point["duration_s"] is not None:
        lines.append(f"test time {duration(point['duration_s'])}")
    if point.get("version"):
        lines.append(f"{point['version']} · {point['environment']}")
    if point["running"]:
        lines.append("still running: more results are to come")
    return "<br>".join([_plain(head), *(_plain(line) for line in lines)])


def _plain(text: str) -> str:
    return text.replace("<br>", "\n").replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br>")
