"""The state of releases and runs on the screens: one judgement, and never 100 % where results are missing."""

from __future__ import annotations

from support.store_builder import World

from data.model import ids

GOOD = {"routing": {"a": "P", "b": "P"}, "firewall": {f"f{number}": "P" for number in range(5)}}
LACKING = {**GOOD, "firewall": None}


def test_overview_and_matrix_count_the_same_releases(world: World, screen):
    world.series([GOOD, LACKING])
    world.series([GOOD, {**GOOD, "routing": {"a": "F", "b": "P"}}], release="8.0")
    world.series([GOOD, GOOD], release="9.0")
    overview, matrix = screen("overview", "/"), screen("matrix", "/matrix")
    assert overview.title == "2 of 3 releases need attention" and matrix.title == "2 of 3 releases are not ready"
    tiles = {tile.one("heading").words[0]: tile for tile in overview.all("article")}
    assert "Run #2 is incomplete: 1 of 2 builds has no results." in tiles["7.0"]
    assert "incomplete 2 of 2 passed" in tiles["7.0"], "in place of a rate of 100 %"
    assert "failing" in tiles["8.0"] and "No new run for" in tiles["8.0"]
    assert "stale" in tiles["9.0"]


def test_a_tile_shows_its_other_environments_with_their_own_state(world: World, screen):
    world.series([GOOD, GOOD])
    world.series([{"routing": {"a": letter}} for letter in "PF"], environment="staging")
    overview = screen("overview", "/")
    (tile,) = overview.all("article")
    assert "7.0 prod" in tile.one("heading").text and "0 new" in tile
    lane = tile.one("link", "staging")
    assert "failing" in lane and "environment=staging" in lane.href
    assert overview.title == "1 of 1 release needs attention"


def test_a_run_that_lacks_a_build_shows_what_is_missing_and_no_full_rate(world: World, screen):
    world.series([GOOD, LACKING])
    run = screen("run", f"/runs/{ids.text(world.runs[-1].id)}")
    assert "Run #2 is incomplete: 1 of 2 builds has no results." in run
    (row,) = [row for row in run.one("table").all("row") if "firewall" in row.text]
    assert "missing" in row and "usually about 5" in " ".join(row.tooltips)


def test_a_module_with_part_of_its_results_says_of_how_many(world: World, screen):
    from support.store_builder import cases

    def part(first: int, last: int):
        return cases("firewall", {f"f{number}": "P" for number in range(first, last)})

    whole = {"one": part(0, 13), "two": part(13, 95)}
    world.series([whole, whole, {"one": part(0, 13), "two": None}])
    run = screen("run", f"/runs/{ids.text(world.runs[-1].id)}")
    (row,) = run.one("table").all("row")
    assert "incomplete" in row and "13 of about 95" in row and "100.00" not in run.one("table")


def test_tabs_and_chips_of_a_run_count_what_they_list(world: World, screen):
    world.history({"both": "PFPFFF", "flaky": "PPFPPP", "fresh": "PPPPPF"}, module="routing")
    address = f"/runs/{ids.text(world.runs[-1].id)}?view=broken"
    run = screen("run", address)
    assert "Verdicts 3" in run.texts("link") and len(run.cases()) == 3
    for kind, count in (("regression", 1), ("new_failure", 1), ("flaky", 1), ("fixed", 0)):
        assert len(screen("run", f"{address}&kind={kind}").cases()) == count, kind
