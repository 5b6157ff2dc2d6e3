"""Tools about tests: which are broken, flaky or slower, since when, why, and what one test did."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from dashboard.mcp.api_tools import AnyRelease, ApiTools, Build, Environment, Limit, Module, Release, Row, Test

Runs = Annotated[int | None, Field(description="how many of the newest runs are looked at", ge=1, le=1000)]


class TestTools(ApiTools):
    __test__ = False  # pytest takes the name for a test's

    def get_verdicts(
        self,
        release: AnyRelease = None,
        kinds: Annotated[
            str, Field(description="one or more of regression, new_failure, always_failing, flaky, fixed, by commas")
        ] = "regression,new_failure,always_failing",
        environment: Environment = None,
        module: Module = None,
        runs: Runs = None,
        evidence: Annotated[bool, Field(description="with the numbers that each verdict follows from")] = False,
        limit: Limit = 50,
    ) -> Row:
        """Which tests are broken, flaky or fixed now, the worst first: each with a sentence, since which run, the first
        bad and last good run and build, and the range in which it broke with 99 % certainty. `strip`: its statuses,
        oldest first (P passed, F failed, K passed after a failed attempt). Storms and sick hosts are left out."""
        query: dict[str, Any] = {"release": release, "environment": environment, "module": module, "runs": runs}
        return self.rows("/verdicts", limit, () if evidence else ("evidence",), kind=kinds, **query)

    def get_flaky_tests(
        self, release: AnyRelease = None, environment: Environment = None, module: Module = None, limit: Limit = 50
    ) -> Row:
        """Flaky tests of the newest 60 runs, those that disturb most first: how often they flip, how often a rerun
        rescued them, the time lost, and whether they have recovered."""
        return self.rows("/flaky", limit, release=release, environment=environment, module=module)

    def get_rising_failure_rates(
        self,
        release: Release,
        base: Annotated[str | None, Field(description="the release to compare with; omit for its own past")] = None,
        environment: Environment = None,
        module: Module = None,
        limit: Limit = 50,
    ) -> Row:
        """Tests that fail significantly more often than before (or than in another release), by statistics: confirmed
        ones first, then suspected ones, of which `expected_by_chance` are chance."""
        query: dict[str, Any] = {"base": base, "environment": environment, "module": module}
        return self.rows("/regressions", limit, release=release, **query)

    def get_slower_tests(
        self, release: AnyRelease = None, environment: Environment = None, module: Module = None, limit: Limit = 50
    ) -> Row:
        """Tests whose duration changed lastingly (slower or faster), with the seconds before and after, and since which
        run."""
        return self.rows("/durations/tests", limit, release=release, environment=environment, module=module)

    def find_tests(
        self,
        text: Annotated[str, Field(description="words that the key holds, or a case id")],
        release: AnyRelease = None,
        module: Module = None,
        limit: Limit = 30,
    ) -> Row:
        """Tests by words of their key (file::class::name) or by case id."""
        return self.rows("/tests", limit, q=text, release=release, module=module)

    def search(self, text: Annotated[str, Field(description="words, an id, or the address of a build or bug")]) -> Row:
        """Everything that has a name: releases, modules, runs, builds, tests, bugs, failure texts; a few of each."""
        return self.rows("/search", 50, q=text)

    def get_test(self, test: Test) -> Row:
        """One test: metadata by release (priority, case ids, component, owner, topology, state), its bugs, the
        releases it ran in, its verdicts now, and its newest 20 results."""
        test_id = self.test_id(test)
        return {
            "test": self.ask(f"/tests/{test_id}"),
            "verdicts": self.ask(f"/tests/{test_id}/verdicts")["items"],
            "newest": self.rows(f"/tests/{test_id}/history", 20),
        }

    def get_test_history(
        self, test: Test, release: AnyRelease = None, environment: Environment = None, limit: Limit = 50
    ) -> Row:
        """The results of one test, newest first, across releases unless one is named: run, build, version, environment,
        topology, host, status, whether rerun, duration and the head of the failure text."""
        return self.rows(f"/tests/{self.test_id(test)}/history", limit, release=release, environment=environment)

    def get_failure_text(
        self,
        build: Build,
        test: Test,
        topology: Annotated[str | None, Field(description="topology or variant, such as 5s")] = None,
    ) -> Row:
        """Every attempt of a test in a build with message, trace and output (each cut at 3000 letters)."""
        return self.rows(f"/builds/{build}/tests/{self.test_id(test)}", 50, topology=topology)

    def get_suspects(self, test: Test, release: AnyRelease = None, environment: Environment = None) -> Row:
        """Which commit broke a test that fails now: in each release and environment the commits between good and bad,
        the likeliest first, with probabilities."""
        return self.rows(f"/tests/{self.test_id(test)}/suspects", 50, release=release, environment=environment)

    def get_failure_patterns(
        self,
        release: AnyRelease = None,
        run: Annotated[str | None, Field(description='of this run alone: its id, or such as "7.0#60"')] = None,
        like: Annotated[
            str | None, Field(description="only messages that match anywhere, as SQL's LIKE: % any text, _ any letter")
        ] = None,
        environment: Environment = None,
        module: Module = None,
        limit: Limit = 30,
    ) -> Row:
        """Failure messages grouped by pattern, the widest first: how many failures and tests, which modules and hosts,
        first and last seen, whether new."""
        run_id = self.run_id(run, environment) if run else None
        query: dict[str, Any] = {"release": release, "environment": environment, "module": module}
        return self.rows("/failures", limit, run=run_id, like=like, **query)

    def get_failure_pattern(
        self, signature: Annotated[str, Field(description="a pattern's id, from get_failure_patterns")]
    ) -> Row:
        """One failure pattern over all of its history: counts by day, and its newest examples with test and build."""
        found = self.ask(f"/failures/{signature}")
        found.pop("evidence")
        return found

    def get_grid(
        self,
        release: Release,
        environment: Environment = None,
        module: Module = None,
        kinds: Annotated[
            str | None, Field(description="only tests that carry one of these words, as in get_verdicts")
        ] = None,
        runs: Annotated[int, Field(description="how many of the newest runs", ge=1, le=60)] = 10,
        limit: Limit = 50,
    ) -> Row:
        """Tests x runs, those that fail most first: for every test a string of one letter a run, newest first (P F S, K
        passed after a failed attempt, - did not run). Shows what fails in every recent run, and what comes and goes."""
        query: dict[str, Any] = {"environment": environment, "module": module, "kind": kinds, "runs": runs}
        found = self.ask("/grid", release=release, limit=limit, **query)
        return {**found, "cut": found.pop("next") is not None}
