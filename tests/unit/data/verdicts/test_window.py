"""What a verdict looks at: the last results of the test, however many runs of others lie between; and when it began."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.store_builder import START, World, cases

from data.model import ids
from data.model.filters import Filter
from data.queries import bugs, gate, grid, matrix, releases
from data.verdicts import failure_rates, flaky_exclusion, flaky_ranking, verdicts
from data.verdicts.evidence.failure_history import find_beginning, last_rise
from data.verdicts.evidence.judging import sentence
from data.verdicts.rules import WINDOW, classify
from data.verdicts.status_masks import CURRENT_BUILDS

SEVEN = Filter(release="7.0")
NOTHING_LEFT_OUT = Filter(release="7.0", include_storms=True)
THRESHOLD = 0.001


@pytest.fixture
def world(tmp_path):
    return World.at(tmp_path)


def kinds(world: World, flt: Filter = SEVEN) -> dict[str, set[str]]:
    return {row["name"]: set(row["kinds"]) for row in verdicts.verdicts(world.store, flt)}


def test_runs_in_which_a_test_did_not_run_do_not_count(world):
    gap, far = "-" * 25, "-" * 45
    sequences = {
        "steady": "P",
        "new_failure": f"P{gap}F",
        "regression": f"P{'-' * 11}F{'-' * 11}F",
        "skipped": f"P{'S' * 40}FF",
        "flaky": f"P{gap}F{gap}P",
        "fixed": f"F{far}P",
        "waits": f"PFF{gap}",
        "full_window": f"P{far}" + "F-----" * 11,
    }
    longest = max(map(len, sequences.values()))
    filled = {name: letters.rjust(longest, "-") for name, letters in sequences.items()}
    world.history(filled | {"steady": "P" * longest})
    assert kinds(world) == {
        "new_failure": {"new_failure"},
        "regression": {"regression"},
        "skipped": {"regression"},
        "flaky": {"flaky", "fixed"},
        "fixed": {"fixed"},
        "waits": {"regression"},
        "full_window": {"always_failing"},
    }


def test_any_mix_of_often_and_seldom_run_tests_is_judged_by_its_last_results(world):
    rng = random.Random(13)
    sequences = {
        f"t{number}": "".join(
            rng.choice("PPPPPFFK") if rng.random() < share else rng.choice("---S") for _ in range(140)
        )
        for number, share in enumerate([0.03, 0.06, 0.1, 0.2, 0.5, 0.9] * 8)
    }
    world.history(sequences)
    assert kinds(world, NOTHING_LEFT_OUT) == literal(sequences)
    # The same, as it was known in the middle.
    middle = ids.text(world.runs[99].id)
    then = kinds(world, Filter(release="7.0", include_storms=True, at_run=middle))
    assert then == literal({name: letters[:100] for name, letters in sequences.items()})


def test_a_process_that_starts_judges_tests_that_only_a_short_lane_has(world):
    world.history({"steady": "P" * 30, "seldom": "P" + "-" * 26 + "FFF"})
    world.history({"only_here": "PFF"}, module="storage", environment="staging")
    home = world.store.settings.home
    world.store.close()
    started = World.at(home)  # it has read no build yet, and reads older builds of the long lane first
    assert kinds(started) == {"seldom": {"regression"}, "only_here": {"regression"}}


def literal(sequences: dict[str, str]) -> dict[str, set[str]]:
    """The verdict kinds by the rules, of tests whose last result is not too long ago."""
    found = {name: set(classify(letters.replace("-", "S"))) for name, letters in sequences.items()}
    since = {name: len(letters) - len(letters.rstrip("-S")) for name, letters in sequences.items()}
    return {name: words for name, words in found.items() if words and since[name] < CURRENT_BUILDS}


@pytest.mark.parametrize(("jobs", "nights"), [(25, 11), (100, 3)])
def test_each_job_of_a_folder_has_a_window_of_its_own(world, jobs, nights):
    nightly = [
        (
            {f"job{job:03}": {f"breaks{job}": "P" if night < nights - 2 else "F", f"steady{job}": "P"}},
            {"started_at": START + timedelta(days=night, minutes=job)},
        )
        for night in range(nights)
        for job in range(jobs)
    ]
    world.series(nightly)
    rows = verdicts.verdicts(world.store, SEVEN)
    assert [row["kind"] for row in rows] == ["regression"] * jobs
    assert releases.tiles(world.store, SEVEN)[0]["regressions"] == jobs
    for row in rows:
        job = int(row["name"].removeprefix("breaks"))
        assert row["strip"] == ("P" * (nights - 2) + "FF")[-WINDOW - 1 :]
        assert row["first_bad"]["number"] == (nights - 2) * jobs + job + 1
        assert row["first_bad"]["build"]["job"] == f"qa/7.0/JOB{job:03}"
        assert "Has not run" not in row["sentence"]


def test_every_screen_and_route_counts_the_regressions_of_all_jobs(world):
    sequences = {"broke": "PPFF", "flaky": "PFPP", "passed": "PPPP"}
    nightly = [
        (
            {f"job{job:02}": {f"{name}{job}": sequence[night] for name, sequence in sequences.items()}},
            {"started_at": START + timedelta(days=night, minutes=job)},
        )
        for night in range(4)
        for job in range(30)
    ]
    world.series(nightly)
    store = world.store
    (tile,) = releases.tiles(store, SEVEN)
    assert [tile["regressions"], tile["new_failures"], tile["flaky"]] == [30, 0, 30]
    assert len(flaky_ranking.flaky(store, SEVEN)) == 30
    assert len(flaky_exclusion.excluded_tests(store, "7.0")["prod"]) == 30
    drawn = grid.grid(store, SEVEN, kinds=("regression",))
    assert {test["name"] for test in drawn["tests"]} == {f"broke{job}" for job in range(30)}
    assert failure_rates.regressions(store, Filter(release="7.0", runs=2))["compared"] == 60
    answer = gate.gate(store, SEVEN)
    assert [answer["state"], answer["counts"]["still_failing"], answer["new"]] == ["passed", 1, 0]
    assert bugs.bugs(store, SEVEN) == []


def test_the_matrix_shows_each_job_of_a_folder_by_its_own_newest_run(world):
    """The runs of a folder are made by the jobs themselves, so the newest run of the lane is of one job alone."""
    nights, runs = 3, []
    for night in range(nights):
        for job in range(30):
            run, builds, run_builds = world.prepare({f"job{job:02}": {f"t{job}": "PFF"[night], f"u{job}": "P"}})
            own = f"nightly/job{job:02}"
            moved = type(run)(**{**vars_of(run), "job": own, "number": night + 1})
            runs.append((moved, builds, [type(row)(moved.id, *tuple_of(row)[1:]) for row in run_builds]))
    world.write([run for run, _, _ in runs], [b for _, bs, _ in runs for b in bs], [r for *_, rs in runs for r in rs])
    found = matrix.matrix(world.store, "7.0")
    assert [found["state"], found["tests"], len(found["rows"])] == ["failing", 30, 30]
    assert {row["state"] for row in found["rows"]} == {"failing"}
    for row in found["rows"]:
        (cell,) = row["cells"]
        assert [cell["total"], cell["failed"], cell["regressions"]] == [2, 1, 1]
        assert cell["evidence"]["numbers"] == [nights]


def vars_of(run) -> dict:
    names = run.__dataclass_fields__
    return {name: getattr(run, name) for name in names}


def tuple_of(row) -> tuple:
    return tuple(getattr(row, name) for name in row.__dataclass_fields__)


def test_a_test_that_no_longer_runs_loses_its_verdict_after_sixty_builds_of_its_job(world):
    world.history({"gone": "PFF" + "-" * (CURRENT_BUILDS - 1), "other": "P" * (CURRENT_BUILDS + 2)})
    (row,) = verdicts.verdicts(world.store, SEVEN)
    assert row["kinds"] == ["regression"] and row["sentence"].endswith("Has not run since #3.")
    world.history({"other": "P"})
    assert kinds(world) == {}


def test_a_job_that_no_longer_runs_loses_its_verdicts_after_sixty_runs_and_sixty_days(world):
    letters = ["P", "F", "F"]
    world.series(
        ({"old": {"t": letter}}, {"started_at": START + timedelta(days=day)}) for day, letter in enumerate(letters)
    )
    world.series(({"new": {"u": "P"}}, {"started_at": START + timedelta(days=3, hours=number)}) for number in range(62))
    assert kinds(world) == {"t": {"regression"}}, "a day later it may still run"
    world.run({"new": {"u": "P"}}, started_at=START + timedelta(days=70))
    assert kinds(world) == {}


def test_a_job_of_a_calm_release_keeps_its_verdicts(world):
    world.series(({"old": {"t": letter}}, {"started_at": START}) for letter in "PFF")
    world.series(({"new": {"u": "P"}}, {"started_at": START + timedelta(days=300 + number)}) for number in range(5))
    assert kinds(world) == {"t": {"regression"}}


def test_a_rescue_counts_where_another_topology_fails_in_the_same_run(world):
    import pyarrow as pa

    def both(three: str, five: str):
        return pa.concat_tables([cases("m", {"t": three}, "3s"), cases("m", {"t": five}, "5s")])

    world.series({"m": both(three, five)} for three, five in (("P", "P"), ("F", "FP"), ("F", "P")))
    (row,) = verdicts.verdicts(world.store, SEVEN)
    assert row["kinds"] == ["regression", "flaky"]
    assert row["evidence"]["disagreed"] == row["evidence"]["rescued"] == [1]
    assert row["sentence"].endswith("Also flaky.")
    (ranked,) = flaky_ranking.flaky(world.store, SEVEN)
    assert [ranked["rescued"], ranked["disagreed"], ranked["last_disturbed"]["number"]] == [1, 0, 2]
    # Failing on one topology alone is no disagreement.
    assert kinds(world, Filter(release="7.0", topology="3s")) == {"t": {"regression"}}


# Beginnings


def test_a_stretch_begins_where_it_began_however_long_ago(world):
    world.history({"long": "PPPP" + "F" * 40, "ever": "F" * 44, "steady": "P" * 44})
    rows = {row["name"]: row for row in verdicts.verdicts(world.store, SEVEN)}
    long, ever = rows["long"], rows["ever"]
    assert long["kinds"] == ["always_failing"]
    assert [long["first_bad"]["number"], long["last_good"]["number"]] == [5, 4]
    assert long["since_run"] == ids.text(world.runs[4].id)
    assert long["range_99"]["after"] < 5 <= long["range_99"]["until"]
    assert long["sentence"].startswith("Failed in the last 40 runs, since #5; passed in #4. Broke ")
    assert [ever["first_bad"]["number"], ever["last_good"]] == [1, None]
    assert ever["sentence"] == "Failed in all of its last 44 runs, since #1."


def test_beginnings_survive_the_end_of_the_window(world):
    """From regression to always failing, the beginning stays the same."""
    for length, more in ((2, "PPPPPFF"), (10, "F" * 8), (11, "F"), (15, "F" * 4)):
        world.history({"t": more})
        (row,) = verdicts.verdicts(world.store, SEVEN)
        assert row["kind"] == ("regression" if length <= WINDOW else "always_failing")
        assert [row["first_bad"]["number"], row["last_good"]["number"]] == [6, 5]
        (without,) = verdicts.verdicts(world.store, SEVEN, ranges=False)
        assert without["since_run"] == row["since_run"] == ids.text(world.runs[5].id)


def test_a_range_that_excludes_the_newest_stretch_says_why(world):
    world.history({"t": "P" * 60 + "FFFF" + "PPPP" + "F" * 10})
    (row,) = verdicts.verdicts(world.store, SEVEN)
    assert row["since_run"] == ids.text(world.runs[68].id)
    assert row["range_99"]["after"] < row["first_bad"]["number"] <= row["range_99"]["until"] < 69
    assert "First failed in #61; 4 passes since then fit that rate." in row["sentence"]
    assert row["last_good"]["number"] == 60


HISTORIES = st.one_of(
    st.text("PFK", max_size=120),
    st.lists(st.tuples(st.sampled_from("PFK"), st.integers(1, 40)), max_size=8).map(
        lambda stretches: "".join(letter * length for letter, length in stretches)
    ),
)


@given(HISTORIES.map(lambda letters: letters + "F"), st.sampled_from([0.05, 0.001, 0.0001]))
@example("P" * 60 + "F" * 4 + "P" * 4 + "F" * 10, THRESHOLD)
def test_the_first_bad_run_is_a_failure_inside_the_range(statuses, threshold):
    since, first_bad, last_good, change = find_beginning(statuses, threshold)
    assert statuses[since:] == "F" * (len(statuses) - since) and statuses[:since][-1:] != "F"
    assert statuses[first_bad] == "F" and first_bad <= since
    assert change == last_rise(statuses, threshold)
    if change is None:
        assert first_bad == since
    else:
        assert change.after < first_bad <= change.until
        assert "F" not in statuses[change.after + 1 : first_bad]
    if last_good is None:
        assert set(statuses[:first_bad]) <= {"F"}
    else:
        assert statuses[last_good] != "F" and set(statuses[last_good + 1 : first_bad]) <= {"F"}


@given(HISTORIES.map(lambda letters: letters + "F"))
def test_no_sentence_names_a_beginning_outside_its_range_without_saying_why(statuses):
    evidence = {
        "rule": "change_point",
        "threshold": THRESHOLD,
        "statuses": statuses,
        "numbers": list(range(1, len(statuses) + 1)),
    }
    since, first_bad, _, change = find_beginning(statuses, THRESHOLD)
    text = sentence(evidence)
    if change is not None and since > change.until:
        assert f"First failed in #{first_bad + 1};" in text and "fit" in text


# Unfinished builds


@pytest.mark.parametrize("result", ["ABORTED", "NOT_BUILT"])
def test_failures_of_an_aborted_build_are_named_and_do_not_count(world, result):
    world.history({"fails": "PPP", "broken": "PFF", "mends": "PFF"})
    world.run({"routing": {"fails": "F", "broken": "F", "mends": "P"}}, result=result)
    rows = {row["name"]: row for row in verdicts.verdicts(world.store, SEVEN)}
    assert set(rows) == {"broken", "mends"}, "an interrupted failure is no new failure, and nothing is mended"
    assert rows["broken"]["strip"] == rows["mends"]["strip"] == "PFF"
    assert rows["broken"]["sentence"].endswith("Failure not counted: #4 (aborted build).")
    assert verdicts.excluded_runs(world.store, key_of("fails"), SEVEN)[0] == {ids.text(world.runs[-1].id): "aborted"}
    world.history({"fails": "F", "broken": "F", "mends": "P"})
    rows = {row["name"]: row for row in verdicts.verdicts(world.store, SEVEN)}
    assert [rows["fails"]["kinds"], rows["mends"]["kinds"]] == [["new_failure"], ["flaky", "fixed"]]
    assert rows["fails"]["sentence"] == "Failed in #5; passed in #3. Failure not counted: #4 (aborted build)."
    assert [row["name"] for row in flaky_ranking.flaky(world.store, SEVEN)] == ["mends"]


def test_results_of_a_running_build_do_not_count_yet(world):
    world.history({"t": "PPP"})
    world.run({"routing": {"t": "F"}}, state="running")
    assert kinds(world) == {}
    assert list(verdicts.excluded_runs(world.store, key_of("t"), SEVEN)[0].values()) == ["running"]


def test_an_aborted_build_does_not_fill_the_window_of_a_seldom_run_test(world):
    world.history({"t": "PF" + "-" * 25, "u": "P" * 27})
    world.series([{"routing": {"t": "P", "u": "P"}}] * 25, result="ABORTED")
    world.history({"t": "F", "u": "P"})
    assert kinds(world) == {"t": {"regression"}}


def key_of(name: str) -> str:
    return ids.text(ids.of("tests/routing/routing_test.py", "TestIt", name))
