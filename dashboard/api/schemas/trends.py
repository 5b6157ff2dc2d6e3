"""Trends over many runs, and the grid of tests x runs."""

from __future__ import annotations

from pydantic import Field

from dashboard.api.schemas.base import AllCounts, Count, Id, Schema, Time, VerdictKind


class Point(AllCounts):
    """A run, or the sum of a day's runs."""

    series: str | None = Field(None, description="files only: name of the series")
    run: Id | None = None
    number: int | None = None
    release: str | None = None
    version: str | None = None
    environment: str | None = None
    started_at: Time | None = None
    rank: int | None = Field(None, description="orders the runs of all series: by number within a job, else by time")
    day: str | None = Field(None, examples=["2026-11-22"])
    runs: Count
    duration_s: float | None = Field(description="sum of test durations")
    running: bool = Field(description="more results will follow")
    incomplete: bool = Field(description="builds are missing or were aborted")


class Series(Schema):
    name: str
    points: list[Point]


class Trend(Schema):
    series: list[Series]
    snapshot: Count


class GridRun(Schema):
    id: Id
    number: int
    version: str | None
    environment: str | None
    started_at: Time
    state: str


class GridTest(Schema):
    test: Id
    key: str
    name: str
    module: str
    priority: str | None
    kinds: list[VerdictKind]


class GridRow(GridTest):
    cells: str


class Grid(Schema):
    """Tests x runs. A cell: P passed, F failed, K passed after a failed attempt, S skipped, - did not run."""

    runs: list[GridRun] = Field(description="the columns, newest first")
    tests: list[GridTest]
    cells: list[str] = Field(description="for each test one letter per run")
    next: str | None
    snapshot: Count
