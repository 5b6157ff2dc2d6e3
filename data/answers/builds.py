"""Builds and the results in them."""

from typing import Annotated, Any, Literal, TypedDict

from data.answers.base import AllCounts, Count, Counts, Id, Time
from data.answers.runs import Result


class BuildResult(Result):
    is_final: bool
    position: Annotated[int | None, "order of execution within the report"]


class Build(AllCounts):
    id: Id
    source: str
    job: str
    number: int
    run: Id | None
    release: str
    version: str | None
    environment: str | None
    module: str
    started_at: Time
    duration_s: float | None
    state: Literal["running", "final"]
    health: Annotated[
        Literal["failing", "broken", "incomplete", "ok", "running"],
        "broken: no results; incomplete: results of it are missing",
    ]
    missing_results: Annotated[
        str | None, "why results of the build are missing, such as that it was aborted; null: none are known to be"
    ]
    result: str | None
    agent: str | None
    url: str | None
    flags: list[str]


class Commit(TypedDict):
    revision: str | None
    author: str | None
    message: str | None
    url: str | None
    committed_at: Time | None


class Warning(TypedDict):
    path: str | None
    message: str


class Declared(TypedDict):
    """Counts reported by Jenkins, if any."""

    total: int | None
    failed: int | None
    skipped: int | None


class RunNumber(TypedDict):
    id: Id
    number: int


class BuildDetail(Build):
    parameters: dict[str, Any]
    causes: list[Any]
    display_name: str | None
    revision: str | None
    declared: Declared
    ingested_at: Time | None
    commits: list[Commit]
    warnings: list[Warning]
    runs: list[RunNumber]


class Facet(Counts):
    value: str | None


class Facets(TypedDict):
    status: list[Facet]
    topology: list[Facet]
    host: list[Facet]
    module: list[Facet]


class RawFile(TypedDict):
    """A raw file of a build, as received from Jenkins."""

    path: str
    kind: Annotated[str, "build (its details in Jenkins), junit, order, test_report, console ..."]
    size: Annotated[Count, "bytes"]
