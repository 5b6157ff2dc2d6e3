"""The findings of a back-test, as plain data and as Markdown tables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypedDict, final

from data.lake.store import Store
from data.model import ids
from data.model.filters import EVERYTHING, Filter
from data.verdicts.lanes import filtered_releases
from data.verdicts.suspects import suspects
from data.verdicts.verdicts import verdicts
from regtracker.backtest import history, known_faults, simulated_histories
from regtracker.backtest.detectors import DETECTORS
from regtracker.backtest.known_faults import Truth
from regtracker.backtest.replay import DetectorScore, replay

_DETECTORS = {
    "detector": "detector",
    "alarms": "alarms",
    "precision": "precision",
    "recall": "found of lasting breakages",
    "recall_partial": "found of partial ones",
    "delay": "median builds to the alarm",
    "false_per_1000_tests_and_week": "false alarms per 1,000 tests and week",
}
_MEASURES = {"measure": "measure", "aim": "aim", "value": "measured", "met": "met"}


class ReplayedLane(TypedDict):
    release: str
    environment: str
    runs: int
    tests: int
    weeks: float


@final
class Replayed(TypedDict):
    """The back-test of a store; `truth`: where the faults are from."""

    truth: Literal["simulator", "hindsight"]
    lanes: list[ReplayedLane]
    faults: int
    partial_faults: int
    detectors: list[DetectorScore]
    measures: list[simulated_histories.Measure]


@final
class Simulated(TypedDict):
    looks: int
    histories: int
    measures: list[simulated_histories.Measure]


def replayed(store: Store, only: Sequence[str], document: Truth | None, progress: Callable[[str], None]) -> Replayed:
    """The back-test over the store's releases (or `only` these). `document` is the
    simulator's truth; without it, hindsight decides. `progress` gets a line per lane. Raises KeyError for
    another document."""
    lanes = [
        lane for release in only or filtered_releases(store, EVERYTHING) for lane in history.past_lanes(store, release)
    ]
    lanes = [lane for lane in lanes if len(lane.runs) > 1]
    known = known_faults.from_simulator(document) if document is not None else known_faults.from_hindsight(lanes)
    at = {(lane.release, lane.environment) for lane in lanes}
    known.faults[:] = [fault for fault in known.faults if (fault.release, fault.environment) in at]
    scores = replay(
        lanes, known, DETECTORS, lambda lane: progress(f"{lane.release} {lane.environment}: {len(lane.runs)} runs")
    )
    return {
        "truth": "simulator" if document is not None else "hindsight",
        "lanes": [
            {
                "release": lane.release,
                "environment": lane.environment,
                "runs": len(lane.runs),
                "tests": lane.tests,
                "weeks": round(lane.weeks, 2),
            }
            for lane in lanes
        ],
        "faults": len(known.faults),
        "partial_faults": sum(fault.rate < 1 for fault in known.faults),
        "detectors": [score.row() for score in scores],
        "measures": _current_accuracy(store, known) if document is not None else [],
    }


def _current_accuracy(store: Store, known: known_faults.KnownFaults) -> list[simulated_histories.Measure]:
    """How well today's verdicts bound the faults that are still active, and find their commits."""
    inside: list[bool] = []
    exact: list[bool] = []
    first: list[float] = []
    third: list[float] = []
    wide: list[int] = []
    for release in sorted({fault.release for fault in known.faults}):
        faults = {fault.test: fault for fault in known.faults if fault.release == release and fault.end is None}
        flt = Filter(release, environment="prod")
        for row in verdicts(store, flt, limit=100_000):
            fault = faults.get(ids.number(row["test"]))
            if fault is None:
                continue
            found = row["range_99"]
            if fault.rate == 1:
                exact.append(row["first_bad"] is not None and row["first_bad"]["number"] == fault.first)
            if found is not None:
                inside.append(found["after"] < fault.first <= found["until"])
                wide.append(found["until"] - found["after"])
            for lane in suspects(store, row["test"], flt):
                revisions = [suspect["revision"] for suspect in lane["suspects"]]
                rank = revisions.index(fault.commit) if fault.commit in revisions else -1
                chances = [suspect["probability"] for suspect in lane["suspects"]]
                first.append(simulated_histories.chance_of_rank(chances, rank, 1))
                third.append(simulated_histories.chance_of_rank(chances, rank, 3))
    rows: list[tuple[str, Sequence[float], float]] = [
        ("first bad run named exactly, of tests that fail every time", exact, 0.95),
        ("first bad run within its 99 % range", inside, 0.97),
        ("culprit ranked first", first, 0.8),
        ("culprit among the first three", third, 0.95),
    ]
    answer = [
        simulated_histories.row(f"{name} ({len(values)} standing faults)", sum(values) / len(values), at_least=aim)
        for name, values, aim in rows
        if values
    ]
    if wide:
        answer.append(simulated_histories.row("runs in that range, median", median(wide)))
    return answer


def simulated(looks: int, histories: int) -> Simulated:
    """The statistics on made-up histories."""
    return {
        "looks": looks,
        "histories": histories,
        "measures": list(simulated_histories.measure(looks=looks, histories=histories)),
    }


def markdown(found: Replayed | Simulated) -> str:
    """The tables of `replayed` or `simulated`."""
    parts = []
    if "lanes" in found:
        lanes = found["lanes"]
        runs, tests = sum(lane["runs"] for lane in lanes), sum(lane["tests"] for lane in lanes)
        parts.append(
            f"{runs} runs in {len(lanes)} lanes with {tests:,} tests; {found['faults']} faults by "
            f"{'the simulator' if found['truth'] == 'simulator' else 'hindsight'}, {found['partial_faults']} of them "
            "partial (failing at 30-60 %). **Bold**: what the product does by default."
        )
        rows: list[DetectorScore] = [
            {**row, "detector": f"**{row['detector']}**" if row["default"] else row["detector"]}
            for row in found["detectors"]
        ]
        parts.append(_table(_DETECTORS, rows))
    else:
        parts.append(f"{found['looks']} looks at 7,000 tests, {found['histories']} histories of one test each.")
    if found["measures"]:
        parts.append(_table(_MEASURES, found["measures"]))
    return "\n\n".join(parts)


def _table(columns: Mapping[str, str], rows: Sequence[DetectorScore] | Sequence[simulated_histories.Measure]) -> str:
    lines = [f"| {' | '.join(columns.values())} |", f"|{'---|' * len(columns)}"]
    for row in rows:
        cells = dict(row.items())
        lines.append(f"| {' | '.join(_cell(cells[name]) for name in columns)} |")
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "**no**"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def write(target: Path, title: str, text: str) -> None:
    """Put the text into the file between the title's markers, which are added at its end where they are missing."""
    begin, end = f"<!-- backtest: {title} -->", f"<!-- end of backtest: {title} -->"
    known = target.read_text() if target.exists() else ""
    block = f"{begin}\n{text}\n{end}"
    if begin in known:
        known = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, known, count=1, flags=re.DOTALL)
    else:
        known = f"{known.rstrip()}\n\n## {title}\n\n{block}\n".lstrip()
    target.write_text(known)
