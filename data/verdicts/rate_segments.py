"""A test's history as segments of one failure rate each: since when it fails, and how sure that is.

Segments are bounded by the change points of the lane's longer history; mass failures and bad hosts are left out, as for
every verdict. The method is in `data/verdicts/statistics/change_points.py`.
"""

from __future__ import annotations

from dataclasses import replace

from data.answers.evidence import ChangePointEvidence
from data.answers.statistics import RateChange, RateHistory, RateSegment
from data.answers.verdicts import RunPointer
from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.model.measures import iso
from data.verdicts.evidence.failure_history import change_sentence, changes
from data.verdicts.evidence.rates import rate
from data.verdicts.histories import History, histories
from data.verdicts.lane_analysis import lanes_of_tests, verdict_reach
from data.verdicts.lanes import LaneRun, filtered_releases
from data.verdicts.statistics.change_points import Change


@cached_query(of_release)
def segments(store: Store, test: str, flt: Filter) -> list[RateHistory]:
    """One row per lane in which the test (id) ran: {"release", "environment", "segments": newest first, "sentence",
    "evidence"}. A segment: failed, of, rate, interval_95, first and last (runs: {run, number, started_at}), and
    `change`, how it began (None for the oldest): {after, until (run numbers; 99 %), most_likely}."""
    number = ids.number(test)
    rows = []
    for release in filtered_releases(store, flt):
        lane = replace(flt, release=release, module=None)
        reach = verdict_reach(store, flt)
        found = histories(store, lane, lanes_of_tests(store, lane, reach, (number,)), reach.builds)
        rows += [_row(store, history) for history in found.values() if history.runs]
    return sorted(rows, key=lambda row: row["segments"][0]["last"]["started_at"], reverse=True)


def _row(store: Store, history: History) -> RateHistory:
    threshold = store.settings.measures.change_point_l
    found = changes(history.statuses, threshold)
    starts = [0, *(change.index for change in found)]
    rows: list[RateSegment] = []
    for start, end, change in zip(starts, [*starts[1:], len(history.runs)], [None, *found], strict=True):
        statuses, runs = history.statuses[start:end], history.runs[start:end]
        rows.append(
            {
                **rate(statuses.count("F"), len(statuses)),
                "first": _pointer(runs[0]),
                "last": _pointer(runs[-1]),
                "change": None if change is None else _change(history, change),
            }
        )
    evidence: ChangePointEvidence = {"rule": "change_point", "threshold": threshold, **history.evidence()}
    return {
        "release": history.runs[0].release,
        "environment": history.runs[0].environment,
        "segments": rows[::-1],
        "sentence": change_sentence(evidence),
        "evidence": evidence,
    }


def _change(history: History, change: Change) -> RateChange:
    return {
        "after": history.runs[change.after].number,
        "until": history.runs[change.until].number,
        "most_likely": history.runs[change.position].number,
    }


def _pointer(run: LaneRun) -> RunPointer:
    return {"run": ids.text(run.run), "number": run.number, "started_at": iso(run.started_at)}
