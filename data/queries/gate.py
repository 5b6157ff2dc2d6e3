"""The gate for CI jobs: does this run fail where its baseline did not?

It never passes by accident: a run that is unknown, running, or incomplete has the state unknown, with the failures that
are found so far. The text of the answer is in data/verdicts/evidence/gate.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from data.answers.evidence import ComparedSide, ComparisonEvidence
from data.answers.gate import FailingClass, Gate, GateLeftOut, GateTest
from data.answers.runs import Run
from data.answers.tests import TestName
from data.lake.cached_query import cached_query, of_release_alone
from data.lake.store import Store
from data.model import ids
from data.model.filters import Filter, TestScope
from data.queries.missing_results import LACKING, gaps
from data.queries.runs import WITH_RESULTS, newest_complete
from data.queries.runs import run as one_run
from data.queries.runs import runs as newest_runs
from data.verdicts.disturbances.lists import host_row, storm_rows
from data.verdicts.evidence import comparison as evidence
from data.verdicts.evidence import gate as gate_text
from data.verdicts.flaky_exclusion import excluded_tests
from data.verdicts.lane_analysis import analyse_lanes, lanes_of_tests, long_reach
from data.verdicts.lanes import MASK_BITS, LaneWindow
from data.verdicts.status_masks import TestLane
from data.verdicts.unread_history import unread_lanes
from data.verdicts.verdicts import kinds_of_tests, test_names

FAILING: tuple[FailingClass, ...] = ("regression", "new_failure", "still_failing")
NEW = FAILING[:2]


class _UnknownError(Exception):
    """The gate cannot be decided; `pending`: waiting may help."""

    def __init__(self, reason: str, pending: bool = False) -> None:
        super().__init__(reason)
        self.pending = pending


@dataclass(frozen=True)
class RunInLane:
    """Run number `age` of the `runs` of its lane (release x environment), newest first. The lane of an older candidate
    ends with it, so that later runs change nothing in its answer."""

    lane: Filter
    runs: list[Run]
    age: int

    @property
    def run(self) -> Run:
        return self.runs[self.age]


@cached_query(of_release_alone("baseline", "ledger"))
def gate(
    store: Store,
    flt: Filter,
    run: str | None = None,
    baseline: str | None = None,
    kinds: tuple[FailingClass, ...] = NEW,
    max_new: int = 0,
    limit: int = 200,
) -> Gate:
    """Whether a run fails where its baseline did not; `tests` has at most `limit`.

    `run`: a number or id; default the newest of the filter's release. `baseline`: a number or id, or a release (its
    newest complete run in the same environment); default the newest complete run before. A test counts if it failed in
    the run and `kinds` holds its class: by its last status up to the baseline it passed (regression), had none in the
    62 builds of its job looked at (new_failure), or failed (still_failing). Mass failures and bad hosts count in
    neither run, unless the filter includes storms; with `exclude_flaky`, flaky tests do not count. `pending`: waiting
    may help.
    """
    answer: Gate = {
        "state": gate_text.UNKNOWN,
        "reason": "",
        "pending": False,
        "run": None,
        "baseline": None,
        "new": 0,
        "max_new": max_new,
        "counts": {"regression": 0, "new_failure": 0, "still_failing": 0},
        "tests": [],
        "left_out": {"failures": 0, "noisy": 0, "storms": [], "hosts": []},
    }
    try:
        candidate = _candidate(store, flt, run)
        answer["run"] = candidate.run
        _check_history(store, candidate)
        base = _baseline(store, candidate, baseline)
    except _UnknownError as error:
        found = answer["run"]
        texts = [] if found is None else gate_text.unfinished(found, _lacking(store, found, flt))
        return {**answer, "reason": " ".join([*texts, str(error)]), "pending": error.pending}

    scope = replace(candidate.lane, module=flt.module, topology=flt.topology)
    failing = _failing(store, scope, candidate, base)
    answer["baseline"] = base.run
    answer["left_out"] = _left_out(store, scope, candidate)
    if flt.exclude_flaky:
        flaky = set(excluded_tests(store, candidate.run["release"]).get(candidate.run["environment"] or "", ()))
        answer["left_out"]["noisy"] = sum(test_lane.test in flaky for test_lane, _ in failing)
        failing = [(test_lane, evidence_) for test_lane, evidence_ in failing if test_lane.test not in flaky]
    counting = []
    for test_lane, evidence_ in failing:
        name = _failing_class(evidence_)
        answer["counts"][name] += 1
        if name in kinds:
            counting.append((FAILING.index(name), test_lane.module, test_lane.test, name, evidence_))
    counting.sort(key=lambda row: row[:3])
    answer["new"] = len(counting)
    names = test_names(store, [test for _, _, test, _, _ in counting[:limit]])
    answer["tests"] = [
        _row(test, names[test], module, name, evidence_) for _, module, test, name, evidence_ in counting[:limit]
    ]
    results = _result_count(store, candidate, flt)
    lacking = _lacking(store, candidate.run, flt)
    return {**answer, **gate_text.decide(candidate.run, base.run, lacking, results, len(counting), max_new, kinds)}


def _failing_class(evidence_: ComparisonEvidence) -> FailingClass:
    """The class of a test that fails now."""
    found = evidence.judge(evidence_)["class"]
    assert found == "regression" or found == "new_failure" or found == "still_failing"
    return found


def _candidate(store: Store, flt: Filter, run: str | None) -> RunInLane:
    lane = Filter(flt.release, environment=flt.environment, include_storms=flt.include_storms)
    newest = newest_runs(store, lane, 10 * MASK_BITS)
    if not newest:
        raise _UnknownError(gate_text.no_run(flt.release, flt.environment), pending=True)
    matching = [row for row in newest if run is None or run in (str(row["number"]), row["id"])]
    if not matching:
        other = None if run is None or run.isdecimal() else one_run(store, run, Filter(as_of=flt.as_of))
        if other is not None:
            name = gate_text.run_name(other["release"], other["environment"], other["job"], other["number"])
            raise _UnknownError(gate_text.run_of_another(flt.release, flt.environment, name))
        raise _UnknownError(gate_text.no_run(flt.release, flt.environment, run), pending=True)
    environments = sorted({row["environment"] or "" for row in matching})
    if len(environments) > 1:
        raise _UnknownError(gate_text.several_environments(flt.release, environments, run))
    if run is not None and len({_job(row) for row in matching}) > 1:  # in a folder each job has a run 1, 2, ...
        raise _UnknownError(gate_text.several_jobs(flt.release, [(row["job"], row["id"]) for row in matching], run))
    chosen = matching[0]
    runs = [row for row in newest if row["environment"] == chosen["environment"]]
    age = runs.index(chosen)
    lane = replace(lane, environment=chosen["environment"], at_run=chosen["id"] if age else None)
    return RunInLane(lane, runs[age : age + MASK_BITS], 0)


def _check_history(store: Store, candidate: RunInLane) -> None:
    """Raise _UnknownError while the history of one of the run's jobs is still being read."""
    window = analyse_lanes(store, candidate.lane, long_reach(store)).window
    jobs = {build.job for build in window.builds if build.age == candidate.age}
    for history in unread_lanes(store, candidate.lane, window).values():
        if history.holds_back(jobs):
            raise _UnknownError(history.row()["sentence"], pending=True)


def _baseline(store: Store, candidate: RunInLane, baseline: str | None) -> RunInLane:
    before = [row for row in candidate.runs[candidate.age + 1 :] if row["state"] in WITH_RESULTS]
    of_job = [row for row in before if _job(row) == _job(candidate.run)]
    if baseline is None or baseline == candidate.lane.release:
        complete = newest_complete(of_job or before)
        if complete is None:
            raise _UnknownError(gate_text.no_earlier_run(candidate.run))
        return RunInLane(candidate.lane, candidate.runs, candidate.runs.index(complete))
    lane = replace(candidate.lane, release=baseline, at_run=None)
    others = newest_runs(store, lane, MASK_BITS)
    if others:
        complete = newest_complete(others)
        if complete is None:
            raise _UnknownError(gate_text.no_complete_baseline(baseline), pending=True)
        return RunInLane(lane, others, others.index(complete))
    matching = [row for row in before if baseline in (str(row["number"]), row["id"])]
    if not matching:
        raise _UnknownError(gate_text.unknown_baseline(baseline, candidate.run))
    own = [row for row in matching if row in of_job]
    if not own and len({_job(row) for row in matching}) > 1:
        jobs = [(row["job"], row["id"]) for row in matching]
        raise _UnknownError(gate_text.several_jobs(candidate.lane.release, jobs, baseline))
    return RunInLane(candidate.lane, candidate.runs, candidate.runs.index((own or matching)[0]))


def _job(run: Run) -> tuple[str, str]:
    """What numbers a run."""
    return run["source"], run["job"]


def _failing(
    store: Store, scope: Filter, candidate: RunInLane, base: RunInLane
) -> list[tuple[TestLane, ComparisonEvidence]]:
    """The tests that failed in the candidate, each with its evidence."""
    analysis = analyse_lanes(store, scope, long_reach(store))
    window = analysis.window
    failing = [test_lane for test_lane in analysis.test_lanes if test_lane.failed & test_lane.bit_at(candidate.age)]
    before = {test_lane.test: test_lane for test_lane in failing}
    if base.lane != candidate.lane:
        # `lanes_of_tests` also finds the tests that never failed in the base's lane.
        other = replace(scope, release=base.lane.release, module=None, at_run=None)
        window = analyse_lanes(store, other, long_reach(store)).window
        in_base_lane = lanes_of_tests(store, other, long_reach(store), before) if before else []
        before = {test_lane.test: test_lane for test_lane in in_base_lane}
    kinds = kinds_of_tests(store, scope)
    release = f"{base.lane.release} " if base.lane.release != candidate.lane.release else ""
    rows = []
    for test_lane in failing:
        number, status = _last_result(before.get(test_lane.test), window, base)
        evidence_: ComparisonEvidence = {
            "rule": "class",
            "base": _side(f"{release}#{number}", status),
            "candidate": _side(f"#{candidate.run['number']}", "failed"),
            "kinds": kinds.get(test_lane.test, []),
        }
        rows.append((test_lane, evidence_))
    return rows


def _last_result(test_lane: TestLane | None, window: LaneWindow, base: RunInLane) -> tuple[int, str | None]:
    """(run number, status) of a test's newest result up to the base; the base and None if it has none."""
    if test_lane is not None:
        ran = test_lane.failed | test_lane.passed
        for bit, age in enumerate(test_lane.ages):
            if age >= base.age and ran >> bit & 1:
                number = window.runs[test_lane.lane][age].number
                return number, "failed" if test_lane.failed >> bit & 1 else "passed"
    return base.run["number"], None


def _side(name: str, status: str | None) -> ComparedSide:
    """One side of the evidence of a comparison."""
    return {
        "of": name,
        "passed": int(status == "passed"),
        "failed": int(status == "failed"),
        "skipped": int(status == "skipped"),
    }


def _left_out(store: Store, scope: Filter, candidate: RunInLane) -> GateLeftOut:
    """The mass failures of the run and the bad hosts of its lane, and how many failures of the run they explain."""
    if scope.include_storms:
        return {"failures": 0, "noisy": 0, "storms": [], "hosts": []}
    analysis = analyse_lanes(store, scope, long_reach(store))
    storms = [row for row in storm_rows(store, analysis.window, analysis.storms) if row["run"] == candidate.run["id"]]
    on_bad_hosts = sum(
        bool(test_lane.on_bad_host & test_lane.bit_at(candidate.age)) for test_lane in analysis.test_lanes
    )
    hosts = [host_row(analysis, host) for host in analysis.hosts if host.bad]
    failures = on_bad_hosts + sum(storm["failed"] for storm in storms)
    return {"failures": failures, "noisy": 0, "storms": storms, "hosts": hosts if on_bad_hosts else []}


def _lacking(store: Store, run: Run, flt: TestScope) -> gate_text.Lacks | None:
    """What the run lacks; None if nothing. With a module in the filter, the builds that usually test it, or whose tests
    are unknown."""
    if not run["incomplete"]:
        return None
    found = gaps(store, (run["id"],)).get(run["id"], [])
    if flt.module is not None:
        found = [gap for gap in found if flt.module in gap.results or None in gap.results.values()]
        if not found:
            return None
    missing = [gap for gap in found if gap.why == "missing"]
    sql = """SELECT count(*) FROM run_builds rb LEFT JOIN ledger l
        ON (rb.source, rb.job, rb.number) = (l.source, l.job, l.number) AND l.kind = 'build'
        WHERE rb.run = ? AND rb.build IS NULL AND l.state IS DISTINCT FROM 'gone'"""
    pending = any(gap.build is None for gap in missing) and store.value(sql, [ids.number(run["id"])]) > 0
    partial = [gap for gap in found if gap.why == "partial"]
    explained = [gap for gap in found if gap.why in LACKING and gap.reason is not None]
    return {
        "missing": len(missing),
        "aborted": len(found) - len(missing) - len(partial),
        "partial": len(partial),
        "first_partial": f"{explained[0].job} #{explained[0].number}: {explained[0].reason}" if explained else None,
        "pending": pending,
    }


def _result_count(store: Store, candidate: RunInLane, flt: TestScope) -> int:
    """How many results the run has in the filter's module and topology."""
    found = one_run(store, candidate.run["id"], Filter(module=flt.module, topology=flt.topology))
    return found["total"] if found else 0


def _row(test: int, names: TestName, module: str, name: FailingClass, evidence_: ComparisonEvidence) -> GateTest:
    derived = evidence.judge(evidence_)
    return {
        "test": ids.text(test),
        "key": f"{names['file']}::{names['class']}::{names['name']}",
        "name": names["name"],
        "module": module,
        "class": name,
        "before": derived["before"],
        "kinds": evidence_["kinds"],
        "sentence": evidence.sentence(evidence_),
        "evidence": evidence_,
    }
