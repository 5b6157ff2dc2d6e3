"""Tools about bugs: counts for a run, details, and affected tests."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import Field

from dashboard.mcp.api_tools import (
    ApiQueryValues,
    ApiTools,
    EnvironmentArgument,
    LimitArgument,
    ModuleArgument,
    OptionalReleaseArgument,
    RunArgument,
)
from data.model.json_values import JsonObject

MAX_TESTS = 200  # of one bug
NotPassed = Annotated[
    Literal["failed", "skipped"] | None, Field(description="only tests with this status; omit for both")
]


class BugTools(ApiTools):
    def get_bug_breakdown(
        self,
        run: RunArgument,
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
        status: NotPassed = None,
        limit: LimitArgument = 100,
    ) -> JsonObject:
        """Number of known bugs of a run's failed and skipped tests, by module: bugs (total, open, by type), and tests
        with a bug."""
        return self.rows(f"/runs/{self.run_id(run, environment)}/bugs", limit, module=module, status=status)

    def get_bug_details(
        self,
        run: Annotated[
            str | None,
            Field(description="only bugs of tests that failed or were skipped in this run"),
        ] = None,
        release: OptionalReleaseArgument = None,
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
        state: Annotated[
            Literal["open", "closed", "gone"] | None,
            Field(description="gone: no longer in the tracker's feed; omit for open and closed"),
        ] = None,
        text: Annotated[str, Field(description="words of the id, summary, status, priority or assignee")] = "",
        limit: LimitArgument = 50,
    ) -> JsonObject:
        """Bugs with status, priority, summary, assignee, link, and the number of affected and of failing tests; open
        bugs with most failing tests first. For everything, or one run, release or module."""
        run_id = self.run_id(run, environment) if run else None
        query: ApiQueryValues = {"release": release, "environment": environment, "module": module}
        return self.rows("/bugs", limit, run=run_id, status=state, q=text, **query)

    def get_affected_tests(
        self,
        bug: Annotated[str, Field(description="the bug's id in the tracker, such as PROJ-123")],
        release: OptionalReleaseArgument = None,
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
    ) -> JsonObject:
        """One bug with its affected tests, failing first: newest status, verdict kinds and their reason in each release
        and environment."""
        query = {"release": release, "environment": environment, "module": module}
        found = self.get(f"/bugs/{quote(bug, safe='')}", **query)
        affected = found.pop("affected")
        return {**found, "affected": affected[:MAX_TESTS], "cut": len(affected) > MAX_TESTS}
