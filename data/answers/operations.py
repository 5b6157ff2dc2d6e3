"""The store, this process, ingestion, and SQL."""

from typing import Annotated, Any, Literal, NotRequired, TypedDict

from data.answers.base import Count, Id, Time, Values

RequestKind = Literal["poll", "discover", "build", "backfill", "upload"]
RequestState = Literal["waiting", "working", "done", "failed"]
LedgerState = Literal["new", "running", "retry", "recheck", "gone", "failed"]


class Snapshot(TypedDict):
    snapshot: Count
    committed_at: Time


class Live(TypedDict):
    status: Literal["ok"]


class Ready(Live):
    snapshot: Count


class StoreHealth(TypedDict):
    snapshot: Count
    committed_at: Time
    age_s: float
    oldest_at: Annotated[Time, "the earliest time that as_of can read"]
    catalog: Literal["sqlite", "postgresql"]


class Freshness(TypedDict):
    """Whether new data arrives."""

    state: Annotated[
        Literal["live", "late", "stopped", "unwatched"],
        "late: a source was not polled for twice its interval; stopped: no ingest process is running; "
        "unwatched: no source is configured",
    ]
    behind_s: Annotated[float | None, "seconds since the data was last up to date; null: it is, or never was"]


class SourceHealth(TypedDict):
    source: str
    last_poll: Time | None
    last_error: str | None
    lag_s: float | None
    open: Annotated[Count, "discovered builds that are not finished"]
    retrying: Count
    late: Annotated[bool, "the last poll is older than twice the interval"]


class FeedHealth(TypedDict):
    last_read: Annotated[Time, "last attempt to read the bug feed"]
    last_error: Annotated[str | None, "why it could not be read; the stored bugs stay"]
    next_read: Time | None


class Process(TypedDict):
    """The web process that answered; there may be several."""

    pid: int
    uptime_s: float


class Health(TypedDict):
    status: Literal["ok", "degraded"]
    version: str
    store: StoreHealth
    freshness: Freshness
    ingest: list[SourceHealth]
    ingest_seen: Annotated[Time | None, "last heartbeat of an ingest process (every 30 seconds)"]
    bugs: Annotated[FeedHealth | None, "null: no feed is configured, or it was not read yet"]
    process: Process


class IngestSource(TypedDict):
    source: str
    last_poll: Time | None
    next_poll: Annotated[Time | None, "null: not known; in the past: due or running"]
    is_read: Annotated[bool, "an ingest process is polling it (depends on the clock)"]
    last_error: str | None
    last_failed: Annotated[int | None, "builds that the last poll could not read"]
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
    lag_s: Annotated[float | None, "seconds since the last poll (depends on the clock)"]


class BuildRemark(TypedDict):
    """A parser's warning about a report of a build."""

    build: Id
    job: str
    number: int
    started_at: Time
    path: str | None
    message: str


class EmptyBuild(TypedDict):
    """A finished build without results."""

    build: Id
    source: str
    job: str
    number: int
    started_at: Time
    result: str | None


class EmptyRun(TypedDict):
    """A finished orchestrating build whose module builds are unknown."""

    run: Id
    source: str
    job: str
    number: int
    started_at: Time
    result: str | None


class TableSize(TypedDict):
    """The data files of a table."""

    table: str
    files: Count
    bytes: Count


class LedgerRow(TypedDict):
    source: str
    job: str
    number: int
    kind: Literal["run", "build"]
    state: Annotated[
        LedgerState,
        "failed: given up, and read again only on request",
    ]
    attempts: Count
    crashes: Annotated[Count, "ingest processes that ended while they read it"]
    error: str | None
    next_try: Time | None
    first_seen: Time | None
    updated_at: Time | None


class Gap(TypedDict):
    """Missing build numbers of a job."""

    source: str
    job: str
    first: int
    last: int


class Drop(TypedDict):
    """A job whose newest build has far fewer tests than usual."""

    source: str
    job: str
    number: int
    total: int
    usual: float


class FoundBuild(TypedDict):
    """A build in Jenkins, with its release, version and environment by the source's rules."""

    job: str
    number: int
    url: str
    display_name: str
    state: Literal["final", "running"]
    result: str | None
    started_at: Time | None
    release: str
    version: str | None
    environment: str
    held: Annotated[bool, "it is already in the store"]
    open: Annotated[
        LedgerState | None,
        "its state in the ledger; open builds are read without a request",
    ]


class FoundBuilds(TypedDict):
    """`found`: how many are listed; `cut`: there are more."""

    found: int
    cut: bool
    listed: list[FoundBuild]


class Progress(TypedDict):
    done: Count
    total: Count


class Payload(TypedDict):
    """The request and its result."""

    progress: NotRequired[Annotated[Progress | None, "builds; for a discovery, jobs"]]
    builds: NotRequired[Annotated[list[Id] | None, "upload: ids of the stored builds"]]
    found: NotRequired[Annotated[Count | None, "discover: number of listed builds"]]
    cut: NotRequired[Annotated[bool | None, "discover: Jenkins has more builds than listed"]]
    listed: NotRequired[Annotated[list[FoundBuild] | None, "discover: up to 200, newest first"]]


_Range = TypedDict("_Range", {"from": NotRequired[str], "to": NotRequired[str]})


class RequestPayload(Payload, _Range):
    """The payload of each kind of request: build `url` or `urls`; discover and backfill a range of build numbers or
    times; upload what is known of the build."""

    url: NotRequired[str]
    urls: NotRequired[list[str]]
    release: NotRequired[str]
    module: NotRequired[str]
    number: NotRequired[int]
    version: NotRequired[str]
    environment: NotRequired[str]
    run: NotRequired[str]
    revision: NotRequired[str]
    parameters: NotRequired[dict[str, str]]
    started_at: NotRequired[str]


class Request(TypedDict):
    id: Id
    kind: Annotated[RequestKind, Values(example="build")]
    source: str
    payload: Annotated[
        Payload,
        Values(
            is_open=True,
            example={
                "urls": ["https://ci.example.com/job/qa/job/7.0/job/MODULE-RUN/20/"],
                "progress": {"done": 1, "total": 1},
            },
        ),
    ]
    state: Annotated[RequestState, Values(example="done")]
    error: str | None
    created_at: Time
    updated_at: Time
    author: str


class SqlColumn(TypedDict):
    name: str
    type: Annotated[str, "DuckDB type", Values(example="BIGINT")]


class SqlAnswer(TypedDict):
    columns: list[SqlColumn]
    rows: list[list[Any]]
    truncated: Annotated[bool, "the answer was cut at the limit of rows or bytes"]
    seconds: float


class SavedQuery(TypedDict):
    """A query saved in the SQL console."""

    id: Id
    name: Annotated[str, Values(example="Rescued in the last two weeks")]
    sql: Annotated[str, Values(example="SELECT count(*) FROM results")]
    author: str | None
    saved_at: Time


class ColumnMeaning(TypedDict):
    name: str
    type: Annotated[str, Values(example="BIGINT")]
    about: Annotated[str, "meaning; empty if the name is clear"]


class TableMeaning(TypedDict):
    """A table that SQL may read."""

    name: Annotated[str, Values(example="results")]
    about: Annotated[str, Values(example="one row per attempt of a test in a build on one topology")]
    columns: Annotated[
        list[ColumnMeaning], Values(example=[{"name": "started_at", "type": "TIMESTAMP", "about": "of the build"}])
    ]
