"""One poll of one source: discover, read, commit. What is read in one go is committed in one transaction with its
ledger rows, so that a crash at any moment leaves the store as it was before or after a batch, and nothing in between.
"""

from __future__ import annotations

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from filelock import FileLock, Timeout

from data import ids, ledger, raw
from data.append import Build, RawFile, put, put_raw
from data.ledger import BUILD, GONE, MISSES, RECHECK, RETRY, RUN, RUNNING, Context, Entry, Poll
from data.runs import Run, RunBuild
from data.settings import SourceSettings
from data.store import Store
from ingest.derive import Unfinished, derive
from ingest.details import Detail, read_detail
from ingest.discovery import discover
from ingest.fetch import Files, detail_of, read_build_map, read_build_object, read_files
from ingest.jenkins import Jenkins, JenkinsError, Missing, Stopped, build_path
from ingest.layouts import layout_of
from ingest.layouts.orchestrator import MAP_FILE, OrchestratorLayout
from ingest.parsers.archive import BadArchive
from ingest.rules import UNKNOWN

log = logging.getLogger(__name__)

BATCH_RESULTS = 100_000
BATCH_BYTES = 64 << 20
BATCH_SECONDS = 2.0
CHUNK = 500  # entries whose context is asked of the store at once, and that one process takes for itself
OPEN_AGAIN = timedelta(seconds=15)  # running builds
MAP_PATIENCE = timedelta(minutes=30)  # how long after its end an orchestrating build may still get its map
GIVE_UP = 3  # answers in a row which say that the server itself is not well
LOG_EVERY = timedelta(minutes=5)


@dataclass
class Outcome:
    """What reading one entry gave. `entry` is its row from now on; None: nothing is left to do."""

    read: Entry
    entry: Entry | None = None
    build: Build | None = None
    run: Run | None = None  # of the build; or of an orchestrating build, with what it lists
    listed: list[RunBuild] = field(default_factory=list)
    found: list[Entry] = field(default_factory=list)
    raw: list[RawFile] = field(default_factory=list)  # of an orchestrating build
    error: JenkinsError | None = None
    digest: bytes = b""  # of what a running build looks like
    changed: bool = True  # False: nothing of it needs to be written


@dataclass
class Tally:
    found: int = 0
    ingested: int = 0
    running: int = 0
    failed: int = 0
    results: int = 0
    errors: list[str] = field(default_factory=list)


def utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


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
        self.layout = layout_of(source)
        # Kept between polls, for each of its threads has a session that is logged in.
        self._pool = ThreadPoolExecutor(source.max_in_flight, thread_name_prefix=source.name)
        self.tally = Tally()
        self.committed: Callable[[], None] = lambda: None  # called after each batch
        self.more = False  # the last poll left work that is due
        self._seen: dict[tuple[str, str, int], bytes] = {}
        self._upstream: dict[tuple[str, int], tuple[Detail, RawFile]] = {}
        self._logged_at: datetime | None = None

    def poll(self, *, sweep: bool = True, eager: bool = False, budget_s: float = math.inf) -> Poll:
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
            error = None if isinstance(problem, Stopped) else str(problem)
        poll = Poll(
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

    def add(self, entries: list[Entry], jobs: list[ledger.Job] = ()) -> int:
        """Put discovered builds into the ledger. Returns how many were not there."""
        now = utc_now()

        def write(cursor) -> int:
            ledger.see_jobs(cursor, jobs, now)
            return ledger.discover(cursor, entries, now)

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

    def read(self, entries: list[Entry], again: bool = False) -> None:
        """Read these entries and commit what comes of them, in batches. `again`: even what is known to be unchanged."""
        context = ledger.contexts(self.store, entries)
        batch: list[Outcome] = []
        began = time.monotonic()
        unwell = 0
        try:
            for outcome in self._outcomes(entries, context, again):
                if outcome is not None:
                    if outcome.changed:
                        began = began if batch else time.monotonic()
                        batch.append(outcome)
                    else:
                        self.tally.running += outcome.read.kind == BUILD
                    unwell = unwell + 1 if outcome.error and outcome.error.everywhere else 0
                    if unwell >= GIVE_UP:
                        raise outcome.error
                if _is_full(batch) or (batch and time.monotonic() - began > BATCH_SECONDS):
                    full, batch = batch, []
                    self.commit(full)
                if self.stop.is_set():
                    raise Stopped("stopped")
        except JenkinsError:
            self.commit(batch)
            raise
        self.commit(batch)

    def _outcomes(
        self,
        entries: list[Entry],
        context: dict[tuple[str, str, int], Context],
        again: bool,
    ) -> Iterator[Outcome | None]:
        """What the entries give, as it comes; None now and then, so that a batch never waits for a slow answer."""
        waiting = iter(entries)
        pending: set[Future[Outcome]] = set()
        ahead = self.source.max_in_flight + 2
        try:
            while True:
                for entry in islice(waiting, ahead - len(pending)):
                    pending.add(self._pool.submit(self.outcome_of, entry, context[entry.key], again))
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

    def outcome_of(self, entry: Entry, context: Context, again: bool = False) -> Outcome:
        """Read one entry. Every failure is an outcome; only Stopped is raised."""
        try:
            return self._read_run(entry, context) if entry.kind == RUN else self._read_build(entry, context, again)
        except Stopped:
            raise
        except JenkinsError as error:
            return _failed(entry, error)
        except (Unfinished, BadArchive) as error:
            return _failed(entry, JenkinsError(f"{build_path(entry.job, entry.number)}: {error}"))
        except Exception as error:
            log.exception("%s: %s #%d", self.source.name, entry.job, entry.number)
            return _failed(entry, JenkinsError(f"{type(error).__name__} while reading: {error}"))

    def _read_build(self, entry: Entry, context: Context, again: bool) -> Outcome:
        detail, description = read_build_object(self.jenkins, entry.job, entry.number)
        started_at = _start(entry, detail, context)
        if not again and (started_at, "final") in context.stored and self._is_kept(detail, started_at):
            return Outcome(entry)
        upstream, kept_upstream = self._read_upstream(detail) if self.layout.reads_upstream else (None, None)
        with read_files(self.jenkins, self.source, detail) as files:
            digest = b"" if detail.final else _digest(description, files)
            if digest and digest == self._seen.get(entry.key):
                return Outcome(entry, entry, changed=False)
            build, run = derive(self.layout, detail, description, files, started_at, context.parents, upstream)
        if kept_upstream:
            build = replace(build, raw=[*build.raw, kept_upstream])
        found = []
        if upstream and not upstream.final:
            found = [Entry(build.source, upstream.job, upstream.number, RUN, next_try=utc_now() + OPEN_AGAIN)]
        after = self._next(entry, detail, started_at)
        return Outcome(entry, after, build, run, found=found, digest=digest)

    def _read_run(self, entry: Entry, context: Context) -> Outcome:
        detail, description = read_build_object(self.jenkins, entry.job, entry.number)
        started_at = _start(entry, detail, context)
        after = self._next(entry, detail, started_at)
        if not isinstance(self.layout, OrchestratorLayout):
            # A build that started others: its runs were made when they were read, one per release.
            facts = {"state": "final" if detail.final else "running", "duration_s": detail.duration_s}
            run = next((replace(run, **facts, result=detail.result) for run in context.runs), None)
            return Outcome(entry, after, run=run, changed=detail.final)
        build_map, raw_map = read_build_map(self.jenkins, detail, MAP_FILE)
        digest = b"" if detail.final else _digest(description, Files(), raw_map)
        if digest and digest == self._seen.get(entry.key):
            return Outcome(entry, entry, changed=False)
        listed = self.layout.listed(detail, build_map)
        run = self.layout.parent(detail, started_at, self._release_of(detail, listed, context))
        if run.release == UNKNOWN and not detail.final:
            return Outcome(entry, after, digest=digest)  # too early to say what it is a run of
        outcome = Outcome(entry, after, run=run, raw=[description, *([raw_map] if raw_map else [])], digest=digest)
        outcome.listed = [RunBuild(run.id, run.source, job, number, module) for job, number, module in listed]
        outcome.found = [
            Entry(run.source, job, number, BUILD, next_try=utc_now())
            for job, number, _ in listed
            if number and (started_at, job, number) not in context.listed
        ]
        if build_map is None and not detail.sub_builds and detail.final:
            text = f"the orchestrating build lists no module builds: it has no artifact {MAP_FILE}"
            ended = started_at + timedelta(seconds=detail.duration_s or 0)
            outcome.error = JenkinsError(f"{self.jenkins.url(build_path(detail.job, detail.number))}: {text}")
            outcome.entry = _retry(entry, text) if utc_now() - ended < MAP_PATIENCE else _give_up(entry, text)
        return outcome

    def _release_of(self, detail: Detail, listed: list[tuple[str, int, str]], context: Context) -> str | None:
        """The release of a run whose orchestrating build tells no version: that of a module build which does."""
        rules = self.layout.rules
        if rules.release(rules.version(detail.display_name, detail.parameters)):
            return None
        stored = next((run.release for run in context.runs if run.release != UNKNOWN), None)
        for job, number, _ in listed if stored is None else ():
            try:
                answer = self.jenkins.api(build_path(job, number), "displayName,actions[parameters[name,value]]")
            except Missing:
                continue
            module = read_detail(job, number, answer)
            if release := rules.release(rules.version(module.display_name, module.parameters)):
                return release
        return stored

    def _read_upstream(self, detail: Detail) -> tuple[Detail | None, RawFile | None]:
        """The build that started this one, and the raw file that keeps it for `rebuild`."""
        if detail.upstream is None:
            return None, None
        if detail.upstream in self._upstream:
            return self._upstream[detail.upstream]
        try:
            upstream, description = read_build_object(self.jenkins, *detail.upstream)
        except JenkinsError as error:
            if error.everywhere:
                raise
            return None, None
        found = upstream, replace(description, path="upstream.json", kind="upstream")
        if upstream.final:
            self._upstream[detail.upstream] = found
        return found

    def _is_kept(self, detail: Detail, started_at: datetime) -> bool:
        """Whether a final build still says of itself what it said when it was read."""
        owner = ids.of(self.source.name, detail.job, detail.number, started_at.isoformat())
        return any(
            detail_of(file, detail.job, detail.number) == detail
            for file in raw.files_of(self.store, owner, started_at, "build")
        )

    def _next(self, entry: Entry, detail: Detail, started_at: datetime) -> Entry | None:
        """What is left to do of an entry that was read well."""
        now = utc_now()
        if not detail.final:
            return replace(entry, state=RUNNING, attempts=0, error=None, next_try=now + OPEN_AGAIN)
        again = started_at + timedelta(seconds=detail.duration_s or 0, minutes=self.source.recheck_minutes)
        if entry.state == RECHECK or again <= now:
            return None
        return replace(entry, state=RECHECK, attempts=0, error=None, next_try=again)

    def commit(self, batch: list[Outcome]) -> None:
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
            results = put(cursor, builds, now, made=made, runs=runs, listed=listed)
            for outcome in batch:
                if outcome.raw and outcome.run:
                    run = outcome.run
                    owner = ids.of(run.source, run.job, run.number, run.started_at.isoformat())
                    put_raw(cursor, owner, run.started_at, outcome.raw)
            still = [outcome.entry for outcome in batch if outcome.entry]
            ledger.settle(cursor, [outcome.read for outcome in batch], still, now)
            ledger.mark_gone(cursor, [entry for entry in still if entry.state == GONE])
            return results, ledger.discover(cursor, found, now)

        results, new = self.store.transact("ingest", self._message(batch, builds), write)
        for outcome in batch:
            if outcome.digest:
                self._seen[outcome.read.key] = outcome.digest
            else:
                self._seen.pop(outcome.read.key, None)
        tally = self.tally
        tally.results += results
        tally.found += new
        tally.ingested += sum(build.state == "final" for build in builds)
        tally.running += sum(build.state == "running" for build in builds)
        for outcome in batch:
            if outcome.error:
                tally.failed += 1
                tally.errors.append(str(outcome.error))
                log.warning("%s: %s #%d: %s", self.source.name, outcome.read.job, outcome.read.number, outcome.error)
        self.committed()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Of several processes on one machine that poll one source, one at a time reads a chunk of the ledger."""
        lock = FileLock(self.store.settings.home / f"{self.source.name}.lock")
        while True:
            if self.stop.is_set():
                raise Stopped("stopped")
            try:
                lock.acquire(timeout=0.5)
                break
            except Timeout:
                continue
        try:
            yield
        finally:
            lock.release()

    def _message(self, batch: list[Outcome], builds: list[Build]) -> str:
        if len(builds) == 1:
            (build,) = builds
            return f"{self.source.name}: {build.job} #{build.number}, {len(build.cases)} results"
        results = sum(len(build.cases) for build in builds)
        return f"{self.source.name}: {len(builds)} builds, {results} results; {len(batch)} ledger rows"

    def _log(self, poll: Poll) -> None:
        if self._logged_at is None:
            self._logged_at = ledger.last_poll(self.store, self.source.name) or datetime.min
        news = poll.found or poll.ingested or poll.failed or poll.results or poll.error
        if news or poll.started_at - self._logged_at > LOG_EVERY:
            message = f"{self.source.name}: poll, {poll.ingested} builds, {poll.failed} failed"
            self.store.transact("ingest", message, lambda cursor: ledger.log_poll(cursor, poll))
            self._logged_at = poll.started_at


def _is_full(batch: list[Outcome]) -> bool:
    builds = [outcome.build for outcome in batch if outcome.build]
    if sum(len(build.cases) for build in builds) >= BATCH_RESULTS:
        return True
    return sum(build.cases.nbytes + sum(len(file.content) for file in build.raw) for build in builds) >= BATCH_BYTES


def _start(entry: Entry, detail: Detail, context: Context) -> datetime:
    """When the build began. It is part of its identity, so a server that does not tell must not change it."""
    known = [run.started_at for run in context.runs] if entry.kind == RUN else [start for start, _ in context.stored]
    return detail.started_at or max(known, default=None) or entry.first_seen or utc_now()


def _digest(description: RawFile, files: Files, *more: RawFile | None) -> bytes:
    digest = hashlib.sha256(description.content)
    for file in files.fetched:
        file.stream.seek(0)
        while piece := file.stream.read(1 << 20):
            digest.update(piece)
    for extra in more:
        digest.update(extra.content if extra else b"")
    return digest.digest()


def _failed(entry: Entry, error: JenkinsError) -> Outcome:
    text = str(error)
    if isinstance(error, Missing):
        if entry.state == RECHECK:
            return Outcome(entry)
        return Outcome(
            entry, _give_up(entry, text) if entry.attempts + 1 >= MISSES else _retry(entry, text), error=error
        )
    again = _retry(entry, text)
    if error.everywhere:
        # Not this build's fault: it does not wait longer for it.
        again = replace(again, attempts=entry.attempts, next_try=utc_now() + ledger.back_off(1))
    return Outcome(entry, again, error=error)


def _retry(entry: Entry, error: str) -> Entry:
    attempts = entry.attempts + 1
    return replace(entry, state=RETRY, attempts=attempts, error=error, next_try=utc_now() + ledger.back_off(attempts))


def _give_up(entry: Entry, error: str) -> Entry:
    return replace(entry, state=GONE, attempts=entry.attempts + 1, error=error, next_try=None)
