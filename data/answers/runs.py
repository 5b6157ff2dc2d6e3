"""Releases, their runs, and the results of runs."""

from typing import Annotated, Literal, NotRequired, TypedDict

from data.answers.base import (
    AllCounts,
    Count,
    Counts,
    Delta,
    Id,
    Rate,
    RunState,
    Status,
    Time,
    UnreadHistory,
    VerdictKind,
)
from data.answers.evidence import ComparisonEvidence
from data.answers.statistics import RateClaim, RisingRates


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
    state: RunState
    incomplete: Annotated[bool, "finished, but builds of it are missing, partial or were aborted"]
    result: Annotated[str | None, "result in Jenkins"]
    builds: Annotated[Count, "module builds of the run"]
    builds_final: Count
    builds_running: Count
    missing: Annotated[Count, "builds of the run without results"]
    aborted: Annotated[Count, "aborted builds of the run that have results"]
    partial: Annotated[Count, "builds of the run that have results, but lack some"]
    first_partial: Annotated[str | None, "the first build that lacks results for a known reason, and the reason"]
    waiting: Annotated[Count, "missing builds not read yet: the run counts as running"]
    display_name: str | None
    url: str | None


class RunDetail(Run):
    previous: Annotated[Id | None, "previous run of its release and environment"]
    next: Id | None
    expected_s: Annotated[
        float | None, "median duration of the newest three finished runs of its release and environment"
    ]


class SparkPoint(Counts):
    id: Id
    job: str
    number: int
    started_at: Time
    state: RunState
    incomplete: bool
    pass_rate: Rate | None


LaneState = Literal["failing", "broken", "incomplete", "stale", "ok", "running", "empty"]


class WordCounts(TypedDict):
    """Tests by verdict in the verdict window; a test counts once, under its worst verdict."""

    new_failures: Count
    regressions: Count
    always_failing: Count
    flaky: Count
    fixed: Count
    unjudged: Annotated[Count, "tests that failed on their only run: not enough data for a verdict"]


class TileLane(WordCounts):
    """One environment of a release."""

    environment: str | None
    state: LaneState
    incomplete: bool
    stale: bool
    reasons: list[str]
    run: Annotated[Id, "its newest finished run, or the one that goes on"]
    job: str
    number: int
    pass_rate: Rate | None
    running: bool


class Tile(AllCounts, WordCounts):
    """A release line in the environment that tests most: the numbers of its newest finished run there."""

    release: str
    environment: Annotated[str | None, "what all of the tile is about; null without runs"]
    state: Annotated[
        LaneState, ("worst first: broken, failing, incomplete, stale, ok; running and empty: no finished run yet")
    ]
    incomplete: Annotated[bool, "builds are missing, partial or aborted, or a module has no usable results"]
    stale: Annotated[bool, "no new run for `measures.stale_hours`"]
    reasons: Annotated[list[str], "why the state is not ok, the worst first"]
    unread_history: Annotated[list[UnreadHistory], "environments without verdicts yet"]
    latest_run: Run | None
    running_run: Run | None
    freshness_s: Annotated[float | None, "age of the newest run (depends on the clock)"]
    spark: Annotated[list[SparkPoint], "the newest runs, oldest first"]
    lanes: Annotated[list[TileLane], "the state of each environment, that of the tile first"]
    environments: list[str]
    versions: list[str]


class Version(TypedDict):
    version: str | None
    runs: Count
    first: Time
    last: Time
    latest: Annotated[Id, "newest run"]


class Choices(TypedDict):
    """Filter values."""

    releases: list[str]
    versions: list[str]
    environments: list[str]
    modules: list[str]


class ListedBuild(TypedDict):
    id: Annotated[Id | None, "null until it has been ingested"]
    job: str
    number: int
    state: Literal["running", "final", "missing"]
    result: str | None


class Module(AllCounts):
    module: str
    duration_s: float | None
    delta: Annotated[
        Delta | None,
        ("difference from the base run; null if the module was not in it, or is incomplete in one of them"),
    ]
    state: Literal["failing", "broken", "incomplete", "missing", "ok", "running"]
    incomplete: Annotated[bool, "a build that usually tests it is missing, partial or was aborted"]
    expected_total: Annotated[Count | None, "about how many results it would have with those builds"]
    builds: list[ListedBuild]


class Priority(AllCounts):
    priority: str
    delta: Delta | None


Result = TypedDict(
    "Result",
    {
        "test": Id,
        "key": Annotated[str, "file::class::name"],
        "file": str,
        "class": str,
        "name": str,
        "module": str,
        "build": Id,
        "status": Status,
        "kind": Literal["failure", "error"] | None,
        "topology": str,
        "host": str | None,
        "attempt": Count,
        "rerun": bool,
        "duration_s": float | None,
        "signature": Id | None,
        "message": Annotated[str | None, "beginning of the failure text"],
    },
)


class ComparedTest(TypedDict):
    test: Id
    key: str
    name: str
    module: str
    before: Status | None
    after: Status | None
    kinds: Annotated[list[VerdictKind], "current verdict kinds"]
    sentence: str
    evidence: ComparisonEvidence
    excluded: NotRequired[
        Annotated[Literal["storm", "host"] | None, "runs only: its failure is in a mass failure, or on a bad host"]
    ]
    environment: NotRequired[Annotated[str | None, "releases only"]]
    rates: NotRequired[Annotated[RateClaim | None, "releases only: where it fails more often"]]


_Class = TypedDict("_Class", {"class": str})


class ComparedFileRow(ComparedTest, _Class):
    """A test with its class, for files."""


class Classes(TypedDict):
    regression: Annotated[list[ComparedTest], "passed, now failed"]
    new_failure: Annotated[list[ComparedTest], "failed, and absent or skipped before"]
    still_failing: list[ComparedTest]
    fixed: Annotated[list[ComparedTest], "failed, now passed"]
    new_pass: Annotated[list[ComparedTest], "passed, and absent or skipped before"]
    appeared: Annotated[list[ComparedTest], "skipped, absent before"]
    disappeared: Annotated[list[ComparedTest], "absent now"]
    not_compared: Annotated[list[ComparedTest], "absent from a run or release that lacks results of their build"]


class ClassCounts(TypedDict):
    regression: Count
    new_failure: Count
    still_failing: Count
    fixed: Count
    new_pass: Count
    appeared: Count
    disappeared: Count
    not_compared: Count


class LackedModule(TypedDict):
    """A module of which a run, or a release in an environment, has no or not all results."""

    side: Literal["base", "candidate"]
    run: Annotated[Id | None, "null for releases"]
    module: str
    tests: Annotated[Count, "tests that are not compared"]
    sentence: str


class Comparison(TypedDict):
    base: Annotated[RunDetail | str | None, "a run, a release, or null without a previous run"]
    candidate: RunDetail | str
    delta: NotRequired[Annotated[Delta | None, "null for releases, and if a run is incomplete"]]
    lacks: NotRequired[Annotated[list[LackedModule] | None, "what is not compared, and why"]]
    counts: ClassCounts
    classes: Classes
    statistics: NotRequired[Annotated[RisingRates | None, "releases only: tests that fail more often"]]
