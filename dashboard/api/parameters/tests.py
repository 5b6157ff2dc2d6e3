"""Parameters of the routes about tests, and of the search."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from dashboard.api.parameters.base import (
    ListQuery,
    ModuleFilter,
    PriorityFilter,
    ReleaseFilter,
    RunFilter,
    StormOption,
    TopologyFilter,
    WindowOption,
    example,
)


class TestPath(BaseModel):
    test: Annotated[str, Field(description="a test's id", **example("1f2bafe876aa4794"))]


class TestsQuery(ListQuery, ReleaseFilter, PriorityFilter, ModuleFilter):
    q: str = Field("", max_length=500, description="words of the key, or a case id", **example("login"))


class HistoryQuery(ListQuery, ReleaseFilter, RunFilter, TopologyFilter):
    pass


class TestVerdictsQuery(ListQuery, ReleaseFilter, RunFilter, WindowOption, StormOption):
    pass


class SearchQuery(ListQuery):
    q: str = Field(
        "",
        max_length=500,
        description="words, an id, or the URL of a Jenkins build or a bug",
        **example("routing 20"),
    )
