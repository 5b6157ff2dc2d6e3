"""Tools about the tracker's bugs: how many a run's failures have, which, and which tests each one is about."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import Field

from dashboard.mcp.api_tools import AnyRelease, ApiTools, Environment, Limit, Module, Row, Run

MAX_TESTS = 200  # of one bug
NotPassed = Annotated[
    Literal["failed", "skipped"] | None, Field(description="only tests with this status; omit for both")
]


class BugTools(ApiTools):
    def get_bug_breakdown(
        self,
        run: Run,
        environment: Environment = None,
        module: Module = None,
        status: NotPassed = None,
        limit: Limit = 100,
    ) -> Row:
        """How many known bugs the failed and skipped tests of a run have: by module the bugs (in all, open, by type)
        and the tests that have one."""
        return self.rows(f"/runs/{self.run_id(run, environment)}/bugs", limit, module=module, status=status)

    def get_bug_details(
        self,
        run: Annotated[
            str | None, Field(description='only about tests that failed or were skipped in it, such as "7.0#60"')
        ] = None,
        release: AnyRelease = None,
        environment: Environment = None,
        module: Module = None,
        state: Annotated[
            Literal["open", "closed", "gone"] | None,
            Field(description="gone: no longer in the tracker's feed; omit for open and closed"),
        ] = None,
        text: Annotated[str, Field(description="words of its id, summary, status, priority or assignee")] = "",
        limit: Limit = 50,
    ) -> Row:
        """The tracker's bugs: status, priority, summary, assignee, link, how many tests each is about and how many of
        these fail now; the open ones that break most first. Of everything, or of one run, release or module."""
        run_id = self.run_id(run, environment) if run else None
        query = {"release": release, "environment": environment, "module": module, "status": state, "q": text}
        return self.rows("/bugs", limit, run=run_id, **query)

    def get_affected_tests(
        self,
        bug: Annotated[str, Field(description="the bug's id in the tracker, such as PROJ-123")],
        release: AnyRelease = None,
        environment: Environment = None,
        module: Module = None,
    ) -> Row:
        """One bug with the tests it is about, the failing first: the newest status of each in every release and
        environment, its words (regression, flaky, ...) and what they follow from."""
        query = {"release": release, "environment": environment, "module": module}
        found = self.ask(f"/bugs/{quote(bug, safe='')}", **query)
        affected = found.pop("affected")
        return {**found, "affected": affected[:MAX_TESTS], "cut": len(affected) > MAX_TESTS}
