"""May this run go on? What fails in it that did not fail before: the question of a CI job, which needs yes or no.

Never yes by accident: a run that is unknown, running, or lacks builds is not judged, and says why.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from data.lake.cached_query import cached_query
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter
from data.queries.runs import run as one_run
from data.queries.runs import runs as newest_runs
from data.verdicts import evidence
from data.verdicts.disturbances import analyse_lanes, host_row, of_tests, storm_rows
from data.verdicts.evidence.comparison import CLASSES
from data.verdicts.evidence.number_text import counted
from data.verdicts.flaky_exclusion import excluded_tests
from data.verdicts.lanes import MASK_BITS, TestLane
from data.verdicts.rules import KINDS
from data.verdicts.verdicts import judge, test_names

FAILING = CLASSES[:3]  # regression, new_failure, still_failing
NEW = FAILING[:2]
ENDED = ("ok", "failing")  # states of a run that brought results
PASSED, CLOSED, UNKNOWN = "passed", "closed", "unknown"


class _UnknownError(Exception):
    """Nothing can be said; `pending`: perhaps later."""

    def __init__(self, reason: str, pending: bool = False) -> None:
        super().__init__(reason)
        self.pending = pending


@dataclass(frozen=True)
class Side:
    """A run in its lane (release x environment); `runs` of the lane, newest first, of which it is number `age`. The
    lane of an older candidate ends with it: what came later changes nothing that was said of it."""

    lane: Filter
    runs: list[dict[str, Any]]
    age: int

    @property
    def run(self) -> dict[str, Any]:
        return self.runs[self.age]


@cached_query
def gate(
    store: Store,
    flt: Filter,
    run: str | None = None,
    baseline: str | None = None,
    kinds: tuple[str, ...] = NEW,
    max_new: int = 0,
    limit: int = 200,
) -> dict[str, Any]:
    """{"state": passed | closed | unknown, "reason", "pending", "run", "baseline" (runs or None), "new", "max_new",
    "counts" (by class), "tests" (at most `limit`), "left_out": {"failures", "noisy", "storms", "hosts"}}.

    `run`: a number or id; default the newest of the filter's release. `baseline`: likewise, or a release (its newest
    run that has ended, in the same environment); default the run before that has ended. A test counts if it failed in
    the run and `kinds` holds its class: by its last status up to the baseline it passed (regression), had none in the
    62 runs looked at (new_failure), or failed (still_failing). What storms and sick hosts broke counts on neither
    side, unless the filter includes storms; with `exclude_flaky`, noise does not count. `pending`: waiting may help.
    """
    nothing = {"failures": 0, "noisy": 0, "storms": [], "hosts": []}
    answer: dict[str, Any] = {"state": UNKNOWN, "reason": "", "pending": False, "run": None, "baseline": None}
    answer |= {"new": 0, "max_new": max_new, "counts": dict.fromkeys(FAILING, 0), "tests": [], "left_out": nothing}
    try:
        candidate = _candidate(store, flt, run)
        answer["run"] = candidate.run
        base = _base(store, candidate, baseline)
    except _UnknownError as error:
        return answer | {"reason": str(error), "pending": error.pending}

    part = replace(candidate.lane, module=flt.module, topology=flt.topology)
    found = _failing(store, part, candidate, base)
    answer |= {"baseline": base.run, "left_out": nothing | _left_out(store, part, candidate)}
    if flt.exclude_flaky:
        noise = set(excluded_tests(store, candidate.run["release"]).get(candidate.run["environment"], ()))
        answer["left_out"]["noisy"] = sum(line.test in noise for line, _ in found)
        found = [(line, told) for line, told in found if line.test not in noise]
    broken = []
    for line, told in found:
        its = evidence.judge(told)["class"]
        answer["counts"][its] += 1
        if its in kinds:
            broken.append((FAILING.index(its), line.module, line.test, told))
    broken.sort(key=lambda row: row[:3])
    answer["new"] = len(broken)
    named = test_names(store, [test for _, _, test, _ in broken[:limit]])
    answer["tests"] = [_row(test, named[test], module, told) for _, module, test, told in broken[:limit]]
    return answer | _decided(candidate, _results(store, candidate, flt), len(broken), max_new)


def _candidate(store: Store, flt: Filter, run: str | None) -> Side:
    every = Filter(flt.release, environment=flt.environment, include_storms=flt.include_storms)
    listed = newest_runs(store, every, 10 * MASK_BITS)
    where = f"release {flt.release}" + (f" in {flt.environment}" if flt.environment else "")
    if not listed:
        raise _UnknownError(f"There is no run of {where}.", pending=True)
    named = [row for row in listed if run is None or run in (str(row["number"]), row["id"])]
    if not named:
        raise _UnknownError(f"There is no run {run} of {where}.", pending=True)
    environments = sorted({row["environment"] for row in named})
    if len(environments) > 1:
        raise _UnknownError(f"There are runs in {' and '.join(environments)}: say which environment is meant.")
    side = _side(replace(every, environment=environments[0]), listed, named[0])
    if side.run["state"] == "running" and side.run["waiting"]:
        waiting = f"{side.run['waiting']} of the {side.run['builds']} builds"
        raise _UnknownError(f"Of run #{side.run['number']}, {waiting} have yet to be read.", pending=True)
    if side.run["state"] == "running":
        raise _UnknownError(f"Run #{side.run['number']} is still running.", pending=True)
    return side


def _side(lane: Filter, listed: list[dict[str, Any]], run: dict[str, Any]) -> Side:
    runs = [row for row in listed if row["environment"] == lane.environment]
    age = runs.index(run)
    return Side(replace(lane, at_run=run["id"] if age else None), runs[age : age + MASK_BITS], 0)


def _base(store: Store, candidate: Side, baseline: str | None) -> Side:
    before = [row for row in candidate.runs[candidate.age + 1 :] if row["state"] in ENDED]
    if baseline is None:
        if not before:
            raise _UnknownError(
                f"No run before #{candidate.run['number']} has ended: name another release as baseline."
            )
        return Side(candidate.lane, candidate.runs, candidate.runs.index(before[0]))
    lane = replace(candidate.lane, release=baseline, at_run=None)
    if baseline == candidate.lane.release:
        return _base(store, candidate, None)
    theirs = newest_runs(store, lane, MASK_BITS)
    if theirs:
        ended = [row for row in theirs if row["state"] in ENDED]
        if not ended:
            raise _UnknownError(f"No run of the baseline {baseline} has ended.", pending=True)
        return Side(lane, theirs, theirs.index(ended[0]))
    named = [row for row in before if baseline in (str(row["number"]), row["id"])]
    if not named:
        raise _UnknownError(
            f"The baseline {baseline} is neither a run before #{candidate.run['number']} that has ended, nor a release "
            f"with runs in {candidate.lane.environment}."
        )
    return Side(candidate.lane, candidate.runs, candidate.runs.index(named[0]))


def _failing(store: Store, part: Filter, candidate: Side, base: Side) -> list[tuple[TestLane, dict[str, Any]]]:
    """The tests that failed in the candidate, each with its evidence."""
    around = analyse_lanes(store, part, MASK_BITS)
    failing = [line for line in around.lines if line.failed >> candidate.age & 1]
    before = {line.test: line for line in failing}
    if base.lane != candidate.lane:
        # Of the other lane also those that never failed there.
        there = replace(part, release=base.lane.release, module=None, at_run=None)
        before = {line.test: line for line in of_tests(store, there, MASK_BITS, before)} if before else {}
    words = _words(store, part)
    release = f"{base.lane.release} " if base.lane.release != candidate.lane.release else ""
    found = []
    for line in failing:
        last = _last(before.get(line.test), base)
        status = last and ("failed" if before[line.test].failed >> last[0] & 1 else "passed")
        told = {
            "rule": "class",
            "base": _told(f"{release}#{(last[1] if last else base.run)['number']}", status),
            "candidate": _told(f"#{candidate.run['number']}", "failed"),
            "kinds": words.get(line.test, []),
        }
        found.append((line, told))
    return found


def _last(line: TestLane | None, base: Side) -> tuple[int, dict[str, Any]] | None:
    """The newest run up to the base in which a test failed or passed, with its age."""
    ran = (line.failed | line.passed) >> base.age if line else 0
    if not ran:
        return None
    age = base.age + (ran & -ran).bit_length() - 1
    return age, base.runs[age]


def _told(of: str, status: str | None) -> dict[str, Any]:
    return {"of": of, **{name: int(name == status) for name in ("passed", "failed", "skipped")}}


def _words(store: Store, part: Filter) -> dict[int, list[str]]:
    """The words that tests carried after the run."""
    _, judged = judge(store, part)
    return {verdict.line.test: sorted(verdict.kinds, key=KINDS.index) for verdict in judged}


def _left_out(store: Store, part: Filter, candidate: Side) -> dict[str, Any]:
    """The storms of the run and the sick hosts of its lane, and how many failures of the run they took."""
    if part.include_storms:
        return {}
    around = analyse_lanes(store, part, MASK_BITS)
    storms = [row for row in storm_rows(store, around.window, around.storms) if row["run"] == candidate.run["id"]]
    ill = sum(line.sick >> candidate.age & 1 for line in around.lines)
    hosts = [host_row(around, host) for host in around.hosts if host.sick]
    failures = ill + sum(storm["failed"] for storm in storms)
    return {"failures": failures, "storms": storms, "hosts": hosts if ill else []}


def _results(store: Store, candidate: Side, flt: Filter) -> int:
    """How many results the run has of the part that is asked about."""
    found = one_run(store, candidate.run["id"], Filter(module=flt.module, topology=flt.topology))
    return found["total"] if found else 0


def _row(test: int, named: dict[str, Any], module: str, told: dict[str, Any]) -> dict[str, Any]:
    judged = evidence.judge(told)
    return {
        "test": ids.text(test),
        "key": f"{named['file']}::{named['class']}::{named['name']}",
        "name": named["name"],
        "module": module,
        "class": judged["class"],
        "before": judged["before"],
        "kinds": told["kinds"],
        "sentence": evidence.sentence(told),
        "evidence": told,
    }


def _decided(candidate: Side, results: int, new: int, max_new: int) -> dict[str, Any]:
    run = candidate.run
    said = f"{counted(new, 'test')} {'fails' if new == 1 else 'fail'} that did not before; at most {max_new} may."
    if new > max_new:
        return {"state": CLOSED, "reason": said}
    if run["missing"]:
        missing = f"{run['missing']} of the {run['builds']} builds of run #{run['number']}"
        return {"state": UNKNOWN, "reason": f"{missing} have brought no results.", "pending": True}
    if not results:
        return {"state": UNKNOWN, "reason": f"Run #{run['number']} has no result of what is asked about."}
    return {"state": PASSED, "reason": said}
