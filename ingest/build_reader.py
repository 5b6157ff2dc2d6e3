"""Reads one entry of the ledger: what its build says of itself, its results, and what is left to do after that.

Every failure becomes an outcome with the row to try again by; only a process that ends breaks off.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildRecord, RawFile
from data.model.run_record import RunBuildRecord, RunRecord
from data.settings import SourceSettings
from data.work.build_lookups import EntryContext
from data.work.ledger import BUILD, GONE, RECHECK, RETRY, RUN, RUNNING, LedgerEntry
from data.work.retry import MISSES, back_off
from data.write import raw_files
from ingest.build_download import ResultFiles, detail_of, read_build_map, read_build_object, read_files
from ingest.build_rows import UnfinishedBuildError, build_record
from ingest.jenkins.build_details import BuildDetail, read_build_detail
from ingest.jenkins.client import Jenkins
from ingest.jenkins.errors import JenkinsError, NotFoundError, ShutdownError
from ingest.jenkins.urls import build_path, job_path
from ingest.layouts import layout_of
from ingest.layouts.orchestrator import MAP_FILE, OrchestratorLayout
from ingest.naming_rules import UNKNOWN
from ingest.parsers.zip_archive import BadArchiveError

log = logging.getLogger(__name__)

OPEN_AGAIN = timedelta(seconds=15)  # after which a running build is read again, at the latest
MAP_PATIENCE = timedelta(minutes=30)  # how long after its end an orchestrating build may still get its map


@dataclass
class ReadResult:
    """What reading one entry gave. `entry` is its row from now on; None: nothing is left to do."""

    read: LedgerEntry
    entry: LedgerEntry | None = None
    build: BuildRecord | None = None
    run: RunRecord | None = None  # of the build; or of an orchestrating build, with what it lists
    listed: list[RunBuildRecord] = field(default_factory=list)
    found: list[LedgerEntry] = field(default_factory=list)
    raw: list[RawFile] = field(default_factory=list)  # of an orchestrating build
    error: JenkinsError | None = None
    deleted: bool = False  # the error is only that Jenkins has it no more
    digest: bytes = b""  # of what a running build looks like
    changed: bool = True  # False: nothing of it needs to be written


def utc_now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


class BuildReader:
    """Reads one source's builds; threads share it. It remembers how running builds looked when last written."""

    def __init__(self, store: Store, source: SourceSettings, jenkins: Jenkins) -> None:
        self.store = store
        self.source = source
        self.jenkins = jenkins
        self.layout = layout_of(source)
        self.open_again = min(OPEN_AGAIN, timedelta(minutes=source.poll_minutes))
        self._seen: dict[tuple[str, str, int], bytes] = {}
        self._upstream: dict[tuple[str, int], tuple[BuildDetail, RawFile]] = {}

    def written(self, outcome: ReadResult) -> None:
        """What an outcome says stands in the store now: as long as a running build looks the same, nothing changes."""
        if outcome.digest:
            self._seen[outcome.read.key] = outcome.digest
        else:
            self._seen.pop(outcome.read.key, None)

    def read(self, entry: LedgerEntry, context: EntryContext, again: bool = False) -> ReadResult:
        """Read one entry. Every failure is an outcome; only Stopped is raised."""
        try:
            return self._read_run(entry, context) if entry.kind == RUN else self._read_build(entry, context, again)
        except ShutdownError:
            raise
        except NotFoundError as error:
            return self._missing(entry, error)
        except JenkinsError as error:
            return _failed(entry, error)
        except (UnfinishedBuildError, BadArchiveError) as error:
            return _failed(entry, JenkinsError(f"{build_path(entry.job, entry.number)}: {error}"))
        except Exception as error:
            log.exception("%s: %s #%d", self.source.name, entry.job, entry.number)
            return _failed(entry, JenkinsError(f"{type(error).__name__} while reading: {error}"))

    def _missing(self, entry: LedgerEntry, error: NotFoundError) -> ReadResult:
        """404. Where the job still stands and has gone past the number, the build was rotated away, which is no
        failure; it is looked for some more times all the same, for a server may also err."""
        if entry.state == RECHECK:
            return ReadResult(entry)
        deleted = self._has_passed(entry)
        if deleted:
            error = NotFoundError(f"Deleted in Jenkins (404): {self.jenkins.url(build_path(entry.job, entry.number))}")
        again = _give_up if entry.attempts + 1 >= MISSES else _retry
        return ReadResult(entry, again(entry, str(error)), error=error, deleted=deleted)

    def _has_passed(self, entry: LedgerEntry) -> bool:
        try:
            answer = self.jenkins.api(job_path(entry.job), "nextBuildNumber")
        except ShutdownError:
            raise
        except JenkinsError:
            return False
        number = answer.get("nextBuildNumber")
        return isinstance(number, int) and number > entry.number

    def _read_build(self, entry: LedgerEntry, context: EntryContext, again: bool) -> ReadResult:
        detail, description = read_build_object(self.jenkins, entry.job, entry.number)
        started_at = _start(entry, detail, context)
        if not again and (started_at, "final") in context.stored and self._is_kept(detail, started_at):
            return ReadResult(entry)
        upstream, kept_upstream = self._read_upstream(detail) if self.layout.reads_upstream else (None, None)
        with read_files(self.jenkins, self.source, detail) as files:
            digest = b"" if detail.final else _digest(description, files)
            if digest and digest == self._seen.get(entry.key):
                return ReadResult(entry, entry, changed=False)
            build, run = build_record(self.layout, detail, description, files, started_at, context.parents, upstream)
        if kept_upstream:
            build = replace(build, raw=[*build.raw, kept_upstream])
        found = []
        if upstream and not upstream.final:
            found = [
                LedgerEntry(build.source, upstream.job, upstream.number, RUN, next_try=utc_now() + self.open_again)
            ]
        after = self._next(entry, detail, started_at)
        return ReadResult(entry, after, build, run, found=found, digest=digest)

    def _read_run(self, entry: LedgerEntry, context: EntryContext) -> ReadResult:
        detail, description = read_build_object(self.jenkins, entry.job, entry.number)
        started_at = _start(entry, detail, context)
        after = self._next(entry, detail, started_at)
        if not isinstance(self.layout, OrchestratorLayout):
            # A build that started others: its runs were made when they were read, one per release.
            facts = {"state": "final" if detail.final else "running", "duration_s": detail.duration_s}
            run = next((replace(run, **facts, result=detail.result) for run in context.runs), None)
            return ReadResult(entry, after, run=run, changed=detail.final)
        build_map, raw_map = read_build_map(self.jenkins, detail, MAP_FILE)
        if build_map is None:
            build_map, raw_map = self._kept_map(detail, started_at)
        digest = b"" if detail.final else _digest(description, ResultFiles(), raw_map)
        if digest and digest == self._seen.get(entry.key):
            return ReadResult(entry, entry, changed=False)
        listed = self.layout.listed(detail, build_map)
        run = self.layout.parent(detail, started_at, self._release_of(detail, listed, context))
        if run.release == UNKNOWN and not detail.final:
            return ReadResult(entry, after, digest=digest)  # too early to say what it is a run of
        outcome = ReadResult(entry, after, run=run, raw=[description, *([raw_map] if raw_map else [])], digest=digest)
        outcome.listed = [RunBuildRecord(run.id, run.source, job, number, module) for job, number, module in listed]
        outcome.found = [
            LedgerEntry(run.source, job, number, BUILD, next_try=utc_now())
            for job, number, _ in listed
            if number and (started_at, job, number) not in context.read_builds
        ]
        if build_map is None and not detail.sub_builds and detail.final:
            # Nothing is wrong with Jenkins or the build. In the end it is a run that lists no builds, and shown as one.
            ended = started_at + timedelta(seconds=detail.duration_s or 0)
            late = utc_now() - ended >= MAP_PATIENCE
            text = f"The build is there, but its {MAP_FILE} is not: it may still come."
            outcome.entry = None if late else _retry(entry, text)
        return outcome

    def _kept_map(self, detail: BuildDetail, started_at: datetime) -> tuple[dict[str, Any] | None, RawFile | None]:
        """The map as it was read before its artifact was deleted."""
        owner = ids.of(self.source.name, detail.job, detail.number, started_at.isoformat())
        for file in raw_files.files_of(self.store, owner, started_at, "build_map"):
            return json.loads(raw_files.unpack(file)), file
        return None, None

    def _release_of(self, detail: BuildDetail, listed: list[tuple[str, int, str]], context: EntryContext) -> str | None:
        """The release of a run whose orchestrating build tells no version: that of a module build which does."""
        rules = self.layout.rules
        if rules.release(rules.version(detail.display_name, detail.parameters)):
            return None
        stored = next((run.release for run in context.runs if run.release != UNKNOWN), None)
        for job, number, _ in listed if stored is None else ():
            try:
                answer = self.jenkins.api(build_path(job, number), "displayName,actions[parameters[name,value]]")
            except NotFoundError:
                continue
            module = read_build_detail(job, number, answer)
            if release := rules.release(rules.version(module.display_name, module.parameters)):
                return release
        return stored

    def _read_upstream(self, detail: BuildDetail) -> tuple[BuildDetail | None, RawFile | None]:
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

    def _is_kept(self, detail: BuildDetail, started_at: datetime) -> bool:
        """Whether a final build still says of itself what it said when it was read."""
        owner = ids.of(self.source.name, detail.job, detail.number, started_at.isoformat())
        return any(
            detail_of(file, detail.job, detail.number) == detail
            for file in raw_files.files_of(self.store, owner, started_at, "build")
        )

    def _next(self, entry: LedgerEntry, detail: BuildDetail, started_at: datetime) -> LedgerEntry | None:
        """What is left to do of an entry that was read well."""
        now = utc_now()
        if not detail.final:
            return replace(entry, state=RUNNING, attempts=0, error=None, next_try=now + self.open_again)
        again = started_at + timedelta(seconds=detail.duration_s or 0, minutes=self.source.recheck_minutes)
        if entry.state == RECHECK or again <= now:
            return None
        return replace(entry, state=RECHECK, attempts=0, error=None, next_try=again)


def _start(entry: LedgerEntry, detail: BuildDetail, context: EntryContext) -> datetime:
    """When the build began. It is part of its identity, so a server that does not tell must not change it."""
    known = [run.started_at for run in context.runs] if entry.kind == RUN else [start for start, _ in context.stored]
    return detail.started_at or max(known, default=None) or entry.first_seen or utc_now()


def _digest(description: RawFile, files: ResultFiles, *more: RawFile | None) -> bytes:
    digest = hashlib.sha256(description.content)
    for file in files.fetched:
        file.stream.seek(0)
        while piece := file.stream.read(1 << 20):
            digest.update(piece)
    for extra in more:
        digest.update(extra.content if extra else b"")
    return digest.digest()


def _failed(entry: LedgerEntry, error: JenkinsError) -> ReadResult:
    text = str(error)
    again = _retry(entry, text)
    if error.everywhere:
        # Not this build's fault: it does not wait longer for it.
        again = replace(again, attempts=entry.attempts, next_try=utc_now() + back_off(1))
    return ReadResult(entry, again, error=error)


def _retry(entry: LedgerEntry, error: str) -> LedgerEntry:
    attempts = entry.attempts + 1
    return replace(entry, state=RETRY, attempts=attempts, error=error, next_try=utc_now() + back_off(attempts))


def _give_up(entry: LedgerEntry, error: str) -> LedgerEntry:
    return replace(entry, state=GONE, attempts=entry.attempts + 1, error=error, next_try=None)
