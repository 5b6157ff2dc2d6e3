"""Parameters of the routes over many runs: trends, the grid, flaky tests, failure rates, durations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from dashboard.api.parameters.base import (
    TIME,
    ApiQuery,
    ExportOption,
    FlakyOption,
    KeyFilter,
    KindFilter,
    ListQuery,
    PageQuery,
    PartFilter,
    PriorityFilter,
    ReleaseFilter,
    RunFilter,
    StormOption,
    WindowOption,
    example,
    schema_pattern,
)


class TrendsQuery(ApiQuery, ExportOption, ReleaseFilter, RunFilter, PartFilter, WindowOption, FlakyOption):
    since: Annotated[str, schema_pattern(TIME)] | None = Field(
        None, description="only runs that started at this ISO 8601 time or later", **example("2026-11-01T00:00:00Z")
    )
    until: Annotated[str, schema_pattern(TIME)] | None = Field(
        None, description="only runs that started at this ISO 8601 time or earlier", **example("2026-11-22T23:59:59Z")
    )
    by: Literal["run", "day"] = Field("run", description="one point per run, or per day")
    group: Literal["module", "release", "environment", "topology", "lane"] | None = Field(
        None, description="one series for each of these; lane: release and environment"
    )


class GridQuery(
    PageQuery,
    ReleaseFilter,
    RunFilter,
    PartFilter,
    PriorityFilter,
    WindowOption,
    StormOption,
    KindFilter,
    KeyFilter,
):
    order: Literal["failing", "verdict", "priority", "module", "name"] = Field(
        "failing", description="order of the tests"
    )


class FlakyQuery(ListQuery, ReleaseFilter, RunFilter, PartFilter, PriorityFilter, WindowOption):
    pass


class RegressionsQuery(ListQuery, RunFilter, PartFilter, PriorityFilter, WindowOption, StormOption):
    release: str = Field(min_length=1, description="release line", **example("8.0"))
    base: str | None = Field(None, description="the release to compare with; default: its own earlier runs")


class SuspectsQuery(ListQuery, ReleaseFilter, RunFilter):
    pass


class DurationsQuery(ListQuery, ReleaseFilter, RunFilter, PartFilter, WindowOption, StormOption):
    pass


class TestDurationsQuery(DurationsQuery, PriorityFilter):
    pass
