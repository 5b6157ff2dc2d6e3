"""History: builds older than what a first sight takes, by numbers or by dates.

What is found goes into the ledger like anything else, so a backfill that is killed goes on where it was, and whichever
process polls the source helps with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from data.model import filters
from data.work.build_lookups import known_builds
from data.work.ledger import BUILD, RUN, LedgerEntry
from ingest.build_reader import utc_now
from ingest.discovery import iter_builds
from ingest.pipeline import Pipeline

LISTED_AT_ONCE = 1000


@dataclass(frozen=True)
class Range:
    """Build numbers, or start times (UTC), from `first` to `last`, both included; None: without end."""

    first: int | datetime | None = None
    last: int | datetime | None = None

    @classmethod
    def read(cls, first: str | None, last: str | None) -> Range:
        """From text: two build numbers, or two ISO 8601 dates or times (a date as `last` is all of that day).

        Raises ValueError.
        """
        bounds = _bound(first, "00:00:00"), _bound(last, "23:59:59.999999")
        kinds = {type(bound) for bound in bounds if bound is not None}
        if len(kinds) > 1:
            raise ValueError("a range goes from number to number or from date to date")
        if None not in bounds and bounds[0] > bounds[1]:
            raise ValueError(f"the range from {first} to {last} is empty: the earlier end comes first")
        return cls(*bounds)

    def holds(self, number: int, start: datetime | None) -> bool:
        value = self._of(number, start)
        if value is None:
            return self.first is None and self.last is None
        return (self.first is None or value >= self.first) and (self.last is None or value <= self.last)

    def is_past(self, number: int, start: datetime | None) -> bool:
        """Whether this build, and with it all older ones, lie before the range."""
        value = self._of(number, start)
        return self.first is not None and value is not None and value < self.first

    def _of(self, number: int, start: datetime | None) -> int | datetime | None:
        return start if isinstance(self.first or self.last, datetime) else number


def _bound(text: str | None, clock: str) -> int | datetime | None:
    if not text:
        return None
    if text.isdigit():
        return int(text)
    try:
        return filters.parse_time(text if "T" in text or ":" in text else f"{text}T{clock}")
    except filters.FilterError as error:
        raise ValueError(f"{text!r} is neither a build number nor an ISO 8601 date") from error


def find(pipeline: Pipeline, wanted: Range) -> Iterator[list[LedgerEntry]]:
    """Put the builds of a range that are not stored into the ledger, and give them out as they are found.

    Raises JenkinsError.
    """
    source, kind = pipeline.source.name, pipeline.layout.kind
    for job in pipeline.layout.jobs(pipeline.jenkins):
        found: list[LedgerEntry] = []
        for number, start in iter_builds(pipeline.jenkins, job.job):
            if wanted.holds(number, start):
                found.append(LedgerEntry(source, job.job, number, kind, next_try=utc_now()))
            if wanted.is_past(number, start):
                break
            if len(found) >= LISTED_AT_ONCE:
                yield _add(pipeline, found)
                found = []
        if found:
            yield _add(pipeline, found)


def _add(pipeline: Pipeline, entries: list[LedgerEntry]) -> list[LedgerEntry]:
    known = known_builds(pipeline.store, pipeline.source.name, pipeline.layout.kind, [entries[0].job], utc_now())
    new = [entry for entry in entries if entry.number not in known[entry.job]]
    if new:
        pipeline.add(new)
    return new


def run(pipeline: Pipeline, wanted: Range, progress: Callable[[int, int], None]) -> None:
    """Find the builds of a range and read them, and whatever else of the source is due. Raises JenkinsError."""
    for _ in find(pipeline, wanted):
        progress(0, pipeline.tally.found)
    pipeline.progress = progress
    for kind in (RUN, BUILD):
        pipeline.work(kind)
