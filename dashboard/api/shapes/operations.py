"""The store, this process, ingestion, and SQL."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dashboard.api.shapes.base import Count, Id, Shape, Time


class Snapshot(Shape):
    snapshot: Count
    committed_at: Time


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


class SavedQuery(Shape):
    """A query that somebody kept in the SQL console."""

    id: Id
    name: str = Field(examples=["Rescued in the last two weeks"])
    sql: str = Field(examples=["SELECT count(*) FROM results"])
    author: str | None
    saved_at: Time


class ColumnMeaning(Shape):
    name: str
    type: str = Field(examples=["BIGINT"])
    about: str = Field(description="what it means; empty where the name says it")


class TableMeaning(Shape):
    """A table that SQL may read."""

    name: str = Field(examples=["results"])
    about: str = Field(examples=["one row per attempt of a test in a build on one topology"])
    columns: list[ColumnMeaning] = Field(
        examples=[[{"name": "started_at", "type": "TIMESTAMP", "about": "of the build"}]]
    )
