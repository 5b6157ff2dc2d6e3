"""The result of a parser: the cases of one report, before it is known which build it belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import NamedTuple, Protocol

from ingest.parsers import totals

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
INIT = "<init>"  # the name of a failure that no test of the report has: of a suite, a package, a file. Jenkins' name


class ReportStream(Protocol):
    """What a parser needs of an open, seekable file of bytes."""

    def read(self, size: int = -1, /) -> bytes: ...
    def readline(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def __enter__(self) -> ReportStream: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None, /
    ) -> None: ...


@dataclass(slots=True)
class Case:
    """One attempt of one test in one report.

    `file`, `class_name` and `name` are the test's identity; an empty string if the report does not have it.
    `duration_s` is in seconds, None if the report has no readable duration.
    `attempt` counts from 1; exactly one attempt of a test in one topology has `is_final`.
    """

    file: str
    class_name: str
    name: str
    status: str
    kind: str | None = None  # "failure" or "error" where status is failed
    duration_s: float | None = None
    message: str | None = None
    trace: str | None = None
    output: str | None = None
    topology: str = ""
    host: str = ""
    attempt: int = 1
    is_final: bool = True
    suite: str = ""
    started_at: float | None = None  # seconds since the epoch, UTC
    line: str = ""  # of the test in its file


class DeclaredCounts(NamedTuple):
    """Totals by which repeated results are judged. `failed` includes errors. `reruns_only_failed`: the tool repeats a
    name only where it ran a failed test, or all tests, again."""

    tests: int | None = None
    failed: int | None = None
    reruns_only_failed: bool = False

    def plus(self, other: DeclaredCounts) -> DeclaredCounts:
        """The sum; a number that one of them lacks is unknown."""
        tests = None if self.tests is None or other.tests is None else self.tests + other.tests
        failed = None if self.failed is None or other.failed is None else self.failed + other.failed
        return DeclaredCounts(tests, failed, self.reruns_only_failed or other.reruns_only_failed)


@dataclass(slots=True)
class Report:
    """One parsed report. `status`: ok, recovered (ill-formed, read by the lenient parser), not_junit or error.

    The counts are of final attempts: passed + failed + skipped = tests; `errors` is a part of failed.
    `differences`: lines about totals in the file that differ from what was read, for `warnings`; `shortfalls`: those by
    which results are missing. `is_cut`: the file ends early, or only its beginning was read.
    `unread`: the file is a report of tests, but of a kind that is not read. `declared`: what suites declare, by the
    `suite` of their cases; that of the whole report under None.
    """

    status: str = "ok"
    cases: list[Case] = field(default_factory=list)
    suites: int = 0
    duration_s: float | None = None
    warnings: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    shortfalls: list[str] = field(default_factory=list)
    is_cut: bool = False
    uncounted: int = 0  # failures of suites and the like among `cases`, which Jenkins does not count as tests
    unmarked: int = 0  # earlier attempts among `cases`, which Jenkins counts as passed tests
    started_at: float | None = None  # of the whole report, if its cases have no time of their own
    unread: bool = False
    declared: dict[str | None, DeclaredCounts] = field(default_factory=dict)

    @property
    def tests(self) -> int:
        return len([case for case in self.cases if case.is_final])

    def differ(self, found: Sequence[totals.Difference]) -> None:
        """Record totals that differ."""
        lines = totals.shortened(found)
        self.differences += lines
        self.warnings += lines
        self.shortfalls += totals.shortened(totals.shortfalls(found, len(self.cases) - self.tests))

    @property
    def missing(self) -> str:
        """Why results of the report are missing, such as "is cut off after 12 tests"; empty if none are known to be."""
        if self.status == "error":
            return next(iter(self.warnings), "cannot be read")
        reasons = self.shortfalls[:1]
        if self.is_cut:
            reasons.insert(0, f"is cut off after {self.tests} test{'' if self.tests == 1 else 's'}")
        return ", ".join(reasons)

    def count(self, status: str) -> int:
        return len([case for case in self.cases if case.status == status and case.is_final])

    @property
    def errors(self) -> int:
        return len([case for case in self.cases if case.kind == "error" and case.is_final])
