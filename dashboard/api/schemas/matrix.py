"""The matrix of a release: modules against environments or topologies."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from dashboard.api.schemas.base import AllCounts, Count, Id, Schema, Time

CellState = Literal["failing", "broken", "missing", "ok", "empty"]


class MatrixCell(AllCounts):
    """A module in one column: failing (it has broken tests), broken (its build brought nothing, or only a storm),
    missing (it ran here before, and brought nothing now), ok, or empty (not tested here)."""

    state: CellState
    tests: Count = Field(description="broken tests: regressions, new and always failing ones")
    unjudged: Count = Field(description="tests that failed the only time they ran: they keep it red, and carry no word")
    regressions: Count
    new_failures: Count
    always_failing: Count
    flaky: Count
    sentence: str
    evidence: dict[str, Any]


class MatrixFileRow(MatrixCell):
    """A cell with its place, as files have it."""

    release: str
    module: str
    column: str | None = Field(description="an environment or a topology")


class MatrixRow(Schema):
    module: str
    state: CellState = Field(description="of its worst cell")
    tests: Count = Field(description="broken tests of all cells, each counted once")
    unjudged: Count
    cells: list[MatrixCell] = Field(description="one a column")


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
    runs: list[MatrixRun] = Field(description="the newest that ended, of each environment: what its cells tell of")


class OverallCell(Schema):
    """A module in one release: the worst of its cells there, and the broken tests of all of them."""

    state: CellState
    tests: Count
    unjudged: Count
    sentence: str


class OverallFileRow(OverallCell):
    """A cell with its place, as files have it."""

    release: str
    module: str


class OverallRow(Schema):
    module: str
    state: CellState
    tests: Count = Field(description="broken tests of all releases; one that is broken in two counts twice")
    unjudged: Count
    cells: list[OverallCell] = Field(description="one a release")


class OverallMatrix(Schema):
    """The worst rows first, the newest release in the first column."""

    release: str | None = Field(description="null: of all of them")
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
    state: CellState = Field(description="failing or broken: it may not ship")
    tests: Count
    unjudged: Count
    columns: list[MatrixColumn]
    rows: list[MatrixRow]
