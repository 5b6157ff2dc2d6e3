"""The records that ingest writes for a run: the run, the builds it lists, and the stored builds a listing may mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from data.model import ids
from data.model.build_record import BuildKey

# The columns of the table `runs` that a RunRecord has, in the order of its parameters.
RUN_FACTS = (
    *("source", "job", "number", "release", "started_at", "version", "environment", "duration_s", "state", "result"),
    *("display_name", "url"),
)


@dataclass(frozen=True)
class RunRecord:
    """One regression run. For a build without an orchestrating build: the same facts as the build.

    A run without an orchestrating build has a `key` in place of a start; its times and state are computed from its
    builds.
    """

    source: str
    job: str
    number: int
    release: str
    started_at: datetime
    version: str | None = None
    environment: str = "default"
    duration_s: float | None = None
    state: str = "final"
    result: str | None = None
    display_name: str = ""
    url: str = ""
    key: str = field(default="", compare=False)

    @cached_property
    def id(self) -> int:
        return ids.of(self.source, self.job, self.number, self.key or self.started_at.isoformat(), self.release)

    @property
    def parent(self) -> tuple[str, str, int, datetime]:
        """The orchestrating build, shared by its runs (one for each release that it tested)."""
        return self.source, self.job, self.number, self.started_at

    @property
    def parent_key(self) -> BuildKey:
        return self.source, self.job, self.number


@dataclass(frozen=True)
class RunBuildRecord:
    """A module build that a run lists. Its job and number are known before the build itself is read."""

    run: int
    source: str
    job: str
    number: int
    module: str


@dataclass(frozen=True)
class StoredBuild:
    """A stored build that a listed (source, job, number) may mean."""

    build: int
    started_at: datetime
    release: str
