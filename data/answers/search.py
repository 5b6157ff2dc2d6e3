"""Search hits of all kinds."""

from typing import Annotated, Literal, TypedDict

from data.answers.base import RunState, Time, Values

HitKind = Literal["release", "module", "run", "build", "test", "bug", "failure"]


class Hit(TypedDict):
    kind: Annotated[HitKind, Values(example="run")]
    id: Annotated[str, "for a release, module or bug: its name", Values(example="1f2bafe876aa4794")]
    title: Annotated[str, Values(example="7.0 #20")]
    detail: Annotated[str, Values(example="7.0.0.9 · prod")]
    release: Annotated[str | None, "for a module: the release of its last run"]
    state: Annotated[RunState | None, "runs, builds"]
    at: Annotated[Time | None, "when it started, was first seen, or (a module) last ran"]
    exact: Annotated[bool, "the query is its id or Jenkins URL"]
