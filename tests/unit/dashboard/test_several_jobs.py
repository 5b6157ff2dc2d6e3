"""Lists of runs of several jobs name the job of each; those of one job only the number."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from dash import Dash
from support.screen import Screen
from support.store_builder import START, World

import regtracker
from dashboard.run_names import run_namer
from data.model import ids

GOOD = {"routing": {"a": "P"}}


@pytest.fixture
def jobs(world: World) -> World:
    """Two runs of each of two jobs that make runs of their own."""
    for number in (1, 2):
        for hours, job in enumerate(("qa/core/night", "qa/edge/night"), 12 * number):
            run, builds, run_builds = world.prepare(GOOD, number=number, started_at=START + timedelta(hours=hours))
            run = replace(run, job=job)
            world.write(
                [run],
                [replace(build, job=job) for build in builds],
                [replace(row, run=run.id, job=job) for row in run_builds],
            )
            world.runs[-1] = run
    return world


def names(screen: Screen, role: str = "link") -> set[str]:
    """How the screen names runs number 2."""
    return {element.text for element in screen.all(role) if "#2" in element.text}


def test_lists_of_runs_of_several_jobs_name_them(jobs: World, screen) -> None:
    overview = screen("overview", "/")
    assert names(overview) >= {"7.0 core/night #2", "7.0 edge/night #2"}, "the latest runs"
    (tile,) = overview.all("article")
    assert any(link.text in ("core/night #2", "edge/night #2") for link in tile.all("link"))
    heads = screen("matrix", "/matrix?release=7.0").one("table").all("columnheader", "prod")
    assert "core/night #2" in heads[0] and "edge/night #2" in heads[0]
    run = screen("run", f"/runs/{ids.text(jobs.runs[-1].id)}")
    chosen = {option.text.removesuffix(" 7.0.0.2 ok") for option in run.one("combobox", "Run").all("option")}
    assert {"core/night #2", "edge/night #2"} <= chosen
    compared = screen("compare", f"/compare?candidate={ids.text(jobs.runs[-1].id)}")
    assert {"7.0 core/night #2 prod 7.0.0.2", "7.0 edge/night #2 prod 7.0.0.2"} <= names(compared, "option")
    assert {"7.0 core/night #2", "7.0 edge/night #2"} <= names(screen("trends-table", "/trends"))


def test_a_number_that_several_jobs_gave_is_no_name_of_a_run(jobs: World) -> None:
    with regtracker.connect(jobs.store.settings.home) as tracker:
        with pytest.raises(LookupError, match=r"'7\.0 #2' names 2 runs, give the id of one: ") as refused:
            tracker.results("7.0 #2")
        for run in jobs.runs[-2:]:
            assert f"{ids.text(run.id)} ({run.job} in prod)" in str(refused.value)
            assert len(tracker.results(ids.text(run.id))) == 1


def test_a_run_is_compared_with_the_run_before_of_its_job(jobs: World, app: Dash) -> None:
    """Between the two run those of the other job; the first run of a job follows any."""
    core, edge, newer_core, newer_edge = (ids.text(run.id) for run in jobs.runs)
    client = app.server.test_client()
    expected = {edge: core, newer_core: core, newer_edge: edge}
    for run, before in expected.items():
        assert client.get(f"/api/v1/gate?release=7.0&run={run}").json["baseline"]["id"] == before
        assert client.get(f"/api/v1/runs/{run}/changes").json["base"]["id"] == before


def test_one_job_needs_no_name(world: World, screen) -> None:
    world.series([GOOD, GOOD])
    assert "7.0 #2" in names(screen("overview", "/"))
    assert "#2" in screen("matrix", "/matrix?release=7.0").one("table").all("columnheader", "prod")[0]
    assert names(screen("trends-table", "/trends")) == {"7.0 #2"}


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("7.0", "qa/a"), ("7.0", "qa/b")], ["a #1", "b #1"]),
        ([("7.0", "qa/a"), ("8.0", "qa/b")], ["#1", "#1"]),
        ([("7.0", "a/x/n"), ("7.0", "b/x/n"), ("7.0", "m")], ["a/x/n #1", "b/x/n #1", "m #1"]),
        ([("7.0", "x/n"), ("7.0", "n")], ["x/n #1", "n #1"]),
        ([("7.0", "qa/a"), ("7.0", "qa/a")], ["#1", "#1"]),
    ],
)
def test_a_job_is_named_by_what_distinguishes_it(pairs: list[tuple[str, str]], expected: list[str]) -> None:
    runs: list[dict[str, Any]] = [{"release": release, "job": job, "number": 1} for release, job in pairs]
    name = run_namer([None, *runs])
    assert [name(run) for run in runs] == expected
