"""The ingest process: one APScheduler job per source, another for requests, another for maintenance.

A source's cycle comes every `poll_minutes`, with a jitter so that many trackers never meet at a Jenkins on the minute,
and sooner while anything runs or waits to be tried again; then only that is asked for.
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
from data.work import ledger, poll_status, requests
from data.work.poll_log import PollRecord
from data.work.requests import WorkRequest
from ingest.bug_feed import FeedError, import_bugs
from ingest.build_reader import utc_now
from ingest.cli.progress import single_threaded, tune_gc_for_batches
from ingest.pipeline import Pipeline
from ingest.request_handlers import handle_request

log = logging.getLogger(__name__)

SOON_S = 0.5
BUDGET_S = 60.0  # after which a poll with a long backlog makes room for the next sweep
JITTER = 0.1  # of poll_minutes
REQUESTS_S = 1.0
REOPEN_AFTER = 500  # commits: DuckDB keeps some 0.1 MB of each until it is closed, outside of its own accounts
STOP_S = 5.0  # how long a poll may take to end once asked to


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
        self._using = 0  # how many threads have the store in their hands
        self._requests_seen = -1
        self._in_hand: set[int] = set()
        workers = len(self.pipelines) + 4
        self.scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(workers)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )

    def run(self) -> None:
        """Poll until SIGTERM or SIGINT; a poll under way commits or drops the batch in its hands, and ends."""
        for name in (signal.SIGTERM, signal.SIGINT):
            signal.signal(name, lambda *_: self.stop.set())
        now = datetime.now(UTC)
        for position, (name, pipeline) in enumerate(self.pipelines.items()):
            every = pipeline.source.poll_minutes * 60
            first = now + timedelta(seconds=min(position * 0.2, 5))
            self.scheduler.add_job(
                self.cycle, "interval", seconds=every, jitter=every * JITTER, args=[name], id=name, next_run_time=first
            )
        self.scheduler.add_job(self.look_for_requests, "interval", seconds=REQUESTS_S, next_run_time=now)
        self.scheduler.add_job(self.keep_requests, "interval", seconds=requests.LOST_AFTER.total_seconds() / 3)
        self.scheduler.add_job(self.beat, "interval", seconds=poll_status.HEARTBEAT_S, next_run_time=now)
        self.scheduler.add_job(
            self.maintain, "interval", minutes=maintenance.EVERY_MINUTES, jitter=30, id="maintenance"
        )
        if self.settings.bugs.url:
            every = self.settings.bugs.hours * 3600
            self.scheduler.add_job(
                self.read_bugs, "interval", seconds=every, jitter=every * JITTER, id="bugs", next_run_time=now
            )
        self.scheduler.start()
        while not self.stop.wait(3600):
            pass
        self._end()

    def cycle(self, name: str, force: bool = False) -> PollRecord | None:
        """One source's turn: a sweep where it is due, and whatever of its open work is. None where it was given up."""
        pipeline, poll = self.pipelines[name], None
        with self._store_in_use(), self._locks[name]:
            every = pipeline.source.poll_minutes * 60
            sweep = force or time.monotonic() >= self._sweep_at.get(name, 0.0)
            if sweep:
                self._sweep_at[name] = time.monotonic() + every * (1 - 2 * JITTER)
            try:
                with poll_status.poll_in_progress(self.store, name):
                    poll = pipeline.poll(sweep=sweep, eager=force, budget_s=BUDGET_S)
                if poll.error:
                    log.error("%s: %s", name, poll.error)
                elif poll.ingested or poll.failed:
                    log.info("%s: %d builds, %d results, %d failed", name, poll.ingested, poll.results, poll.failed)
            except Exception:
                # The next cycle goes on from the ledger; this one's batch is not in the store.
                log.exception("%s: the poll was given up", name)
            due = ledger.next_due(self.store, name)
            if due is not None:
                soonest = SOON_S if pipeline.more else pipeline.reader.open_again.total_seconds()
                self.wake(name, max((due - utc_now()).total_seconds(), soonest))
            job = self.scheduler.get_job(name)
            if poll and job:
                poll_status.record_poll(self.store, poll, job.next_run_time.astimezone(UTC).replace(tzinfo=None))
        return poll

    def wake(self, name: str, wait_s: float = 0.0) -> None:
        """Have a source's next cycle in so many seconds, if it would come later."""
        job = self.scheduler.get_job(name)
        wanted = datetime.now(UTC) + timedelta(seconds=wait_s)
        if job and not self.stop.is_set() and job.next_run_time > wanted:
            job.modify(next_run_time=wanted)

    def another_pipeline(self, name: str) -> Pipeline:
        """For work beside a source's own cycle; the two share the client, and so its bound on requests in flight."""
        own = self.pipelines[name]
        return Pipeline(self.store, own.source, self.stop, own.jenkins)

    def look_for_requests(self) -> None:
        """Start what was asked for since the last look; it costs a stat while the store stands still."""
        with self._store_in_use():
            snapshot = self.store.snapshot().id
            if snapshot == self._requests_seen:
                return
            self._requests_seen = snapshot
            for request in requests.claim(self.store):
                self._in_hand.add(request.request)
                self.scheduler.add_job(self._carry_out, args=[request], misfire_grace_time=None)

    def _carry_out(self, request: WorkRequest) -> None:
        try:
            with self._store_in_use():
                handle_request(self, request)
        finally:
            self._in_hand.discard(request.request)

    def keep_requests(self) -> None:
        """Some work is silent for minutes, while a slow server answers."""
        if taken := list(self._in_hand):
            with self._store_in_use():
                requests.renew_leases(self.store, taken)

    def beat(self) -> None:
        with self._store_in_use():
            poll_status.record_heartbeat(self.store)

    def read_bugs(self) -> None:
        """The bug feed's turn; what stops it is told and logged, and the bugs stay as they are until the next one."""
        began, clock, found, stopped_by = utc_now(), time.monotonic(), None, None
        with self._store_in_use():
            try:
                found = import_bugs(self.store, [self.settings.bugs.url], self.settings.bugs)
            except FeedError as error:
                log.error("bugs: %s", error)
                stopped_by = str(error)
            except Exception as error:
                log.exception("bugs: the feed was given up")
                stopped_by = f"{type(error).__name__}: {error}"
            following = began + timedelta(hours=self.settings.bugs.hours)
            poll_status.record_feed_read(self.store, began, time.monotonic() - clock, stopped_by, following)
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
                    log.info("%d old snapshots forgotten", len(worn))
        except Exception:
            log.exception("maintenance was given up; the next one starts anew")

    @contextmanager
    def _store_in_use(self) -> Iterator[None]:
        """Around all work with the store; who leaves it unused opens it anew where that is due."""
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
            log.exception("the store could not be opened anew; the one that is open stays")
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
        if not ended.is_alive():
            self.store.close()
        # A thread may still sit in a server's silence. What is committed is whole; nothing else is worth waiting for.
        logging.shutdown()
        os._exit(0)
