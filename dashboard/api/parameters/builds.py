"""Parameters of the routes about builds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from dashboard.api.parameters.base import ApiQuery, ListQuery, ReleaseFilter, RunFilter, TopologyFilter, example
from dashboard.api.parameters.runs import ResultsQuery
from dashboard.api.parameters.tests import TestPath


class BuildPath(BaseModel):
    build: Annotated[str, Field(description="a build's id", **example("1f2bafe876aa4794"))]


class BuildTestPath(BuildPath, TestPath):
    pass


class BuildsQuery(ListQuery, ReleaseFilter, RunFilter):
    module: str | None = Field(None, description="module of the job", **example("routing"))
    run: str | None = Field(None, description="only builds of this run (its id)")


class BuildResultsQuery(ResultsQuery):
    host: str | None = Field(None, description="host that the test ran on", **example("10.0.0.7"))
    attempts: bool = Field(False, description="every attempt, not only final results")


class AttemptsQuery(ListQuery, TopologyFilter):
    pass


class FileQuery(ApiQuery):
    path: str = Field(
        max_length=2000, description="path of the file, as listed", **example("reports/junit/network.xml")
    )
