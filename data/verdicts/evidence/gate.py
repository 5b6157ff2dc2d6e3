"""The text of the gate's answer, and the decision: passed, blocked (`closed` on the wire) or unknown.

Everything follows from the numbers in the answer itself (data/queries/gate.py collects them). The command line, the API
and the screens show these texts.
"""

from __future__ import annotations

from typing import Final, TypedDict

from data.answers.evidence import RunFacts
from data.answers.gate import GateLeftOut, GateState
from data.answers.runs import Run
from data.number_text import counted
from data.verdicts.evidence.lane_state import incomplete_text

PASSED: Final = "passed"
CLOSED: Final = "closed"
UNKNOWN: Final = "unknown"
# A class on the wire -> what a comparison calls it; "regression" is a verdict's word.
CLASS_TEXTS = {
    "regression": "passed -> failed",
    "new_failure": "not run -> failed",
    "still_failing": "failed -> failed",
}
HEADLINES = {PASSED: "Passed", CLOSED: "Blocked", UNKNOWN: "Unknown"}


class Lacks(TypedDict):
    """What a run lacks in scope; `pending`: waiting may help."""

    missing: int
    aborted: int
    partial: int
    first_partial: str | None
    pending: bool


class Decision(TypedDict):
    state: GateState
    reason: str
    pending: bool


def decide(
    run: Run,
    baseline: Run,
    lacking: Lacks | None,
    results: int,
    new: int,
    max_new: int,
    kinds: tuple[str, ...],
) -> Decision:
    """The decision on a run with `results` in scope, of which `new` failing tests count. `lacking`
    are the builds in scope that it lacks, None if it is complete.

    A run that is running or incomplete is neither passed nor blocked; nor is one without results.
    """
    found = reason(run, baseline, new, max_new, kinds)
    so_far = f" So far: {found}" if new else ""
    if texts := unfinished(run, lacking):
        pending = run["state"] == "running" or (lacking is not None and lacking["pending"])
        return {"state": UNKNOWN, "reason": texts[0] + so_far, "pending": pending}
    if not results:
        no_results = f"Run #{run['number']} has no results in this module or topology."
        return {"state": UNKNOWN, "reason": no_results, "pending": False}
    return {"state": CLOSED if new > max_new else PASSED, "reason": found, "pending": False}


def unfinished(run: Run, lacking: Lacks | None) -> list[str]:
    """That the run goes on or is incomplete, in a sentence; empty for a complete one."""
    if run["state"] == "running":
        return [running(run)]
    return [] if lacking is None else [incomplete_text(_facts(run, lacking))]


def _facts(run: Run, lacking: Lacks) -> RunFacts:
    return {
        "number": run["number"],
        "missing": lacking["missing"],
        "aborted": lacking["aborted"],
        "partial": lacking["partial"],
        "first_partial": lacking["first_partial"],
        "result": run["result"],
        "builds": run["builds"],
        "incomplete": True,
    }


def reason(run: Run, baseline: Run, new: int, max_new: int, kinds: tuple[str, ...]) -> str:
    """Such as "2 tests broke (limit 0), compared with #133."."""
    failures = counted(new, "failing test") if "still_failing" in kinds else f"{counted(new, 'test')} broke"
    release = "" if baseline["release"] == run["release"] else f"{baseline['release']} "
    return f"{failures} (limit {max_new}), compared with {release}#{baseline['number']}."


def no_run(release: str | None, environment: str | None, run: str | None = None) -> str:
    where = f" in {environment}" if environment else ""
    return f"Release {release} has no run{'s' if run is None else f' {run}'}{where}."


def several_environments(release: str | None, environments: list[str], run: str | None) -> str:
    what = f"Release {release} has runs" if run is None else f"Release {release} has a run {run}"
    return f"{what} in {' and '.join(environments)}: choose an environment."


def run_of_another(release: str | None, environment: str | None, name: str) -> str:
    """For the id of a run of another release or environment, with its name."""
    where = f" in {environment}" if environment else ""
    return f"{name} is no run of {release}{where}."


def several_jobs(release: str | None, runs: list[tuple[str, str]], number: str) -> str:
    """`runs` of one number, each with its job and id."""
    named = ", ".join(f"{job}: {run}" for job, run in sorted(runs)[:3])
    more = f" and {len(runs) - 3} more" if len(runs) > 3 else ""
    return f"Release {release} has several runs {number} ({named}{more}): give the id of one."


def run_name(release: str, environment: str | None, job: str, number: int) -> str:
    """Such as "8.0 prod, qa/8.0/RUN #60": a number alone means a run of each job."""
    return f"{release} {environment or ''}".rstrip() + f", {job} #{number}"


def running(run: Run) -> str:
    if run["waiting"]:
        return f"Run #{run['number']}: {run['waiting']} of {counted(run['builds'], 'build')} not read yet."
    return f"Run #{run['number']} is still running."


def no_earlier_run(run: Run) -> str:
    return f"No complete run before #{run['number']}: choose another release as the baseline."


def no_complete_baseline(release: str) -> str:
    return f"The baseline {release} has no complete run."


def unknown_baseline(baseline: str, run: Run) -> str:
    return (
        f"The baseline {baseline} is neither a finished run before #{run['number']} nor a release with runs in "
        f"{run['environment']}."
    )


def not_counted(left_out: GateLeftOut) -> list[str]:
    """One line for each group of failures that do not count, with the mass failures and bad hosts."""
    lines = []
    if left_out["failures"]:
        lines.append(f"Not counted: {counted(left_out['failures'], 'failure')} in mass failures or on bad hosts.")
        lines += [f"  {row['sentence']}" for row in (*left_out["storms"], *left_out["hosts"])]
    if left_out["noisy"]:
        lines.append(f"Not counted: {counted(left_out['noisy'], 'failing test')} known to be flaky.")
    return lines
