"""What a tracker that has read everything must find: counts, and every planted fault with the builds that bound it.

As of the simulated clock, from what is final and still on the server by then.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TypedDict

import numpy as np

from data.model.json_values import Json, JsonObject
from ingest.simulator import failure_messages
from ingest.simulator.artifacts import sessions
from ingest.simulator.jenkins_items import JenkinsFolder
from ingest.simulator.planted_faults import BAD_HOST_RATE, FOREVER, PlantedChange
from ingest.simulator.programme import ERROR, FAILED, HOSTS_PER_TOPOLOGY, NONE, PASSED, SKIPPED, Programme
from ingest.simulator.side_builds import SideBuild
from ingest.simulator.side_jobs import BRANCHES, NIGHTLY
from ingest.simulator.timeline import Execution, PlannedRelease

SIDE_JOBS = {
    "libcore": ["libcore-nightly"],
    "compat": ["compat-matrix"],
    "axes": ["axes-matrix"],
    "webapp": [f"webapp/{branch}" for branch in BRANCHES],
    "platform": list(NIGHTLY),
    "suite": ["suite-unit", "suite-system"],
    "nightly": ["libcore-nightly", "compat-matrix", "suite-unit"],
}


def truth(programme: Programme, root: JenkinsFolder, detail: bool = False) -> JsonObject:
    """The keys of the contract, and also: new_failures (bad in one build so far), always_failing, appeared,
    disappeared, runs, sources (counts by source name) and, with `detail`, builds (counts of each)."""
    now = programme.now()
    builds = [_build(programme, e, now) for release in programme.releases for e in _final(release, now)]
    document: JsonObject = {
        "seed": programme.seed,
        "size": programme.size_name,
        "now": _time(now),
        "counts": _counts(builds),
    }
    document["sources"] = {
        **{f"sim-{r.name}": _counts([b for b in builds if b["release"] == r.name]) for r in programme.releases},
        **{name: _side_counts(root, jobs, now) for name, jobs in SIDE_JOBS.items()},
    }
    changes: dict[str, list[Json]] = {
        name: [] for name in ("regressions", "new_failures", "always_failing", "fixed", "flaky", "slower")
    }
    for release in programme.releases:
        _add_changes(programme, release, now, changes)
    document |= {**changes, **_disturbances(programme, now)}
    document["runs"] = [
        {
            "release": run.release,
            "run": run.number,
            "version": run.version,
            "environment": run.environment,
            "state": "running" if now < run.settled else {"tests": "final"}.get(run.fate, "broken"),
            "builds": [{"job": e.module.job, "build": e.number} for e in run.all_builds if e.started <= now],
        }
        for run in programme.timeline.runs(now)
    ]
    if detail:
        document["builds"] = [_as_json(build) for build in builds]
    return document


class TrueBuild(TypedDict):
    """A finished build and its counts."""

    release: str
    job: str
    module: str
    build: int
    run: int
    version: str
    environment: str
    result: str
    total: int
    passed: int
    failed: int
    errors: int
    skipped: int
    reruns: int
    started_at: str


def _as_json(build: TrueBuild) -> JsonObject:
    return {
        "release": build["release"],
        "job": build["job"],
        "module": build["module"],
        "build": build["build"],
        "run": build["run"],
        "version": build["version"],
        "environment": build["environment"],
        "result": build["result"],
        "total": build["total"],
        "passed": build["passed"],
        "failed": build["failed"],
        "errors": build["errors"],
        "skipped": build["skipped"],
        "reruns": build["reruns"],
        "started_at": build["started_at"],
    }


def _final(release: PlannedRelease, now: float) -> list[Execution]:
    return [e for builds in release.executions for e in builds if e.settled <= now and not e.rotated]


def _build(programme: Programme, execution: Execution, now: float) -> TrueBuild:
    run, results, upto = execution.run, programme.results(execution), programme.visible(execution, now)
    # A rerun log is written when a session is complete; of an aborted one only first attempts are known.
    complete = max([end for _, _, end, done in sessions(programme, execution, now) if done], default=0)
    status = np.concatenate([results.final[:complete], results.first[complete:upto]])
    count = [int((status == value).sum()) for value in (PASSED, FAILED, ERROR, SKIPPED)]
    return {
        "release": run.release,
        "job": f"qa/{run.release}/{execution.module.job}",
        "module": execution.module.name,
        "build": execution.number,
        "run": run.number,
        "version": run.version,
        "environment": run.environment,
        "result": programme.outcome(execution),
        "total": upto,
        "passed": count[PASSED],
        "failed": count[FAILED] + count[ERROR],
        "errors": count[ERROR],
        "skipped": count[SKIPPED],
        "reruns": int((results.rerun[:complete] != NONE).sum()),
        "started_at": _time(execution.started),
    }


def _counts(builds: list[TrueBuild]) -> JsonObject:
    total: Counter[str] = Counter(builds=len(builds))
    for build in builds:
        total.update(results=build["total"], attempts=build["total"] + build["reruns"])
        total.update(passed=build["passed"], failed=build["failed"], errors=build["errors"], skipped=build["skipped"])
    return dict(total)


def _side_counts(root: JenkinsFolder, jobs: list[str], now: float) -> JsonObject:
    total: Counter[str] = Counter()
    for name in jobs:
        job = root.job(name)
        builds = [build for build in job.builds(now) if build.number not in job.missing and not build.in_progress(now)]
        total["builds"] += len(builds)
        for build in builds:
            # Axis builds that a matrix build took over from an older one are counted with that one.
            parts = [part for _, part in build.sub_builds() if part.number == build.number] or [build]
            cases = [case for part in parts if isinstance(part, SideBuild) for case in part.cases()]
            total.update(results=len(cases), **Counter(case.status for case in cases))
    return dict(total)


def _add_changes(programme: Programme, release: PlannedRelease, now: float, document: dict[str, list[Json]]) -> None:
    for change in programme.plan.all_changes(release.name, len(release.runs)):
        module = programme.modules[change.module]
        test = module.tests[change.test]
        ran = [e for e in release.executions[change.module] if e.settled <= now and _covers(programme, e, change.test)]
        entry: JsonObject = {
            "release": release.name,
            "module": test.owner,
            "key": test.key,
            "job": f"{release.folder}/{module.job}",
            "job_module": module.name,
        }
        after = [e for e in ran if e.run.index >= change.start]
        if not after:
            continue
        if change.kind == "flaky":
            document["flaky"].append({**entry, "rate": change.rate, "rerun": module.reruns})
        elif change.kind == "slower":
            first: JsonObject = {"from_run": after[0].run.number, "from_build": after[0].number}
            document["slower"].append({**entry, **first, "factor": change.factor})
        elif change.commit is None:
            document["always_failing"].append(entry)
        else:
            kind, bounds = _bounds(programme, change, change.commit, ran)
            document[kind].append(entry | bounds)


def _bounds(
    programme: Programme, change: PlantedChange, commit: tuple[str, int], ran: list[Execution]
) -> tuple[str, JsonObject]:
    """The kind of a breakage today, and the builds that bound it. The first bad build is the first to contain the
    commit, which for one that fails at a rate below 1 need not be the first to fail."""
    before = [e for e in ran if e.run.index < change.start]
    bad = [e for e in ran if change.start <= e.run.index < change.stop]
    since = [e for e in ran if e.run.index >= change.stop]
    good = next((e for e in reversed(before) if _passed(programme, e, change.test)), None)
    bounds: JsonObject = {
        "last_good_build": good.number if good else None,
        "first_bad_build": bad[0].number if bad else None,
        "last_good_run": good.run.number if good else None,
        "first_bad_run": bad[0].run.number if bad else None,
        "commit": programme.commits(*commit)[0].id,
        "rate": change.rate,
        "bad_builds": len(bad),
    }
    if since:
        return "fixed", bounds | {"fixed_build": since[0].number, "fixed_run": since[0].run.number}
    return ("regressions" if len(bad) > 1 else "new_failures"), bounds


def _covers(programme: Programme, execution: Execution, test: int) -> bool:
    """Whether the test ran in that build. Faults are planned for tests that run in production and are never skipped."""
    run, module = execution.run, execution.module
    if execution.rotated or execution.fate == "broken" or run.environment != "prod":
        return False
    if not programme.exists(run.release, module.index, test, run.index):
        return False
    if execution.fate == "tests":
        return True
    seen = programme.visible(execution, execution.settled)
    return bool((module.test[programme.results(execution).slot[:seen]] == test).any())


def _passed(programme: Programme, execution: Execution, test: int) -> bool:
    results = programme.results(execution)
    return bool((results.final[execution.module.test[results.slot] == test] == PASSED).all())


def _disturbances(programme: Programme, now: float) -> JsonObject:
    storms: list[Json] = []
    hosts: list[Json] = []
    appeared: list[Json] = []
    disappeared: list[Json] = []
    for name, index, module in sorted(programme.plan.storms):
        run, job = programme.release(name).runs[index], programme.modules[module]
        build = next(e.number for e in run.own if e.module is job)
        message = ": ".join(failure_messages.STORM[:2])
        storms.append({"release": name, "run": run.number, "module": job.name, "build": build, "message": message})
    for host in programme.plan.bad_hosts:
        release = programme.release(host.release)
        job = next(m for m in programme.modules if host.topology in m.topologies)
        names = programme.host_names(release.name, job)
        index = job.topologies.index(host.topology) * HOSTS_PER_TOPOLOGY + host.position
        from_run = release.runs[host.start].number
        hosts.append({"host": names[index], "from_run": from_run, "release": release.name, "rate": BAD_HOST_RATE})
    for tests_found, planned in ((appeared, programme.plan.appears), (disappeared, programme.plan.disappears)):
        for (name, module), tests in planned.items():
            runs = programme.release(name).runs
            for test, index in tests.items():
                if index != FOREVER:
                    key = programme.modules[module].tests[test].key
                    tests_found.append({"release": name, "key": key, "from_run": runs[index].number})
    return {"storms": storms, "sick_hosts": hosts, "appeared": appeared, "disappeared": disappeared}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
