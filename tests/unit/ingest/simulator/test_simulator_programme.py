"""The world behind the fake Jenkins: deterministic, and as its truth states."""

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest
from lxml import etree
from support.paths import ROOT

from ingest.simulator import Programme, ProgrammeSize, ReleaseSpec, artifacts
from ingest.simulator.fake_jenkins import FakeJenkins
from ingest.simulator.programme import ERROR, FAILED, PASSED, SKIPPED
from ingest.simulator.truth import truth

pytestmark = pytest.mark.slow

START = datetime(2026, 11, 20, tzinfo=UTC)


def truth_of(programme: Programme) -> dict:
    return truth(programme, FakeJenkins(programme, None).root, detail=True)


def executions(programme: Programme):
    now = programme.now()
    return [
        e for r in programme.releases for m in programme.modules for e in programme.executions(r.name, m.index, now)
    ]


def fingerprint(programme: Programme) -> str:
    """Every byte of every artifact, and the truth."""
    digest, now = hashlib.sha256(), programme.now()
    for execution in executions(programme):
        for path, content in artifacts.files(programme, execution, now).items():
            digest.update(path.encode() + content())
        digest.update(repr(programme.commits_of(execution)).encode())
    digest.update(repr(truth_of(programme)).encode())
    return digest.hexdigest()


@pytest.mark.process
def test_the_same_arguments_give_the_same_bytes_in_another_process():
    here = fingerprint(Programme("tiny", 5, START))
    code = (
        "from tests.unit.ingest.simulator.test_simulator_programme import *\n"
        "import sys; sys.stdout.write(fingerprint(Programme('tiny', 5, START)))"
    )
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "12345",
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests"))),
    }
    there = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert there.stdout == here
    assert fingerprint(Programme("tiny", 6, START)) != here


def test_results_do_not_depend_on_what_was_asked_before():
    forward, backward = Programme("tiny", 5, START), Programme("tiny", 5, START)
    expected = [forward.results(execution).final for execution in executions(forward)]
    found = [backward.results(execution).final for execution in reversed(executions(backward))]
    assert all(np.array_equal(a, b) for a, b in zip(expected, reversed(found), strict=True))


@pytest.mark.parametrize(("size", "results"), [("tiny", 2_000), ("small", 50_000)])
def test_sizes_are_what_they_are_called(size, results):
    assert truth_of(Programme(size, 7, START))["counts"]["results"] == pytest.approx(results, rel=0.15)


@pytest.mark.parametrize("seed", range(20))
def test_every_kind_of_fault_is_planted_whatever_the_seed(seed):
    planted = truth_of(Programme("tiny", seed, START))
    kinds = ("regressions", "new_failures", "always_failing", "fixed", "flaky", "slower", "storms", "sick_hosts")
    assert all(planted[kind] for kind in (*kinds, "appeared"))


def history(programme: Programme, entry: dict) -> dict[int, bool]:
    """Build number -> whether the test failed in the end, over the production builds in which it ran."""
    out = {}
    for execution in executions(programme):
        if execution.run.release != entry["release"] or execution.module.name != entry["job_module"]:
            continue
        if execution.rotated or execution.settled > programme.now():
            continue
        results = programme.results(execution)
        seen = programme.visible(execution, programme.now())
        tests = execution.module.test[results.slot[:seen]]
        final = [int(results.final[i]) for i, t in enumerate(tests) if execution.module.tests[t].key == entry["key"]]
        if final:
            out[execution.number] = any(status in (FAILED, ERROR) for status in final)
    return out


def test_regressions_have_the_bounds_that_the_truth_names():
    programme = Programme("small", 7, START)
    planted = truth_of(programme)
    assert len(planted["regressions"]) >= 20
    for entry in planted["regressions"]:
        ran = history(programme, entry)
        good, bad = entry["last_good_build"], entry["first_bad_build"]
        assert not ran[good]
        assert not [number for number in ran if good < number < bad]
        if entry["rate"] == 1.0:
            assert all(failed for number, failed in ran.items() if number >= bad)
            assert entry["bad_builds"] == sum(number >= bad for number in ran) >= 2


def test_the_culprit_is_among_the_changes_after_the_last_good_build():
    programme = Programme("small", 7, START)
    for entry in truth_of(programme)["regressions"]:
        between = [
            commit.id
            for execution in executions(programme)
            if execution.run.release == entry["release"] and execution.module.name == entry["job_module"]
            if entry["last_good_build"] < execution.number <= entry["first_bad_build"]
            for commit in programme.commits_of(execution)
        ]
        assert entry["commit"] in between


def test_fixed_tests_pass_from_the_fixing_build_on():
    programme = Programme("small", 7, START)
    for entry in truth_of(programme)["fixed"]:
        ran = history(programme, entry)
        assert all(
            failed for number, failed in ran.items() if entry["first_bad_build"] <= number < entry["fixed_build"]
        )
        assert not ran[entry["fixed_build"]]


def test_flaky_tests_fail_at_their_rate_and_reruns_rescue_some():
    programme = Programme("small", 7, START)
    expected = failures = rescued = 0
    flaky = {(e["release"], e["job_module"], e["key"]): e["rate"] for e in truth_of(programme)["flaky"]}
    for execution in executions(programme):
        if execution.fate != "tests":
            continue
        results, module = programme.results(execution), execution.module
        for row, slot in enumerate(results.slot):
            rate = flaky.get((execution.run.release, module.name, module.tests[module.test[slot]].key))
            if rate and results.cause[row] >= 0:
                expected += rate
                failures += results.first[row] in (FAILED, ERROR)
                rescued += results.rerun[row] == PASSED
    assert failures == pytest.approx(expected, rel=0.15)
    assert rescued > 50


def test_storms_and_sick_hosts_show_in_the_results():
    programme = Programme("small", 7, START)
    planted = truth_of(programme)
    for storm in planted["storms"]:
        build = next(
            b
            for b in planted["builds"]
            if (b["release"], b["module"], b["build"]) == (storm["release"], storm["module"], storm["build"])
        )
        assert build["failed"] > 0.85 * build["total"]
    for bad_host in planted["sick_hosts"]:
        rates = {True: [], False: []}
        for execution in executions(programme):
            run, results = execution.run, programme.results(execution)
            if run.release != bad_host["release"] or run.number < bad_host["from_run"] or execution.fate != "tests":
                continue
            names = programme.host_names(run.release, execution.module)
            on_it = np.array([names[host] == bad_host["host"] for host in results.host])
            failed = (results.first == FAILED) | (results.first == ERROR)
            rates[True] += failed[on_it].tolist()
            rates[False] += failed[~on_it].tolist()
        assert np.mean(rates[True]) > 0.1 > 2 * np.mean(rates[False])


def test_pass_rates_look_real():
    planted = truth_of(Programme("small", 7, START))
    assert 0.94 < planted["counts"]["passed"] / planted["counts"]["results"] < 0.99


def test_a_running_build_grows_and_ends_as_the_finished_one():
    programme = Programme("tiny", 5, START)
    now = programme.now()
    running = next(e for e in executions(programme) if e.started <= now < e.ended)
    seen, logs = [], []
    while now < running.settled:
        seen.append(programme.visible(running, now))
        files = artifacts.files(programme, running, now)
        logs.append(b"".join(content() for path, content in files.items() if "re_run" not in path and "order" in path))
        now = programme.advance(120)
    assert seen == sorted(seen) and seen[0] < seen[-1]
    assert all(later.startswith(log) for log, later in pairwise(logs))
    twin = Programme("tiny", 5, START)
    twin.finish()
    assert artifacts.files(programme, running, now).keys() == artifacts.files(twin, running, twin.now()).keys()
    assert not [run for run in truth_of(twin)["runs"] if run["state"] == "running"]


def test_later_runs_come_with_the_clock_and_bring_breakages_that_are_fixed_again():
    programme = Programme("tiny", 5, START)
    before = truth_of(programme)
    programme.advance(20 * 86400)
    after = truth_of(programme)
    assert len(after["runs"]) > len(before["runs"]) + 60
    assert len(after["fixed"]) > len(before["fixed"])
    stale = [run for run in after["runs"] if run["release"] == "7.0"]
    assert len(stale) == 8


def test_live_runs_begin_and_end_within_minutes():
    programme = Programme("tiny", 5, live=True)
    before = len(truth_of(programme)["runs"])
    programme.advance(600)
    runs = [run for release in programme.releases for run in release.runs if run.started > programme.started]
    assert 10 <= len(runs) == len(truth_of(programme)["runs"]) - before <= 13
    assert all(30 < run.ended - run.started < 100 for run in runs)


def test_failure_texts_are_well_formed_in_every_family():
    programme = Programme("small", 7, START)
    texts, now = set(), programme.now()
    for execution in executions(programme)[:400]:
        for path, content in artifacts.files(programme, execution, now).items():
            if "/junit/" in path:
                texts.update(
                    node.get("message").split(" ")[0] for node in etree.fromstring(content()).iter("failure", "error")
                )
    assert len(texts) >= 8


def test_staging_runs_have_tests_of_their_own():
    planted = truth_of(Programme("small", 7, START))
    totals = {name: [b["total"] for b in planted["builds"] if b["environment"] == name] for name in ("prod", "staging")}
    assert 0 < np.mean(totals["staging"]) < np.mean(totals["prod"]) / 3


def test_skipped_and_every_other_status_occur():
    programme = Programme("small", 7, START)
    first = np.concatenate([programme.results(execution).first for execution in executions(programme)])
    assert set(first.tolist()) == {PASSED, FAILED, ERROR, SKIPPED}


def test_a_size_of_ones_own_and_one_that_is_too_small():
    size = ProgrammeSize((ReleaseSpec("1.0", 12, 3.0, 1),), modules=2, tests=15)
    assert truth_of(Programme(size, 3, START))["counts"]["builds"] > 20
    with pytest.raises(ValueError, match="at least 8 runs"):
        Programme(ProgrammeSize((ReleaseSpec("1.0", 3, 3.0, 1),), modules=2, tests=15), 3, START)
