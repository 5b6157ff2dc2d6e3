"""Turn a build's description and files into rows of the store. No network: `rebuild` runs the same code."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from data.model import ids
from data.model.build_record import CASE_SCHEMA, BuildRecord, RawFile, TestIdentity
from data.model.measures import FAILED_RESULTS
from data.model.run_record import RunRecord
from data.verdicts.statistics import signatures
from ingest.build_files import ResultFiles
from ingest.build_results import BuildResults, read_results
from ingest.jenkins.build_details import JenkinsBuildDetail
from ingest.jenkins.urls import build_path
from ingest.layouts.job import BuildPlacement, JobLayout
from ingest.layouts.naming_rules import UNKNOWN, NamingRules, base_name
from ingest.parsers import totals
from ingest.parsers.allowance import Allowance
from ingest.parsers.cases import FAILED, Case, DeclaredCounts
from ingest.parsers.text import clip

MAX_REASONS = 3
_FAILURES = ("kind", "signature", "pattern", "message", "trace", "output")  # columns that only a failed result fills


def build_record(
    layout: JobLayout,
    detail: JenkinsBuildDetail,
    description: RawFile,
    files: ResultFiles,
    started_at: datetime,
    parents: Sequence[RunRecord] = (),
    upstream: JenkinsBuildDetail | None = None,
    roots: Sequence[str] = (),
    allowance: Allowance | None = None,
) -> tuple[BuildRecord, RunRecord | None]:
    """The build, and the run that it forms or joins (None if its parents list it). `roots`: folders of agents.

    Raises UnfinishedBuildError, BadArchiveError; LimitError where the files exceed the allowance.
    """
    source = layout.source
    placement = layout.placement(detail, started_at, parents, upstream)
    counters = detail.counters
    counted = DeclaredCounts(counters.total, counters.failed) if counters else None
    results = read_results(source, files, detail.number, roots, allowance, counted)
    kept = files.keep()
    cases, tests = result_table(results.cases, placement.module, layout.rules)
    missing, unexplained = _missing(detail, files, results)
    build = BuildRecord(
        source=source.name,
        job=detail.job,
        number=detail.number,
        started_at=started_at,
        release=placement.release,
        module=placement.module,
        duration_s=detail.duration_s,
        state="final" if detail.final else "running",
        result=detail.result,
        version=placement.version,
        environment=placement.environment,
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
        flags=frozenset(
            files.flags | results.flags | _flags(detail, started_at, placement, results, kept) | unexplained
        ),
        missing_results=missing_text(missing),
        cases=cases,
        tests=tests,
        commits=detail.commits,
        warnings=[
            *files.remarks,
            *(("", str(difference)) for difference in _jenkins_differences(detail, results)),
            *(("", why) for why in missing if unexplained),
            *results.warnings,
        ],
        raw=[description, *(kept or [])],
    )
    return build, placement.run


def _flags(
    detail: JenkinsBuildDetail,
    started_at: datetime,
    placement: BuildPlacement,
    results: BuildResults,
    kept: list[RawFile] | None,
) -> set[str]:
    conditions = {
        "no_start_time": detail.started_at != started_at,
        "no_release": placement.release == UNKNOWN,
        "no_raw": kept is None,
        "partial": not detail.final,
        "no_results": detail.final and not results.cases,
        "count_mismatch": bool(_jenkins_differences(detail, results)),
    }
    return {flag for flag, holds in conditions.items() if holds}


def _missing(detail: JenkinsBuildDetail, files: ResultFiles, results: BuildResults) -> tuple[list[str], set[str]]:
    """(why results of the build are missing, the flag `unexplained` where nothing explains Jenkins' result)."""
    missing = [f"{path}: {why}" if path else why for path, why in files.remarks] + results.missing
    missing += [str(one) for one in totals.shortfalls(_jenkins_differences(detail, results))]
    if missing or not detail.final or detail.result not in FAILED_RESULTS or not results.cases:
        return missing, set()
    if any(case.status == FAILED for case in results.cases):  # also one that passed on a later attempt
        return [], set()
    return [f"Jenkins calls it {detail.result}, but no test that was read failed"], {"unexplained"}


def missing_text(missing: Sequence[str]) -> str | None:
    """Why results are missing, in a line; None if none are."""
    shown = [clip(why, 200) for why in dict.fromkeys(missing)]
    more = f"; and {len(shown) - MAX_REASONS} more" if len(shown) > MAX_REASONS else ""
    return "; ".join(shown[:MAX_REASONS]) + more or None


def _jenkins_differences(detail: JenkinsBuildDetail, results: BuildResults) -> list[totals.Difference]:
    """What Jenkins counts, other than these files have."""
    counters, reported = detail.counters, results.reported
    if counters is None or reported is None or not detail.final:
        return []
    # Only the parser of Jenkins' own report can exclude the axes of older builds, which these numbers include.
    if (detail.axes or detail.sub_builds) and any(file.kind == "test_report" for file in results.files):
        return []
    declared = {"tests": counters.total, "failures": counters.failed, "skipped tests": counters.skipped}
    read = {"tests": reported.tests, "failures": reported.failed, "skipped tests": reported.skipped}
    return totals.differences(declared, {measure: [count] for measure, count in read.items()}, totals.JENKINS)


def result_table(
    cases: Sequence[Case], module: str, rules: NamingRules | None = None
) -> tuple[pa.Table, dict[int, TestIdentity]]:
    """(the cases as a table of CASE_SCHEMA, with failure signatures; their tests by id).

    `rules` name the module that owns a file; without them it is `module`.
    """
    tests = [_test(case.file, case.class_name, case.name) for case in cases]
    owners = {file: rules.owner(file, module) if rules else module for file in {case.file for case in cases}}
    arrays = _arrays(_result_columns(cases, [key for key, _ in tests], owners))
    arrays["position"] = pa.array(np.arange(len(cases), dtype=np.int32))
    if failed := [case for case in cases if case.status == FAILED]:
        numbers = iter(range(len(failed)))
        rows = pa.array([next(numbers) if case.status == FAILED else None for case in cases], pa.int32())
        arrays |= {name: array.take(rows) for name, array in _arrays(_failure_columns(failed)).items()}
    columns = [
        arrays[field.name] if field.name in arrays else pa.nulls(len(cases), field.type) for field in CASE_SCHEMA
    ]
    return pa.Table.from_arrays(columns, schema=CASE_SCHEMA), dict(tests)


def _result_columns(cases: Sequence[Case], tests: list[int], owners: dict[str, str]) -> dict[str, list[Any]]:
    return {
        "test": tests,
        "module": [owners[case.file] for case in cases],
        "topology": [case.topology for case in cases],
        "attempt": [case.attempt for case in cases],
        "is_final": [case.is_final for case in cases],
        "status": [case.status for case in cases],
        "duration_s": [case.duration_s for case in cases],
        "host": [case.host for case in cases],
    }


def _failure_columns(failed: Sequence[Case]) -> dict[str, list[Any]]:
    patterns = [signatures.pattern(case.message or case.trace or "") or None for case in failed]
    keys = {pattern: signatures.key(pattern) for pattern in set(patterns) if pattern}
    return {
        "kind": [case.kind for case in failed],
        "signature": [keys[pattern] if pattern else None for pattern in patterns],
        "pattern": patterns,
        "message": [case.message for case in failed],
        "trace": [case.trace for case in failed],
        "output": [case.output for case in failed],
    }


def _arrays(columns: dict[str, list[Any]]) -> dict[str, pa.Array[Any]]:
    return {name: _column(values, CASE_SCHEMA.field(name).type) for name, values in columns.items()}


@lru_cache(1 << 17)
def _test(file: str, class_name: str, name: str) -> tuple[int, TestIdentity]:
    """(id, test). Cached, because every build has the same tests and hashing their names costs ten times the lookup."""
    file, class_name, name = (text.encode("utf-8", "replace").decode() for text in (file, class_name, name))
    return ids.of(file, class_name, name), TestIdentity(file, class_name, name, base_name(name))


def _column(values: list[Any], kind: pa.DataType) -> pa.Array[Any]:
    try:
        # Most columns of most builds have one value, which costs a fraction of converting each.
        if values and values[0] == values[-1] and values.count(values[0]) == len(values):
            single: Any = pa.scalar(values[0], kind)
            return pa.repeat(single, len(values))
        return pa.array(values, kind)
    except UnicodeEncodeError:
        # JSON can contain lone surrogates, which UTF-8 cannot encode.
        return pa.array([text and text.encode("utf-8", "replace").decode() for text in values], kind)
