"""Detectors replayed over a past whose truth is known; the look at the newest run is what the product says today."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from support.regression_scenario import BREAKS, RUNS, STORM_RUN

from data.model import ids
from data.model.filters import Filter
from data.verdicts import failure_rates, verdicts
from data.verdicts.rules import NEW_FAILURE, REGRESSION
from regtracker import main
from regtracker.backtest import history, known_faults, report, simulated_histories
from regtracker.backtest.detectors import DETECTORS, by_verdict
from regtracker.backtest.replay import replay

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lane(programme):
    (lane,) = history.past_lanes(programme, "7.0")
    return lane


def key(name: str) -> str:
    return f"tests/routing/routing_test.py::TestIt::{name}"


def test_the_last_look_judges_as_the_product_does_now(programme, lane):
    last = list(lane.looks())[-1]
    assert (last.number, last.hidden) == (RUNS, 0)
    broken = frozenset({REGRESSION, NEW_FAILURE})
    rows = verdicts.verdicts(programme, Filter(release="7.0"), (REGRESSION, NEW_FAILURE))
    assert {ids.text(test) for test in by_verdict(last, set(), broken, 10)} == {row["test"] for row in rows}
    scores = {detector.name: detector.find(last, set()) for detector in DETECTORS}
    claimed = {row["test"] for row in failure_rates.regressions(programme, Filter(release="7.0"))["tests"]}
    # Without the looks before, nothing is open yet: the product may keep more.
    assert {ids.text(test) for test in scores["Fisher, 10 runs, confirmed"]} <= claimed


def test_an_earlier_look_knows_nothing_of_later_runs(lane):
    looks = {look.number: look for look in lane.looks()}
    breaks = ids.of(key("breaks"))
    for number, expected in ((BREAKS - 1, False), (BREAKS, True)):
        line = next(line for line in looks[number].undisturbed if line.test == breaks)
        assert line.status_string().endswith("F") is expected
    storm = looks[STORM_RUN]
    assert not any(line.failed & 1 for line in storm.undisturbed if line.module == "nvs")
    assert sum(line.failed & 1 for line in storm.raw if line.module == "nvs") == 16


def test_hindsight_knows_what_lasted(lane):
    known = known_faults.from_hindsight([lane])
    faults = {fault.test: fault for fault in known.faults}
    assert set(faults) == {ids.of(key("breaks")), ids.of(key("mended"))}
    assert (faults[ids.of(key("mended"))].first, faults[ids.of(key("mended"))].end) == (30, RUNS)
    assert (faults[ids.of(key("breaks"))].first, faults[ids.of(key("breaks"))].end) == (BREAKS, None)
    assert known.always_failing == {("7.0", ids.of(key("hopeless")))}


def test_scores_tell_how_soon_and_how_often_for_nothing(lane):
    known = known_faults.from_hindsight([lane])
    rows = {score.detector.name: score.row() for score in replay([lane], known, DETECTORS)}
    two, at_once = rows["regression, window 10"], rows["new failure or regression"]
    assert (two["recall"], two["delay"]) == (1.0, 2.0)
    assert (at_once["recall"], at_once["delay"]) == (1.0, 1.0)
    assert rows["three failures in a row"]["delay"] == 3.0
    assert two["precision"] > at_once["precision"]
    with_storms = rows["new failure or regression, mass failures and bad hosts included"]
    assert with_storms["alarms"] >= at_once["alarms"] + 16
    weeks = (RUNS - 1) / 2 / 7
    false = at_once["alarms"] * (1 - at_once["precision"])
    assert at_once["false_per_1000_tests_and_week"] == pytest.approx(false / (lane.tests / 1000 * weeks))


def test_the_simulators_truth_is_understood():
    entry = {"release": "7.0", "key": key("t"), "rate": 0.5, "commit": "abc", "first_bad_run": 4, "last_good_run": 3}
    lost = entry | {"last_good_run": None}
    document = {
        "regressions": [entry, lost],
        "new_failures": [],
        "fixed": [entry | {"fixed_run": 9}],
        "always_failing": [],
    }
    known = known_faults.from_simulator(document)
    assert [(fault.first, fault.end, fault.rate, fault.commit) for fault in known.faults] == [
        (4, None, 0.5, "abc"),
        (4, 9, 0.5, "abc"),
    ]
    assert [known.faults[1].is_active_at(number) for number in (3, 4, 8, 9)] == [False, True, True, False]
    with pytest.raises(KeyError):
        known_faults.from_simulator({"seed": 7})


def test_the_measures_come_out_near_their_aims():
    measures = {row["measure"]: row for row in simulated_histories.measure(seed=3, looks=8, histories=60)}
    aims = {name: row for name, row in measures.items() if row["aim"] is not None}
    assert len(aims) == 6
    assert next(row["value"] for name, row in aims.items() if "99 % range" in name) >= 0.95
    assert next(row["value"] for name, row in aims.items() if "builds to suspected" in name) <= 14
    assert next(row["value"] for name, row in aims.items() if "false among the confirmed" in name) <= 0.1
    assert next(row["value"] for name, row in aims.items() if "ranked first" in name) >= 0.75


def test_equal_suspects_share_a_rank():
    assert simulated_histories.chance_of_rank([0.4, 0.4, 0.2], 1, 1) == 0.5
    assert simulated_histories.chance_of_rank([0.4, 0.4, 0.2], 2, 3) == 1.0
    assert simulated_histories.chance_of_rank([0.4, 0.4, 0.2], -1, 3) == 0.0
    assert simulated_histories.chance_of_rank([0.25, 0.25, 0.25, 0.25], 0, 3) == 0.75


def test_the_command_tells_and_writes_the_same_tables(programme, tmp_path, monkeypatch):
    monkeypatch.setenv("REGTRACKER_HOME", str(programme.settings.home))
    monkeypatch.delenv("REGTRACKER_CONFIG", raising=False)
    target = tmp_path / "accuracy.md"
    target.write_text("# Accuracy\n\nBefore.\n")
    arguments = ["--release", "7.0", "--title", "own", "--write", str(target)]
    first = CliRunner().invoke(main, ["backtest", *arguments])
    assert first.exit_code == 0, first.output
    once = target.read_text()
    assert once.startswith("# Accuracy\n\nBefore.\n\n## own\n\n<!-- backtest: own -->") and first.stdout.strip() in once
    target.write_text(once + "\nAfter.\n")
    assert CliRunner().invoke(main, ["backtest", *arguments]).exit_code == 0
    assert target.read_text() == once + "\nAfter.\n"
    answer = json.loads(CliRunner().invoke(main, ["backtest", "--release", "7.0", "--json"]).stdout)
    assert answer["truth"] == "hindsight" and answer["faults"] == 2 and answer["measures"] == []
    assert [row["detector"] for row in answer["detectors"]] == [detector.name for detector in DETECTORS]
    missing = CliRunner().invoke(main, ["backtest", "--truth", str(tmp_path / "none.json")])
    assert missing.exit_code == 2 and "cannot be read" in missing.stderr
    (tmp_path / "odd.json").write_text("{}")
    odd = CliRunner().invoke(main, ["backtest", "--truth", str(tmp_path / "odd.json")])
    assert odd.exit_code == 2 and "is not the simulator's truth.json" in odd.stderr


def test_a_table_says_what_the_default_is(programme):
    found = report.replayed(programme, ("7.0",), None, lambda text: None)
    text = report.markdown(found)
    assert "| **regression, window 10** |" in text and "| regression, window 5 |" in text
