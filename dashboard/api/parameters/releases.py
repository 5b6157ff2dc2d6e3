"""Parameters of the routes about releases and the release matrix."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dashboard.api.parameters.base import (
    ApiQuery,
    ExportOption,
    FlakyOption,
    ListQuery,
    ModuleFilter,
    PartFilter,
    ReleaseFilter,
    RunFilter,
    StormOption,
    WindowOption,
    example,
)


class ReleasePath(BaseModel):
    release: Annotated[str, Field(description="release line", **example("7.0"))]


class ReleasesQuery(ListQuery, ReleaseFilter, RunFilter, PartFilter, WindowOption, StormOption, FlakyOption):
    pass


class ReleaseQuery(ApiQuery, RunFilter, PartFilter, WindowOption, StormOption, FlakyOption):
    pass


class ReleaseModulesQuery(ListQuery, RunFilter, PartFilter, FlakyOption):
    pass


class RunsOfReleaseQuery(ListQuery, RunFilter, PartFilter, FlakyOption):
    pass


class OverallMatrixQuery(ApiQuery, ExportOption, RunFilter, StormOption, ModuleFilter):
    pass


class MatrixQuery(OverallMatrixQuery):
    by: Literal["environment", "topology"] = Field("environment", description="what the columns are")


class ChoicesQuery(ApiQuery, ReleaseFilter):
    pass
