"""The store, this process, ingestion, and SQL."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dashboard.api.schemas.base import Count, Id, Schema, Time


class Snapshot(Schema):
    snapshot: Count
    committed_at: Time


class Live(Schema):
    status: Literal["ok"]


class Ready(Live):
    snapshot: Count


class StoreHealth(Schema):
    snapshot: Count
    committed_at: Time
    age_s: float
    oldest_at: Time = Field(description="the earliest time that as_of can read")
    catalog: Literal["sqlite", "postgresql"]


class Freshness(Schema):
    """Whether new data arrives."""

    state: Literal["live", "late", "stopped", "unwatched"] = Field(
        description="late: a source was not polled for twice its interval; stopped: no ingest process is running; "
        "unwatched: no source is configured"
    )
    behind_s: float | None = Field(description="seconds since the data was last up to date; null: it is, or never was")


class SourceHealth(Schema):
    source: str
    last_poll: Time | None
    last_error: str | None
    lag_s: float | None
    open: Count = Field(description="discovered builds that are not finished")
    retrying: Count
    late: bool = Field(description="the last poll is older than twice the interval")


class FeedHealth(Schema):
    last_read: Time = Field(description="last attempt to read the bug feed")
    last_error: str | None = Field(description="why it could not be read; the stored bugs stay")
    next_read: Time | None


class Process(Schema):
    """The web process that answered; there may be several."""

    pid: int
    uptime_s: float


class Health(Schema):
    status: Literal["ok", "degraded"]
    version: str
    store: StoreHealth
    freshness: Freshness
    ingest: list[SourceHealth]
    ingest_seen: Time | None = Field(description="last heartbeat of an ingest process (every 30 seconds)")
    bugs: FeedHealth | None = Field(description="null: no feed is configured, or it was not read yet")
    process: Process


class IngestSource(Schema):
    source: str
    last_poll: Time | None
    next_poll: Time | None = Field(description="null: not known; in the past: due or running")
    is_read: bool = Field(description="an ingest process is polling it (depends on the clock)")
    last_error: str | None
    last_failed: int | None = Field(description="builds that the last poll could not read")
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
    lag_s: float | None = Field(description="seconds since the last poll (depends on the clock)")


class LedgerRow(Schema):
    source: str
    job: str
    number: int
    kind: Literal["run", "build"]
    state: Literal["new", "running", "retry", "recheck", "gone", "failed"] = Field(
        description="failed: given up, and read again only on request"
    )
    attempts: Count
    crashes: Count = Field(description="ingest processes that ended while they read it")
    error: str | None
    next_try: Time | None
    first_seen: Time | None
    updated_at: Time | None


class Gap(Schema):
    """Missing build numbers of a job."""

    source: str
    job: str
    first: int
    last: int


class Drop(Schema):
    """A job whose newest build has far fewer tests than usual."""

    source: str
    job: str
    number: int
    total: int
    usual: float


class FoundBuild(Schema):
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
    held: bool = Field(description="it is already in the store")
    open: Literal["new", "running", "retry", "recheck", "gone", "failed"] | None = Field(
        description="its state in the ledger; open builds are read without a request"
    )


class Progress(Schema):
    done: Count
    total: Count


class Payload(BaseModel):
    """The request and its result."""

    model_config = ConfigDict(extra="allow")

    progress: Progress | None = Field(None, description="builds; for a discovery, jobs")
    builds: list[Id] | None = Field(None, description="upload: ids of the stored builds")
    found: Count | None = Field(None, description="discover: number of listed builds")
    cut: bool | None = Field(None, description="discover: Jenkins has more builds than listed")
    listed: list[FoundBuild] | None = Field(None, description="discover: up to 200, newest first")


class Request(Schema):
    id: Id
    kind: Literal["poll", "discover", "build", "backfill", "upload"] = Field(examples=["build"])
    source: str
    payload: Payload = Field(
        examples=[
            {
                "urls": ["https://ci.example.com/job/qa/job/7.0/job/MODULE-RUN/20/"],
                "progress": {"done": 1, "total": 1},
            }
        ]
    )
    state: Literal["waiting", "working", "done", "failed"] = Field(examples=["done"])
    error: str | None
    created_at: Time
    updated_at: Time
    author: str


class SqlColumn(Schema):
    name: str
    type: str = Field(description="DuckDB type", examples=["BIGINT"])


class SqlAnswer(Schema):
    columns: list[SqlColumn]
    rows: list[list[Any]]
    truncated: bool = Field(description="the answer was cut at the limit of rows or bytes")
    seconds: float


class SavedQuery(Schema):
    """A query saved in the SQL console."""

    id: Id
    name: str = Field(examples=["Rescued in the last two weeks"])
    sql: str = Field(examples=["SELECT count(*) FROM results"])
    author: str | None
    saved_at: Time


class ColumnMeaning(Schema):
    name: str
    type: str = Field(examples=["BIGINT"])
    about: str = Field(description="meaning; empty if the name is clear")


class TableMeaning(Schema):
    """A table that SQL may read."""

    name: str = Field(examples=["results"])
    about: str = Field(examples=["one row per attempt of a test in a build on one topology"])
    columns: list[ColumnMeaning] = Field(
        examples=[[{"name": "started_at", "type": "TIMESTAMP", "about": "of the build"}]]
    )
