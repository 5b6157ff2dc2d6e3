"""One poll of one source: discover, read, commit. What is read in one go is committed in one transaction with its
ledger rows, so that a crash at any moment leaves the store as it was before or after a batch, and nothing in between.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice

from filelock import FileLock, Timeout

from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildRecord
from data.settings import SourceSettings
from data.work import ledger
from data.work.build_lookups import EntryContext, entry_contexts
from data.work.jobs import JobRow, update_jobs
from data.work.ledger import BUILD, GONE, RUN, LedgerEntry
from data.work.poll_log import PollRecord, log_poll
from data.write.builds import upsert_builds
from data.write.raw_files import replace_raw_files
from ingest.build_reader import BuildReader, ReadResult, utc_now
from ingest.discovery import discover
from ingest.jenkins.client import Jenkins
from ingest.jenkins.errors import JenkinsError, ShutdownError

log = logging.getLogger(__name__)

# To commit costs 0.4 s of one core however little there is: few and large batches are what makes a backfill quick.
BATCH_RESULTS = 300_000
BATCH_BYTES = 64 << 20
BATCH_SECONDS = 5.0
CHUNK = 500  # entries whose context is asked of the store at once, and that one process takes for itself
GIVE_UP = 3  # answers in a row which say that the server itself is not well


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
    """One source's way into the store. Kept between polls, it remembers sessions and how running builds looked."""

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
        # Kept between polls, for each of its threads has a session that is logged in.
        self._pool = ThreadPoolExecutor(source.max_in_flight, thread_name_prefix=source.name)
        self.tally = Tally()
        self.progress: Callable[[int, int], None] | None = None  # called after each batch: (done, total) builds
        self._total = 0
        self.more = False  # the last poll left work that is due

    def use(self, store: Store) -> None:
        """From now on work with this opened store, which is the same one."""
        self.store = self.reader.store = store

    def poll(self, *, sweep: bool = True, eager: bool = False, budget_s: float = math.inf) -> PollRecord:
        """One cycle: sweep for new builds (unless told not to), then read whatever is due, and log it.

        It ends early after `budget_s` seconds, with `more` set, so that a long backlog does not hide new builds.
        Errors of single builds are counted and stay in the ledger; one that concerns the whole source stands in the
        answer's `error`.
        """
        began, clock, requests = utc_now(), time.monotonic(), self.jenkins.requests
        self.tally = tally = Tally()
        error = None
        try:
            if sweep:
                self.sweep()
            self.more = self.work(RUN, clock + budget_s, eager=eager)
            self.more |= self.work(BUILD, clock + budget_s, eager=eager)
        except JenkinsError as problem:
            error = None if isinstance(problem, ShutdownError) else str(problem)
        poll = PollRecord(
            source=self.source.name,
            started_at=began,
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
        for found in discover(self.jenkins, self.layout, self.store, self._pool, utc_now()):
            for job, error in found.failed:
                log.warning("%s: %s: %s", self.source.name, job, error)
                self.tally.failed += 1
                self.tally.errors.append(str(error))
            if found.entries or found.jobs:
                self.add(found.entries, found.jobs)

    def add(self, entries: list[LedgerEntry], jobs: list[JobRow] = ()) -> int:
        """Put discovered builds into the ledger. Returns how many were not there."""
        now = utc_now()

        def write(cursor) -> int:
            update_jobs(cursor, jobs, now)
            return ledger.add_entries(cursor, entries, now)

        known = self.store.transact("ingest", f"{self.source.name}: {len(entries)} builds discovered", write)
        self.tally.found += known
        return known

    def work(self, kind: str, deadline: float = math.inf, *, eager: bool = False) -> bool:
        """Read what is due of one kind until a moment of the monotonic clock. Returns whether something is left.

        Raises JenkinsError where the server does not answer any more.
        """
        tried: set[tuple[str, str, int]] = set()
        while time.monotonic() < deadline:
            with self._turn():
                due = ledger.due(self.store, self.source.name, kind, utc_now(), len(tried) + CHUNK, eager)
                # The newest chunk first, but within it the oldest first: "first seen" is then rarely put right later.
                entries = [entry for entry in due if entry.key not in tried][:CHUNK][::-1]
                if not entries:
                    return False
                tried |= {entry.key for entry in entries}
                self.read(entries)
        return True

    def read(self, entries: list[LedgerEntry], again: bool = False) -> None:
        """Read these entries and commit what comes of them, in batches. `again`: even what is known to be unchanged."""
        context = entry_contexts(self.store, entries)
        batch = _Batch()
        unwell = 0
        try:
            for outcome in self._outcomes(entries, context, again):
                if outcome is not None:
                    if outcome.changed:
                        batch.add(outcome)
                    else:
                        self.tally.running += outcome.read.kind == BUILD
                    unwell = unwell + 1 if outcome.error and outcome.error.everywhere else 0
                    if unwell >= GIVE_UP:
                        raise outcome.error
                if batch.is_due:
                    full, batch = batch, _Batch()
                    self.commit(full.outcomes)
                if self.stop.is_set():
                    raise ShutdownError("stopped")
        except JenkinsError:
            self.commit(batch.outcomes)
            raise
        self.commit(batch.outcomes)

    def _outcomes(
        self,
        entries: list[LedgerEntry],
        context: dict[tuple[str, str, int], EntryContext],
        again: bool,
    ) -> Iterator[ReadResult | None]:
        """What the entries give, as it comes; None now and then, so that a batch never waits for a slow answer."""
        waiting = iter(entries)
        pending: set[Future[ReadResult]] = set()
        ahead = self.source.max_in_flight + 2
        try:
            while True:
                for entry in islice(waiting, ahead - len(pending)):
                    pending.add(self._pool.submit(self.reader.read, entry, context[entry.key], again))
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

    def commit(self, batch: list[ReadResult]) -> None:
        """Write what was read, with its ledger rows, in one transaction."""
        if not batch:
            return
        now = utc_now()
        builds = list({outcome.build.id: outcome.build for outcome in batch if outcome.build}.values())
        made = [(outcome.build, outcome.run) for outcome in batch if outcome.build and outcome.run]
        runs = [outcome.run for outcome in batch if outcome.run and not outcome.build]
        listed = [row for outcome in batch for row in outcome.listed]
        found = [entry for outcome in batch for entry in outcome.found]

        def write(cursor) -> tuple[int, int]:
            results = upsert_builds(cursor, builds, now, standalone_runs=made, runs=runs, run_builds=listed)
            for outcome in batch:
                if outcome.raw and outcome.run:
                    run = outcome.run
                    owner = ids.of(run.source, run.job, run.number, run.started_at.isoformat())
                    replace_raw_files(cursor, owner, run.started_at, outcome.raw)
            still = [outcome.entry for outcome in batch if outcome.entry]
            ledger.update_entries(cursor, [outcome.read for outcome in batch], still, now)
            ledger.mark_gone(cursor, [entry for entry in still if entry.state == GONE])
            return results, ledger.add_entries(cursor, found, now)

        results, new = self.store.transact("ingest", self._message(batch, builds), write)
        for outcome in batch:
            self.reader.written(outcome)
        tally = self.tally
        tally.results += results
        tally.found += new
        tally.runs += sum(run.state == "final" for run in runs)
        tally.ingested += sum(build.state == "final" for build in builds)
        tally.running += sum(build.state == "running" for build in builds)
        for outcome in batch:
            if outcome.deleted:
                tally.gone += 1
                log.info("%s: %s", self.source.name, outcome.error)
            elif outcome.error:
                tally.failed += 1
                tally.errors.append(str(outcome.error))
                log.warning("%s: %s #%d: %s", self.source.name, outcome.read.job, outcome.read.number, outcome.error)
        if self.progress:
            done = tally.ingested + tally.failed + tally.gone
            self._total = max(self._total, done + ledger.count_new(self.store, self.source.name))
            self.progress(done, self._total)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Of several processes on one machine that poll one source, one at a time reads a chunk of the ledger."""
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

    def _message(self, batch: list[ReadResult], builds: list[BuildRecord]) -> str:
        if len(builds) == 1:
            (build,) = builds
            return f"{self.source.name}: {build.job} #{build.number}, {len(build.cases)} results"
        results = sum(len(build.cases) for build in builds)
        return f"{self.source.name}: {len(builds)} builds, {results} results; {len(batch)} ledger rows"

    def _log(self, poll: PollRecord) -> None:
        if poll.found or poll.ingested or poll.failed or poll.results or poll.error:
            message = f"{self.source.name}: poll, {poll.ingested} builds, {poll.failed} failed"
            self.store.transact("ingest", message, lambda cursor: log_poll(cursor, poll))


class _Batch:
    """What is to be committed next. Its size is counted as it grows: the tables know theirs only by adding up."""

    def __init__(self) -> None:
        self.outcomes: list[ReadResult] = []
        self.began = time.monotonic()
        self._results = self._bytes = 0

    def add(self, outcome: ReadResult) -> None:
        self.outcomes.append(outcome)
        if outcome.build:
            self._results += len(outcome.build.cases)
            self._bytes += outcome.build.cases.nbytes + sum(len(file.content) for file in outcome.build.raw or ())

    @property
    def is_due(self) -> bool:
        full = self._results >= BATCH_RESULTS or self._bytes >= BATCH_BYTES
        return full or time.monotonic() - self.began > BATCH_SECONDS
