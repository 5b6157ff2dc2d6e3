"""Tools about tests: verdicts, flaky and slower tests, failure patterns, one test's history."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from dashboard.mcp.api_tools import (
    ApiQueryValues,
    ApiTools,
    BuildArgument,
    EnvironmentArgument,
    LimitArgument,
    ModuleArgument,
    OptionalReleaseArgument,
    ReleaseArgument,
    TestArgument,
)
from data.model.json_values import JsonObject

Runs = Annotated[int | None, Field(description="number of newest runs to look at", ge=1, le=1000)]


class TestTools(ApiTools):
    __test__ = False  # the name is not a test's

    def get_verdicts(
        self,
        release: OptionalReleaseArgument = None,
        kinds: Annotated[
            str,
            Field(description="comma-separated: regression, new_failure, always_failing, flaky, fixed"),
        ] = "regression,new_failure,always_failing",
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
        runs: Runs = None,
        evidence: Annotated[bool, Field(description="include the numbers that each verdict is based on")] = False,
        limit: LimitArgument = 50,
    ) -> JsonObject:
        """Broken, flaky and fixed tests, worst first: each with a sentence, the run it started in, the first bad and
        last good run and build, and the range in which it broke (99 % sure). `strip`: statuses, oldest first (P passed,
        F failed, K passed after a failed attempt). Failures in mass failures and on bad hosts do not count."""
        query: ApiQueryValues = {
            "release": release,
            "environment": environment,
            "module": module,
            "runs": runs,
        }
        return self.rows("/verdicts", limit, () if evidence else ("evidence",), kind=kinds, **query)

    def get_flaky_tests(
        self,
        release: OptionalReleaseArgument = None,
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
        limit: LimitArgument = 50,
    ) -> JsonObject:
        """Flaky tests of the newest 60 runs, most disruptive first: how often they flip, how often a rerun rescued
        them, the time lost, and whether they have recovered."""
        return self.rows("/flaky", limit, release=release, environment=environment, module=module)

    def get_rising_failure_rates(
        self,
        release: ReleaseArgument,
        base: Annotated[str | None, Field(description="release to compare with; omit for its own earlier runs")] = None,
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
        limit: LimitArgument = 50,
    ) -> JsonObject:
        """Tests that fail significantly more often than before (or than in another release): confirmed first, then
        suspected; `expected_by_chance` of the suspected are chance."""
        query: ApiQueryValues = {"base": base, "environment": environment, "module": module}
        return self.rows("/regressions", limit, release=release, **query)

    def get_slower_tests(
        self,
        release: OptionalReleaseArgument = None,
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
        limit: LimitArgument = 50,
    ) -> JsonObject:
        """Tests that became permanently slower or faster, with the seconds before and after, and the run where it
        started."""
        return self.rows("/durations/tests", limit, release=release, environment=environment, module=module)

    def find_tests(
        self,
        text: Annotated[str, Field(description="words of the key, or a case id")],
        release: OptionalReleaseArgument = None,
        module: ModuleArgument = None,
        limit: LimitArgument = 30,
    ) -> JsonObject:
        """Tests by words of their key (file::class::name) or by case id."""
        return self.rows("/tests", limit, q=text, release=release, module=module)

    def search(
        self, text: Annotated[str, Field(description="words, an id, or the URL of a build or bug")]
    ) -> JsonObject:
        """Find releases, modules, runs, builds, tests, bugs and failure texts by name; a few of each."""
        return self.rows("/search", 50, q=text)

    def get_test(self, test: TestArgument) -> JsonObject:
        """One test: metadata by release (priority, case ids, component, owner, topology, state), bugs, releases,
        current verdicts, and the newest 20 results."""
        test_id = self.test_id(test)
        return {
            "test": self.get(f"/tests/{test_id}"),
            "verdicts": self.get(f"/tests/{test_id}/verdicts")["items"],
            "newest": self.rows(f"/tests/{test_id}/history", 20),
        }

    def get_test_history(
        self,
        test: TestArgument,
        release: OptionalReleaseArgument = None,
        environment: EnvironmentArgument = None,
        limit: LimitArgument = 50,
    ) -> JsonObject:
        """The results of one test, newest first, in all releases or one: run, build, version, environment, topology,
        host, status, whether rerun, duration and the beginning of the failure text."""
        return self.rows(f"/tests/{self.test_id(test)}/history", limit, release=release, environment=environment)

    def get_failure_text(
        self,
        build: BuildArgument,
        test: TestArgument,
        topology: Annotated[str | None, Field(description="topology or variant, such as 5s")] = None,
    ) -> JsonObject:
        """Every attempt of a test in a build with message, trace and output (each cut at 3000 characters)."""
        return self.rows(f"/builds/{build}/tests/{self.test_id(test)}", 50, topology=topology)

    def get_suspects(
        self, test: TestArgument, release: OptionalReleaseArgument = None, environment: EnvironmentArgument = None
    ) -> JsonObject:
        """The commits that may have broken a failing test, in each release and environment: most likely first, with
        probabilities."""
        return self.rows(f"/tests/{self.test_id(test)}/suspects", 50, release=release, environment=environment)

    def get_failure_patterns(
        self,
        release: OptionalReleaseArgument = None,
        run: Annotated[str | None, Field(description='only failures of this run: its id, or "7.0#60"')] = None,
        like: Annotated[
            str | None,
            Field(description="only messages that match this SQL LIKE pattern anywhere"),
        ] = None,
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
        limit: LimitArgument = 30,
    ) -> JsonObject:
        """Failure messages grouped by pattern, most widespread first: numbers of failures and tests, modules, hosts,
        first and last seen, whether new."""
        run_id = self.run_id(run, environment) if run else None
        query: ApiQueryValues = {"release": release, "environment": environment, "module": module}
        return self.rows("/failures", limit, run=run_id, like=like, **query)

    def get_failure_pattern(
        self, signature: Annotated[str, Field(description="a pattern's id, from get_failure_patterns")]
    ) -> JsonObject:
        """One failure pattern over its whole history: counts by day, and the newest examples with test and build."""
        found = self.get(f"/failures/{signature}")
        found.pop("evidence")
        return found

    def get_grid(
        self,
        release: ReleaseArgument,
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
        kinds: Annotated[
            str | None, Field(description="only tests with one of these verdict kinds, as in get_verdicts")
        ] = None,
        runs: Annotated[int, Field(description="number of newest runs", ge=1, le=60)] = 10,
        limit: LimitArgument = 50,
    ) -> JsonObject:
        """Tests x runs, most failures first: for each test a string with one letter per run, newest first (P F S, K
        passed after a failed attempt, - did not run). Shows which tests fail always and which now and then."""
        query: ApiQueryValues = {"environment": environment, "module": module, "kind": kinds, "runs": runs}
        found = self.get("/grid", release=release, limit=limit, **query)
        return {**found, "cut": found.pop("next") is not None}
