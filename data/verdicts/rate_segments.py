"""A test's history as stretches of one failure rate: since when it fails, and how surely that is known.

The stretches lie between the change points of the lane's longer history (data/verdicts/statistics/change_points.py), storms and sick
hosts left out as they are for every verdict.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.measures import iso
from data.verdicts import evidence
from data.verdicts.disturbances import of_tests, releases
from data.verdicts.evidence.failure_history import changes
from data.verdicts.evidence.number_text import rate
from data.verdicts.histories import History, histories
from data.verdicts.lanes import LaneRun
from data.verdicts.verdicts import window_runs


@cached_query
def segments(store: Store, test: str, flt: Filter) -> list[dict[str, Any]]:
    """One a lane in which the test (id) ran: {"release", "environment", "segments": newest first, "sentence",
    "evidence"}. A segment: failed, of, rate, interval_95, first and last (runs: {run, number, started_at}), and
    `change`: how it began (None for the oldest): {after, until (run numbers; 99 %), most_likely}."""
    number = ids.number(test)
    answer = []
    for release in releases(store, flt):
        lane = replace(flt, release=release, module=None)
        found = of_tests(store, lane, window_runs(store, flt), (number,))
        known = histories(store, lane, found, window_runs(store, flt)) if found else {}
        answer += [_row(store, history) for history in known.values() if history.runs]
    return sorted(answer, key=lambda row: row["segments"][0]["last"]["started_at"], reverse=True)


def _row(store: Store, history: History) -> dict[str, Any]:
    threshold = store.settings.measures.change_point_l
    found = changes(history.statuses, threshold)
    starts = [0, *(change.index for change in found)]
    rows = []
    for start, end, change in zip(starts, [*starts[1:], len(history.runs)], [None, *found], strict=True):
        letters, runs = history.statuses[start:end], history.runs[start:end]
        rows.append(
            {
                **rate(letters.count("F"), len(letters)),
                "first": _pointer(runs[0]),
                "last": _pointer(runs[-1]),
                "change": change
                and {
                    "after": history.runs[change.after].number,
                    "until": history.runs[change.until].number,
                    "most_likely": history.runs[change.position].number,
                },
            }
        )
    told = {"rule": "change_point", "threshold": threshold, **history.told()}
    return {
        "release": history.runs[0].release,
        "environment": history.runs[0].environment,
        "segments": rows[::-1],
        "sentence": evidence.sentence(told),
        "evidence": told,
    }


def _pointer(run: LaneRun) -> dict[str, Any]:
    return {"run": ids.text(run.run), "number": run.number, "started_at": iso(run.started_at)}
