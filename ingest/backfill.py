"""Backfill: read builds that are older than the history of the first poll, by numbers or dates.

The builds found are added to the ledger, so a backfill that is killed continues where it was, and any process that
polls the source helps with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from data.model import filters
from data.tasks.build_lookups import known_builds
from data.tasks.ledger import BUILD, RUN, LedgerEntry
from ingest.clock import utc_now
from ingest.discovery import iter_builds
from ingest.pipeline import Pipeline

ADDED_AT_ONCE = 1000


@dataclass(frozen=True)
class BuildRange:
    """Build numbers, or start times (UTC), both bounds included; None: no bound. One kind of bound at a time."""

    first_number: int | None = None
    last_number: int | None = None
    first_start: datetime | None = None
    last_start: datetime | None = None

    @classmethod
    def read(cls, first: str | None, last: str | None) -> BuildRange:
        """From text: two build numbers, or two ISO 8601 dates or times (a date as `last` includes that day).

        Raises ValueError.
        """
        wanted = cls(_number(first), _number(last), _moment(first, "00:00:00"), _moment(last, "23:59:59.999999"))
        by_number = wanted.first_number is not None or wanted.last_number is not None
        if by_number and (wanted.first_start or wanted.last_start):
            raise ValueError("A range needs two build numbers or two dates, not one of each")
        if wanted._is_empty():
            raise ValueError(f"The range from {first} to {last} is empty: the earlier bound comes first")
        return wanted

    def contains(self, number: int, start: datetime | None) -> bool:
        if self.first_start is None and self.last_start is None:
            return (self.first_number is None or number >= self.first_number) and (
                self.last_number is None or number <= self.last_number
            )
        if start is None:
            return False
        return (self.first_start is None or start >= self.first_start) and (
            self.last_start is None or start <= self.last_start
        )

    def is_past(self, number: int, start: datetime | None) -> bool:
        """Whether this build, and so all older ones, are before the range."""
        if self.first_number is not None:
            return number < self.first_number
        return self.first_start is not None and start is not None and start < self.first_start

    def _is_empty(self) -> bool:
        if self.first_number is not None and self.last_number is not None:
            return self.first_number > self.last_number
        if self.first_start is not None and self.last_start is not None:
            return self.first_start > self.last_start
        return False


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _moment(text: str | None, clock: str) -> datetime | None:
    if not text or text.isdigit():
        return None
    try:
        return filters.parse_time(text if "T" in text or ":" in text else f"{text}T{clock}")
    except filters.FilterError as error:
        raise ValueError(f"{text!r} is neither a build number nor an ISO 8601 date") from error


def find(pipeline: Pipeline, wanted: BuildRange) -> Iterator[list[LedgerEntry]]:
    """Add the builds of a range that are not known to the ledger, and yield them as they are found.

    Raises JenkinsError.
    """
    source, kind = pipeline.source.name, pipeline.layout.kind
    for job in pipeline.layout.jobs(pipeline.jenkins):
        found: list[LedgerEntry] = []
        for number, start in iter_builds(pipeline.jenkins, job.job):
            if wanted.contains(number, start):
                found.append(LedgerEntry(source, job.job, number, kind, next_try=utc_now()))
            if wanted.is_past(number, start):
                break
            if len(found) >= ADDED_AT_ONCE:
                yield _add(pipeline, found)
                found = []
        if found:
            yield _add(pipeline, found)


def _add(pipeline: Pipeline, entries: list[LedgerEntry]) -> list[LedgerEntry]:
    stored = known_builds(pipeline.store, pipeline.source.name, pipeline.layout.kind, [entries[0].job], utc_now())
    new = [entry for entry in entries if entry.number not in stored[entry.job]]
    if new:
        pipeline.add(new)
    return new


def run(pipeline: Pipeline, wanted: BuildRange, progress: Callable[[int, int], None]) -> None:
    """Find and read the builds of a range, and whatever else of the source is due. Raises JenkinsError."""
    for _ in find(pipeline, wanted):
        progress(0, pipeline.tally.found)
    pipeline.progress = progress
    for kind in (RUN, BUILD):
        pipeline.read_due(kind)
