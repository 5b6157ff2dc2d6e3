"""From a build's description and files to what enters the store. No network: `rebuild` runs the same code again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache

import pyarrow as pa

from data.model import ids
from data.model.build_record import CASE_SCHEMA, BuildRecord, RawFile, TestIdentity
from data.model.run_record import RunRecord
from data.settings import SourceSettings
from data.verdicts.statistics import signatures
from data.write.raw_files import AXIS_END
from ingest.build_download import ResultFiles, claimed_by, full_path
from ingest.build_results import BuildResults, ReportInput, read_build
from ingest.jenkins.build_details import BuildDetail
from ingest.jenkins.urls import build_path
from ingest.layouts.job import JobLayout
from ingest.naming_rules import UNKNOWN, base_name
from ingest.parsers import console_log
from ingest.parsers.cases import FAILED, Case
from ingest.parsers.zip_archive import members


class UnfinishedBuildError(Exception):
    """What was fetched is no whole answer: to be fetched again."""


def build_record(
    layout: JobLayout,
    detail: BuildDetail,
    description: RawFile,
    files: ResultFiles,
    started_at: datetime,
    parents: Sequence[RunRecord] = (),
    upstream: BuildDetail | None = None,
) -> tuple[BuildRecord, RunRecord | None]:
    """The build, and the run that it makes or joins (None where its parents list it). Raises Unfinished, BadArchive."""
    source = layout.source
    place = layout.place(detail, started_at, parents, upstream)
    results = read_results(source, files, detail.number)
    kept = files.keep()
    flags = files.flags | results.flags
    flags |= {"no_start_time"} if detail.started_at is None else set()
    flags |= {"no_release"} if place.release == UNKNOWN else set()
    flags |= {"no_raw"} if kept is None else set()
    if not detail.final:
        flags.add("partial")
    elif not results.cases:
        flags.add("no_results")
    counters = detail.counters
    # Jenkins' own report was compared with itself by its parser, which knows of axes taken over from older builds.
    own_report = any(file.kind == "test_report" for file in results.files)
    if counters and results.reported and detail.final and not own_report:
        counted = (results.reported.tests, results.reported.failed, results.reported.skipped)
        flags |= {"count_mismatch"} if counted != (counters.total, counters.failed, counters.skipped) else set()
    cases, tests = table_of(results.cases, lambda file: layout.rules.owner(file, place.module))
    build = BuildRecord(
        source=source.name,
        job=detail.job,
        number=detail.number,
        started_at=started_at,
        release=place.release,
        module=place.module,
        duration_s=detail.duration_s,
        state="final" if detail.final else "running",
        result=detail.result,
        version=place.version,
        environment=place.environment,
        display_name=detail.display_name,
        url=source.url + build_path(detail.job, detail.number),
        agent=detail.agent,
        revision=detail.revision,
        parameters=detail.parameters,
        causes=detail.causes,
        artifacts=len(detail.artifacts),
        declared_total=counters.total if counters else None,
        declared_failed=counters.failed if counters else None,
        declared_skipped=counters.skipped if counters else None,
        flags=frozenset(flags),
        cases=cases,
        tests=tests,
        commits=detail.commits,
        warnings=[*files.remarks, *by_path(results)],
        raw=[description, *(kept or [])],
    )
    return build, place.run


def read_results(source: SourceSettings, files: ResultFiles, number: int | None) -> BuildResults:
    """The cases of a build's files. Raises Unfinished, BadArchive."""
    refused: list[str] = []
    results = read_build(
        _inputs(source, files, refused.append),
        number=number,
        topology=re.compile(source.topology) if source.topology else None,
        console_patterns=console_log.compile_patterns(rule.pattern for rule in source.console),
    )
    for why in dict.fromkeys(refused):
        results.warn(why)
        results.flags.add("unreadable")
    for file in results.files:
        # Jenkins wrote it this moment: what cannot be read of it broke on the way.
        if file.kind in ("test_report", "testng_json") and file.status == "error":
            raise UnfinishedBuildError(f"Jenkins' test report cannot be read: {results.warnings[0]}")
    return results


def _inputs(source: SourceSettings, files: ResultFiles, refuse: Callable[[str], object]) -> Iterator[ReportInput]:
    """Each file once, however many of the zips hold it, as the kind that the source says it is today."""
    seen: set[str] = set()
    for file in files.fetched:
        axis, end, named = file.path.rpartition(AXIS_END)
        if not file.is_zip:
            found = [(named, lambda stream=file.stream: _Borrowed(stream))]
        else:
            found = ((full_path(named, member.path), member.open) for member in members(file.stream, refuse))
        for inside, open_file in found:
            kind, path = file.kind, axis + end + inside
            if kind not in ("test_report", "testng_json", "console"):
                kind = (claimed_by(source.results, inside) or "").partition(":")[0]
            if kind and path not in seen:
                seen.add(path)
                # A pattern for JUnit files often meets others, which know better what they are.
                yield path, None if kind == "junit" else kind, open_file


class _Borrowed:
    """A stream that outlives the reader who closes it."""

    def __init__(self, stream) -> None:
        stream.seek(0)
        self.read, self.readline, self.seek = stream.read, stream.readline, stream.seek

    def __enter__(self) -> _Borrowed:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def by_path(results: BuildResults) -> list[tuple[str, str]]:
    """(path, remark): a remark about one file begins with its path."""
    found = []
    for warning in results.warnings:
        path = next((file.path for file in results.files if warning.startswith(f"{file.path}: ")), "")
        found.append((path, warning.removeprefix(f"{path}: ")))
    return found


def table_of(cases: Sequence[Case], owner_of: Callable[[str], str]) -> tuple[pa.Table, dict[int, TestIdentity]]:
    """(the cases as columns of CASE_SCHEMA, with failure signatures; their tests by id). `owner_of` a file is its
    module."""
    tests = [_test(case.file, case.class_name, case.name) for case in cases]
    files = [case.file for case in cases]
    owners = {file: owner_of(file) for file in set(files)}
    failed = [case for case in cases if case.status == FAILED]
    patterns = [signatures.pattern(case.message or case.trace or "") or None for case in failed]
    keys = {pattern: signatures.key(pattern) for pattern in set(patterns) if pattern}
    columns = {
        "test": [key for key, _ in tests],
        "module": [owners[file] for file in files],
        "topology": [case.topology for case in cases],
        "attempt": [case.attempt for case in cases],
        "is_final": [case.is_final for case in cases],
        "status": [case.status for case in cases],
        "duration_s": [case.duration_s for case in cases],
        "host": [case.host for case in cases],
        "position": range(len(cases)),
    }
    of_failed = {
        "kind": [case.kind for case in failed],
        "signature": [keys.get(pattern) for pattern in patterns],
        "pattern": patterns,
        "message": [case.message for case in failed],
        "trace": [case.trace for case in failed],
        "output": [case.output for case in failed],
    }
    numbers = iter(range(len(failed)))
    rows = pa.array([next(numbers) if case.status == FAILED else None for case in cases], pa.int32())
    arrays = {name: _column(values, CASE_SCHEMA.field(name).type) for name, values in (columns | of_failed).items()}
    arrays |= {name: arrays[name].take(rows) for name in of_failed}
    return pa.table([arrays[name] for name in CASE_SCHEMA.names], CASE_SCHEMA), dict(tests)


@lru_cache(1 << 17)
def _test(file: str, class_name: str, name: str) -> tuple[int, TestIdentity]:
    """(id, test): the same tests come again with every build, and to hash their names costs ten times the lookup."""
    file, class_name, name = (text.encode("utf-8", "replace").decode() for text in (file, class_name, name))
    return ids.of(file, class_name, name), TestIdentity(file, class_name, name, base_name(name))


def _column(values: Iterable, kind: pa.DataType) -> pa.Array:
    try:
        return pa.array(values, kind)
    except UnicodeEncodeError:
        # JSON can name halves of a character, which no UTF-8 can hold.
        return pa.array([text and text.encode("utf-8", "replace").decode() for text in values], kind)
