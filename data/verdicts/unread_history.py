"""Which lanes have no verdicts yet, because their history is still being read.

Ingest reads the newest builds first. While older builds of a job wait and fewer are stored than a verdict looks at, the
verdicts of its tests would change with every build that is read: they are held back. New builds are newer than the
stored ones and hold nothing back; nor does a build that failed and is retried, or one that is gone. While `rebuild`
replaces all results, no lane has verdicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from data.answers.base import UnreadHistory
from data.lake.cached_query import cached_query, of_release
from data.lake.store import Store
from data.model.filter_sql import Where
from data.model.filters import EVERYTHING, Filter, RunScope
from data.number_text import counted
from data.verdicts.lane_analysis import verdict_reach
from data.verdicts.lanes import LaneWindow
from data.verdicts.status_masks import TestLane


@dataclass
class UnreadLane:
    """A lane whose history is still being read: how many builds wait, and the jobs without verdicts until they are
    read (None among them: all jobs, because whole runs wait)."""

    release: str
    environment: str
    waiting: int = 0
    rebuilding: bool = False
    jobs: set[str | None] = field(default_factory=set)

    def holds_back(self, jobs: Iterable[str]) -> bool:
        """Whether the verdict of a test that these jobs run is held back."""
        return None in self.jobs or not self.jobs.isdisjoint(jobs)

    def row(self) -> UnreadHistory:
        return {
            "release": self.release,
            "environment": self.environment,
            "waiting": self.waiting,
            "sentence": "The store is being rebuilt."
            if self.rebuilding
            else f"History is still being read ({counted(self.waiting, 'build')} waiting).",
        }


@cached_query(of_release)
def unread_histories(store: Store, flt: Filter = EVERYTHING) -> list[UnreadLane]:
    """The lanes of the filter's release and environment whose history is still being read, or rebuilt."""
    if store.is_rebuilding():
        return _rebuilding(store, flt)
    rows = store.rows(
        f"SELECT release, environment, job, builds, waiting FROM {store.derived_table('histories_being_read')} h"
    )
    rows.sort(key=lambda row: (row["release"], row["environment"], row["job"] or ""))  # faster than DuckDB's
    needed = verdict_reach(store, EVERYTHING).builds
    found: dict[tuple[str, str], UnreadLane] = {}
    for row in rows:
        in_scope = flt.release in (None, row["release"]) and flt.environment in (None, row["environment"])
        if in_scope and row["builds"] < needed:
            lane = (row["release"], row["environment"])
            unread = found.setdefault(lane, UnreadLane(*lane))
            unread.waiting += row["waiting"]
            unread.jobs.add(row["job"])
    return list(found.values())


def _rebuilding(store: Store, flt: RunScope) -> list[UnreadLane]:
    """All lanes of the filter, while results of older and newer rules stand side by side."""
    where = Where().equal("r", release=flt.release, environment=flt.environment)
    rows = store.rows(f"SELECT DISTINCT release, environment FROM runs r WHERE {where} ORDER BY ALL", where.parameters)
    return [UnreadLane(row["release"], row["environment"], rebuilding=True, jobs={None}) for row in rows]


def unread_lanes(store: Store, flt: Filter, window: LaneWindow) -> dict[int, UnreadLane]:
    """The lanes of a window (index in it) of the filter's release whose history is still being read."""
    unread = unread_histories(store, Filter(flt.release, as_of=flt.as_of))
    return {window.lanes.index(lane): one for one in unread if (lane := (one.release, one.environment)) in window.lanes}


def is_held_back(unread: Mapping[int, UnreadLane], test_lane: TestLane) -> bool:
    """Whether the verdict of this test waits for its history."""
    history = unread.get(test_lane.lane)
    return history is not None and history.holds_back(on_host.job for on_host in test_lane.by_host)
