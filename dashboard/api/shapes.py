"""The shapes of the answers, as pydantic models: they make the OpenAPI document, and tests hold every answer to them.

Answers are not built from these at run time: the questions in data/queries answer plain dicts of exactly this form.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(pattern="^[0-9a-f]{16}$", examples=["1f2bafe876aa4794"])]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-22T04:00:00Z"])]
Rate = Annotated[float, Field(ge=0, le=1, examples=[0.9755])]
Count = Annotated[int, Field(ge=0)]
Status = Literal["passed", "failed", "skipped"]
Word = Literal["regression", "new_failure", "always_failing", "flaky", "fixed"]


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(Shape):
    """What went wrong, as RFC 9457 lays it down."""

    type: str = Field(description="which sort of problem, as a link into the documentation", examples=["/api/docs#404"])
    title: str = Field(description="the same for every problem of this type", examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(description="what is wrong with this request, and what to do")
    instance: str = Field(description="the path that was asked for")
    parameter: str | None = Field(None, description="the parameter or field that is wrong")


class Counts(Shape):
    """Final results, one per test and topology. Failed includes errors; total = passed + failed + skipped."""

    total: Count
    passed: Count
    failed: Count
    skipped: Count


class AllCounts(Counts):
    errors: Count = Field(description="how many of the failed were errors")
    pass_rate: Rate | None = Field(description="null where nothing ran")


class Snapshot(Shape):
    snapshot: Count
    committed_at: Time


class Run(AllCounts):
    """A regression run: the builds that one orchestrating build started, or a build alone."""

    id: Id
    release: str
    version: str | None
    environment: str | None
    number: int
    source: str
    job: str
    started_at: Time
    duration_s: float | None
    state: Literal["ok", "failing", "broken", "running"]
    result: str | None = Field(description="Jenkins' own word")
    builds: Count = Field(description="module builds that it listed")
    builds_final: Count
    builds_running: Count
    missing: Count = Field(description="listed builds that brought no results")
    display_name: str | None
    url: str | None


class RunDetail(Run):
    previous: Id | None = Field(description="the run before it in its release and environment")
    next: Id | None
    expected_s: float | None = Field(description="how long runs of this release usually take")


class SparkPoint(Counts):
    id: Id
    number: int
    started_at: Time
    state: Literal["ok", "failing", "broken", "running"]
    pass_rate: Rate | None


class Tile(AllCounts):
    """A release line now: the numbers of its newest run that has ended."""

    release: str
    state: Literal["ok", "failing", "broken", "stale", "running", "empty"]
    new_failures: Count
    regressions: Count
    always_failing: Count
    flaky: Count
    fixed: Count
    latest_run: Run | None
    running_run: Run | None
    freshness_s: float | None = Field(description="age of the newest run; by the clock, not by the snapshot")
    spark: list[SparkPoint] = Field(description="the newest runs, oldest first")
    environments: list[str]
    versions: list[str]


class Version(Shape):
    version: str | None
    runs: Count
    first: Time
    last: Time
    latest: Id = Field(description="its newest run")


class Choices(Shape):
    """What there is to filter by."""

    releases: list[str]
    versions: list[str]
    environments: list[str]
    modules: list[str]


class Delta(Shape):
    total: int | None = None
    passed: int | None = None
    failed: int | None = None
    skipped: int | None = None
    pass_rate: float | None = None


class ListedBuild(Shape):
    id: Id | None = Field(description="null while it has not been ingested")
    job: str
    number: int
    state: Literal["running", "final", "missing"]
    result: str | None


class Module(AllCounts):
    module: str
    duration_s: float | None
    delta: Delta | None = Field(description="against the base run; null where the module was not in it")
    state: Literal["ok", "failing", "broken", "running", "missing"]
    builds: list[ListedBuild]


class Priority(AllCounts):
    priority: str
    delta: Delta | None


class Result(Shape):
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
    message: str | None = Field(description="the head of the failure text")


class BuildResult(Result):
    is_final: bool
    position: int | None = Field(description="order of execution within the report")


class ComparedTest(Shape):
    test: Id
    key: str
    name: str
    module: str
    before: Status | None
    after: Status | None


class Classes(Shape):
    regression: list[ComparedTest] = Field(description="passed, now failed")
    new_failure: list[ComparedTest] = Field(description="failed, and absent or skipped before")
    still_failing: list[ComparedTest]
    fixed: list[ComparedTest] = Field(description="failed, now passed")
    new_pass: list[ComparedTest] = Field(description="passed, and absent or skipped before")
    appeared: list[ComparedTest] = Field(description="skipped, absent before")
    disappeared: list[ComparedTest] = Field(description="absent now")


class ClassCounts(Shape):
    regression: Count
    new_failure: Count
    still_failing: Count
    fixed: Count
    new_pass: Count
    appeared: Count
    disappeared: Count


class Comparison(Shape):
    base: RunDetail | None = Field(description="null where there is no run before")
    candidate: RunDetail
    delta: Delta | None
    counts: ClassCounts
    classes: Classes


class Point(AllCounts):
    """A run, or the sum of a day's runs."""

    series: str | None = Field(None, description="only in exports: the name of the series")
    run: Id | None = None
    number: int | None = None
    release: str | None = None
    version: str | None = None
    environment: str | None = None
    started_at: Time | None = None
    day: str | None = Field(None, examples=["2026-11-22"])
    runs: Count
    duration_s: float | None = Field(description="test time, summed")


class Series(Shape):
    name: str
    points: list[Point]


class Trend(Shape):
    series: list[Series]
    snapshot: Count


class Test(Shape):
    test: Id
    key: str = Field(description="file::class::name")
    file: str
    class_: str = Field(alias="class")
    name: str
    module: str


class FoundTest(Test):
    priority: str | None


class Metadata(Shape):
    release: str | None = Field(description="null: of every release")
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


class HistoryRow(Shape):
    run: Id | None
    run_number: int | None
    build: Id
    number: int
    job: str
    url: str | None
    release: str
    version: str | None
    environment: str | None
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


class Attempt(Shape):
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


class RunPointer(Shape):
    run: Id
    number: int
    started_at: Time


class Verdict(Shape):
    test: Id
    key: str
    name: str
    module: str
    release: str
    environment: str | None
    kind: Word = Field(description="the worst of kinds")
    kinds: list[Word]
    since_run: Id | None
    first_bad: RunPointer | None
    last_good: RunPointer | None
    range_99: Any | None = Field(description="where the first bad run lies with 99 % certainty")
    strip: str = Field(description="statuses, oldest first: P passed, F failed, K passed after a failed attempt")
    sentence: str
    evidence: dict[str, Any] = Field(description="the numbers from which the verdict can be computed again")


class GridRun(Shape):
    id: Id
    number: int
    version: str | None
    environment: str | None
    started_at: Time
    state: str


class GridTest(Shape):
    test: Id
    key: str
    name: str
    module: str
    kinds: list[Word]


class GridRow(GridTest):
    cells: str


class Grid(Shape):
    """Tests x runs. A cell: P passed, F failed, K passed after a failed attempt, S skipped, - did not run."""

    runs: list[GridRun] = Field(description="the columns, newest first")
    tests: list[GridTest]
    cells: list[str] = Field(description="for each test one letter a run")
    next: str | None
    snapshot: Count


class Failure(Shape):
    signature: Id
    pattern: str
    example: str | None
    count: Count
    tests: Count
    builds: Count
    modules: list[str]
    hosts: list[str]
    first_seen: Time | None
    last_seen: Time | None
    new: bool = Field(description="never seen before these runs")


class DayCount(Shape):
    day: str
    count: Count


class FailureExample(Shape):
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


class FailureDetail(Failure):
    days: list[DayCount]
    examples: list[FailureExample]


class Build(AllCounts):
    id: Id
    source: str
    job: str
    number: int
    run: Id | None
    release: str
    version: str | None
    environment: str | None
    module: str
    started_at: Time
    duration_s: float | None
    state: Literal["running", "final"]
    result: str | None
    agent: str | None
    url: str | None
    flags: list[str]


class Commit(Shape):
    revision: str | None
    author: str | None
    message: str | None
    url: str | None
    committed_at: Time | None


class Warning(Shape):
    path: str | None
    message: str


class Declared(Shape):
    """Jenkins' own counts, where it has them."""

    total: int | None
    failed: int | None
    skipped: int | None


class RunNumber(Shape):
    id: Id
    number: int


class BuildDetail(Build):
    parameters: dict[str, Any]
    causes: list[Any]
    display_name: str | None
    revision: str | None
    declared: Declared
    ingested_at: Time | None
    commits: list[Commit]
    warnings: list[Warning]
    runs: list[RunNumber]


class Facet(Counts):
    value: str | None


class Facets(Shape):
    status: list[Facet]
    topology: list[Facet]
    host: list[Facet]
    module: list[Facet]


class Live(Shape):
    status: Literal["ok"]


class Ready(Live):
    snapshot: Count


class StoreHealth(Shape):
    snapshot: Count
    committed_at: Time
    age_s: float
    catalog: Literal["sqlite", "postgresql"]


class SourceHealth(Shape):
    source: str
    last_poll: Time | None
    last_error: str | None
    lag_s: float | None
    open: Count = Field(description="discovered builds that are not done")
    retrying: Count
    late: bool = Field(description="last polled longer ago than twice its interval")


class Process(Shape):
    """The one process, of possibly several, that answered."""

    pid: int
    uptime_s: float


class Health(Shape):
    status: Literal["ok", "degraded"]
    version: str
    store: StoreHealth
    ingest: list[SourceHealth]
    process: Process


class IngestSource(Shape):
    source: str
    last_poll: Time | None
    last_error: str | None
    duration_s: float | None
    requests: int | None
    failed_24h: Count
    open: Count
    retrying: Count
    running: Count
    gone: Count
    builds: Count
    results: Count
    newest_build: Time | None
    without_results: Count
    flagged: Count
    poll_minutes: float | None
    lag_s: float | None = Field(description="since the last poll; by the clock")


class LedgerRow(Shape):
    source: str
    job: str
    number: int
    kind: Literal["run", "build"]
    state: Literal["new", "running", "retry", "recheck", "gone"]
    attempts: Count
    error: str | None
    next_try: Time | None
    first_seen: Time | None
    updated_at: Time | None


class Gap(Shape):
    """Build numbers of a job that are in no table."""

    source: str
    job: str
    first: int
    last: int


class Drop(Shape):
    """A job whose newest build has far fewer tests than usual."""

    source: str
    job: str
    number: int
    total: int
    usual: float


class Request(Shape):
    id: Id
    kind: Literal["poll", "backfill", "build", "upload"]
    source: str
    payload: dict[str, Any] = Field(description="what was asked for, and how far it is")
    state: Literal["waiting", "working", "done", "failed"]
    error: str | None
    created_at: Time
    updated_at: Time
    author: str


class SqlColumn(Shape):
    name: str
    type: str = Field(description="DuckDB's name of it", examples=["BIGINT"])


class SqlAnswer(Shape):
    columns: list[SqlColumn]
    rows: list[list[Any]]
    truncated: bool = Field(description="there were more rows, or bytes, than an answer may hold")
    seconds: float
