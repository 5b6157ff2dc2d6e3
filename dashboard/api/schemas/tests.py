"""Tests, their history, and their attempts in a build."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dashboard.api.schemas.base import Count, Id, Schema, Status, Time
from dashboard.api.schemas.bugs import Bug


class Test(Schema):
    test: Id
    key: str = Field(description="file::class::name")
    file: str
    class_: str = Field(alias="class")
    name: str
    module: str


class FoundTest(Test):
    priority: str | None


class Metadata(Schema):
    release: str | None = Field(description="null: all releases")
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
    bugs: list[Bug] = Field(description="of the newest feed, open and urgent first")


class HistoryRow(Schema):
    run: Id | None
    run_number: int | None
    build: Id
    number: int
    job: str
    url: str | None
    release: str
    version: str | None
    environment: str | None
    unfinished: Literal["running", "aborted"] | None = Field(description="why the build's results are not judged")
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


class Attempt(Schema):
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
