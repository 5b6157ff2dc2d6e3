"""Parameters of the routes about bugs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dashboard.api.parameters.base import (
    ApiQuery,
    ListQuery,
    PartFilter,
    ReleaseFilter,
    RunFilter,
    StormOption,
    example,
)


class BugPath(BaseModel):
    bug: Annotated[str, Field(description="a bug's id in the tracker", **example("PROJ-123"))]


class BugsQuery(ListQuery, ReleaseFilter, RunFilter):
    module: str | None = Field(None, description="owning module of an affected test", **example("routing"))
    status: Literal["open", "closed", "gone"] | None = Field(
        None,
        description="open, closed, or gone (no longer in the feed); default: open and closed",
        **example("open"),
    )
    q: str = Field("", max_length=500, description="words of its id, summary, priority...", **example("link down"))
    test: str | None = Field(None, description="only bugs about this test (its id)")
    run: str | None = Field(None, description="only bugs about tests that failed or were skipped in this run (its id)")


class BugQuery(ApiQuery, ReleaseFilter, RunFilter, StormOption):
    module: str | None = Field(None, description="only tests of this owning module", **example("routing"))


class RunBugsQuery(ListQuery, PartFilter):
    status: Literal["failed", "skipped"] | None = Field(None, description="only tests with this status")
