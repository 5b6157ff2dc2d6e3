"""The records that ingest writes for a run: the run, the builds it lists, and the stored builds a listing may mean."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from data.model import ids
from data.model.build_record import BuildKey

# The columns of the table `runs` that a RunRecord has, in the order of its parameters.
RUN_FACTS = (
    *("source", "job", "number", "release", "started_at", "version", "environment", "duration_s", "state", "result"),
    *("display_name", "url", "key"),
)


@dataclass(frozen=True)
class RunRecord:
    """One regression run. For a build without an orchestrating build: the same facts as the build.

    Its identity holds the release and the environment: an orchestrating build whose builds test two releases or two
    environments has several runs. A run that an import or a parameter names has a `key` in place of a number and a
    start; its times and state are computed from its builds.
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
    key: str = ""

    @cached_property
    def id(self) -> int:
        named = (self.key,) if self.key else (self.number, self.started_at.isoformat())
        return ids.of(self.source, self.job, *named, self.release, self.environment)

    @property
    def parent(self) -> tuple[str, str, int, datetime]:
        """The orchestrating build, shared by its runs (one for each release and environment tested)."""
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
    environment: str
