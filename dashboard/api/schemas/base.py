"""Types and counts that many schemas share, and the problem document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Id = Annotated[str, Field(pattern="^[0-9a-f]{16}$", examples=["1f2bafe876aa4794"])]
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, examples=["2026-11-22T04:00:00Z"])]
Rate = Annotated[float, Field(ge=0, le=1, examples=[0.9755])]
Count = Annotated[int, Field(ge=0)]
Status = Literal["passed", "failed", "skipped"]
VerdictKind = Literal["regression", "new_failure", "always_failing", "flaky", "fixed"]


class Schema(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Problem(Schema):
    """An error, as defined by RFC 9457."""

    type: str = Field(description="type of the problem: a link to the documentation", examples=["/api/docs#404"])
    title: str = Field(description="the same for every problem of this type", examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(description="what is wrong, and what to do")
    instance: str = Field(description="path of the request")
    parameter: str | None = Field(None, description="invalid parameter or field")
    position: int | None = Field(None, ge=0, description="index of the character where the error is (SQL)")


class Counts(Schema):
    """Final results, one per test and topology. Failed includes errors; total = passed + failed + skipped."""

    total: Count
    passed: Count
    failed: Count
    skipped: Count


class AllCounts(Counts):
    errors: Count = Field(description="failed results that are errors")
    pass_rate: Rate | None = Field(description="null if nothing ran")
    left_out: Count | None = Field(None, description="results that exclude_flaky left out")


class Delta(Schema):
    total: int | None = None
    passed: int | None = None
    failed: int | None = None
    skipped: int | None = None
    pass_rate: float | None = None


class UnreadHistory(Schema):
    """Older builds of a release and environment still wait to be read; until then its verdicts are held back."""

    release: str
    environment: str | None
    waiting: Count = Field(description="builds that wait")
    sentence: str
