"""Types and counts that many answers share, and what says which values a field has."""

from typing import Annotated, Literal, NamedTuple, NotRequired, TypedDict


class Values(NamedTuple):
    """Which values a field has, in terms of JSON Schema. A text beside it describes the field:
    `Annotated[int, "affected tests", Values(minimum=0)]`."""

    minimum: float | None = None
    maximum: float | None = None
    pattern: str | None = None
    format: str | None = None
    example: object = None
    is_open: bool = False  # an object may have more fields than its type


Id = Annotated[str, Values(pattern="^[0-9a-f]{16}$", example="1f2bafe876aa4794")]
Time = Annotated[str, Values(format="date-time", example="2026-11-22T04:00:00Z")]
Rate = Annotated[float, Values(minimum=0, maximum=1, example=0.9755)]
Count = Annotated[int, Values(minimum=0)]
ResultsState = Literal["failing", "broken", "incomplete", "ok"]
RunState = Literal["failing", "broken", "incomplete", "ok", "running"]
Status = Literal["passed", "failed", "skipped"]
VerdictKind = Literal["regression", "new_failure", "always_failing", "flaky", "fixed"]
RECOMPUTABLE = "the numbers from which this can be recomputed"


class Counts(TypedDict):
    """Final results, one per test and topology. Failed includes errors; total = passed + failed + skipped."""

    total: Count
    passed: Count
    failed: Count
    skipped: Count


class AllCounts(Counts):
    errors: Annotated[Count, "failed results that are errors"]
    pass_rate: Annotated[Rate | None, "null if nothing ran"]
    left_out: NotRequired[Annotated[Count | None, "results that exclude_flaky left out"]]


class RatedCounts(Counts):
    pass_rate: Rate | None


class Delta(TypedDict):
    total: NotRequired[int | None]
    passed: NotRequired[int | None]
    failed: NotRequired[int | None]
    skipped: NotRequired[int | None]
    pass_rate: NotRequired[float | None]


class UnreadHistory(TypedDict):
    """Older builds of a release and environment still wait to be read; until then its verdicts are held back."""

    release: str
    environment: str | None
    waiting: Annotated[Count, "builds that wait"]
    sentence: str
