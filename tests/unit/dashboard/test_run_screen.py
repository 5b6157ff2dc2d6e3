"""The run screen: what it is held against, what changed, what was left out, and which failures are new."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from data.model import ids
from data.model.filters import Filter
from data.queries import runs
from data.queries.gate import gate

MOVES = {"broke": "PPF", "dead": "FFF", "fixed": "FFP", "steady": "PPP", "came": "--P"}


@pytest.fixture
def addresses(world) -> list[str]:
    world.history(MOVES)
    return [f"/runs/{ids.text(run.id)}" for run in world.runs]


def counts(html: str) -> dict[str, int]:
    """The numbers of the board, by their words."""
    return {word: int(count) for count, word in re.findall(r"<b data-live>(\d+)</b><span>([\w ]+)</span>", html)}


def test_the_changes_are_on_top_and_follow_the_chosen_baseline(world, addresses, show):
    html = show("run", addresses[2])["html"]
    assert counts(html)["still failing"] == 1 and counts(html)["new pass"] == 1 and ">fixed<" in html
    assert re.search(r'<option value="" selected>#2 \(previous run\)', html)
    first = addresses[0].rpartition("/")[2]
    chosen = show("run", f"{addresses[2]}?base={first}&view=changes&class=regression")["html"]
    assert f'<option value="{first}" selected>' in chosen and ">broke<" in chosen
    assert "no earlier run" in show("run", addresses[0])["html"]
    assert "No run 0123" in show("run", f"{addresses[2]}?base=0123456789abcdef")["html"]


def test_modules_and_priorities_are_compared_with_the_same_run(world, addresses, show):
    def metadata(cursor) -> None:
        cursor.execute("INSERT INTO test_metadata BY NAME SELECT 'broke' AS base_name, 'P0' AS priority")

    world.store.transact("test", "metadata", metadata)
    world.run({"routing": {"broke": "F", "dead": "F"}})
    first, last = (ids.text(world.runs[index].id) for index in (0, 3))
    before = show("run", f"/runs/{last}")["html"]
    older = show("run", f"/runs/{last}?base={first}")["html"]
    row = re.compile(r'data-key="priority-P0".*?</tr>', re.DOTALL)
    assert "+1" not in row.search(before)[0] and "+1" in row.search(older)[0]
    assert "latest of other environments" not in older


def test_another_release_can_be_the_baseline(world, addresses, show):
    world.run({"routing": {"broke": "P"}}, release="8.0")
    other = ids.text(world.runs[-1].id)
    html = show("run", addresses[2])["html"]
    assert f'<option value="{other}">8.0 #4' in html and "latest of other environments" in html
    assert counts(show("run", f"{addresses[2]}?base={other}")["html"])["new pass"] == 3


def test_exclusions_are_shown_and_one_switch_includes_them(world, show):
    passing = {f"t{number}": "P" for number in range(8)}
    storage = {"storage": {"s": "P"}}
    world.series([{"routing": passing} | storage] * 2 + [{"routing": dict.fromkeys(passing, "F")} | storage])
    address = f"/runs/{ids.text(world.runs[-1].id)}"
    html = show("run", address)["html"]
    assert "8 failures of 1 mass failure<" in html and "in this run" in html
    included = show("run", f"{address}?include_storms=1&view=broken")["html"]
    assert included.count('class="case"') == 8 and "No verdicts" in show("run", f"{address}?view=broken")["html"]


def test_the_gate_gives_the_same_answer_on_the_screen_and_to_a_job(world, show):
    passing = {f"t{number}": "P" for number in range(12)}
    before = {"routing": passing, "storage": {"s": "P", "u": "P"}}
    world.series([before, before, {"routing": dict.fromkeys(passing, "F"), "storage": {"s": "F", "u": "P"}}])
    run = ids.text(world.runs[-1].id)
    answer = gate(world.store, Filter(release="7.0"), run)
    assert answer["new"] == 1 and answer["left_out"]["failures"] == 12
    html = show("run", f"/runs/{run}?view=gate")["html"]
    assert "<b data-live>1</b><span>newly failing" in html and "excluding 12 failures of a mass failure" in html
    assert answer["reason"] in html and answer["tests"][0]["sentence"] in html and html.count('class="case"') == 1
    assert "including 12 failures of a mass failure" in html
    assert ">13</b><span>regression" in html  # between these two runs alone, the storm counted
    included = show("run", f"/runs/{run}?view=gate&include_storms=1")["html"]
    assert included.count('class="case"') == 13 and "including 1" not in included
    assert "No finished run before #1" in show("run", f"/runs/{ids.text(world.runs[0].id)}")["html"]


def test_an_older_run_shows_its_verdicts_as_of_then(world, show):
    world.history({"mended": "PPFFPP", "late": "PPPPPF"})
    fourth = ids.text(world.runs[3].id)
    html = show("run", f"/runs/{fourth}?view=broken")["html"]
    assert "<b data-live>1</b><span>regression</span>" in html.partition("Gate</b>")[0]
    assert "Verdicts as of #4;" in html and "Verdicts</b> as of #4" in html
    (case,) = re.findall(r'class="case-link" href="[^"]*case=([^"&]+)', html)
    assert ">mended<" in html and ">late<" not in html
    text = show("drawer", f"/runs/{fourth}?view=broken&case={case}")["html"]
    assert "Traceback of mended" in text and "last 4 results" in text
    assert "Verdicts as of" not in show("run", f"/runs/{ids.text(world.runs[5].id)}?view=broken")["html"]


def test_one_switch_excludes_flaky_tests_from_every_count(world, show):
    world.history({"flaky": "PFPPFP", "steady": "PPPPPF"})
    address = f"/runs/{ids.text(world.runs[-1].id)}"
    assert "result excluded" not in show("run", address)["html"]
    html = show("run", f"{address}?exclude_flaky=1")["html"]
    assert "<b>1 result excluded" in html and re.search(r"<dd data-live>1</dd>", html)


def test_new_patterns_come_first(world, show):
    world.history({"old": "FFFFFFFFFFFF", "other": "FFFFFFFFFFFF", "late": "PPPPPPPPPPPF"})
    html = show("run", f"/runs/{ids.text(world.runs[-1].id)}?view=patterns")["html"]
    patterns = re.findall(r'<a class="case-message"[^>]*>([^<]+)', html)
    assert patterns and html.index("Failure patterns") < html.index(patterns[0])
    assert "Nothing in this scope" in show("run", f"/runs/{ids.text(world.runs[0].id)}?view=patterns&module=no")["html"]


def test_names_are_escaped(world, show):
    world.history({"<img src=x>": "PF"}, module="<b>m", release="<u>r", environment="<i>e")
    for kind in ("modules", "broken", "changes", "patterns", "failed"):
        html = show("run", f"/runs/{ids.text(world.runs[-1].id)}?view={kind}")["html"]
        assert not any(tag in html for tag in ("<img", "<b>m", "<u>", "<i>e")), kind


def test_a_scope_without_results_in_a_run_is_empty_and_not_broken(world, show):
    world.run({"routing": {"a": "F"}, "late": {}})
    run = ids.text(world.runs[0].id)
    html = show("run", f"/runs/{run}?module=nowhere&view=failed")["html"]
    assert "Nothing in this scope" in html and "has no results of module nowhere" in html and "s-broken" not in html
    assert f'href="/runs/{run}?view=failed"' in html
    assert "Nothing in this scope" in show("run", f"/runs/{run}?topology=9s")["html"]
    assert "No results: the builds finished" in show("run", f"/runs/{run}?module=late")["html"]


def test_the_overview_explains_a_scope_without_runs_and_links_out_of_it(world, show):
    world.run({"routing": {"a": "F"}}, release="7.0")
    world.run({"nvs": {"n": "P"}}, release="8.0", environment="staging")
    for query in ("environment=nowhere", "module=nowhere", "topology=9s"):
        html = show("overview", f"/?{query}")["html"]
        assert "Nothing in this scope" in html and 'href="/">Show all' in html and "No runs yet" not in html
    html = show("overview", "/?module=nvs")["html"]
    assert "No run of module nvs" in html and html.count("s-empty") >= 1 and "s-broken" not in html


def test_the_end_of_a_run_is_estimated_from_the_newest_runs_of_its_lane(world):
    for seconds, environment in ((9000, "prod"), (9000, "prod"), (60, "prod"), (70, "prod"), (80, "prod"), (5, "lab")):
        run, builds, run_builds = world.prepare({"routing": {"a": "P"}}, environment=environment)
        world.write([replace(run, duration_s=seconds)], builds, run_builds)
    assert runs.expected(world.store, "7.0", "prod") == 70
    assert runs.run(world.store, ids.text(world.runs[-1].id))["expected_s"] == 5
