"""The ingest process: one APScheduler job per source, and jobs for requests, the bug feed, the heartbeat, maintenance.

A source is polled every `poll_minutes`, with a jitter so that many trackers do not reach a Jenkins at the same moment.
While a build is running or waits for a retry (ingest/retry.py) the source is polled sooner, and only for what is due.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import duckdb
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from data.lake import maintenance
from data.lake.connection import StoreError
from data.lake.store import Store
from data.settings import Settings
from data.tasks import poll_status, requests
from data.tasks.poll_log import PollRecord
from data.tasks.requests import WorkRequest
from ingest.bug_feed import FeedError, import_bugs
from ingest.clock import utc_now
from ingest.pipeline import Pipeline
from ingest.request_handlers import PROGRESS_S, BackfillProgress, HandlerContext, handle_request
from ingest.tuning import single_threaded, tune_gc_for_batches

log = logging.getLogger(__name__)

SOON_S = 0.5
BUDGET_S = 60.0  # a poll with a long backlog ends after this time, to make room for the next sweep
JITTER = 0.1  # of poll_minutes
REQUESTS_S = 1.0
REQUESTS_AT_ONCE = 4
REOPEN_AFTER = 500  # commits: until it is closed, DuckDB keeps some 0.1 MB per commit that its memory limit ignores
STOP_S = 5.0  # how long a poll may take to end at shutdown


class IngestScheduler:
    """All sources of one store, polled until `stop` is set."""

    def __init__(self, settings: Settings) -> None:
        tune_gc_for_batches()
        self.settings = settings
        self.stop = threading.Event()
        self.store = Store.open(single_threaded(settings))
        self.pipelines = {source.name: Pipeline(self.store, source, self.stop) for source in settings.source}
        self._sweep_at: dict[str, float] = {}
        self._locks = {name: threading.Lock() for name in self.pipelines}
        self._opened_at = self.store.snapshot().id
        self._gate = threading.Lock()
        self._using = 0  # threads that use the store
        self._checked_snapshot = -1
        self._checked_write: bytes | None = None
        self._working_on: set[int] = set()
        self._backfills: dict[int, BackfillProgress] = {}  # whose builds polls are reading
        workers = len(self.pipelines) + 4
        self.scheduler = BackgroundScheduler(
            # Requests wait for each other, never polls for them. Uploads are read one at a time, for their memory.
            executors={
                "default": ThreadPoolExecutor(workers),
                "requests": ThreadPoolExecutor(REQUESTS_AT_ONCE),
                "uploads": ThreadPoolExecutor(1),
            },
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )

    def run(self) -> None:
        """Poll until SIGTERM or SIGINT; then a running poll commits or drops its current batch, and ends."""
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signal_number, lambda *_: self.stop.set())
        now = datetime.now(UTC)
        for position, (name, pipeline) in enumerate(self.pipelines.items()):
            interval_s = pipeline.source.poll_minutes * 60
            first = now + timedelta(seconds=min(position * 0.2, 5))
            self.scheduler.add_job(
                self.poll_source,
                "interval",
                seconds=interval_s,
                jitter=interval_s * JITTER,
                args=[name],
                id=name,
                next_run_time=first,
            )
        self.scheduler.add_job(self.start_requests, "interval", seconds=REQUESTS_S, next_run_time=now)
        self.scheduler.add_job(self.renew_requests, "interval", seconds=requests.LOST_AFTER.total_seconds() / 3)
        self.scheduler.add_job(self.follow_backfills, "interval", seconds=PROGRESS_S)
        self.scheduler.add_job(self.heartbeat, "interval", seconds=poll_status.HEARTBEAT_S, next_run_time=now)
        self.scheduler.add_job(
            self.maintain, "interval", minutes=maintenance.EVERY_MINUTES, jitter=30, id="maintenance"
        )
        if self.settings.bugs.url:
            interval_s = self.settings.bugs.hours * 3600
            self.scheduler.add_job(
                self.read_bug_feed,
                "interval",
                seconds=interval_s,
                jitter=interval_s * JITTER,
                id="bugs",
                next_run_time=now,
            )
        self.scheduler.start()
        while not self.stop.wait(3600):
            pass
        self._end()

    def poll_source(self, name: str, force: bool = False) -> PollRecord | None:
        """Poll one source: sweep if that is due (or with `force`), and read what is due. None if the poll crashed."""
        pipeline, poll = self.pipelines[name], None
        with self._store_in_use(), self._locks[name]:
            interval_s = pipeline.source.poll_minutes * 60
            sweep = force or time.monotonic() >= self._sweep_at.get(name, 0.0)
            if sweep:
                self._sweep_at[name] = time.monotonic() + interval_s * (1 - 2 * JITTER)
            try:
                with poll_status.poll_in_progress(self.store, name):
                    poll = pipeline.poll(sweep=sweep, eager=force, budget_s=BUDGET_S)
                if poll.error:
                    log.error("%s: %s", name, poll.error)
                elif poll.ingested or poll.failed:
                    log.info("%s: %d builds, %d results, %d failed", name, poll.ingested, poll.results, poll.failed)
            except Exception:
                # The next poll continues from the ledger; the current batch was not committed.
                log.exception("%s: the poll failed", name)
            due = pipeline.state.next_due(self.store)
            if due is not None:
                soonest = SOON_S if pipeline.more else pipeline.reader.running_again.total_seconds()
                self.wake(name, max((due - utc_now()).total_seconds(), soonest))
            job = self.scheduler.get_job(name)
            if poll and job:
                poll_status.record_poll(self.store, poll, job.next_run_time.astimezone(UTC).replace(tzinfo=None))
        return poll

    def wake(self, name: str, wait_s: float = 0.0) -> None:
        """Move a source's next poll to `wait_s` seconds from now, if it is later."""
        job = self.scheduler.get_job(name)
        wanted = datetime.now(UTC) + timedelta(seconds=wait_s)
        if job and not self.stop.is_set() and job.next_run_time > wanted:
            job.modify(next_run_time=wanted)

    def new_pipeline(self, name: str) -> Pipeline:
        """A pipeline for work outside the source's polls. It shares the client, and with it the limit on requests."""
        own = self.pipelines[name]
        return Pipeline(self.store, own.source, self.stop, own.jenkins)

    def start_requests(self) -> None:
        """Start the requests that are waiting. While the store does not change, this costs one stat."""
        with self._store_in_use():
            write = self.store.last_write()
            if write is not None and write == self._checked_write:
                return
            self._checked_write = write
            claimed = requests.claim_uploads(self.store)
            if (snapshot := self.store.snapshot().id) != self._checked_snapshot:
                self._checked_snapshot = snapshot
                claimed = requests.claim_in_lake(self.store) + claimed
            for request in claimed:
                self._working_on.add(request.request)
                executor = "uploads" if request.kind == "upload" else "requests"
                self.scheduler.add_job(self._handle, args=[request], misfire_grace_time=None, executor=executor)

    def _handle(self, request: WorkRequest) -> None:
        try:
            with self._store_in_use():
                requests.begin(self.store, request)
                handle_request(self._handler_context(), request)
        finally:
            # One that the stop cut off is still `working`: it is given back at the end.
            if request.request not in self._backfills and not self.stop.is_set():
                self._working_on.discard(request.request)

    def follow_backfills(self) -> None:
        """Report the progress of the backfills whose builds polls are reading."""
        for backfill in list(self._backfills.values()):
            with self._store_in_use():
                if backfill.report(self.store):
                    del self._backfills[backfill.request.request]
                    self._working_on.discard(backfill.request.request)

    def renew_requests(self) -> None:
        """Renew the leases of running requests: a slow server can keep one busy for minutes without progress."""
        if working_on := list(self._working_on):
            with self._store_in_use():
                requests.renew_leases(self.store, working_on)

    def _handler_context(self) -> HandlerContext:
        return HandlerContext(
            store=self.store,
            sources=list(self.pipelines),
            poll=lambda source: self.poll_source(source, force=True),
            wake=self.wake,
            new_pipeline=self.new_pipeline,
            follow=lambda backfill: self._backfills.update({backfill.request.request: backfill}),
        )

    def heartbeat(self) -> None:
        with self._store_in_use():
            poll_status.record_heartbeat(self.store)

    def read_bug_feed(self) -> None:
        """Read the bug feed. An error is logged and recorded, and the stored bugs stay until the next time."""
        started_at, clock, found = utc_now(), time.monotonic(), None
        problem: str | None = None
        with self._store_in_use():
            try:
                found = import_bugs(self.store, [self.settings.bugs.url], self.settings.bugs)
            except FeedError as error:
                log.error("bugs: %s", error)
                problem = str(error)
            except Exception as error:
                log.exception("bugs: reading the feed failed")
                problem = f"{type(error).__name__}: {error}"
            next_at = started_at + timedelta(hours=self.settings.bugs.hours)
            poll_status.record_feed_read(self.store, started_at, time.monotonic() - clock, problem, next_at)
        if found is None:
            return
        for line in (*found["left_out"], *found["warnings"]):
            log.warning("bugs: %s", line)
        if found["added"] or found["changed"] or found["gone"]:
            log.info("bugs: %d new, %d changed, %d gone", found["added"], found["changed"], found["gone"])

    def maintain(self) -> None:
        try:
            with self._store_in_use():
                maintenance.run(self.store)
                worn = maintenance.redundant(self.store, utc_now())
                if len(worn) > maintenance.MAX_REDUNDANT:
                    maintenance.expire(self.store, worn)
                    log.info("%d old snapshots expired", len(worn))
        except Exception:
            log.exception("maintenance failed; it is tried again next time")

    @contextmanager
    def _store_in_use(self) -> Iterator[None]:
        """Wraps all work with the store. The last thread that leaves it reopens the store when that is due."""
        with self._gate:
            self._using += 1
        try:
            yield
        finally:
            with self._gate:
                self._using -= 1
                if not self._using and not self.stop.is_set():
                    self._reopen()

    def _reopen(self) -> None:
        try:
            if self.store.snapshot().id - self._opened_at < REOPEN_AFTER:
                return
            old, self.store = self.store, Store.open(single_threaded(self.settings))
        except (StoreError, duckdb.Error):
            log.exception("the store could not be reopened; the open connection stays in use")
            return
        self._opened_at = self.store.snapshot().id
        for pipeline in self.pipelines.values():
            pipeline.use(self.store)
        old.close()

    def _end(self) -> None:
        self.scheduler.pause()
        ended = threading.Thread(target=self.scheduler.shutdown, daemon=True)
        ended.start()
        ended.join(STOP_S)
        if working_on := list(self._working_on):
            try:
                requests.release(self.store, working_on)
            except (StoreError, duckdb.Error):
                log.exception("the requests could not be released; another process takes them in a while")
        if not ended.is_alive():
            self.store.close()
        # A thread may still wait for a silent server. Commits are atomic, so nothing is lost by exiting now.
        logging.shutdown()
        os._exit(0)
