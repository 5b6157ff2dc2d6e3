"""The filter of a query: which runs, which tests, how they are judged, and as of which snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

MAX_RUNS = 1_000


class FilterError(ValueError):
    """A parameter with a value that is not allowed. The text names the parameter, its value and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field}={value!r}: {allowed}")
        self.field = field


@dataclass(frozen=True)
class RunScope:
    """Which runs and builds a query covers. None means no restriction, here and below."""

    release: str | None = None
    version: str | None = None
    environment: str | None = None


@dataclass(frozen=True)
class TestScope:
    """Which tests, and which of their results."""

    __test__ = False  # no test of pytest's

    module: str | None = None
    priority: str | None = None
    topology: str | None = None


@dataclass(frozen=True)
class JudgingOptions:
    """How far back runs count, and which failures."""

    runs: int | None = None  # how many of the newest runs
    exclude_flaky: bool = False
    include_storms: bool = False  # include failures from storms and bad hosts
    at_run: str | None = None  # run id: only the runs up to this one


@dataclass(frozen=True)
class Filter(JudgingOptions, TestScope, RunScope):
    """All that narrows an answer. A function that takes one of the three parts depends on nothing else."""

    as_of: int | None = None  # snapshot id: the store at that snapshot


EVERYTHING = Filter()


def parse_time(text: str, field: str = "time") -> datetime:
    """An ISO 8601 time as naive UTC. Raises FilterError, which names `field`."""
    try:
        value = datetime.fromisoformat(text)
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    except (ValueError, OverflowError):  # in UTC it may be outside the years 1 to 9999
        raise FilterError(field, text, "must be an ISO 8601 time such as 2026-11-22T20:00:00Z") from None


def time_range(query: Mapping[str, str | None]) -> tuple[datetime | None, datetime | None]:
    """The parameters `since` and `until` as naive UTC. Raises FilterError."""
    texts = ((name, query.get(name)) for name in ("since", "until"))
    since, until = (parse_time(text, name) if text else None for name, text in texts)
    return since, until
