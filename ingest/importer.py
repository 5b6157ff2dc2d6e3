"""Results without a Jenkins: files, folders and zips from disk, or uploaded by any CI.

The same files under the same key are the same build, however often they are imported: the start time, which is part of
a build's identity, is taken from the reports.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import final

from duckdb import DuckDBPyConnection

from data.answers.operations import RequestPayload
from data.lake.store import Store
from data.model import ids
from data.model.build_record import BuildRecord, RawFile, ResultCounts
from data.model.input_checks import believed
from data.model.run_record import RunRecord
from data.number_text import counted
from data.tasks.build_lookups import BuildRow, builds_of_job
from data.write import raw_files
from data.write.builds import upsert_builds
from ingest.build_results import BuildResults, read_build
from ingest.build_rows import missing_text, result_table
from ingest.clock import utc_now
from ingest.import_plan import ImportKey
from ingest.parsers.allowance import Allowance
from ingest.parsers.cases import FAILED
from ingest.report_files import ReportBundle, ReportFile, ReportRemark, deduplicate_paths, pack, unpack, uploaded
from ingest.report_inputs import ReportInput

SOURCE, UPLOAD = SOURCES = ("import", "upload")
_EPOCH = re.compile(r"^(\d{10})_.*\.order\.txt$")


@dataclass
class InputRemarks:
    """Problems of the input that its raw files no longer show: (path, why)."""

    unreadable: Sequence[ReportRemark] = field(default_factory=list)
    skipped: Sequence[ReportRemark] = field(default_factory=list)


@final
class ImportedBuild(ResultCounts):
    """What was imported, with the names of the JSON API."""

    build: str
    release: str
    module: str
    number: int
    started_at: str
    files: int
    warnings: list[str]


@dataclass(frozen=True)
class ReadImport:
    """A final build that was read and is not stored yet, with its run and its number of files."""

    build: BuildRecord
    run: RunRecord
    files: int

    def summary(self) -> ImportedBuild:
        build = self.build
        return {
            "build": ids.text(build.id),
            "release": build.release,
            "module": build.module,
            "number": build.number,
            "started_at": build.started_at.isoformat() + "Z",
            "files": self.files,
            **build.totals,
            "warnings": [f"{path}: {text}" if path else text for path, text in build.warnings],
        }


@dataclass(frozen=True)
class ReadReports:
    """What the reports of one build hold. `started_at`: as given or in the reports; None if neither has it."""

    key: ImportKey
    files: list[ReportFile]
    results: BuildResults
    remarks: InputRemarks
    started_at: datetime | None

    @property
    def is_identified(self) -> bool:
        """Whether the build is known without a look at the stored builds of its job."""
        return self.key.number is not None and self.started_at is not None

    def build(self, source: str, stored: Sequence[tuple[int, datetime]] = ()) -> ReadImport:
        """The build, to be stored. `stored`: (number, start) of the stored builds of its job, unless it is identified.

        Called while the reports are open.
        """
        number, started_at = _identity(self.key, self.started_at, stored)
        raw = pack(self.files)
        build = _build(source, self.key, number, started_at, len(self.files), self.results, raw, self.remarks)
        return ReadImport(build, _run(build, self.key), len(self.files))


def read_reports(key: ImportKey, bundle: ReportBundle, roots: Sequence[str]) -> ReadReports:
    """Read the results of a build. Unreadable files become warnings and a flag.

    Reports without a test, and reports and zips that cannot be read, are a build without results, which is broken: the
    build before must not be judged in its place. Raises ValueError if no file is a report, BadArchiveError; LimitError
    where they exceed the bundle's allowance.
    """
    files = deduplicate_paths(bundle.files)
    results = read_build(_inputs(files), roots=roots, allowance=bundle.allowance)
    if not results.cases and not _warn_of_empty_reports(results) and not results.missing and not bundle.damaged:
        problems = [f"{path}: {why}" for path, why in (*bundle.unreadable, *bundle.skipped)]
        problems += [str(warning) for warning in results.warnings]
        why = "; ".join(problems[:3]) or "none of them is a report of a known kind"
        raise ValueError(f"no test result in {counted(len(files) + len(bundle.unreadable), 'file')}: {why}")
    started_at = key.started_at or _start(files, results.started_at)
    return ReadReports(key, files, results, InputRemarks(bundle.unreadable, bundle.skipped), started_at)


def _warn_of_empty_reports(results: BuildResults) -> bool:
    """Name the reports that could be read and have no test; whether there are any."""
    empty = [file.path for file in results.files if file.status == "ok"]
    for path in empty:
        results.warn("the report holds no test", path)
    return bool(empty)


def read_upload(store: Store, metadata: RequestPayload, files: Sequence[RawFile]) -> ReadImport:
    """Read an upload of the API. Raises ValueError, LimitError."""
    bundle = uploaded(files, Allowance(**store.settings.limits.model_dump()))
    read = read_reports(ImportKey.read(metadata), bundle, store.settings.identity.roots)
    return read.build(UPLOAD, () if read.is_identified else builds_of_job(store, UPLOAD, read.key.job))


def store_imports(store: Store, imports: Sequence[ReadImport]) -> None:
    """Store these builds and their runs in one transaction."""
    store.transact("import", commit_message(imports), lambda cursor: write_imports(cursor, imports))


def write_imports(cursor: DuckDBPyConnection, imports: Sequence[ReadImport]) -> None:
    """Write these builds and their runs in the transaction of the caller. Of two that are the same build, the later one
    counts."""
    runs = [(read.build, read.run) for read in _latest(imports)]
    upsert_builds(cursor, [build for build, _ in runs], utc_now(), standalone_runs=runs)


def commit_message(imports: Sequence[ReadImport]) -> str:
    latest = _latest(imports)
    first, results = latest[0].build, sum(len(read.build.cases) for read in latest)
    what = f"{first.job} #{first.number}" if len(latest) == 1 else f"{len(latest)} builds"
    return f"{first.source}: {what}, {counted(results, 'result')}"


def _latest(imports: Sequence[ReadImport]) -> list[ReadImport]:
    return list({read.build.id: read for read in imports}.values())


def rebuild_import(row: BuildRow, kept: Sequence[RawFile], roots: Sequence[str]) -> tuple[BuildRecord, RunRecord]:
    """An imported build from its raw files, by today's parsers; `row`: its row in `builds`. Raises BadArchiveError."""
    (description,) = [file for file in kept if file.kind == "import"]
    document = json.loads(raw_files.unpack(description))
    remarks = InputRemarks(document.pop("unreadable", []), document.pop("skipped", []))
    key = ImportKey.read(document)
    files = [file for file in kept if file.kind == "file"]
    results = read_build(_inputs(report for file in files for report in unpack(file)), roots=roots)
    if not results.cases:
        _warn_of_empty_reports(results)
    build = _build(row["source"], key, row["number"], row["started_at"], row["artifacts"], results, files, remarks)
    return build, _run(build, key)


def _build(
    source: str,
    key: ImportKey,
    number: int,
    started_at: datetime,
    files: int,
    results: BuildResults,
    kept: list[RawFile] | None,
    remarks: InputRemarks,
) -> BuildRecord:
    ok = bool(results.cases) and not any(case.is_final and case.status == FAILED for case in results.cases)
    document = asdict(key) | {"started_at": key.started_at.isoformat() if key.started_at else None}
    document |= asdict(remarks)
    facts = {"no_raw": kept is None, "unreadable": remarks.unreadable, "no_results": not results.cases}
    flags = results.flags | {flag for flag, holds in facts.items() if holds}
    cases, tests = result_table(results.cases, key.module)
    return BuildRecord(
        source=source,
        job=key.job,
        number=number,
        started_at=started_at,
        release=key.release,
        module=key.module,
        result="SUCCESS" if ok else "UNSTABLE",
        version=key.version,
        environment=key.environment,
        display_name=f"#{number}",
        url=key.url,
        revision=key.revision,
        parameters=key.parameters,
        artifacts=files,
        flags=frozenset(flags),
        missing_results=missing_text([*(f"{path}: {why}" for path, why in remarks.unreadable), *results.missing]),
        cases=cases,
        tests=tests,
        warnings=[
            *(("", f"{path}: {why}") for path, why in (*remarks.unreadable, *remarks.skipped)),
            *results.warnings,
        ],
        raw=[raw_files.pack("import.json", "import", json.dumps(document).encode()), *(kept or [])],
    )


def _run(build: BuildRecord, key: ImportKey) -> RunRecord:
    name = key.run if key.run is not None else str(key.number or "")
    return RunRecord(
        source=build.source,
        job=key.release if name else build.job,
        number=build.number,
        release=build.release,
        started_at=build.started_at,
        version=build.version,
        environment=build.environment,
        result=build.result,
        display_name=name or build.display_name,
        url=build.url,
        key=f"run={name}" if name else "",
    )


def _inputs(files: Iterable[ReportFile]) -> Iterable[ReportInput]:
    return (ReportInput(file.path, None, file.open) for file in files)


def _identity(
    key: ImportKey, started_at: datetime | None, stored: Sequence[tuple[int, datetime]]
) -> tuple[int, datetime]:
    """(number, start time): as given, else of the stored build with this start, else a new number."""
    if started_at is None:
        starts = [start for number, start in stored if number == key.number]
        started_at = max(starts, default=utc_now().replace(microsecond=0))
    if key.number is not None:
        return key.number, started_at
    for number, start in stored:
        if start == started_at:
            return number, started_at
    return max((number for number, _ in stored), default=0) + 1, started_at


def _start(files: Sequence[ReportFile], newest: float | None) -> datetime | None:
    """The newest time in the reports, else of the files."""
    # The name of an order log begins with its start time.
    matches = (_EPOCH.search(file.path.rpartition("/")[2]) for file in files)
    times = [float(match[1]) for match in matches if match and believed(float(match[1]))]
    times += [newest] if newest is not None else []
    if times:
        return datetime.fromtimestamp(max(times), UTC).replace(tzinfo=None)
    modified = [file.modified for file in files if file.modified]
    return max((at for at in modified if believed(at.replace(tzinfo=UTC).timestamp())), default=None)
