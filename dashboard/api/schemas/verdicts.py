"""Verdicts, failure patterns, mass failures and hosts, with their evidence."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from dashboard.api.schemas.base import Count, Id, Rate, Schema, Time, UnreadHistory, VerdictKind


class RunPointer(Schema):
    run: Id
    number: int
    started_at: Time


class BuildPointer(Schema):
    id: Id
    number: int
    job: str


class Pointer(RunPointer):
    build: BuildPointer | None


class Range(Schema):
    """The run numbers between which the change is (99 % sure)."""

    after: int
    until: int
    most_likely: int
    rate_before: Rate
    rate_after: Rate
    runs_before: Count
    runs: Count
    threshold: float


class Verdict(Schema):
    test: Id
    key: str
    name: str
    module: str
    release: str
    environment: str | None
    kind: VerdictKind = Field(description="the worst of kinds")
    kinds: list[VerdictKind]
    since_run: Id | None
    first_bad: Pointer | None
    last_good: Pointer | None
    range_99: Range | None = Field(description="where the first bad run is (99 % sure)")
    strip: str = Field(description="statuses, oldest first: P passed, F failed, K passed after a failed attempt")
    sentence: str
    evidence: dict[str, Any] = Field(description="the numbers from which the verdict can be recomputed")


class Member(Schema):
    signature: Id
    pattern: str
    count: Count


class FailureFacts(Schema):
    """A cluster of failure patterns that differ by a few characters, under the one seen first."""

    signature: Id
    pattern: str = Field(description="also a value for `like`")
    title: str
    example: str | None
    count: Count
    tests: Count
    builds: Count
    modules: list[str]
    hosts: list[str]
    first_seen: Time | None
    last_seen: Time | None
    newest_tests: Count = Field(description="tests that failed with it in the newest two runs of their jobs")
    new: bool = Field(
        description="not seen before these runs, no more than 3 days old, and still in the newest two runs"
    )
    members: list[Member]
    sentence: str
    evidence: dict[str, Any]


class Failure(FailureFacts):
    trend: list[Count] = Field(description="failures by run, oldest first; runs of several lanes by age")


class DayCount(Schema):
    day: str
    count: Count


class ModuleCount(Schema):
    module: str
    count: Count


class HostCount(Schema):
    host: str = Field(description='"": unknown')
    count: Count


class FailureExample(Schema):
    test: Id
    key: str
    name: str
    module: str
    build: Id
    number: int
    job: str
    topology: str
    attempt: Count
    host: str | None
    started_at: Time
    message: str | None


class FailureDetail(FailureFacts):
    days: list[DayCount]
    by_module: list[ModuleCount] = Field(description="most first")
    by_host: list[HostCount] = Field(description="most first, over all of the failures")
    examples: list[FailureExample]


class Storm(Schema):
    """A mass failure: a build, or a module in it, in which most tests failed at once."""

    release: str
    environment: str | None
    run: Id
    number: int
    started_at: Time
    build: Id
    build_number: int
    job: str
    job_module: str
    module: str | None = Field(description="null: the whole build")
    kind: str
    total: Count
    failed: Count
    signature: Id | None
    pattern: str | None
    top: Count = Field(description="failures with the most frequent message")
    sentence: str
    evidence: dict[str, Any]


class Host(Schema):
    """A host in a release and environment, over tests that failed on any host."""

    host: str
    release: str
    environment: str | None
    sick: bool
    failed: Count
    of: Count
    rate: Rate | None
    interval_95: list[float]
    expected: float = Field(description="expected failures, if tests failed equally on all hosts")
    ratio: float | None
    p: float | None
    q: float | None
    sentence: str
    evidence: dict[str, Any]


class SickHost(Host):
    failures: Count = Field(description="failures left out")


class Excluded(Schema):
    failures: Count
    storms: list[Storm]
    hosts: list[SickHost]
    unread_history: list[UnreadHistory] = Field(description="no verdicts yet: the history is still being read")
