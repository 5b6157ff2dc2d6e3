"""The records that ingest writes for one build: the build, its tests, commits, raw files and case rows.

A new column of a build is added in these places:

1. a migration in `data/lake/schema/` that adds the column to the table `builds` (with a comment, which documents it);
2. a field of `BuildRecord` here; the Arrow columns of the insert follow from the fields;
3. `ingest/build_rows.py`, `build_record()`, which fills it (from `ingest/jenkins/build_details.py`, if Jenkins
   reports it; `ingest/importer.py` for imported builds);
4. `Build` (lists and details) or `BuildDetail` (details only) of the JSON API in `data/answers/builds.py`,
   filled by `data/queries/builds.py`; on the screen: `dashboard/templates/build.html`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypedDict

import pyarrow as pa
import pyarrow.compute as pc

from data.model import ids
from data.model.json_values import Json

BuildKey = tuple[str, str, int]  # source, job, number

# One row per attempt. `test` is `ids.of(file, class, name)` of a TestIdentity, `signature` that of `pattern`.
_CASE_COLUMNS: dict[str, pa.DataType] = {
    "test": pa.int64(),
    "module": pa.string(),
    "topology": pa.string(),
    "attempt": pa.int32(),
    "is_final": pa.bool_(),
    "status": pa.string(),
    "kind": pa.string(),
    "duration_s": pa.float32(),
    "host": pa.string(),
    "position": pa.int32(),
    "signature": pa.int64(),
    "pattern": pa.string(),
    "message": pa.string(),
    "trace": pa.string(),
    "output": pa.string(),
}
CASE_SCHEMA = pa.schema(_CASE_COLUMNS)

# The flags of a build and what each means. Ingest sets them; the table `builds` keeps them separated by spaces.
FLAGS = {
    "no_results": "the build finished without any test result; its tests are missing, not failed",
    "partial": "read while the build was running; more results may follow",
    "recovered": "a report is malformed; what is readable was read. If it is cut off, results are missing",
    "unreadable": "a report cannot be read, or a listed artifact no longer exists; its results are missing",
    "not_read": "a file is a test report of a kind that is not read; its results are missing",
    "count_mismatch": "Jenkins counted other numbers of tests than were read; if it counted more, results are missing",
    "declared_differs": "a report declares other totals than were read; if it declares more, results are missing",
    "unexplained": "Jenkins calls the build FAILURE or UNSTABLE, but no test that was read failed",
    "status_differs": "a JUnit report and the order log disagree on a test's status; the log counts",
    "ambiguous": "JUnit results that name no topology were left out: several topologies ran their tests",
    "repeated": "several results share a name on one topology, and none is shown as a retry; all count, from #2 on",
    "no_start_time": "Jenkins gave no start time, or one near 1970 or in the future; the time of discovery is used",
    "no_release": "no rule matched a release",
    "no_raw": "the reports were too large to keep; the build cannot be rebuilt",
    "gone": "Jenkins no longer has the build",
}


class TestIdentity(NamedTuple):
    """The parts of a test's name. `base_name` is the name without its parameters."""

    file: str
    class_name: str
    name: str
    base_name: str


@dataclass(frozen=True)
class CommitRecord:
    """One commit of a build's change set."""

    revision: str
    author: str = ""
    message: str = ""
    committed_at: datetime | None = None
    url: str = ""


@dataclass(frozen=True)
class RawFile:
    """A raw input of a build. `encoding` is zstd, or zip for several files kept as received; `size` counts the bytes
    as received."""

    path: str
    kind: str
    encoding: str
    size: int
    content: bytes


class ResultCounts(TypedDict):
    """The final results of a build. Failed includes errors."""

    total: int
    passed: int
    failed: int
    errors: int
    skipped: int


COUNTS = tuple(ResultCounts.__annotations__)


def count_results(cases: pa.Table) -> pa.Table:
    """The final results among cases: a row for each owning module and topology, with the columns of ResultCounts and
    the sum of `duration_s`. All counts of builds come from here."""
    finals = cases.select(["module", "topology", "status", "kind", "duration_s", "is_final"])
    finals = finals.filter(finals["is_final"])
    columns: dict[str, pa.Array[Any]] = {
        "total": pa.repeat(True, len(finals)),
        "passed": pc.equal(finals["status"], pa.scalar("passed")),
        "failed": pc.equal(finals["status"], pa.scalar("failed")),
        "errors": pc.equal(finals["kind"], pa.scalar("error")).fill_null(False),
        "skipped": pc.equal(finals["status"], pa.scalar("skipped")),
    }
    for name, column in columns.items():
        finals = finals.append_column(name, column)
    sums: list[tuple[str, Literal["sum"]]] = [(name, "sum") for name in (*COUNTS, "duration_s")]
    grouped = finals.group_by(["module", "topology"], use_threads=False).aggregate(sums)
    return grouped.rename_columns([name.removesuffix("_sum") for name in grouped.column_names])


@dataclass(frozen=True)
class BuildRecord:
    """One build and everything read from it.

    `cases` has the columns of CASE_SCHEMA; `counts` and `totals` are made of it. `tests` maps the ids in `cases` to
    their names. With `raw` None the stored raw files are kept.
    """

    source: str
    job: str
    number: int
    started_at: datetime
    release: str
    module: str
    duration_s: float | None = None
    state: str = "final"
    result: str | None = None
    version: str | None = None
    environment: str = "default"
    display_name: str = ""
    url: str = ""
    agent: str = ""
    revision: str | None = None  # the commit that was built
    parameters: dict[str, str] = field(default_factory=dict)
    causes: list[dict[str, Json]] = field(default_factory=list)
    artifacts: int = 0
    declared_total: int | None = None
    declared_failed: int | None = None
    declared_skipped: int | None = None
    flags: frozenset[str] = frozenset()
    missing_results: str | None = None  # why some are missing; None: none are known to be
    ingested_at: datetime | None = None  # None: now
    cases: pa.Table = field(default_factory=lambda: CASE_SCHEMA.empty_table())
    tests: Mapping[int, TestIdentity] = field(default_factory=dict)
    commits: list[CommitRecord] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)  # (path, message)
    raw: list[RawFile] | None = field(default_factory=list)

    @cached_property
    def id(self) -> int:
        return ids.of(self.source, self.job, self.number, self.started_at.isoformat())

    @property
    def key(self) -> BuildKey:
        return self.source, self.job, self.number

    @cached_property
    def counts(self) -> pa.Table:
        """As `count_results`."""
        return count_results(self.cases)

    @property
    def totals(self) -> ResultCounts:
        """The counts of the whole build."""
        total, passed, failed, errors, skipped = (
            sum(count or 0 for count in self.counts[name].to_pylist()) for name in COUNTS
        )
        return {"total": total, "passed": passed, "failed": failed, "errors": errors, "skipped": skipped}
