"""The parameters of the routes, as pydantic models: each route takes exactly the filters that its question honours.

An unknown parameter is refused: a misspelt filter that is ignored answers a different question, silently.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, field_validator

from data.model.filters import MAX_RUNS, Filter
from data.queries.bug_links import STATES
from data.queries.gate import FAILING, NEW
from data.queries.grid import ORDERS
from data.queries.matrix import AXES
from data.queries.trends import GROUPS
from data.verdicts.rules import KINDS

Status = Literal["passed", "failed", "skipped"]


def like(example: Any) -> dict[str, Any]:
    """Keywords of a Field that show an example of it."""
    return {"json_schema_extra": {"example": example}}


def schema_pattern(pattern: str) -> Any:
    """Only tells: what is wrong is refused elsewhere, in better words than that a pattern does not match."""
    return WithJsonSchema({"type": "string", "pattern": pattern})


_HOUR = "([01][0-9]|2[0-3]):[0-5][0-9]"
ISO = rf"[1-9][0-9]{{3}}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])(T{_HOUR}(:[0-5][0-9](\.[0-9]+)?)?(Z|[+-]{_HOUR})?)?"
MOMENT = f"^([0-9]{{1,18}}|{ISO})$"
TIME = f"^{ISO}$"
_KINDS = f"^(({'|'.join(KINDS)})(,({'|'.join(KINDS)}))*)?$"


@cache
def _schema(model: type[BaseModel], **options: Any) -> dict[str, Any]:
    return super(ApiQuery, model).model_json_schema(**options)


class ApiQuery(BaseModel):
    """Every GET route: the store as it is now, or as it was."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def model_json_schema(cls, **options: Any) -> dict[str, Any]:
        """Remembered: flask-openapi3 asks for it at every request, and making it takes pydantic 2 ms."""
        return _schema(cls, **options)

    as_of: Annotated[str, schema_pattern(MOMENT)] | None = Field(
        None,
        description="the number of a snapshot, or an ISO 8601 time (UTC where it has no offset; a + in an address is "
        "%2B): the store as it was then",
        **like("812"),
    )

    def filter(self, **fixed: str) -> Filter:
        """The filter that these parameters make. Raises FilterError."""
        names = set(Filter.__dataclass_fields__) - {"as_of"}
        given = {name: str(value) for name, value in self if name in names and value is not None}
        return Filter.parse(given | fixed)


class ExportOption(BaseModel):
    format: Literal["json", "csv", "parquet", "arrow"] | None = Field(
        None, description="instead of an Accept header; an export is not paged", **like("csv")
    )


class PageQuery(ApiQuery, ExportOption):
    """A list: one page of it, or all of it as a file."""

    PAGE: ClassVar[int] = 100

    limit: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="rows of a page (100); of an export, rows in all (every one)",
        **like(50),
    )
    cursor: Annotated[str, schema_pattern("^[A-Za-z0-9_-]*$")] | None = Field(
        None, description="`next` of the page before"
    )


class ListQuery(PageQuery):
    fields: str | None = Field(None, description="only these fields, separated by commas", **like("id,started_at"))


class ReleaseFilter(BaseModel):
    release: str | None = Field(None, description="release line", **like("7.0"))


class RunFilter(BaseModel):
    version: str | None = Field(None, description="version that was tested", **like("7.0.0.9"))
    environment: str | None = Field(None, description="environment that was tested", **like("prod"))


class PartFilter(BaseModel):
    module: str | None = Field(None, description="owning module", **like("module_3"))
    topology: str | None = Field(None, description="topology or variant", **like("3s"))


class PriorityFilter(BaseModel):
    """Only for lists of tests and what is counted over them: sums over builds know of no priorities."""

    priority: str | None = Field(
        None, description="priority of the test in the release; unknown: none is known", **like("P1")
    )


class WindowOption(BaseModel):
    runs: int | None = Field(None, ge=1, le=MAX_RUNS, description="how many of the newest runs", **like(20))


class StormOption(BaseModel):
    include_storms: Literal["0", "1"] | None = Field(None, description="1: judge also what storms and sick hosts broke")


class FlakyOption(BaseModel):
    exclude_flaky: Literal["0", "1"] | None = Field(None, description="1: without the results of tests that are noise")


class KeyFilter(BaseModel):
    q: str | None = Field(None, max_length=500, description="part of a test's key, whatever its case")


def split_choices(text: str | None, allowed: tuple[str, ...], name: str) -> tuple[str, ...]:
    """A comma-separated parameter as the words that it names. Raises ValueError."""
    found = tuple(word for word in (text or "").split(",") if word)
    wrong = [word for word in found if word not in allowed]
    if wrong:
        raise ValueError(f"{wrong[0]!r} is none of {', '.join(allowed)}")
    return found


class KindFilter(BaseModel):
    kind: Annotated[str, schema_pattern(_KINDS)] | None = Field(
        None,
        description=f"one or more of {', '.join(KINDS)}, separated by commas",
        **like("regression,new_failure"),
    )

    @field_validator("kind")
    @classmethod
    def _words(cls, text: str | None) -> str | None:
        split_choices(text, KINDS, "kind")
        return text

    @property
    def kinds(self) -> tuple[str, ...]:
        return split_choices(self.kind, KINDS, "kind")


class NoQuery(BaseModel):
    """Routes that answer of the moment, whatever is asked."""

    model_config = ConfigDict(extra="forbid")


class SnapshotQuery(ApiQuery):
    pass


class ReleasesQuery(ListQuery, ReleaseFilter, RunFilter, PartFilter, WindowOption, StormOption, FlakyOption):
    pass


class ReleaseQuery(ApiQuery, RunFilter, PartFilter, WindowOption, StormOption, FlakyOption):
    pass


class ReleaseModulesQuery(ListQuery, RunFilter, PartFilter, FlakyOption):
    pass


class MatrixQuery(ApiQuery, ExportOption, RunFilter, StormOption):
    module: str | None = Field(None, description="owning module", **like("module_3"))
    by: Literal[AXES] = Field("environment", description="what the columns are")


class OverallMatrixQuery(ApiQuery, ExportOption, RunFilter, StormOption):
    module: str | None = Field(None, description="owning module", **like("module_3"))


class ChoicesQuery(ApiQuery, ReleaseFilter):
    pass


class RunsQuery(ListQuery, ReleaseFilter, RunFilter, PartFilter, FlakyOption):
    pass


class RunsOfReleaseQuery(ListQuery, RunFilter, PartFilter, FlakyOption):
    pass


class PartQuery(ApiQuery, PartFilter, FlakyOption):
    pass


class ModulesQuery(ListQuery, PartFilter, FlakyOption):
    base: str | None = Field(None, description="the run to compare with; else the previous one of its environment")


class ResultsQuery(ListQuery, PartFilter, PriorityFilter, KeyFilter):
    status: Status | None = Field(None, description="only results with this status", **like("failed"))


class RunResultsQuery(ResultsQuery):
    rerun: bool = Field(False, description="only what was run again")


class ChangesQuery(ApiQuery, ExportOption, PartFilter, PriorityFilter):
    LISTED: ClassVar[int] = 1000

    limit: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="tests of each class, at most (1000); of an export, every one",
        **like(100),
    )


class CompareQuery(ChangesQuery):
    base: str = Field(min_length=1, description="a run's id, or a release: its newest ended run", **like("7.0"))
    candidate: str = Field(min_length=1, description="likewise", **like("8.0"))


class GateQuery(ApiQuery, PartFilter, FlakyOption, StormOption):
    release: str = Field(min_length=1, description="release line", **like("8.0"))
    run: str | None = Field(None, description="a run's number or id; else the newest", **like("20"))
    baseline: str | None = Field(
        None, description="an earlier run, or a release; else the run before that has ended", **like("7.0")
    )
    environment: str | None = Field(None, description="environment that was tested", **like("prod"))
    max_new: int = Field(0, ge=0, le=1_000_000, description="so many tests may fail that did not")
    kind: Annotated[str, schema_pattern(f"^(({'|'.join(FAILING)})(,({'|'.join(FAILING)}))*)?$")] | None = Field(
        None, description=f"what counts: {', '.join(FAILING)}; else {', '.join(NEW)}", **like("regression")
    )
    limit: int = Field(200, ge=1, le=1000, description="tests listed, at most")

    @field_validator("kind")
    @classmethod
    def _classes(cls, text: str | None) -> str | None:
        split_choices(text, FAILING, "kind")
        return text

    @property
    def kinds(self) -> tuple[str, ...]:
        return split_choices(self.kind, FAILING, "kind") or NEW


class TrendsQuery(ApiQuery, ExportOption, ReleaseFilter, RunFilter, PartFilter, WindowOption, FlakyOption):
    since: Annotated[str, schema_pattern(TIME)] | None = Field(
        None, description="only runs that started at this ISO 8601 time or later", **like("2026-11-01T00:00:00Z")
    )
    until: Annotated[str, schema_pattern(TIME)] | None = Field(
        None, description="only runs that started at this ISO 8601 time or before", **like("2026-11-22T23:59:59Z")
    )
    by: Literal["run", "day"] = Field("run", description="a point for each run, or for each day")
    group: Literal[GROUPS] | None = Field(None, description="a series for each of these")


class FlakyQuery(ListQuery, ReleaseFilter, RunFilter, PartFilter, PriorityFilter, WindowOption):
    pass


class RegressionsQuery(ListQuery, RunFilter, PartFilter, PriorityFilter, WindowOption, StormOption):
    release: str = Field(min_length=1, description="release line", **like("8.0"))
    base: str | None = Field(None, description="the release to compare with; by default its own earlier runs")


class SuspectsQuery(ListQuery, ReleaseFilter, RunFilter):
    pass


class DurationsQuery(ListQuery, ReleaseFilter, RunFilter, PartFilter, WindowOption, StormOption):
    pass


class TestDurationsQuery(DurationsQuery, PriorityFilter):
    pass


class TestsQuery(ListQuery, ReleaseFilter, PriorityFilter):
    q: str = Field("", max_length=500, description="words that the key or a case id holds", **like("login"))
    module: str | None = Field(None, description="owning module", **like("module_3"))


class SearchQuery(ListQuery):
    q: str = Field(
        "", max_length=500, description="words, an id, or an address in Jenkins or the tracker", **like("routing 20")
    )


class HistoryQuery(ListQuery, ReleaseFilter, RunFilter):
    topology: str | None = Field(None, description="topology or variant", **like("3s"))


class TestVerdictsQuery(ListQuery, ReleaseFilter, RunFilter, WindowOption, StormOption):
    pass


class AttemptsQuery(ListQuery):
    topology: str | None = Field(None, description="topology or variant", **like("3s"))


class GridQuery(
    PageQuery, ReleaseFilter, RunFilter, PartFilter, PriorityFilter, WindowOption, StormOption, KindFilter, KeyFilter
):
    order: Literal[ORDERS] = Field("failing", description="which tests come first")


class AtRunOption(BaseModel):
    at_run: str | None = Field(None, description="a run's id: as it stood after this run, of the runs up to it alone")


class VerdictsQuery(
    ListQuery, ReleaseFilter, RunFilter, PartFilter, PriorityFilter, WindowOption, StormOption, AtRunOption, KindFilter
):
    pass


class ExcludedQuery(ApiQuery, ReleaseFilter, RunFilter, PartFilter, WindowOption, StormOption, AtRunOption):
    pass


class DisturbancesQuery(ListQuery, ReleaseFilter, RunFilter, WindowOption):
    module: str | None = Field(None, description="owning module, or the job's", **like("module_3"))


class HostsQuery(ListQuery, ReleaseFilter, RunFilter, WindowOption):
    pass


class FailuresQuery(ListQuery, ReleaseFilter, RunFilter, PartFilter, PriorityFilter, WindowOption):
    q: str | None = Field(None, max_length=500, description="part of the pattern, whatever its case")
    new: Literal["0", "1"] | None = Field(None, description="1: only new ones")
    run: str | None = Field(None, description="of this run alone")
    since: str | None = Field(None, description="new is what was never seen before this run")
    like: str | None = Field(
        None,
        max_length=1000,
        description="only messages that match anywhere, as in SQL: % any text, _ any letter, \\ before a plain one",
        **like("expected % neighbours"),
    )


class FailureQuery(ApiQuery, ReleaseFilter, PartFilter):
    pass


class BugsQuery(ListQuery, ReleaseFilter, RunFilter):
    module: str | None = Field(None, description="owning module of a test that it is about", **like("module_3"))
    status: Literal[STATES] | None = Field(
        None, description="open, closed, or gone (no longer in the feed); else open and closed ones", **like("open")
    )
    q: str = Field("", max_length=500, description="words of its id, summary, priority...", **like("link down"))
    test: str | None = Field(None, description="about this test (its id)")
    run: str | None = Field(None, description="about tests that failed or were skipped in this run (its id)")


class BugQuery(ApiQuery, ReleaseFilter, RunFilter, StormOption):
    module: str | None = Field(None, description="only tests of this owning module", **like("module_3"))


class RunBugsQuery(ListQuery, PartFilter):
    status: Literal["failed", "skipped"] | None = Field(None, description="only of tests with this status")


class BuildsQuery(ListQuery, ReleaseFilter, RunFilter):
    module: str | None = Field(None, description="module of the job that executed", **like("module_3"))
    run: str | None = Field(None, description="listed by this run")


class BuildResultsQuery(ResultsQuery):
    host: str | None = Field(None, description="host that the test ran on", **like("10.0.0.7"))
    attempts: bool = Field(False, description="every attempt, not only the final results")


class FileQuery(ApiQuery):
    path: str = Field(max_length=2000, description="its path in the list of files", **like("reports/junit/network.xml"))


class LedgerQuery(ListQuery):
    source: str | None = Field(None, description="a configured source", **like("ci"))
    state: Literal["new", "running", "retry", "recheck", "gone"] | None = Field(None, description="state of the work")


class IngestQuery(ListQuery):
    pass


class RunPath(BaseModel):
    run: Annotated[str, Field(description="a run's id", **like("1f2bafe876aa4794"))]


class ReleasePath(BaseModel):
    release: Annotated[str, Field(description="a release line", **like("7.0"))]


class TestPath(BaseModel):
    test: Annotated[str, Field(description="a test's id", **like("1f2bafe876aa4794"))]


class BugPath(BaseModel):
    bug: Annotated[str, Field(description="a bug's id in the tracker", **like("PROJ-123"))]


class BuildPath(BaseModel):
    build: Annotated[str, Field(description="a build's id", **like("1f2bafe876aa4794"))]


class BuildTestPath(BuildPath, TestPath):
    pass


class SignaturePath(BaseModel):
    signature: Annotated[str, Field(description="a failure pattern's id", **like("1f2bafe876aa4794"))]


class RequestPath(BaseModel):
    request: Annotated[str, Field(description="a request's id", **like("1f2bafe876aa4794"))]


class SavedQueryPath(BaseModel):
    query: Annotated[str, Field(description="a saved query's id", **like("1f2bafe876aa4794"))]
