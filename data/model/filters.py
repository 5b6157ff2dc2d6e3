"""The filter of a query: one frozen object, parsed once from a query string and passed whole to every query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

MAX_RUNS = 1_000


class FilterError(ValueError):
    """A parameter with a value that is not allowed. The text names the parameter, its value and what is allowed."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field}={value!r}: {allowed}")
        self.field = field


@dataclass(frozen=True)
class Filter:
    """The part of the store that a query covers. None means no restriction."""

    release: str | None = None
    version: str | None = None
    environment: str | None = None
    module: str | None = None
    priority: str | None = None
    topology: str | None = None
    runs: int | None = None  # how many of the newest runs
    exclude_flaky: bool = False
    include_storms: bool = False  # include failures from storms and bad hosts
    at_run: str | None = None  # run id: only the runs up to this one
    as_of: int | None = None  # snapshot id: the store at that snapshot

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Filter:
        """Parse the parameters of a query string; unknown ones are ignored. Raises FilterError."""
        values: dict[str, Any] = {
            name: query[name]
            for name in ("release", "version", "environment", "module", "priority", "topology", "at_run")
            if query.get(name)
        }
        if query.get("runs"):
            values["runs"] = _whole_number("runs", query["runs"], 1, MAX_RUNS)
        for name in ("exclude_flaky", "include_storms"):
            if query.get(name):
                values[name] = _boolean(name, query[name])
        if query.get("as_of"):
            values["as_of"] = _whole_number("as_of", query["as_of"], 0, 2**62)
        return cls(**values)

    def query(self) -> dict[str, str]:
        """The query string parameters that `parse` reads back as this filter."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: "1" if value is True else str(value) for name, value in values.items() if value not in (None, False)
        }


EVERYTHING = Filter()


def _whole_number(field: str, text: str, low: int, high: int) -> int:
    if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
        raise FilterError(field, text, f"must be a whole number from {low} to {high}")
    return int(text)


def _boolean(field: str, text: str) -> bool:
    if text.lower() not in ("0", "1", "true", "false"):
        raise FilterError(field, text, "must be 1 or 0")
    return text.lower() in ("1", "true")


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
