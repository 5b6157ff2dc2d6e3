"""Tests, their history, and their attempts in a build."""

from typing import Annotated, Literal, TypedDict

from data.answers.base import Count, Id, Status, Time
from data.answers.bugs import Bug

Test = TypedDict(
    "Test",
    {"test": Id, "key": Annotated[str, "file::class::name"], "file": str, "class": str, "name": str, "module": str},
)

TestNames = TypedDict("TestNames", {"file": str, "class": str, "name": str})


class TestName(TestNames):
    test: int


class FoundTest(Test):
    priority: str | None


class Metadata(TypedDict):
    release: Annotated[str | None, "null: all releases"]
    priority: str | None
    case_id: str | None
    testrail_id: str | None
    component: str | None
    owner: str | None
    topology: str | None
    state: str | None
    removed: bool | None


class TestDetail(Test):
    parameters: str
    first_seen: Time | None
    metadata: list[Metadata]
    releases: list[str]
    bugs: Annotated[list[Bug], "of the newest feed, open and urgent first"]


UnmatchedMetadata = TypedDict(
    "UnmatchedMetadata", {"base_name": str, "file": str | None, "class": str | None, "release": str | None}
)


class AmbiguousMetadata(UnmatchedMetadata):
    case_id: str | None
    testrail_id: str | None
    tests: Annotated[Count, "how many fit"]


class HistoryRow(TypedDict):
    run: Id | None
    run_number: int | None
    build: Id
    number: int
    job: str
    url: str | None
    release: str
    version: str | None
    environment: str | None
    unfinished: Annotated[Literal["running", "aborted"] | None, "why the build's results are not judged"]
    started_at: Time
    module: str
    topology: str
    host: str | None
    status: Status
    kind: Literal["failure", "error"] | None
    attempt: Count
    rerun: bool
    duration_s: float | None
    signature: Id | None
    message: str | None


class Attempt(TypedDict):
    topology: str
    attempt: Count
    is_final: bool
    status: Status
    kind: Literal["failure", "error"] | None
    host: str | None
    duration_s: float | None
    message: str | None
    trace: str | None
    output: str | None
