"""Tools about releases and runs: health, changes, the gate, trends, builds, ingestion, SQL."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from dashboard.api_client import ApiError
from dashboard.mcp.api_tools import (
    ApiQueryValues,
    ApiTools,
    BuildArgument,
    EnvironmentArgument,
    LimitArgument,
    ModuleArgument,
    OptionalReleaseArgument,
    ReleaseArgument,
    RunArgument,
    shortened,
)
from data.model.json_values import Json, JsonObject

StatusArgument = Annotated[
    Literal["passed", "failed", "skipped"] | None, Field(description="only results with this status; omit for all")
]
TextArgument = Annotated[str | None, Field(description="part of a test's key, ignoring case")]


class RunTools(ApiTools):
    def list_releases(self, environment: EnvironmentArgument = None, limit: LimitArgument = 50) -> JsonObject:
        """Every release line with its health in the environment that tests most (`lanes` has the others): state and its
        reasons, pass rate and counts of `latest_run` (its newest finished run; the first one while it goes on), numbers
        of tests by their worst verdict, and `running_run` (the run that goes on now, if any). Start here."""
        return self.rows("/releases", limit, ("spark",), environment=environment)

    def list_filters(self, release: OptionalReleaseArgument = None) -> JsonObject:
        """The values of the filters: releases, versions, environments and modules, of one release or all."""
        return self.get("/choices", release=release)

    def list_runs(
        self,
        release: OptionalReleaseArgument = None,
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
        limit: LimitArgument = 20,
    ) -> JsonObject:
        """Regression runs, newest first, with counts, pass rate, version and link to Jenkins. A module narrows the
        counts of each run."""
        return self.rows("/runs", limit, release=release, environment=environment, module=module)

    def get_run(self, run: RunArgument, environment: EnvironmentArgument = None) -> JsonObject:
        """One run: totals, every module (counts, pass rate, state, change since the newest earlier complete run,
        builds), and every priority."""
        run_id = self.run_id(run, environment)
        return {
            "run": self.get(f"/runs/{run_id}"),
            "modules": self.rows(f"/runs/{run_id}/modules", 500),
            "priorities": self.rows(f"/runs/{run_id}/priorities", 50),
        }

    def get_run_results(
        self,
        run: RunArgument,
        status: StatusArgument = "failed",
        module: ModuleArgument = None,
        topology: Annotated[str | None, Field(description="topology or variant, such as 5s")] = None,
        text: TextArgument = None,
        rerun: Annotated[bool, Field(description="only rerun tests (with status passed: the rescued ones)")] = False,
        environment: EnvironmentArgument = None,
        limit: LimitArgument = 50,
    ) -> JsonObject:
        """Results of a run (default: failed): test, status, topology, host, whether it was rerun (`rerun`), and the
        beginning of the failure text. get_failure_text has the full text."""
        query: ApiQueryValues = {"status": status, "module": module, "topology": topology, "q": text}
        query["rerun"] = rerun or None
        return self.rows(f"/runs/{self.run_id(run, environment)}/results", limit, **query)

    def get_run_changes(
        self,
        run: RunArgument,
        module: ModuleArgument = None,
        environment: EnvironmentArgument = None,
        limit: LimitArgument = 50,
    ) -> JsonObject:
        """Changes since the newest earlier complete run of the release and environment: regression (passed, now
        failed), new_failure, still_failing, fixed, new_pass, appeared, disappeared, not_compared (a side lacks results
        of its build; see `lacks`). Each class lists at most `limit` tests; `counts` has the totals."""
        run_id = self.run_id(run, environment)
        return self._compared(self.get(f"/runs/{run_id}/changes", module=module, limit=limit))

    def compare(
        self,
        base: Annotated[str, Field(description='a run (id, or "7.0#60"), or a release such as "7.0"')],
        candidate: Annotated[str, Field(description="the run or release to compare with the base")],
        module: ModuleArgument = None,
        environment: Annotated[str | None, Field(description="environment of runs given by number")] = None,
        limit: LimitArgument = 50,
    ) -> JsonObject:
        """Compare two runs, or two releases by each test's newest status, in the classes of get_run_changes. For two
        releases `statistics` lists the tests that fail significantly more often."""
        sides = [self.run_id(name, environment) if "#" in name else name for name in (base, candidate)]
        return self._compared(self.get("/compare", base=sides[0], candidate=sides[1], module=module, limit=limit))

    def check_gate(
        self,
        release: ReleaseArgument,
        run: Annotated[str | None, Field(description="number or id of the run; omit for the newest")] = None,
        baseline: Annotated[
            str | None, Field(description="an earlier run or a release; omit for the newest complete run before it")
        ] = None,
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
        max_new: Annotated[int, Field(description="number of tests that may break without blocking", ge=0)] = 0,
        limit: LimitArgument = 50,
    ) -> JsonObject:
        """Whether a run passes the gate: passed, closed (blocked) or unknown, with the reason and the tests that fail
        in it but not in its baseline. While the newest run goes on (`running_run` of list_releases) the answer is
        unknown, with the failures so far. Failures in mass failures and on bad hosts do not count; they are listed."""
        query: ApiQueryValues = {
            "run": run,
            "baseline": baseline,
            "environment": environment,
            "module": module,
        }
        found = self.get("/gate", release=release, max_new=max_new, limit=limit, **query)
        found["cut"] = found["new"] > len(found["tests"])
        return found

    def get_trend(
        self,
        release: OptionalReleaseArgument = None,
        environment: EnvironmentArgument = None,
        module: ModuleArgument = None,
        by: Annotated[Literal["run", "day"], Field(description="one point per run, or per day")] = "run",
        group: Annotated[
            Literal["module", "release", "environment"] | None, Field(description="one series for each of these")
        ] = None,
        runs: Annotated[int, Field(description="number of newest runs", ge=1, le=100)] = 20,
    ) -> JsonObject:
        """Pass rate, counts and test time over the newest runs or days, oldest first: one series, or one per module,
        release or environment."""
        query: ApiQueryValues = {"release": release, "environment": environment, "module": module}
        return self.get("/trends", by=by, group=group, runs=runs, **query)

    def list_builds(
        self,
        release: OptionalReleaseArgument = None,
        run: Annotated[str | None, Field(description='a run: its id, or release and number such as "7.0#60"')] = None,
        module: Annotated[str | None, Field(description="module of the job")] = None,
        environment: EnvironmentArgument = None,
        limit: LimitArgument = 30,
    ) -> JsonObject:
        """Jenkins builds of module jobs, newest first, with counts, state, agent and link."""
        run_id = self.run_id(run, environment) if run else None
        query: ApiQueryValues = {
            "release": release,
            "run": run_id,
            "module": module,
            "environment": environment,
        }
        return self.rows("/builds", limit, **query)

    def get_build(self, build: BuildArgument) -> JsonObject:
        """One build: parameters, commits, causes, warnings, runs; and its counts by topology, host, module and status,
        which show whether failures are limited to one topology or host."""
        return {"build": self.get(f"/builds/{build}"), "facets": self.get(f"/builds/{build}/facets")}

    def get_disturbances(
        self, release: ReleaseArgument, environment: EnvironmentArgument = None, limit: LimitArgument = 50
    ) -> JsonObject:
        """What verdicts leave out, and why: mass failures (so much failed at once that no test is to blame) and bad
        hosts, in the runs that verdicts look at, with the number of failures that were left out."""
        found = self.get("/verdicts/excluded", release=release, environment=environment)
        storms, hosts = (_without_evidence(found[name][:limit]) for name in ("storms", "hosts"))
        return found | {"storms": storms, "hosts": hosts, "cut": max(len(found["storms"]), len(found["hosts"])) > limit}

    def get_ingest_status(self) -> JsonObject:
        """Whether the data is complete: each source's last poll, lag and errors, and the unfinished builds."""
        return {"sources": self.rows("/ingest/status", 100), "open_work": self.rows("/ingest/ledger", 20)}

    def query_sql(
        self,
        sql: Annotated[str, Field(description="one SELECT in DuckDB's dialect")],
        limit: LimitArgument = 100,
    ) -> JsonObject:
        """Run one read-only SELECT over the tables of the store, for questions that no other tool answers. `SHOW
        TABLES` is not allowed; the main tables: runs, run_builds, builds, build_counts (build, module, topology,
        counts), results, failures (message, trace), tests, signatures, test_metadata. Ids are BIGINT here, hexadecimal
        elsewhere."""
        try:
            return shortened(self._api.post("/sql", {"sql": sql, "limit": limit, "as_of": self._as_of}))
        except ApiError as error:
            raise ToolError(str(error)) from error

    @staticmethod
    def _compared(found: Any) -> JsonObject:
        classes = {name: _without_evidence(rows) for name, rows in found["classes"].items()}
        cut = any(found["counts"][name] > len(rows) for name, rows in classes.items())
        if found.get("statistics"):
            found["statistics"]["tests"] = _without_evidence(found["statistics"]["tests"][:200])
        return {**found, "classes": classes, "cut": cut}


def _without_evidence(rows: list[JsonObject]) -> list[Json]:
    return [{name: value for name, value in row.items() if name != "evidence"} for row in rows]
