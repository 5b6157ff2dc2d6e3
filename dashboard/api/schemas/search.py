"""What a search finds: one shape for everything that has a name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dashboard.api.schemas.base import Schema, Time


class Hit(Schema):
    kind: Literal["release", "module", "run", "build", "test", "bug", "failure"] = Field(examples=["run"])
    id: str = Field(description="of a release, module or bug: its name", examples=["1f2bafe876aa4794"])
    title: str = Field(examples=["7.0 #20"])
    detail: str = Field(examples=["7.0.0.9 · prod"])
    release: str | None = Field(description="of a module: the release in which it ran last")
    state: Literal["ok", "failing", "broken", "running"] | None = Field(description="of runs and builds")
    at: Time | None = Field(description="when it started, was seen first, or (a module) ran last")
    exact: bool = Field(description="the query is its id or its address in Jenkins")
