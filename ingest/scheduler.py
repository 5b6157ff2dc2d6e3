"""The ingest process: its timetable has the polls of the sources (ingest/source_poller.py), and jobs for requests, the
bug feed, the heartbeat and maintenance.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from datetime import UTC, datetime, timedelta

import duckdb
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from data.lake import maintenance
from data.lake.connection import StoreError
from data.lake.store import Store
from data.settings import Settings
from data.tasks import poll_status, requests
from data.tasks.requests import WorkRequest
from ingest.bug_feed import FeedError, import_bugs
from ingest.clock import utc_now
from ingest.request_handlers import PROGRESS_S, BackfillProgress, handle_request
from ingest.shared_store import SharedStore
from ingest.source_poller import SourcePoller
from ingest.tuning import tune_gc_for_batches

log = logging.getLogger(__name__)

JITTER = 0.1  # of the hours between two reads of the bug feed
REQUESTS_S = 1.0
REQUESTS_AT_ONCE = 4
STOP_S = 5.0  # how long a poll may take to end at shutdown


class IngestScheduler:
    """All sources of one store, polled until `stop` is set."""

    def __init__(self, settings: Settings) -> None:
        tune_gc_for_batches()
        self.settings = settings
        self.stop = threading.Event()
        self.shared = SharedStore(settings, self.stop)
        self._checked_snapshot = -1
        self._checked_write: bytes | None = None
        self._working_on: set[int] = set()
        self._backfills: dict[int, BackfillProgress] = {}  # whose builds polls are reading
        workers = len(settings.source) + 4
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
        self.poller = SourcePoller(self.shared, settings.source, self.scheduler, self.stop)

    @property
    def store(self) -> Store:
        """The open store, for a caller that knows that no thread reopens it."""
        return self.shared.store

    def run(self) -> None:
        """Poll until SIGTERM or SIGINT; then a running poll commits or drops its current batch, and ends."""
        for signal_number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(signal_number, lambda *_: self.stop.set())
        now = datetime.now(UTC)
        self.poller.start()
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

    def start_requests(self) -> None:
        """Start the requests that are waiting. While the store does not change, this costs one stat."""
        with self.shared.use() as store:
            write = store.last_write()
            if write is not None and write == self._checked_write:
                return
            self._checked_write = write
            claimed = requests.claim_uploads(store)
            if (snapshot := store.snapshot().id) != self._checked_snapshot:
                self._checked_snapshot = snapshot
                claimed = requests.claim_in_lake(store) + claimed
            for request in claimed:
                self._working_on.add(request.request)
                executor = "uploads" if request.kind == "upload" else "requests"
                self.scheduler.add_job(self._handle, args=[request], misfire_grace_time=None, executor=executor)

    def _handle(self, request: WorkRequest) -> None:
        backfill = None
        try:
            with self.shared.use() as store:
                requests.begin(store, request)
                backfill = handle_request(store, self.poller, request)
        finally:
            if backfill:
                self._backfills[request.request] = backfill
            elif not self.stop.is_set():  # one that the stop cut off is still `working`: it is given back at the end
                self._working_on.discard(request.request)

    def follow_backfills(self) -> None:
        """Report the progress of the backfills whose builds polls are reading."""
        for backfill in list(self._backfills.values()):
            with self.shared.use() as store:
                if backfill.report(store):
                    del self._backfills[backfill.request.request]
                    self._working_on.discard(backfill.request.request)

    def renew_requests(self) -> None:
        """Renew the leases of running requests: a slow server can keep one busy for minutes without progress."""
        if working_on := list(self._working_on):
            with self.shared.use() as store:
                requests.renew_leases(store, working_on)

    def heartbeat(self) -> None:
        with self.shared.use() as store:
            poll_status.record_heartbeat(store)

    def read_bug_feed(self) -> None:
        """Read the bug feed. An error is logged and recorded, and the stored bugs stay until the next time."""
        started_at, clock, found = utc_now(), time.monotonic(), None
        problem: str | None = None
        with self.shared.use() as store:
            try:
                found = import_bugs(store, [self.settings.bugs.url], self.settings.bugs)
            except FeedError as error:
                log.error("bugs: %s", error)
                problem = str(error)
            except Exception as error:
                log.exception("bugs: reading the feed failed")
                problem = f"{type(error).__name__}: {error}"
            next_at = started_at + timedelta(hours=self.settings.bugs.hours)
            poll_status.record_feed_read(store, started_at, time.monotonic() - clock, problem, next_at)
        if found is None:
            return
        for line in (*found["left_out"], *found["warnings"]):
            log.warning("bugs: %s", line)
        if found["added"] or found["changed"] or found["gone"]:
            log.info("bugs: %d new, %d changed, %d gone", found["added"], found["changed"], found["gone"])

    def maintain(self) -> None:
        try:
            with self.shared.use() as store:
                maintenance.run(store)
                worn = maintenance.redundant(store, utc_now())
                if len(worn) > maintenance.MAX_REDUNDANT:
                    maintenance.expire(store, worn)
                    log.info("%d old snapshots expired", len(worn))
        except Exception:
            log.exception("maintenance failed; it is tried again next time")

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
