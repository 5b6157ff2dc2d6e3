"""Read one ledger entry: download the build, turn it into rows, and decide what is left to do for it.

A failure is returned as the ledger row for the next attempt (ingest/retry.py); only ShutdownError is raised.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildRecord, RawFile
from data.model.json_values import JsonObject
from data.model.run_record import RunBuildRecord, RunRecord
from data.settings import SourceSettings
from data.tasks.build_lookups import EntryContext
from data.tasks.ledger import BUILD, RECHECK, RUN, RUNNING, LedgerEntry
from data.write import raw_files
from ingest import retry
from ingest.build_download import read_build_map, read_build_object, read_files
from ingest.build_files import ResultFiles, kept_detail
from ingest.build_results import UnfinishedBuildError
from ingest.build_rows import build_record
from ingest.clock import utc_now
from ingest.jenkins.build_details import JenkinsBuildDetail, read_build_detail
from ingest.jenkins.client import Jenkins
from ingest.jenkins.errors import AnswerTooLargeError, JenkinsError, NotFoundError, ShutdownError
from ingest.jenkins.urls import build_path, job_path
from ingest.layouts import layout_of
from ingest.layouts.naming_rules import UNKNOWN
from ingest.layouts.orchestrator import MAP_FILE, OrchestratorLayout
from ingest.parsers.allowance import Allowance, LimitError
from ingest.parsers.zip_archive import BadArchiveError, OversizedArchiveError

log = logging.getLogger(__name__)

RUNNING_AGAIN = timedelta(seconds=15)  # a running build is read again after this time, at the latest
MAP_GRACE = timedelta(minutes=30)  # how long after its end an orchestrating build may still get its map


@dataclass
class ReadResult:
    """The result of reading one ledger entry, ready to be committed."""

    read: LedgerEntry
    entry: LedgerEntry | None = None  # its ledger row from now on; None if nothing is left to do
    build: BuildRecord | None = None
    run: RunRecord | None = None  # of the build; or of an orchestrating build, with `run_builds`
    run_builds: list[RunBuildRecord] = field(default_factory=list)
    found: list[LedgerEntry] = field(default_factory=list)
    raw: list[RawFile] = field(default_factory=list)  # of an orchestrating build
    error: JenkinsError | None = None
    deleted: bool = False  # the only error is that Jenkins has deleted the build
    digest: bytes = b""  # of the description and files of a running build
    changed: bool = True  # False: nothing needs to be written


class BuildReader:
    """Reads the builds of one source; shared by threads. Remembers what was last committed of each running build."""

    def __init__(self, store: Store, source: SourceSettings, jenkins: Jenkins) -> None:
        self.store = store
        self.source = source
        self.jenkins = jenkins
        self.layout = layout_of(source)
        self.running_again = min(RUNNING_AGAIN, timedelta(minutes=source.poll_minutes))
        self._committed: dict[tuple[str, str, int], bytes] = {}
        self._upstream_cache: dict[tuple[str, int], tuple[JenkinsBuildDetail, RawFile]] = {}

    def mark_committed(self, result: ReadResult) -> None:
        """Remember a committed running build, so that it is not written again while it is unchanged."""
        if result.digest:
            self._committed[result.read.key] = result.digest
        else:
            self._committed.pop(result.read.key, None)

    def read(self, entry: LedgerEntry, context: EntryContext, force: bool = False) -> ReadResult:
        """Read one entry; `force`: also a final build that is stored and unchanged. Raises only ShutdownError."""
        try:
            return self._read_run(entry, context) if entry.kind == RUN else self._read_build(entry, context, force)
        except ShutdownError:
            raise
        except NotFoundError as error:
            return self._not_found(entry, error)
        except AnswerTooLargeError as error:
            return ReadResult(entry, retry.after_refusal(entry, str(error)), error=error)
        except JenkinsError as error:
            return _failed(entry, error)
        except (OversizedArchiveError, LimitError) as error:
            text = f"{build_path(entry.job, entry.number)}: refused: {error}"
            return ReadResult(entry, retry.after_refusal(entry, text), error=JenkinsError(text))
        except (UnfinishedBuildError, BadArchiveError) as error:
            return _failed(entry, JenkinsError(f"{build_path(entry.job, entry.number)}: {error}"))
        except Exception as error:
            log.exception("%s: %s #%d", self.source.name, entry.job, entry.number)
            return _failed(entry, JenkinsError(f"{type(error).__name__} while reading: {error}"))

    def _not_found(self, entry: LedgerEntry, error: NotFoundError) -> ReadResult:
        """404. If the job exists and has newer numbers, Jenkins has deleted the build, which is not a failure."""
        if entry.state == RECHECK:
            return ReadResult(entry)
        deleted = self._is_deleted(entry)
        if deleted:
            error = NotFoundError(f"Deleted in Jenkins (404): {self.jenkins.url(build_path(entry.job, entry.number))}")
        return ReadResult(entry, retry.after_not_found(entry, str(error)), error=error, deleted=deleted)

    def _is_deleted(self, entry: LedgerEntry) -> bool:
        try:
            answer = self.jenkins.api(job_path(entry.job), "nextBuildNumber")
        except ShutdownError:
            raise
        except JenkinsError:
            return False
        number = answer.get("nextBuildNumber")
        return isinstance(number, int) and number > entry.number

    def _read_build(self, entry: LedgerEntry, context: EntryContext, force: bool) -> ReadResult:
        detail, description = read_build_object(self.jenkins, entry.job, entry.number)
        started_at = _start(entry, detail, context)
        if not force and (started_at, "final") in context.stored and self._is_unchanged(detail, started_at):
            return ReadResult(entry)
        upstream, kept_upstream = self._read_upstream(detail) if self.layout.reads_upstream else (None, None)
        with read_files(self.jenkins, self.source, detail) as files:
            digest = b"" if detail.final else _digest(description, files)
            if digest and digest == self._committed.get(entry.key):
                return ReadResult(entry, entry, changed=False)
            limits = self.store.settings.limits
            build, run = build_record(
                self.layout,
                detail,
                description,
                files,
                started_at,
                context.parents,
                upstream,
                roots=self.store.settings.identity.roots,
                allowance=Allowance(**limits.model_dump()),
            )
        if kept_upstream:
            build = replace(build, raw=[*(build.raw or ()), kept_upstream])
        found = []
        if upstream and not upstream.final:
            found = [
                LedgerEntry(build.source, upstream.job, upstream.number, RUN, next_try=utc_now() + self.running_again)
            ]
        after = self._next(entry, detail, started_at)
        return ReadResult(entry, after, build, run, found=found, digest=digest)

    def _read_run(self, entry: LedgerEntry, context: EntryContext) -> ReadResult:
        detail, description = read_build_object(self.jenkins, entry.job, entry.number)
        started_at = _start(entry, detail, context)
        after = self._next(entry, detail, started_at)
        if not isinstance(self.layout, OrchestratorLayout):
            # A build that started others. Its runs, one per release, were formed when those builds were read.
            run = next(iter(context.runs), None)
            if run:
                state = "final" if detail.final else "running"
                run = replace(run, state=state, duration_s=detail.duration_s, result=detail.result)
            return ReadResult(entry, after, run=run, changed=detail.final)
        build_map, raw_map = read_build_map(self.jenkins, detail, MAP_FILE)
        if build_map is None:
            build_map, raw_map = self._kept_map(detail, started_at)
        digest = b"" if detail.final else _digest(description, ResultFiles(), raw_map)
        if digest and digest == self._committed.get(entry.key):
            return ReadResult(entry, entry, changed=False)
        module_builds = self.layout.listed_builds(detail, build_map)
        run = self.layout.parent(detail, started_at, self._release_of(detail, module_builds, context))
        if run.release == UNKNOWN and not detail.final:
            return ReadResult(entry, after, digest=digest)  # its release is not known yet
        result = ReadResult(entry, after, run=run, raw=[description, *([raw_map] if raw_map else [])], digest=digest)
        result.run_builds = [
            RunBuildRecord(run.id, run.source, job, number, module) for job, number, module in module_builds
        ]
        result.found = [
            LedgerEntry(run.source, job, number, BUILD, next_try=utc_now())
            for job, number, _ in module_builds
            if number and (started_at, job, number) not in context.read_builds
        ]
        if build_map is None and not detail.sub_builds and detail.final:
            # No failure of Jenkins or of the build. If the map never comes, it stays a run that lists no builds.
            ended = started_at + timedelta(seconds=detail.duration_s or 0)
            text = f"The build has no {MAP_FILE} yet; it may still come."
            result.entry = None if utc_now() - ended >= MAP_GRACE else retry.retry_later(entry, text)
        return result

    def _kept_map(self, detail: JenkinsBuildDetail, started_at: datetime) -> tuple[JsonObject | None, RawFile | None]:
        """The map from the raw files, for when its artifact has been deleted."""
        owner = ids.of(self.source.name, detail.job, detail.number, started_at.isoformat())
        for file in raw_files.files_of(self.store, owner, started_at, "build_map"):
            return json.loads(raw_files.unpack(file)), file
        return None, None

    def _release_of(
        self, detail: JenkinsBuildDetail, module_builds: list[tuple[str, int, str]], context: EntryContext
    ) -> str | None:
        """The release of a run whose orchestrating build names no version: that of a module build that does."""
        rules = self.layout.rules
        if rules.release(rules.version(detail.display_name, detail.parameters)):
            return None
        stored = next((run.release for run in context.runs if run.release != UNKNOWN), None)
        for job, number, _ in module_builds if stored is None else ():
            try:
                answer = self.jenkins.api(build_path(job, number), "displayName,actions[parameters[name,value]]")
            except NotFoundError:
                continue
            module = read_build_detail(job, number, answer)
            if release := rules.release(rules.version(module.display_name, module.parameters)):
                return release
        return stored

    def _read_upstream(self, detail: JenkinsBuildDetail) -> tuple[JenkinsBuildDetail | None, RawFile | None]:
        """The build that started this one, and the raw file of it for `rebuild`."""
        if detail.upstream is None:
            return None, None
        if detail.upstream in self._upstream_cache:
            return self._upstream_cache[detail.upstream]
        try:
            upstream, description = read_build_object(self.jenkins, *detail.upstream)
        except JenkinsError as error:
            if error.everywhere:
                raise
            return None, None
        found = upstream, replace(description, path="upstream.json", kind="upstream")
        if upstream.final:
            self._upstream_cache[detail.upstream] = found
        return found

    def _is_unchanged(self, detail: JenkinsBuildDetail, started_at: datetime) -> bool:
        """Whether the description of a final build is still the one that was stored."""
        owner = ids.of(self.source.name, detail.job, detail.number, started_at.isoformat())
        return any(
            kept_detail(file, detail.job, detail.number) == detail
            for file in raw_files.files_of(self.store, owner, started_at, "build")
        )

    def _next(self, entry: LedgerEntry, detail: JenkinsBuildDetail, started_at: datetime) -> LedgerEntry | None:
        """The ledger row of an entry that was read without an error."""
        now = utc_now()
        if not detail.final:
            return replace(entry, state=RUNNING, attempts=0, error=None, next_try=now + self.running_again)
        recheck = started_at + timedelta(seconds=detail.duration_s or 0, minutes=self.source.recheck_minutes)
        if entry.state == RECHECK or recheck <= now:
            return None
        return replace(entry, state=RECHECK, attempts=0, error=None, next_try=recheck)


def _start(entry: LedgerEntry, detail: JenkinsBuildDetail, context: EntryContext) -> datetime:
    """When the build started. It is part of the build's identity: without it in the answer, the known one stays, also
    when a time that was in the future has become the past."""
    if context.discovered is not None:
        return context.discovered
    starts = [run.started_at for run in context.runs] if entry.kind == RUN else [start for start, _ in context.stored]
    return detail.started_at or max(starts, default=None) or entry.first_seen or utc_now()


def _digest(description: RawFile, files: ResultFiles, *more: RawFile | None) -> bytes:
    digest = hashlib.sha256(description.content)
    for file in files.downloads:
        file.stream.seek(0)
        while chunk := file.stream.read(1 << 20):
            digest.update(chunk)
    for extra in more:
        digest.update(extra.content if extra else b"")
    return digest.digest()


def _failed(entry: LedgerEntry, error: JenkinsError) -> ReadResult:
    return ReadResult(entry, retry.after_failure(entry, error), error=error)
