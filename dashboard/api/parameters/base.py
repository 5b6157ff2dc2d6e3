"""What the query models share: the base of every GET route, paging, and the filters that several routes take."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, field_validator

from data.answers.base import VerdictKind
from data.model.filters import MAX_RUNS, Filter
from data.verdicts.rules import KINDS


def example(value: Any) -> dict[str, Any]:
    """Keyword of a Field that shows an example."""
    return {"json_schema_extra": {"example": value}}


def schema_pattern(pattern: str) -> Any:
    """Documents the pattern only; the route validates, with a clearer message."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


_HOUR = "([01][0-9]|2[0-3]):[0-5][0-9]"
ISO = rf"[1-9][0-9]{{3}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T{_HOUR}(:[0-5][0-9](\.[0-9]+)?)?(Z|[+-]{_HOUR})?)?"
MOMENT = f"^([0-9]{{1,18}}|{ISO})$"
TIME = f"^{ISO}$"


def list_pattern(choices: tuple[str, ...]) -> Any:
    """Documents a comma-separated parameter."""
    return schema_pattern(f"^(({'|'.join(choices)})(,({'|'.join(choices)}))*)?$")


S = TypeVar("S", bound=str)


def split_choices(text: str | None, allowed: tuple[S, ...]) -> tuple[S, ...]:
    """The values of a comma-separated parameter. Raises ValueError for one that is not allowed."""
    known = {str(choice): choice for choice in allowed}
    values = [value for value in (text or "").split(",") if value]
    wrong = [value for value in values if value not in known]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is not one of {', '.join(allowed)}")
    return tuple(known[value] for value in values)


@cache
def _schema(model: type[ApiQuery], *args: Any, **options: Any) -> dict[str, Any]:
    return super(ApiQuery, model).model_json_schema(*args, **options)


_FILTERS = frozenset(Filter.__dataclass_fields__) - {"as_of"}
_SWITCHES = frozenset(("exclude_flaky", "include_storms"))


class ApiQuery(BaseModel):
    """Base of every GET route that reads the store, now or as of a snapshot.

    Unknown parameters are refused: a misspelt filter that is ignored would answer a different question.
    """

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """Cached: flask-openapi3 calls it at every request, and pydantic takes 2 ms."""
        return _schema(cls, *args, **options)

    as_of: Annotated[str, schema_pattern(MOMENT)] | None = Field(
        None,
        description="read the store as of this snapshot number or ISO 8601 time (UTC unless it has an offset; write + "
        "as %2B)",
        **example("812"),
    )

    def filter(self, release: str | None = None) -> Filter:
        """The filter that these parameters describe, but for `as_of`; `release`: of a route that has it in its path."""
        given = {name: value for name, value in self if name in _FILTERS and value}
        switches = {name: given[name] == "1" for name in _SWITCHES & given.keys()}
        return Filter(**given | switches | ({"release": release} if release else {}))


class NoQuery(BaseModel):
    """Routes without parameters."""

    model_config = ConfigDict(extra="forbid")


class SnapshotQuery(ApiQuery):
    pass


class ExportOption(BaseModel):
    format: Literal["json", "csv", "parquet", "arrow"] | None = Field(
        None, description="overrides the Accept header; a file is not paged", **example("csv")
    )


class PageQuery(ApiQuery, ExportOption):
    """A list: one page of JSON, or all rows as a file."""

    PAGE_ROWS: ClassVar[int] = 100

    limit: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="rows per page (default 100); rows of a file (default all)",
        **example(50),
    )
    cursor: Annotated[str, schema_pattern("^[A-Za-z0-9_-]*$")] | None = Field(
        None, description="`next` of the previous page"
    )


class ListQuery(PageQuery):
    fields: str | None = Field(
        None, description="return only these fields, separated by commas", **example("id,started_at")
    )


class ReleaseFilter(BaseModel):
    release: str | None = Field(None, description="release line", **example("7.0"))


class RunFilter(BaseModel):
    version: str | None = Field(None, description="tested version", **example("7.0.0.9"))
    environment: str | None = Field(None, description="tested environment", **example("prod"))


class ModuleFilter(BaseModel):
    module: str | None = Field(None, description="owning module", **example("routing"))


class TopologyFilter(BaseModel):
    topology: str | None = Field(None, description="topology or variant", **example("3s"))


class PartFilter(BaseModel):
    module: str | None = Field(None, description="owning module", **example("routing"))
    topology: str | None = Field(None, description="topology or variant", **example("3s"))


class PriorityFilter(BaseModel):
    """Only for lists of tests and counts over them: counts over builds have no priorities."""

    priority: str | None = Field(
        None, description="priority of the test in the release; unknown: it has none", **example("P1")
    )


class WindowOption(BaseModel):
    runs: int | None = Field(None, ge=1, le=MAX_RUNS, description="number of newest runs to look at", **example(20))


class StormOption(BaseModel):
    include_storms: Literal["0", "1"] | None = Field(
        None, description="1: count failures in mass failures and on bad hosts too"
    )


class FlakyOption(BaseModel):
    exclude_flaky: Literal["0", "1"] | None = Field(None, description="1: leave out the results of flaky tests")


class KeyFilter(BaseModel):
    q: str | None = Field(None, max_length=500, description="part of a test's key, ignoring case")


class KindFilter(BaseModel):
    kind: Annotated[str, list_pattern(KINDS)] | None = Field(
        None,
        description=f"one or more of {', '.join(KINDS)}, separated by commas",
        **example("regression,new_failure"),
    )

    @field_validator("kind")
    @classmethod
    def _check_kind(cls, text: str | None) -> str | None:
        split_choices(text, KINDS)
        return text

    @property
    def kinds(self) -> tuple[VerdictKind, ...]:
        return split_choices(self.kind, KINDS)


class AtRunOption(BaseModel):
    at_run: str | None = Field(None, description="a run's id: judge as of this run, from it and earlier runs only")


class FilterQuery(
    ApiQuery,
    ReleaseFilter,
    RunFilter,
    PartFilter,
    PriorityFilter,
    WindowOption,
    StormOption,
    FlakyOption,
    AtRunOption,
):
    """Everything that a filter may have."""
