"""Parameters of the routes about runs, comparisons and the gate."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, Field, field_validator

from dashboard.api.parameters.base import (
    ApiQuery,
    ExportOption,
    FlakyOption,
    KeyFilter,
    ListQuery,
    PartFilter,
    PriorityFilter,
    ReleaseFilter,
    RunFilter,
    StormOption,
    example,
    list_pattern,
    split_choices,
)
from data.answers.base import Status
from data.answers.gate import FailingClass
from data.queries.gate import FAILING, NEW


class RunPath(BaseModel):
    run: Annotated[str, Field(description="a run's id", **example("1f2bafe876aa4794"))]


class RunsQuery(ListQuery, ReleaseFilter, RunFilter, PartFilter, FlakyOption):
    pass


class PartQuery(ApiQuery, PartFilter, FlakyOption):
    pass


class ModulesQuery(ListQuery, PartFilter, FlakyOption):
    base: str | None = Field(
        None,
        description="id of the run to compare with; default: the newest earlier complete run of its release and "
        "environment",
    )


class ResultsQuery(ListQuery, PartFilter, PriorityFilter, KeyFilter):
    status: Status | None = Field(None, description="only results with this status", **example("failed"))


class RunResultsQuery(ResultsQuery):
    rerun: bool = Field(False, description="only tests that were rerun")


class ChangesQuery(ApiQuery, ExportOption, PartFilter, PriorityFilter):
    TESTS_PER_CLASS: ClassVar[int] = 1000

    limit: int | None = Field(
        None, ge=1, le=1000, description="tests per class (default 1000); in a file (default all)", **example(100)
    )


class CompareQuery(ChangesQuery):
    base: str = Field(min_length=1, description="a run's id, or a release (its newest finished run)", **example("7.0"))
    candidate: str = Field(min_length=1, description="a run's id, or a release", **example("8.0"))


class GateQuery(ApiQuery, PartFilter, FlakyOption, StormOption):
    release: str = Field(min_length=1, description="release line", **example("8.0"))
    run: str | None = Field(None, description="a run's number or id; default: the newest", **example("20"))
    baseline: str | None = Field(
        None, description="an earlier run or a release; default: the newest complete run before", **example("7.0")
    )
    environment: str | None = Field(None, description="tested environment", **example("prod"))
    max_new: int = Field(0, ge=0, le=1_000_000, description="number of failing tests that do not block yet")
    kind: Annotated[str, list_pattern(FAILING)] | None = Field(
        None,
        description=f"failures that count: {', '.join(FAILING)}; default: {', '.join(NEW)}",
        **example("regression"),
    )
    limit: int = Field(200, ge=1, le=1000, description="maximum number of tests listed")

    @field_validator("kind")
    @classmethod
    def _check_kind(cls, text: str | None) -> str | None:
        split_choices(text, FAILING)
        return text

    @property
    def kinds(self) -> tuple[FailingClass, ...]:
        return split_choices(self.kind, FAILING) or NEW
