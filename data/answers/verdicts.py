"""Verdicts, failure patterns, mass failures and hosts, with their evidence."""

from typing import Annotated, TypedDict

from data.answers.base import Count, Id, Rate, Time, UnreadHistory, VerdictKind
from data.answers.evidence import HostEvidence, PatternEvidence, StormEvidence, VerdictEvidence


class RunPointer(TypedDict):
    run: Id
    number: int
    started_at: Time


class BuildPointer(TypedDict):
    id: Id
    number: int
    job: str


class Pointer(RunPointer):
    build: BuildPointer | None


class Range(TypedDict):
    """The run numbers between which the change is (99 % sure)."""

    after: int
    until: int
    most_likely: int
    rate_before: Rate
    rate_after: Rate
    runs_before: Count
    runs: Count
    threshold: float


class Verdict(TypedDict):
    test: Id
    key: str
    name: str
    module: str
    release: str
    environment: str | None
    kind: Annotated[VerdictKind, "the worst of kinds"]
    kinds: list[VerdictKind]
    since_run: Id | None
    first_bad: Pointer | None
    last_good: Pointer | None
    range_99: Annotated[Range | None, "where the first bad run is (99 % sure)"]
    strip: Annotated[str, "statuses, oldest first: P passed, F failed, K passed after a failed attempt"]
    sentence: str
    evidence: Annotated[VerdictEvidence, "the numbers from which the verdict can be recomputed"]


class Member(TypedDict):
    signature: Id
    pattern: str
    count: Count


class FailureFacts(TypedDict):
    """A cluster of failure patterns that differ by a few characters, under the one seen first."""

    signature: Id
    pattern: Annotated[str, "also a value for `like`"]
    title: str
    example: str | None
    count: Count
    tests: Count
    builds: Count
    modules: list[str]
    hosts: list[str]
    first_seen: Time | None
    last_seen: Time | None
    newest_tests: Annotated[Count, "tests that failed with it in the newest two runs of their jobs"]
    new: Annotated[bool, "not seen before these runs, no more than 3 days old, and still in the newest two runs"]
    members: list[Member]
    sentence: str
    evidence: PatternEvidence


class Failure(FailureFacts):
    trend: Annotated[list[Count], "failures by run, oldest first; runs of several lanes by age"]


class DayCount(TypedDict):
    day: str
    count: Count


class ModuleCount(TypedDict):
    module: str
    count: Count


class HostCount(TypedDict):
    host: Annotated[str, '"": unknown']
    count: Count


class FailureExample(TypedDict):
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
    by_module: Annotated[list[ModuleCount], "most first"]
    by_host: Annotated[list[HostCount], "most first, over all of the failures"]
    examples: list[FailureExample]


class Storm(TypedDict):
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
    module: Annotated[str | None, "null: the whole build"]
    kind: str
    total: Count
    failed: Count
    signature: Id | None
    pattern: str | None
    top: Annotated[Count, "failures with the most frequent message"]
    sentence: str
    evidence: StormEvidence


class Host(TypedDict):
    """A host in a release and environment, over tests that failed on any host."""

    host: str
    release: str
    environment: str | None
    sick: bool
    failed: Count
    of: Count
    rate: Rate | None
    interval_95: list[float]
    expected: Annotated[float, "expected failures, if tests failed equally on all hosts"]
    ratio: float | None
    p: float | None
    q: float | None
    sentence: str
    evidence: HostEvidence


class SickHost(Host):
    failures: Annotated[Count, "failures left out"]


class Excluded(TypedDict):
    failures: Count
    storms: list[Storm]
    hosts: list[SickHost]
    unread_history: Annotated[list[UnreadHistory], "no verdicts yet: the history is still being read"]
