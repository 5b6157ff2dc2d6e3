"""What all shapes are made of, and the shape of a problem."""

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
    """What went wrong, as RFC 9457 lays it down."""

    type: str = Field(description="which sort of problem, as a link into the documentation", examples=["/api/docs#404"])
    title: str = Field(description="the same for every problem of this type", examples=["Not Found"])
    status: int = Field(ge=400, le=599, examples=[404])
    detail: str = Field(description="what is wrong with this request, and what to do")
    instance: str = Field(description="the path that was asked for")
    parameter: str | None = Field(None, description="the parameter or field that is wrong")
    position: int | None = Field(None, ge=0, description="at which letter of it, from 0: the place of an error in SQL")


class Counts(Schema):
    """Final results, one per test and topology. Failed includes errors; total = passed + failed + skipped."""

    total: Count
    passed: Count
    failed: Count
    skipped: Count


class AllCounts(Counts):
    errors: Count = Field(description="how many of the failed were errors")
    pass_rate: Rate | None = Field(description="null where nothing ran")
    left_out: Count | None = Field(None, description="results that exclude_flaky took out")


class Delta(Schema):
    total: int | None = None
    passed: int | None = None
    failed: int | None = None
    skipped: int | None = None
    pass_rate: float | None = None
