"""The run screen: its baseline, what changed, what was left out, and which failures are new."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

import pytest
from support.screen import Screen

from dashboard.pages.overview import progress
from data.model import ids
from data.model.filters import Filter
from data.queries import runs
from data.queries.gate import gate

MOVES = {"broke": "PPF", "dead": "FFF", "fixed": "FFP", "steady": "PPP", "came": "--P"}


@pytest.fixture
def addresses(world) -> list[str]:
    world.history(MOVES)
    return [f"/runs/{ids.text(run.id)}" for run in world.runs]


def counts(run: Screen, view: str) -> dict[str, int]:
    """The numbers that link to a view of the run, by their words: verdicts (`broken`), the gate, or the changes."""
    texts = [link.text for link in run.all("link") if f"view={view}" in link.href]
    return {words: int(count) for count, words in re.findall(r"^(\d+) ([\w, →]+)$", "\n".join(texts), re.MULTILINE)}


def test_the_changes_are_on_top_and_follow_the_chosen_baseline(world, addresses, screen):
    run = screen("run", addresses[2])
    changes = counts(run, "changes")
    assert changes["failed → failed"] == 1 and changes["not run → passed"] == 1 and changes["failed → passed"] == 1
    baseline = run.one("combobox", "Run to compare with").selected
    assert baseline.text == "#2 (newest earlier complete run)" and baseline.value == ""
    first = addresses[0].rpartition("/")[2]
    chosen = screen("run", f"{addresses[2]}?base={first}&view=changes&class=regression")
    assert chosen.one("combobox", "Run to compare with").selected.value == first and chosen.cases("broke")
    assert "no earlier complete run" in screen("run", addresses[0])
    assert "No run 0123" in screen("run", f"{addresses[2]}?base=0123456789abcdef")


def test_an_unfinished_or_incomplete_run_is_no_baseline(world, addresses, screen):
    world.run({"routing": {"broke": "P"}}, state="running")
    world.run({"routing": {"broke": "P"}, "core": None})
    last = ids.text(world.run({"routing": {"broke": "F"}}).id)
    complete = ids.text(world.runs[2].id)
    run = screen("run", f"/runs/{last}")
    assert run.one("combobox", "Run to compare with").selected.text == "#3 (newest earlier complete run)"
    assert runs.baseline(world.store, last) == complete
    assert gate(world.store, Filter("7.0"), last)["baseline"]["id"] == complete
    compared = screen("compare", f"/compare?candidate={last}")
    assert [row for row in compared.all("combobox") if row.selected and row.selected.value == complete]


def test_modules_and_priorities_are_compared_with_the_same_run(world, addresses, screen):
    def metadata(cursor) -> None:
        cursor.execute("INSERT INTO test_metadata BY NAME SELECT 'broke' AS base_name, 'P0' AS priority")

    world.store.transact("test", "metadata", metadata)
    world.run({"routing": {"broke": "F", "dead": "F"}})
    first, last = (ids.text(world.runs[index].id) for index in (0, 3))
    before = screen("run", f"/runs/{last}").under("Priorities").one("row", "P0")
    older = screen("run", f"/runs/{last}?base={first}")
    assert "+1" not in before.words and "+1" in older.under("Priorities").one("row", "P0").words
    assert not older.all("group", "latest of other environments")


def test_another_release_can_be_the_baseline(world, addresses, screen):
    world.run({"routing": {"broke": "P"}}, release="8.0")
    other = ids.text(world.runs[-1].id)
    offered = screen("run", addresses[2]).one("group", "latest of other environments")
    assert offered.one("option", "8.0 #4").value == other
    assert counts(screen("run", f"{addresses[2]}?base={other}"), "changes")["not run → passed"] == 3


def test_exclusions_are_shown_and_one_switch_includes_them(world, screen):
    passing = {f"t{number}": "P" for number in range(8)}
    storage = {"storage": {"s": "P"}}
    world.series([{"routing": passing} | storage] * 2 + [{"routing": dict.fromkeys(passing, "F")} | storage])
    address = f"/runs/{ids.text(world.runs[-1].id)}"
    run = screen("run", address)
    assert "8 failures of 1 mass failure" in run.texts("summary") and "in this run" in run
    included = screen("run", f"{address}?include_storms=1&view=broken")
    assert len(included.cases()) == 8 and "No verdicts" in screen("run", f"{address}?view=broken")


def test_the_gate_gives_the_same_answer_on_the_screen_and_to_a_job(world, screen):
    passing = {f"t{number}": "P" for number in range(12)}
    before = {"routing": passing, "storage": {"s": "P", "u": "P"}}
    world.series([before, before, {"routing": dict.fromkeys(passing, "F"), "storage": {"s": "F", "u": "P"}}])
    run = ids.text(world.runs[-1].id)
    answer = gate(world.store, Filter(release="7.0"), run)
    assert answer["new"] == 1 and answer["left_out"]["failures"] == 12
    shown = screen("run", f"/runs/{run}?view=gate")
    assert counts(shown, "gate")["newly failing"] == 1 and "excluding 12 failures of a mass failure" in shown
    (case,) = shown.cases()
    assert answer["reason"] in shown and answer["tests"][0]["sentence"] in case
    assert "including 12 failures of a mass failure" in shown
    assert counts(shown, "changes")["passed → failed"] == 13  # between these two runs alone, the storm counted
    included = screen("run", f"/runs/{run}?view=gate&include_storms=1")
    assert len(included.cases()) == 13 and "including 1" not in included
    assert "No complete run before #1" in screen("run", f"/runs/{ids.text(world.runs[0].id)}")


def test_an_older_run_shows_its_verdicts_as_of_then(world, screen):
    world.history({"mended": "PPFFPP", "late": "PPPPPF"})
    fourth = ids.text(world.runs[3].id)
    run = screen("run", f"/runs/{fourth}?view=broken")
    assert counts(run, "broken")["regression"] == 1
    assert "Verdicts as of #4;" in run and "Verdicts as of #4 1 regression" in run
    (case,) = run.cases()
    assert "mended" in case.words and "late" not in run.words
    drawer = screen("drawer", case.one("link").href)
    assert "Traceback of mended" in drawer and "last 4 results" in drawer
    assert "Verdicts as of" not in screen("run", f"/runs/{ids.text(world.runs[5].id)}?view=broken")


def test_one_switch_excludes_flaky_tests_from_every_count(world, screen):
    world.history({"flaky": "PFPPFP", "steady": "PPPPPF"})
    address = f"/runs/{ids.text(world.runs[-1].id)}"
    both = screen("run", address)
    assert "result excluded" not in both and both.facts["results"] == "2"
    without = screen("run", f"{address}?exclude_flaky=1")
    assert "1 result excluded" in without and without.facts["results"] == "1"


def test_new_patterns_come_first(world, screen):
    world.history({"old": "FFFFFFFFFFFF", "other": "FFFFFFFFFFFF", "late": "PPPPPPPPPPPF"})
    run = screen("run", f"/runs/{ids.text(world.runs[-1].id)}?view=patterns")
    messages = [row["Message"] for row in run.one("table", "Message").rows]
    assert len(messages) > 1 and messages[0].startswith("new ") and " late " in messages[0]
    assert not any(message.startswith("new ") for message in messages[1:])
    assert "Nothing in this scope" in screen("run", f"/runs/{ids.text(world.runs[0].id)}?view=patterns&module=no")


def test_the_markup_of_hostile_names_is_escaped(world, screen):
    world.history({"<img src=x>": "PF"}, module="<b>m", release="<u>r", environment="<i>e")
    for kind in ("modules", "broken", "changes", "patterns", "failed"):
        run = screen("run", f"/runs/{ids.text(world.runs[-1].id)}?view={kind}")
        assert "<u>r" in run and "<i>e" in run, kind
        assert not any(tag in run.markup for tag in ("<img", "<b>m", "<u>", "<i>e")), kind


def test_a_scope_without_results_in_a_run_is_empty_and_not_broken(world, screen):
    world.run({"routing": {"a": "F"}, "late": {}})
    world.run({"nvs": {"a": "P"}}, release="8.0")
    run = ids.text(world.runs[0].id)
    nowhere = screen("run", f"/runs/{run}?module=nvs&view=failed")
    assert "Nothing in this scope" in nowhere and "has no results of module nvs" in nowhere
    assert "broken" not in nowhere.words
    assert nowhere.one("link", "Remove the filters").href == f"/runs/{run}?view=failed"
    assert "Nothing in this scope" in screen("run", f"/runs/{run}?topology=9s")
    late = screen("run", f"/runs/{run}?module=late")
    assert "No results: the builds finished" in late and "broken" in late.words


def test_the_overview_explains_a_scope_without_runs_and_links_out_of_it(world, screen):
    world.run({"routing": {"a": "F"}}, release="7.0")
    world.run({"nvs": {"n": "P"}}, release="8.0", environment="staging")
    for query in ("environment=staging", "module=nvs"):
        overview = screen("overview", f"/?release=7.0&{query}")
        assert "Nothing in this scope" in overview and "No runs yet" not in overview
        assert overview.one("link", "Show all").href == "/?release=7.0"
    overview = screen("overview", "/?module=nvs")
    assert "No run of module nvs" in overview
    assert "empty" in overview.one("article", "7.0").words and "broken" not in overview.words


def test_runs_that_differ_too_much_give_no_estimate(world, screen):
    for seconds in (6000, 6000, 60):
        run, builds, run_builds = world.prepare({"routing": {"a": "P"}})
        world.write([replace(run, duration_s=seconds)], builds, run_builds)
    world.run({"routing": {"a": "P"}, "late": None}, state="running")
    running = world.runs[-1]
    assert runs.expected(world.store, ids.text(running.id)) is None
    page = screen("run", f"/runs/{ids.text(running.id)}")
    assert "of 2 builds done" in page and "min left" not in page and "longer than usual" not in page


def test_a_run_much_faster_than_earlier_ones_gets_no_estimate():
    now = datetime(2026, 11, 20, 12)
    run = {"started_at": "2026-11-20T11:59:30Z", "duration_s": None, "expected_s": 6000.0, "builds": 8}
    assert progress(run | {"builds_final": 0}, now)["left_s"] == 5970
    assert progress(run | {"builds_final": 4}, now)["left_s"] is None


def test_the_end_of_a_run_is_estimated_from_the_newest_runs_of_its_lane(world):
    for seconds, environment in ((9000, "prod"), (9000, "prod"), (60, "prod"), (70, "prod"), (80, "prod"), (5, "lab")):
        run, builds, run_builds = world.prepare({"routing": {"a": "P"}}, environment=environment)
        world.write([replace(run, duration_s=seconds)], builds, run_builds)
    assert runs.expected(world.store, ids.text(world.runs[0].id)) == 70
    assert runs.run(world.store, ids.text(world.runs[-1].id))["expected_s"] == 5
