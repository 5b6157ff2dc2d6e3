"""One poll of one source: discover, read, commit.

A batch of builds is committed in one transaction with its ledger rows: a crash at any moment leaves the store as it was
before or after the batch. When a failed build is tried again: ingest/retry.py.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

import duckdb
from filelock import FileLock, Timeout

from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildKey, BuildRecord
from data.settings import SourceSettings
from data.tasks import ledger
from data.tasks.build_lookups import EntryContext
from data.tasks.jobs import JobRow, update_jobs
from data.tasks.ledger import BUILD, FAILED, GONE, RUN, LedgerEntry
from data.tasks.poll_log import PollRecord, log_poll
from data.write.builds import upsert_builds
from data.write.raw_files import replace_raw_files
from ingest import retry
from ingest.batch import Batch
from ingest.build_reader import BuildReader, ReadResult
from ingest.clock import utc_now
from ingest.discovery import discover
from ingest.jenkins.client import Jenkins
from ingest.jenkins.errors import JenkinsError, ShutdownError
from ingest.reading_marks import ReadingMarks
from ingest.retry import MAX_SERVER_FAILURES
from ingest.source_state import SourceState

log = logging.getLogger(__name__)

CHUNK = 500  # entries that one process takes from the ledger at once


@dataclass
class Tally:
    found: int = 0
    runs: int = 0  # orchestrating builds that were read to their end
    ingested: int = 0
    running: int = 0
    failed: int = 0
    gone: int = 0  # builds that Jenkins has deleted
    results: int = 0
    errors: list[str] = field(default_factory=list)


class Pipeline:
    """Reads one source into the store. Kept between polls with its sessions and what it knows of running builds."""

    def __init__(
        self,
        store: Store,
        source: SourceSettings,
        stop: threading.Event | None = None,
        jenkins: Jenkins | None = None,
    ) -> None:
        self.store = store
        self.source = source
        self.stop = stop or threading.Event()
        self.jenkins = jenkins or Jenkins(source, self.stop)
        self.reader = BuildReader(store, source, self.jenkins)
        self.layout = self.reader.layout
        self.state = SourceState(source.name)
        self._marks = ReadingMarks(store.settings.home / f"{source.name}.reading", source.name)
        # Kept between polls, because each of its threads has a logged-in session.
        self._pool = ThreadPoolExecutor(source.max_in_flight, thread_name_prefix=source.name)
        self.tally = Tally()
        self.progress: Callable[[int, int], None] | None = None  # called after each batch: (done, total) builds
        self._total = 0
        self.more = False  # the last poll left work that is due

    def use(self, store: Store) -> None:
        """Use another connection to the same store from now on."""
        self.store = self.reader.store = store

    def poll(self, *, sweep: bool = True, eager: bool = False, budget_s: float = math.inf) -> PollRecord:
        """Sweep for new builds if `sweep`, then read what is due, and log the poll.

        Ends after `budget_s` seconds with `more` set, so that a long backlog does not hide new builds. `eager`: also
        read what waits for a retry. Errors of single builds are counted and stay in the ledger; an error of the whole
        source is the result's `error`.
        """
        started_at, clock, requests = utc_now(), time.monotonic(), self.jenkins.requests
        self.tally = tally = Tally()
        error = None
        try:
            if sweep:
                self.sweep()
            self.more = self.read_due(RUN, clock + budget_s, eager=eager)
            self.more |= self.read_due(BUILD, clock + budget_s, eager=eager)
        except JenkinsError as problem:
            error = None if isinstance(problem, ShutdownError) else str(problem)
        poll = PollRecord(
            source=self.source.name,
            started_at=started_at,
            duration_s=time.monotonic() - clock,
            found=tally.found,
            ingested=tally.ingested,
            running=tally.running,
            failed=tally.failed,
            results=tally.results,
            requests=self.jenkins.requests - requests,
            error=error or next(iter(tally.errors), None),
        )
        self._log(poll)
        return replace(poll, error=error)

    def sweep(self) -> None:
        """Discover new builds and commit their ledger rows. Raises JenkinsError."""
        before = self.state.jobs(self.store)
        for found in discover(self.jenkins, self.layout, self.store, before, self._pool, utc_now()):
            for job, error in found.failed:
                log.warning("%s: %s: %s", self.source.name, job, error)
                self.tally.failed += 1
                self.tally.errors.append(str(error))
            if found.entries or found.jobs:
                self.add(found.entries, found.jobs)

    def add(self, entries: list[LedgerEntry], jobs: Sequence[JobRow] = ()) -> None:
        """Add discovered builds to the ledger."""
        now = utc_now()

        def write(cursor: duckdb.DuckDBPyConnection) -> int:
            update_jobs(cursor, jobs, now)
            return ledger.add_entries(cursor, entries, now)

        new = self.store.transact("ingest", f"{self.source.name}: {len(entries)} builds discovered", write)
        self.tally.found += new

    def read_due(self, kind: str, deadline: float = math.inf, *, eager: bool = False) -> bool:
        """Read what is due of one kind, until `deadline` on the monotonic clock. Returns whether something is left.

        Raises JenkinsError if the server stops answering.
        """
        if not self.state.due(self.store, kind, utc_now(), 1, eager):
            return False
        tried: set[tuple[str, str, int]] = set()
        while time.monotonic() < deadline:
            with self._locked(), self._crashes_noted():
                due = self.state.due(self.store, kind, utc_now(), len(tried) + CHUNK, eager)
                # The newest chunk first, but within it the oldest first: then "first seen" rarely has to be corrected.
                entries = [entry for entry in due if entry.key not in tried][:CHUNK][::-1]
                if not entries:
                    return False
                tried |= {entry.key for entry in entries}
                self.read([entry for entry in entries if not entry.crashes], marked=True)
                for entry in entries:
                    if entry.crashes:  # alone, so that it is known which one ends the process
                        self.read([entry], marked=True)
        return True

    @contextmanager
    def _crashes_noted(self) -> Iterator[None]:
        """Mark what is read within. Builds that a process marked and left are those that it died over."""
        if left := self._marks.left():
            self._note_crashes(left)
        self._marks.clear()
        try:
            yield
        finally:
            self._marks.clear()

    def _note_crashes(self, left: list[BuildKey]) -> None:
        stored = [ledger.find_entry(self.store, LedgerEntry(*key, BUILD)) for key in left]
        entries = [retry.after_crash(entry) for entry in stored if entry]
        for entry in entries:
            log.warning("%s: %s #%d: %s", self.source.name, entry.job, entry.number, entry.error)

        def write(cursor: duckdb.DuckDBPyConnection) -> None:
            ledger.update_entries(cursor, [], entries, utc_now())
            ledger.finish_builds(cursor, [entry for entry in entries if entry.state == FAILED], "unreadable")

        self.store.transact("ingest", f"{self.source.name}: a process ended over {len(entries)} builds", write)

    def read(self, entries: list[LedgerEntry], force: bool = False, marked: bool = False) -> None:
        """Read these entries and commit them in batches. `force`: also builds that are stored and unchanged. `marked`:
        mark what is being read; only under the lock of the source."""
        batch = Batch[ReadResult]()
        server_failures = 0
        try:
            for result in self._results(entries, force, marked):
                if result is not None:
                    if result.changed:
                        batch.add(result, result.build)
                    else:
                        self.tally.running += result.read.kind == BUILD
                    if result.error and result.error.everywhere:
                        server_failures += 1
                        if server_failures >= MAX_SERVER_FAILURES:
                            raise result.error
                    else:
                        server_failures = 0
                if batch.is_due:
                    full, batch = batch, Batch()
                    self.commit(full.items)
                if self.stop.is_set():
                    raise ShutdownError("stopped")
        except JenkinsError:
            self.commit(batch.items)
            raise
        self.commit(batch.items)

    def _results(self, entries: list[LedgerEntry], force: bool, marked: bool) -> Iterator[ReadResult | None]:
        """Results as they arrive; None if none did for a while, so that a batch never waits for a slow answer."""
        context = self.state.contexts(self.store, entries)
        remaining = iter(entries)
        pending: set[Future[ReadResult]] = set()
        ahead = self.source.max_in_flight + 2
        read = self._read_marked if marked else self.reader.read
        try:
            while True:
                for entry in islice(remaining, ahead - len(pending)):
                    pending.add(self._pool.submit(read, entry, context[entry.key], force))
                if not pending:
                    return
                done, pending = wait(pending, timeout=0.5, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
                if not done:
                    yield None
        finally:
            for future in pending:
                future.cancel()

    def _read_marked(self, entry: LedgerEntry, context: EntryContext, force: bool) -> ReadResult:
        self._marks.begin(entry.key)
        try:
            return self.reader.read(entry, context, force)
        finally:
            self._marks.end(entry.key)

    def commit(self, results: list[ReadResult]) -> None:
        """Write what was read, with its ledger rows, in one transaction."""
        if not results:
            return
        builds = list({result.build.id: result.build for result in results if result.build}.values())
        rows, new = self.store.transact(
            "ingest", self._message(results, builds), lambda cursor: _write(cursor, results, builds)
        )
        for result in results:
            self.reader.mark_committed(result)
        self.tally.results += rows
        self.tally.found += new
        self._count(results, builds)
        if self.progress:
            done = self.tally.ingested + self.tally.failed + self.tally.gone
            self._total = max(self._total, done + ledger.count_new(self.store, self.source.name))
            self.progress(done, self._total)

    def _count(self, results: list[ReadResult], builds: list[BuildRecord]) -> None:
        tally = self.tally
        tally.ingested += sum(build.state == "final" for build in builds)
        tally.running += sum(build.state == "running" for build in builds)
        for result in results:
            if result.run and not result.build:
                tally.runs += result.run.state == "final"
            if result.deleted:
                tally.gone += 1
                log.info("%s: %s", self.source.name, result.error)
            elif result.error:
                tally.failed += 1
                tally.errors.append(str(result.error))
                log.warning("%s: %s #%d: %s", self.source.name, result.read.job, result.read.number, result.error)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Only one process of this machine at a time reads a chunk of the source's ledger."""
        lock = FileLock(self.store.settings.home / f"{self.source.name}.lock")
        while True:
            if self.stop.is_set():
                raise ShutdownError("stopped")
            try:
                lock.acquire(timeout=0.5)
                break
            except Timeout:
                continue
        try:
            yield
        finally:
            lock.release()

    def _message(self, results: list[ReadResult], builds: list[BuildRecord]) -> str:
        if len(builds) == 1:
            (build,) = builds
            return f"{self.source.name}: {build.job} #{build.number}, {len(build.cases)} results"
        rows = sum(len(build.cases) for build in builds)
        return f"{self.source.name}: {len(builds)} builds, {rows} results; {len(results)} ledger rows"

    def _log(self, poll: PollRecord) -> None:
        if poll.found or poll.ingested or poll.failed or poll.results or poll.error:
            message = f"{self.source.name}: poll, {poll.ingested} builds, {poll.failed} failed"
            self.store.transact("ingest", message, lambda cursor: log_poll(cursor, poll))


def _write(cursor: duckdb.DuckDBPyConnection, results: list[ReadResult], builds: list[BuildRecord]) -> tuple[int, int]:
    """Write everything that was read. Returns (result rows written, ledger entries added)."""
    now = utc_now()
    rows = upsert_builds(
        cursor,
        builds,
        now,
        standalone_runs=[(result.build, result.run) for result in results if result.build and result.run],
        runs=[result.run for result in results if result.run and not result.build],
        run_builds=[row for result in results for row in result.run_builds],
    )
    kept = {
        (ids.of(run.source, run.job, run.number, run.started_at.isoformat()), run.started_at): result.raw
        for result in results
        if result.raw and (run := result.run)
    }
    replace_raw_files(cursor, kept)
    pending = [result.entry for result in results if result.entry]
    ledger.update_entries(cursor, [result.read for result in results], pending, now)
    ledger.finish_builds(cursor, [entry for entry in pending if entry.state == GONE], "gone")
    ledger.finish_builds(cursor, [entry for entry in pending if entry.state == FAILED], "unreadable")
    return rows, ledger.add_entries(cursor, [entry for result in results for entry in result.found], now)
