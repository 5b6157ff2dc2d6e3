"""Search hits of all kinds."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from dashboard.api.schemas.base import Schema, Time


class Hit(Schema):
    kind: Literal["release", "module", "run", "build", "test", "bug", "failure"] = Field(examples=["run"])
    id: str = Field(description="for a release, module or bug: its name", examples=["1f2bafe876aa4794"])
    title: str = Field(examples=["7.0 #20"])
    detail: str = Field(examples=["7.0.0.9 · prod"])
    release: str | None = Field(description="for a module: the release of its last run")
    state: Literal["failing", "broken", "incomplete", "ok", "running"] | None = Field(description="runs, builds")
    at: Time | None = Field(description="when it started, was first seen, or (a module) last ran")
    exact: bool = Field(description="the query is its id or Jenkins URL")
