"""Polls of the sources of one store: who polls when, and what the next poll of a source is for.

A source is polled every `poll_minutes`. While a build is running or waits for a retry (ingest/retry.py) it is polled
sooner, and only for what is due.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler

from data.lake.store import Store
from data.settings import SourceSettings
from data.tasks import poll_status
from data.tasks.poll_log import PollRecord
from ingest.clock import utc_now
from ingest.pipeline import Pipeline
from ingest.shared_store import SharedStore

log = logging.getLogger(__name__)

SOON_S = 0.5
BUDGET_S = 60.0  # a poll with a long backlog ends after this time, to make room for the next sweep
JITTER = 0.1  # of poll_minutes, so that many trackers do not reach a Jenkins at the same moment


class SourcePoller:
    """One poll of a source at a time. `timetable` has a job for each source, under its name."""

    def __init__(
        self,
        shared: SharedStore,
        sources: Sequence[SourceSettings],
        timetable: BackgroundScheduler,
        stop: threading.Event,
    ) -> None:
        self._shared = shared
        self._timetable = timetable
        self._stop = stop
        self._pipelines = {source.name: Pipeline(shared.store, source, stop) for source in sources}
        self._sweep_at: dict[str, float] = {}
        self._locks = {name: threading.Lock() for name in self._pipelines}

    @property
    def sources(self) -> list[str]:
        return list(self._pipelines)

    def start(self) -> None:
        """Put the polls into the timetable."""
        now = datetime.now(UTC)
        for position, (name, pipeline) in enumerate(self._pipelines.items()):
            interval_s = pipeline.source.poll_minutes * 60
            first = now + timedelta(seconds=min(position * 0.2, 5))
            self._timetable.add_job(
                self.poll,
                "interval",
                seconds=interval_s,
                jitter=interval_s * JITTER,
                args=[name],
                id=name,
                next_run_time=first,
            )

    def poll(self, name: str, force: bool = False) -> PollRecord | None:
        """Poll one source: sweep if that is due (or with `force`), and read what is due. None if the poll crashed."""
        pipeline, poll = self._pipelines[name], None
        with self._shared.use() as store, self._locks[name]:
            pipeline.use(store)
            interval_s = pipeline.source.poll_minutes * 60
            sweep = force or time.monotonic() >= self._sweep_at.get(name, 0.0)
            if sweep:
                self._sweep_at[name] = time.monotonic() + interval_s * (1 - 2 * JITTER)
            try:
                with poll_status.poll_in_progress(store, name):
                    poll = pipeline.poll(sweep=sweep, eager=force, budget_s=BUDGET_S)
                if poll.error:
                    log.error("%s: %s", name, poll.error)
                elif poll.ingested or poll.failed:
                    log.info("%s: %d builds, %d results, %d failed", name, poll.ingested, poll.results, poll.failed)
            except Exception:
                # The next poll continues from the ledger; the current batch was not committed.
                log.exception("%s: the poll failed", name)
            due = pipeline.state.next_due(store)
            if due is not None:
                soonest = SOON_S if pipeline.more else pipeline.reader.running_again.total_seconds()
                self.wake(name, max((due - utc_now()).total_seconds(), soonest))
            job = self._timetable.get_job(name)
            if poll and job:
                poll_status.record_poll(store, poll, job.next_run_time.astimezone(UTC).replace(tzinfo=None))
        return poll

    def wake(self, name: str, wait_s: float = 0.0) -> None:
        """Move a source's next poll to `wait_s` seconds from now, if it is later."""
        job = self._timetable.get_job(name)
        wanted = datetime.now(UTC) + timedelta(seconds=wait_s)
        if job and not self._stop.is_set() and job.next_run_time > wanted:
            job.modify(next_run_time=wanted)

    def new_pipeline(self, store: Store, name: str) -> Pipeline:
        """A pipeline for work outside the source's polls. It shares the client, and with it the limit on requests."""
        own = self._pipelines[name]
        return Pipeline(store, own.source, self._stop, own.jenkins)
