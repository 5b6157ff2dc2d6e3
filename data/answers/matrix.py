"""The matrix of a release: modules against environments or topologies."""

from typing import Annotated, Literal, NotRequired, TypedDict

from data.answers.base import AllCounts, Count, Id, Time
from data.answers.evidence import CellEvidence
from data.answers.runs import LaneState

CellState = Literal["failing", "broken", "incomplete", "missing", "ok", "empty"]
ReleaseState = LaneState


class MatrixCell(AllCounts):
    """A module in one column: broken (no usable results, or most tests failed at once), failing (has broken tests),
    incomplete (builds that test it are missing, partial or were aborted), missing (has run here, but has no results
    now), ok, or empty (never tested here)."""

    state: CellState
    incomplete: bool
    tests: Annotated[Count, "broken tests: regressions, new failures, always failing"]
    unjudged: Annotated[Count, "tests that failed on their only run: not enough data for a verdict"]
    regressions: Count
    new_failures: Count
    always_failing: Count
    flaky: Count
    expected_total: Annotated[Count | None, "about how many results there would be with the missing builds"]
    sentence: str
    evidence: CellEvidence


class MatrixFileRow(MatrixCell):
    """A cell with its row and column, for files."""

    release: str
    module: str
    column: Annotated[str | None, "an environment or a topology"]


class UnjudgedTest(TypedDict):
    """A test that failed on its only run."""

    test: Id
    name: str
    module: str
    environment: str | None
    run: Id
    number: int


class MatrixRow(TypedDict):
    module: str
    state: Annotated[CellState, "state of its worst cell"]
    incomplete: bool
    tests: Annotated[Count, "broken tests of all cells, each counted once"]
    unjudged: Count
    cells: Annotated[list[MatrixCell], "one per column"]


class MatrixRun(TypedDict):
    id: Id
    release: str
    job: str
    number: int
    environment: str | None
    version: str | None
    started_at: Time


class MatrixColumn(TypedDict):
    value: Annotated[str | None, "an environment, a topology or a release"]
    state: Annotated[
        CellState | ReleaseState,
        ("an environment's or a release's: as its tile has it; a topology's: that of its worst cell"),
    ]
    incomplete: bool
    stale: NotRequired[Annotated[bool | None, "environments and releases only"]]
    reasons: NotRequired[Annotated[list[str] | None, "environments and releases only: why it is not ok"]]
    tests: Count
    unjudged: Count
    runs: Annotated[list[MatrixRun], "newest finished run of each environment (and job)"]


class OverallCell(TypedDict):
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


class OverallRow(TypedDict):
    module: str
    state: CellState
    incomplete: bool
    tests: Annotated[Count, "broken tests of all releases; counted once per release"]
    unjudged: Count
    cells: Annotated[list[OverallCell], "one per release"]


class OverallMatrix(TypedDict):
    """The worst rows first, the newest release in the first column."""

    release: Annotated[str | None, "null: all releases"]
    by: Literal["release"]
    state: Annotated[ReleaseState, "state of the worst release"]
    incomplete: bool
    stale: bool
    tests: Count
    unjudged: Count
    columns: list[MatrixColumn]
    rows: list[OverallRow]


class Matrix(TypedDict):
    """The worst rows first."""

    release: str
    by: Literal["environment", "topology"]
    state: Annotated[ReleaseState, "of its worst environment; broken, failing, incomplete: not ready to ship"]
    incomplete: bool
    stale: bool
    reasons: Annotated[list[str], "why it is not ok"]
    tests: Count
    unjudged: Count
    columns: list[MatrixColumn]
    rows: list[MatrixRow]
