"""Builds and the results in them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dashboard.api.schemas.base import AllCounts, Count, Counts, Id, Schema, Time
from dashboard.api.schemas.runs import Result


class BuildResult(Result):
    is_final: bool
    position: int | None = Field(description="order of execution within the report")


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
    health: Literal["failing", "broken", "incomplete", "ok", "running"] = Field(
        description="broken: no results; incomplete: it was aborted"
    )
    result: str | None
    agent: str | None
    url: str | None
    flags: list[str]


class Commit(Schema):
    revision: str | None
    author: str | None
    message: str | None
    url: str | None
    committed_at: Time | None


class Warning(Schema):
    path: str | None
    message: str


class Declared(Schema):
    """Counts reported by Jenkins, if any."""

    total: int | None
    failed: int | None
    skipped: int | None


class RunNumber(Schema):
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


class Facets(Schema):
    status: list[Facet]
    topology: list[Facet]
    host: list[Facet]
    module: list[Facet]


class RawFile(Schema):
    """A raw file of a build, as received from Jenkins."""

    path: str
    kind: str = Field(description="build (its details in Jenkins), junit, order, test_report, console ...")
    size: Count = Field(description="bytes")
