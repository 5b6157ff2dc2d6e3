"""The matrix of a release: modules against environments or topologies."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dashboard.api.schemas.base import AllCounts, Count, Id, Schema, Time

CellState = Literal["failing", "broken", "missing", "ok", "empty"]


class MatrixCell(AllCounts):
    """A module in one column: failing (has broken tests), broken (no usable results, or most tests failed at once),
    missing (has run here, but has no results now), ok, or empty (never tested here)."""

    state: CellState
    tests: Count = Field(description="broken tests: regressions, new failures, always failing")
    unjudged: Count = Field(description="tests that failed on their only run: not enough data for a verdict")
    regressions: Count
    new_failures: Count
    always_failing: Count
    flaky: Count
    sentence: str
    evidence: dict[str, Any]


class MatrixFileRow(MatrixCell):
    """A cell with its row and column, for files."""

    release: str
    module: str
    column: str | None = Field(description="an environment or a topology")


class MatrixRow(Schema):
    module: str
    state: CellState = Field(description="state of its worst cell")
    tests: Count = Field(description="broken tests of all cells, each counted once")
    unjudged: Count
    cells: list[MatrixCell] = Field(description="one per column")


class MatrixRun(Schema):
    id: Id
    number: int
    environment: str | None
    version: str | None
    started_at: Time


class MatrixColumn(Schema):
    value: str | None = Field(description="an environment, a topology or a release")
    state: CellState
    tests: Count
    unjudged: Count
    runs: list[MatrixRun] = Field(description="newest finished run of each environment")


class OverallCell(Schema):
    """A module in one release: its worst cell, and the broken tests of all its cells."""

    state: CellState
    tests: Count
    unjudged: Count
    sentence: str


class OverallFileRow(OverallCell):
    """A cell with its row and column, for files."""

    release: str
    module: str


class OverallRow(Schema):
    module: str
    state: CellState
    tests: Count = Field(description="broken tests of all releases; counted once per release")
    unjudged: Count
    cells: list[OverallCell] = Field(description="one per release")


class OverallMatrix(Schema):
    """The worst rows first, the newest release in the first column."""

    release: str | None = Field(description="null: all releases")
    by: Literal["release"]
    state: CellState
    tests: Count
    unjudged: Count
    columns: list[MatrixColumn]
    rows: list[OverallRow]


class Matrix(Schema):
    """The worst rows first."""

    release: str
    by: Literal["environment", "topology"]
    state: CellState = Field(description="failing or broken: not ready to ship")
    tests: Count
    unjudged: Count
    columns: list[MatrixColumn]
    rows: list[MatrixRow]
