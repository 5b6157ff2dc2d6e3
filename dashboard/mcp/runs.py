"""Tools about releases and runs: how they stand, what changed, what was left out, and whether ingestion is whole."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from dashboard.api_client import ApiError
from dashboard.mcp.api_tools import (
    AnyRelease,
    ApiTools,
    Build,
    Environment,
    Limit,
    Module,
    Release,
    Row,
    Run,
    shortened,
)

Status = Annotated[
    Literal["passed", "failed", "skipped"] | None, Field(description="only results with this status; omit for all")
]
Text = Annotated[str | None, Field(description="part of a test's key, whatever its case")]


class RunTools(ApiTools):
    def list_releases(self, environment: Environment = None, limit: Limit = 50) -> Row:
        """Every release line with its health: state, pass rate and counts of its newest run that ended, numbers of
        regressions, new failures, always failing and flaky tests, and the run going on. The place to begin."""
        return self.rows("/releases", limit, without=("spark",), environment=environment)

    def list_filters(self, release: AnyRelease = None) -> Row:
        """The names that can be filtered by: releases, versions, environments and modules, of one release or all."""
        return self.ask("/choices", release=release)

    def list_runs(
        self, release: AnyRelease = None, environment: Environment = None, module: Module = None, limit: Limit = 20
    ) -> Row:
        """Regression runs, newest first, with counts, pass rate, version and link to Jenkins. With a module, the counts
        are of that part of each run."""
        return self.rows("/runs", limit, release=release, environment=environment, module=module)

    def get_run(self, run: Run, environment: Environment = None) -> Row:
        """One run whole: totals, every module (counts, pass rate, state, change against the run before, builds), and
        every priority."""
        run_id = self.run_id(run, environment)
        return {
            "run": self.ask(f"/runs/{run_id}"),
            "modules": self.rows(f"/runs/{run_id}/modules", 500),
            "priorities": self.rows(f"/runs/{run_id}/priorities", 50),
        }

    def get_run_results(
        self,
        run: Run,
        status: Status = "failed",
        module: Module = None,
        topology: Annotated[str | None, Field(description="topology or variant, such as 5s")] = None,
        text: Text = None,
        rerun: Annotated[bool, Field(description="only what was run again (passed: what that rescued)")] = False,
        environment: Environment = None,
        limit: Limit = 50,
    ) -> Row:
        """Results of a run, failed ones unless told otherwise: test, status, topology, host, whether it was rerun
        (`rerun`), and the head of the failure text. The whole text: get_failure_text."""
        query: dict[str, Any] = {"status": status, "module": module, "topology": topology, "q": text}
        query["rerun"] = rerun or None
        return self.rows(f"/runs/{self.run_id(run, environment)}/results", limit, **query)

    def get_run_changes(
        self, run: Run, module: Module = None, environment: Environment = None, limit: Limit = 50
    ) -> Row:
        """What changed in a run against the run before it in its release and environment: regression (passed, now
        failed), new_failure, still_failing, fixed, new_pass, appeared, disappeared. Each class lists at most `limit`
        tests, and `counts` says how many there are."""
        run_id = self.run_id(run, environment)
        return self._compared(self.ask(f"/runs/{run_id}/changes", module=module, limit=limit))

    def compare(
        self,
        base: Annotated[str, Field(description='a run (id, or "7.0#60"), or a release such as "7.0"')],
        candidate: Annotated[str, Field(description="likewise: what is held against the base")],
        module: Module = None,
        environment: Annotated[str | None, Field(description="of runs that are named by number")] = None,
        limit: Limit = 50,
    ) -> Row:
        """Two runs, or two releases by each test's newest status, side by side, in the classes of get_run_changes. Of
        two releases `statistics` says which tests fail significantly more often."""
        sides = [self.run_id(name, environment) if "#" in name else name for name in (base, candidate)]
        return self._compared(self.ask("/compare", base=sides[0], candidate=sides[1], module=module, limit=limit))

    def check_gate(
        self,
        release: Release,
        run: Annotated[str | None, Field(description="number or id of the run; omit for the newest")] = None,
        baseline: Annotated[
            str | None, Field(description="an earlier run or a release; omit for the run before that has ended")
        ] = None,
        environment: Environment = None,
        module: Module = None,
        max_new: Annotated[int, Field(description="so many tests may fail that did not", ge=0)] = 0,
        limit: Limit = 50,
    ) -> Row:
        """Whether a run may go on (passed, closed, or unknown with the reason): the tests that fail in it and did not
        in its baseline, each with a sentence. Storms and sick hosts are left out, and told."""
        query: dict[str, Any] = {"run": run, "baseline": baseline, "environment": environment, "module": module}
        found = self.ask("/gate", release=release, max_new=max_new, limit=limit, **query)
        found["cut"] = found["new"] > len(found["tests"])
        return found

    def get_trend(
        self,
        release: AnyRelease = None,
        environment: Environment = None,
        module: Module = None,
        by: Annotated[Literal["run", "day"], Field(description="a point for each run, or for each day")] = "run",
        group: Annotated[
            Literal["module", "release", "environment"] | None, Field(description="a series for each of these")
        ] = None,
        runs: Annotated[int, Field(description="how many of the newest runs", ge=1, le=100)] = 20,
    ) -> Row:
        """Pass rate, counts and test time over the newest runs or days, oldest first: one series, or one for each
        module, release or environment."""
        query: dict[str, Any] = {"release": release, "environment": environment, "module": module}
        return self.ask("/trends", by=by, group=group, runs=runs, **query)

    def list_builds(
        self,
        release: AnyRelease = None,
        run: Annotated[str | None, Field(description='a run: its id, or release and number such as "7.0#60"')] = None,
        module: Annotated[str | None, Field(description="module of the job that executed")] = None,
        environment: Environment = None,
        limit: Limit = 30,
    ) -> Row:
        """Jenkins builds of module jobs, newest first, with counts, state, agent and link."""
        run_id = self.run_id(run, environment) if run else None
        query: dict[str, Any] = {"release": release, "run": run_id, "module": module, "environment": environment}
        return self.rows("/builds", limit, **query)

    def get_build(self, build: Build) -> Row:
        """One build: parameters, commits, causes, warnings, runs; and its counts by topology and host, module and
        status, which tell whether failures sit on one topology or host."""
        return {"build": self.ask(f"/builds/{build}"), "facets": self.ask(f"/builds/{build}/facets")}

    def get_disturbances(self, release: Release, environment: Environment = None, limit: Limit = 50) -> Row:
        """What verdicts leave out, and why: storms (so much failed at once that no test is to blame) and sick hosts, in
        the runs that verdicts look at, with the number of failures that were left out."""
        found = self.ask("/verdicts/excluded", release=release, environment=environment)
        storms, hosts = (_without_evidence(found[name][:limit]) for name in ("storms", "hosts"))
        return found | {"storms": storms, "hosts": hosts, "cut": max(len(found["storms"]), len(found["hosts"])) > limit}

    def get_ingest_status(self) -> Row:
        """Whether everything is here: each source's last poll, its lag, errors, and the work that is open."""
        return {"sources": self.rows("/ingest/status", 100), "open_work": self.rows("/ingest/ledger", 20)}

    def query_sql(
        self,
        sql: Annotated[str, Field(description="one SELECT in DuckDB's dialect")],
        limit: Limit = 100,
    ) -> Row:
        """Run one read-only SELECT over the tables of the store, for what no other tool answers. `SHOW TABLES` is not
        allowed; the main tables: runs, run_builds, builds, build_counts (build, module, topology, counts), results,
        failures (message, trace), tests, signatures, test_metadata. Ids are BIGINT here, hexadecimal elsewhere."""
        try:
            return shortened(self._api.post("/sql", {"sql": sql, "limit": limit, "as_of": self._as_of}))
        except ApiError as error:
            raise ToolError(str(error)) from error

    @staticmethod
    def _compared(found: Row) -> Row:
        classes = {name: _without_evidence(rows) for name, rows in found["classes"].items()}
        cut = any(found["counts"][name] > len(rows) for name, rows in classes.items())
        if found.get("statistics"):
            found["statistics"]["tests"] = _without_evidence(found["statistics"]["tests"][:200])
        return found | {"classes": classes, "cut": cut}


def _without_evidence(rows: list[Row]) -> list[Row]:
    return [{name: value for name, value in row.items() if name != "evidence"} for row in rows]
