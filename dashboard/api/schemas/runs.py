"""Releases, their runs, and the results of runs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dashboard.api.schemas.base import (
    AllCounts,
    Count,
    Counts,
    Delta,
    Id,
    Rate,
    Schema,
    Status,
    Time,
    UnreadHistory,
    VerdictKind,
)
from dashboard.api.schemas.statistics import RateClaim, RisingRates


class Run(AllCounts):
    """A regression run: the builds that one orchestrating build started, or a single build."""

    id: Id
    release: str
    version: str | None
    environment: str | None
    number: int
    source: str
    job: str
    started_at: Time
    duration_s: float | None
    state: Literal["failing", "broken", "incomplete", "ok", "running"]
    incomplete: bool = Field(description="finished, but builds of it are missing or were aborted")
    result: str | None = Field(description="result in Jenkins")
    builds: Count = Field(description="module builds of the run")
    builds_final: Count
    builds_running: Count
    missing: Count = Field(description="builds of the run without results")
    aborted: Count = Field(description="aborted builds of the run that have results")
    waiting: Count = Field(description="missing builds not read yet: the run counts as running")
    display_name: str | None
    url: str | None


class RunDetail(Run):
    previous: Id | None = Field(description="previous run of its release and environment")
    next: Id | None
    expected_s: float | None = Field(
        description="median duration of the newest three finished runs of its release and environment"
    )


class SparkPoint(Counts):
    id: Id
    number: int
    started_at: Time
    state: Literal["failing", "broken", "incomplete", "ok", "running"]
    incomplete: bool
    pass_rate: Rate | None


LaneState = Literal["failing", "broken", "incomplete", "stale", "ok", "running", "empty"]


class WordCounts(Schema):
    """Tests by verdict in the verdict window; a test counts once, under its worst verdict."""

    new_failures: Count
    regressions: Count
    always_failing: Count
    flaky: Count
    fixed: Count
    unjudged: Count = Field(description="tests that failed on their only run: not enough data for a verdict")


class TileLane(WordCounts):
    """One environment of a release."""

    environment: str | None
    state: LaneState
    incomplete: bool
    stale: bool
    reasons: list[str]
    run: Id = Field(description="its newest finished run, or the one that goes on")
    number: int
    pass_rate: Rate | None
    running: bool


class Tile(AllCounts, WordCounts):
    """A release line in the environment that tests most: the numbers of its newest finished run there."""

    release: str
    environment: str | None = Field(description="what all of the tile is about; null without runs")
    state: LaneState = Field(
        description="worst first: broken, failing, incomplete, stale, ok; running and empty: no finished run yet"
    )
    incomplete: bool = Field(description="builds are missing or were aborted, or a module has no usable results")
    stale: bool = Field(description="no new run for `measures.stale_hours`")
    reasons: list[str] = Field(description="why the state is not ok, the worst first")
    unread_history: list[UnreadHistory] = Field(description="environments without verdicts yet")
    latest_run: Run | None
    running_run: Run | None
    freshness_s: float | None = Field(description="age of the newest run (depends on the clock)")
    spark: list[SparkPoint] = Field(description="the newest runs, oldest first")
    lanes: list[TileLane] = Field(description="the state of each environment, that of the tile first")
    environments: list[str]
    versions: list[str]


class Version(Schema):
    version: str | None
    runs: Count
    first: Time
    last: Time
    latest: Id = Field(description="newest run")


class Choices(Schema):
    """Filter values."""

    releases: list[str]
    versions: list[str]
    environments: list[str]
    modules: list[str]


class ListedBuild(Schema):
    id: Id | None = Field(description="null until it has been ingested")
    job: str
    number: int
    state: Literal["running", "final", "missing"]
    result: str | None


class Module(AllCounts):
    module: str
    duration_s: float | None
    delta: Delta | None = Field(
        description="difference from the base run; null if the module was not in it, or is incomplete in one of them"
    )
    state: Literal["failing", "broken", "incomplete", "missing", "ok", "running"]
    incomplete: bool = Field(description="a build that usually tests it is missing or was aborted")
    expected_total: Count | None = Field(description="about how many results it would have with those builds")
    builds: list[ListedBuild]


class Priority(AllCounts):
    priority: str
    delta: Delta | None


class Result(Schema):
    test: Id
    key: str = Field(description="file::class::name")
    file: str
    class_: str = Field(alias="class")
    name: str
    module: str
    build: Id
    status: Status
    kind: Literal["failure", "error"] | None
    topology: str
    host: str | None
    attempt: Count
    rerun: bool
    duration_s: float | None
    signature: Id | None
    message: str | None = Field(description="beginning of the failure text")


class ComparedTest(Schema):
    test: Id
    key: str
    name: str
    module: str
    before: Status | None
    after: Status | None
    kinds: list[VerdictKind] = Field(description="current verdict kinds")
    sentence: str
    evidence: dict[str, Any]
    excluded: Literal["storm", "host"] | None = Field(
        None, description="runs only: its failure is in a mass failure, or on a bad host"
    )
    environment: str | None = Field(None, description="releases only")
    rates: RateClaim | None = Field(None, description="releases only: where it fails more often")


class ComparedFileRow(ComparedTest):
    """A test with its class, for files."""

    class_: str = Field(alias="class")


class Classes(Schema):
    regression: list[ComparedTest] = Field(description="passed, now failed")
    new_failure: list[ComparedTest] = Field(description="failed, and absent or skipped before")
    still_failing: list[ComparedTest]
    fixed: list[ComparedTest] = Field(description="failed, now passed")
    new_pass: list[ComparedTest] = Field(description="passed, and absent or skipped before")
    appeared: list[ComparedTest] = Field(description="skipped, absent before")
    disappeared: list[ComparedTest] = Field(description="absent now")
    not_compared: list[ComparedTest] = Field(description="absent from a run that lacks results of their build")


class ClassCounts(Schema):
    regression: Count
    new_failure: Count
    still_failing: Count
    fixed: Count
    new_pass: Count
    appeared: Count
    disappeared: Count
    not_compared: Count


class LackedModule(Schema):
    """A module of which one run has no or not all results."""

    side: Literal["base", "candidate"]
    run: Id
    module: str
    tests: Count = Field(description="tests that are not compared")
    sentence: str


class Comparison(Schema):
    base: RunDetail | str | None = Field(description="a run, a release, or null without a previous run")
    candidate: RunDetail | str
    delta: Delta | None = Field(None, description="null for releases, and if a run is incomplete")
    lacks: list[LackedModule] | None = Field(None, description="runs only: what is not compared, and why")
    counts: ClassCounts
    classes: Classes
    statistics: RisingRates | None = Field(None, description="releases only: tests that fail more often")
