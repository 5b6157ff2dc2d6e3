"""What a report says, before it is known which build it belongs to: the border between the parsers and the pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(slots=True)
class Case:
    """One attempt of one test, as one report tells it.

    `file`, `class_name` and `name` are the test's identity; an empty string where the report does not say.
    `duration_s` is in seconds, None where the report gives none that can be read.
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


@dataclass(slots=True)
class Report:
    """What one report file holds. `status`: ok, recovered (ill-formed, read by the lenient parser), not_junit or error.

    The counts are of final attempts: passed + failed + skipped = tests, and errors says how many of failed were errors.
    """

    status: str = "ok"
    cases: list[Case] = field(default_factory=list)
    suites: int = 0
    duration_s: float | None = None
    declared_tests: int | None = None  # what the file says of itself; never trusted, only compared
    warnings: list[str] = field(default_factory=list)

    @property
    def tests(self) -> int:
        return len([case for case in self.cases if case.is_final])

    @property
    def miscounted(self) -> bool:
        """Whether the file says another number of tests than it holds; some tools count attempts, which is no lie."""
        return self.declared_tests not in (None, self.tests, len(self.cases))

    def count(self, status: str) -> int:
        return len([case for case in self.cases if case.status == status and case.is_final])

    @property
    def errors(self) -> int:
        return len([case for case in self.cases if case.kind == "error" and case.is_final])
