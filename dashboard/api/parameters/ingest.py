"""Parameters of the routes about ingestion and saved queries."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from dashboard.api.parameters.base import ListQuery, example


class RequestPath(BaseModel):
    request: Annotated[str, Field(description="a request's id", **example("1f2bafe876aa4794"))]


class SavedQueryPath(BaseModel):
    query: Annotated[str, Field(description="a saved query's id", **example("1f2bafe876aa4794"))]


class LedgerQuery(ListQuery):
    source: str | None = Field(None, description="a configured source", **example("ci"))
    state: Literal["new", "running", "retry", "recheck", "gone", "failed"] | None = Field(
        None, description="state of the build"
    )
