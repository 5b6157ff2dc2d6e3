"""The matrix of a release: modules against environments or topologies."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dashboard.api.schemas.base import AllCounts, Count, Id, Schema, Time

CellState = Literal["failing", "broken", "incomplete", "missing", "ok", "empty"]
ReleaseState = Literal["failing", "broken", "incomplete", "stale", "ok", "running", "empty"]


class MatrixCell(AllCounts):
    """A module in one column: broken (no usable results, or most tests failed at once), failing (has broken tests),
    incomplete (builds that test it are missing or were aborted), missing (has run here, but has no results now), ok, or
    empty (never tested here)."""

    state: CellState
    incomplete: bool
    tests: Count = Field(description="broken tests: regressions, new failures, always failing")
    unjudged: Count = Field(description="tests that failed on their only run: not enough data for a verdict")
    regressions: Count
    new_failures: Count
    always_failing: Count
    flaky: Count
    expected_total: Count | None = Field(description="about how many results there would be with the missing builds")
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
    incomplete: bool
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
    state: CellState | ReleaseState = Field(
        description="an environment's or a release's: as its tile has it; a topology's: that of its worst cell"
    )
    incomplete: bool
    stale: bool | None = Field(None, description="environments and releases only")
    reasons: list[str] | None = Field(None, description="environments and releases only: why it is not ok")
    tests: Count
    unjudged: Count
    runs: list[MatrixRun] = Field(description="newest finished run of each environment (and job)")


class OverallCell(Schema):
    """A module in one release: its worst cell, and the broken tests of all its cells."""

    state: CellState
    incomplete: bool
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
    incomplete: bool
    tests: Count = Field(description="broken tests of all releases; counted once per release")
    unjudged: Count
    cells: list[OverallCell] = Field(description="one per release")


class OverallMatrix(Schema):
    """The worst rows first, the newest release in the first column."""

    release: str | None = Field(description="null: all releases")
    by: Literal["release"]
    state: ReleaseState = Field(description="state of the worst release")
    incomplete: bool
    stale: bool
    tests: Count
    unjudged: Count
    columns: list[MatrixColumn]
    rows: list[OverallRow]


class Matrix(Schema):
    """The worst rows first."""

    release: str
    by: Literal["environment", "topology"]
    state: ReleaseState = Field(description="of its worst environment; broken, failing, incomplete: not ready to ship")
    incomplete: bool
    stale: bool
    reasons: list[str] = Field(description="why it is not ok")
    tests: Count
    unjudged: Count
    columns: list[MatrixColumn]
    rows: list[MatrixRow]
