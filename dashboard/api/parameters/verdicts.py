"""Parameters of the routes about verdicts, failure patterns, mass failures and hosts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dashboard.api.parameters.base import (
    ApiQuery,
    AtRunOption,
    KindFilter,
    ListQuery,
    PartFilter,
    PriorityFilter,
    ReleaseFilter,
    RunFilter,
    StormOption,
    WindowOption,
    example,
)


class SignaturePath(BaseModel):
    signature: Annotated[str, Field(description="a failure pattern's id", **example("1f2bafe876aa4794"))]


class VerdictsQuery(
    ListQuery,
    ReleaseFilter,
    RunFilter,
    PartFilter,
    PriorityFilter,
    WindowOption,
    StormOption,
    AtRunOption,
    KindFilter,
):
    pass


class ExcludedQuery(ApiQuery, ReleaseFilter, RunFilter, PartFilter, WindowOption, StormOption, AtRunOption):
    pass


class DisturbancesQuery(ListQuery, ReleaseFilter, RunFilter, WindowOption):
    module: str | None = Field(None, description="owning module, or module of the job", **example("routing"))


class HostsQuery(ListQuery, ReleaseFilter, RunFilter, WindowOption):
    pass


class FailuresQuery(ListQuery, ReleaseFilter, RunFilter, PartFilter, PriorityFilter, WindowOption):
    q: str | None = Field(None, max_length=500, description="part of the pattern, ignoring case")
    new: Literal["0", "1"] | None = Field(None, description="1: only new patterns")
    run: str | None = Field(None, description="only failures of this run (its id)")
    since: str | None = Field(None, description="a run's id: new means not seen before this run")
    like: str | None = Field(
        None,
        max_length=1000,
        description="only messages that match this SQL LIKE pattern anywhere: % any text, _ any character, \\ escapes",
        **example("expected % neighbours"),
    )


class FailureQuery(ApiQuery, ReleaseFilter, RunFilter, PartFilter, PriorityFilter, WindowOption):
    run: str | None = Field(None, description="only failures of this run (its id)")
