"""Trends over many runs, and the grid of tests x runs."""

from typing import Annotated, NotRequired, TypedDict

from data.answers.base import AllCounts, Count, Id, Time, Values, VerdictKind


class Point(AllCounts):
    """A run, or the sum of a day's runs."""

    series: NotRequired[Annotated[str | None, "files only: name of the series"]]
    run: NotRequired[Id | None]
    job: NotRequired[str | None]
    number: NotRequired[int | None]
    release: NotRequired[str | None]
    version: NotRequired[str | None]
    environment: NotRequired[str | None]
    started_at: NotRequired[Time | None]
    rank: NotRequired[Annotated[int | None, "orders the runs of all series: by number within a job, else by time"]]
    day: NotRequired[Annotated[str | None, Values(example="2026-11-22")]]
    runs: Count
    duration_s: Annotated[float | None, "sum of test durations"]
    running: Annotated[bool, "more results will follow"]
    incomplete: Annotated[bool, "builds are missing, partial or were aborted"]


class Series(TypedDict):
    name: str
    points: list[Point]


class Trends(TypedDict):
    series: list[Series]


class Trend(Trends):
    snapshot: Count


class GridRun(TypedDict):
    id: Id
    job: str
    number: int
    version: str | None
    environment: str | None
    started_at: Time
    state: str


class GridTest(TypedDict):
    test: Id
    key: str
    name: str
    module: str
    priority: str | None
    kinds: list[VerdictKind]


class GridRow(GridTest):
    cells: str


class TestGrid(TypedDict):
    runs: Annotated[list[GridRun], "the columns, newest first"]
    tests: list[GridTest]
    cells: Annotated[list[str], "for each test one letter per run"]


class Grid(TestGrid):
    """Tests x runs. A cell: P passed, F failed, K passed after a failed attempt, S skipped, - did not run."""

    next: str | None
    snapshot: Count
