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
    oldest_at: Time = Field(description="the earliest moment that as_of can ask for")
    catalog: Literal["sqlite", "postgresql"]


class SourceHealth(Schema):
    source: str
    last_poll: Time | None
    last_error: str | None
    lag_s: float | None
    open: Count = Field(description="discovered builds that are not done")
    retrying: Count
    late: bool = Field(description="last polled longer ago than twice its interval")


class FeedHealth(Schema):
    last_read: Time = Field(description="when the bug feed was asked for last")
    last_error: str | None = Field(description="why it could not be read; the bugs stay as they were")
    next_read: Time | None


class Process(Schema):
    """The one process, of possibly several, that answered."""

    pid: int
    uptime_s: float


class Health(Schema):
    status: Literal["ok", "degraded"]
    version: str
    store: StoreHealth
    ingest: list[SourceHealth]
    ingest_seen: Time | None = Field(description="the last sign of an ingest process; one comes every 30 seconds")
    bugs: FeedHealth | None = Field(description="none: no feed is configured, or it was not read yet")
    process: Process


class IngestSource(Schema):
    source: str
    last_poll: Time | None
    next_poll: Time | None = Field(description="none: not known; past: it is due, or goes on just now")
    is_read: bool = Field(description="an ingest process reads it just now; by the clock")
    last_error: str | None
    last_failed: int | None = Field(description="builds of the last poll that could not be read")
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


class LedgerRow(Schema):
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


class Gap(Schema):
    """Build numbers of a job that are in no table."""

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
    """A build that Jenkins has, and what the source's rules make of it."""

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
    held: bool = Field(description="it was in the store already")
    open: Literal["new", "running", "retry", "recheck", "gone"] | None = Field(
        description="the state of its row in the ledger: what is open is read without being asked for"
    )


class Progress(Schema):
    done: Count
    total: Count


class Payload(BaseModel):
    """What was asked for, and what has come of it."""

    model_config = ConfigDict(extra="allow")

    progress: Progress | None = Field(None, description="builds, or of a discovery jobs")
    builds: list[Id] | None = Field(None, description="upload: what it was stored as")
    found: Count | None = Field(None, description="discover: how many builds are listed")
    cut: bool | None = Field(None, description="discover: Jenkins has more than are listed")
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
    type: str = Field(description="DuckDB's name of it", examples=["BIGINT"])


class SqlAnswer(Schema):
    columns: list[SqlColumn]
    rows: list[list[Any]]
    truncated: bool = Field(description="there were more rows, or bytes, than an answer may hold")
    seconds: float


class SavedQuery(Schema):
    """A query that somebody kept in the SQL console."""

    id: Id
    name: str = Field(examples=["Rescued in the last two weeks"])
    sql: str = Field(examples=["SELECT count(*) FROM results"])
    author: str | None
    saved_at: Time


class ColumnMeaning(Schema):
    name: str
    type: str = Field(examples=["BIGINT"])
    about: str = Field(description="what it means; empty where the name says it")


class TableMeaning(Schema):
    """A table that SQL may read."""

    name: str = Field(examples=["results"])
    about: str = Field(examples=["one row per attempt of a test in a build on one topology"])
    columns: list[ColumnMeaning] = Field(
        examples=[[{"name": "started_at", "type": "TIMESTAMP", "about": "of the build"}]]
    )
